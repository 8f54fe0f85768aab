// SPDX-License-Identifier: Apache-2.0
// Self attend: what ONNX Runtime's Attention and QAttention do once queries, keys and values are there, side by side.
#pragma once

#include "op/tensor/attend.h"
#include "op/tensor/infer.h"

typedef struct SelfAttend {
    DType dtype; // of the outputs
    size_t batches, tokens, heads, hidden, value_hidden;
    const float *qkv;        // [batches, tokens, hidden + hidden + value_hidden]
    size_t mask, past, bias; // inputs by their index, which may be absent
} SelfAttend;

// Hidden sizes from {num_heads} and {qkv_hidden_sizes} (NULL: thirds) for `columns` of weights.
MUST_CHECK Status self_attend_sizes(const Evaluation *run, size_t columns, SelfAttend *ret, Error *err);
// Output 0 [batches, tokens, value_hidden] and, where the node has it, present [2, batches, heads, keys, width].
MUST_CHECK Status self_attend(Evaluation *run, const SelfAttend *args, Error *err);
// The same of a node's types, `hidden` unknown or the columns of a value.
void self_attend_infer(const Node *node, Dim value_hidden, DType dtype, ValueType *ret_types);

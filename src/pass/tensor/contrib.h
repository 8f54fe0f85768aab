// SPDX-License-Identifier: Apache-2.0
// Contrib: how expand_contrib writes ONNX's own operators in the place of one that only ONNX Runtime has. An expansion
// asks everything first, and leaves the node as it is where it has no plain form; what it adds goes before the node,
// which at last becomes the operator that gives its first output.
#pragma once

#include "pass/rewrite.h"
#include "pass/tensor/match.h"

enum { CONTRIB_MOST_OUTPUTS = 4 };

typedef struct Contrib {
    Graph *graph;
    Node *node;
    unsigned reads;  // a bit for each output that is read
    Value *replaced; // [CONTRIB_MOST_OUTPUTS]
} Contrib;

typedef Status ContribExpand(const Contrib *c, Error *err);

// contrib_norms.c
ContribExpand contrib_skip_norm, contrib_embed_norm, contrib_simplified_norm;
// contrib_products.c
ContribExpand contrib_fused_matmul, contrib_bias_gelu, contrib_gelu, contrib_fast_gelu, contrib_quick_gelu,
    contrib_dynamic_quantize_matmul, contrib_matmul_integer_to_float;
// contrib_attention.c
ContribExpand contrib_attention, contrib_multi_head_attention, contrib_rotary_embedding;

// One operator before the node: its first output.
MUST_CHECK Status contrib_add(const Contrib *c, const NodeSpec *spec, Value *ret, Error *err);
// One of one or two inputs (b may be absent) without attributes.
MUST_CHECK Status contrib_apply(const Contrib *c, OpCode op, Value a, Value b, Value *ret, Error *err);
// With axes or a shape as its second input.
MUST_CHECK Status contrib_apply_ints(const Contrib *c, OpCode op, Value a, const int64_t *values, size_t count,
                                     Value *ret, Error *err);
// The node becomes `spec`, with the first `outputs` of its own.
MUST_CHECK Status contrib_become(const Contrib *c, NodeSpec spec, size_t outputs, Error *err);
// The same of one or two inputs without attributes, and one output.
MUST_CHECK Status contrib_become_plain(const Contrib *c, OpCode op, Value a, Value b, Error *err);

// Whether somebody reads that output.
bool contrib_output_is_read(const Contrib *c, size_t output);
// Who reads that output reads `value` from now on.
void contrib_replace(const Contrib *c, size_t output, Value value);

// A number as a constant of rank 0, of a type that match_takes_number.
MUST_CHECK Status contrib_number(const Contrib *c, DType dtype, double number, Value *ret, Error *err);
// Elements [first, first + count) of a plain vector, which are not copied.
MUST_CHECK Status contrib_part(const Contrib *c, const Constant *vector, int64_t first, int64_t count, Value *ret,
                               Error *err);
// Dimension `axis` of a value, as i64 [1].
MUST_CHECK Status contrib_dim(const Contrib *c, Value value, int64_t axis, Value *ret, Error *err);
// 0, 1, 2 ... up to an i64 [1].
MUST_CHECK Status contrib_range(const Contrib *c, Value count, Value *ret, Error *err);

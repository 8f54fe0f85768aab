// SPDX-License-Identifier: Apache-2.0
// What the operators' shape rules and runs share.
#pragma once

#include "op/op.h"

// The node's first output name, for messages.
const char *rule_name(const Node *node);

// f32 [rows, columns] values: input `index` must be one; *ret_type gets its type.
MUST_CHECK Status rule_matrix(const Node *node, size_t index, ValueType *ret_type, Error *err);

// Input `index` must be i32 [rows].
MUST_CHECK Status rule_ids(const Node *node, size_t index, ValueType *ret_type, Error *err);

// Inputs a and b must have equal types.
MUST_CHECK Status rule_same(const Node *node, size_t a, size_t b, Error *err);

// Input `index` must be a constant vector of `count` elements of f32, f16 or bf16 (absent is fine when `optional`).
MUST_CHECK Status rule_vector(const Node *node, size_t index, int64_t count, bool optional, Error *err);

// Attribute heads must divide the `columns` of a value; *ret_heads (may be NULL) gets it.
MUST_CHECK Status rule_heads(const Node *node, int64_t columns, int64_t *ret_heads, Error *err);

// f32 copy of the constant vector at input `index` in the plan's arena; NULL in *ret where the input is absent.
MUST_CHECK Status prepare_vector(const OpPrepare *args, size_t index, const float **ret, Error *err);

// Row r of a slab of f32.
static inline float *slab_row(const Slab *slab, size_t r) {
    return (float *)slab->data + r * slab->row_stride;
}

// Rows of one tile of a row-wise operator, and calling `rows(run, first, last)` over all rows: on the pool when there
// are `many` elements in all, else right here.
void run_by_rows(const OpRun *run, size_t count, size_t elements,
                 void (*rows)(const OpRun *run, size_t first, size_t last));

// Cost of an operator that reads and writes `reads + 1` values of the output's size with `operations` per element.
OpCost cost_elementwise(const Node *node, size_t rows, double operations, double reads);

// Columns of the first output: 1 for a vector of ids.
size_t output_columns(const Node *node);

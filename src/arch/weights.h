// SPDX-License-Identifier: Apache-2.0
// From named tensors to a graph's constants and the nodes that use them: the vocabulary in which families are written.
//
// A GraphBuilder remembers its first failure: after it every call does nothing and gives absent values, so that a
// family reads from top to bottom without a check on each line. builder_status tells at the end.
#pragma once

#include "arch/arch.h"

typedef struct GraphBuilder {
    Graph *graph;
    const ArchInput *input;
    Status status;
    Error *err;
} GraphBuilder;

// The end of a tensor's name that says that it lies as [columns, rows], where ArchInput.turned has such.
#define WEIGHT_TURNED "_turned"

// A tensor under any of the names in `alternatives` (NULL-terminated; each also tried with and without "model."), as a
// constant. Real weights stay as stored (F64 becomes f32 in the arena); I8 with "<name>_scale" beside it becomes
// SCHEME_INT8_ROW; 4 bits (tensor/four_bits.h) become SCHEME_Q4, or f32 where their blocks do not fit the rows.
// Dimensions must be rows x columns (columns 0: a vector; a [1, rows] tensor is one too). Without tensors the first
// name is taken.
const Constant *builder_constant(GraphBuilder *builder, const char *const *alternatives, size_t rows, size_t columns);

// NULL when no such tensor exists.
const Tensor *builder_find(const GraphBuilder *builder, const char *name);

// Whether an optional tensor is there; of graphs without data, all are.
bool builder_has(const GraphBuilder *builder, const char *name);

// "<name>.weight" [outputs, inputs] and, where there is one, "<name>.bias". Beside int8 rows, "<name>.input_scale" [1]
// quantizes all activations by that scale, after "<name>.input_factors" [inputs] where they are there too.
Value builder_linear(GraphBuilder *builder, Value x, const char *name, size_t outputs, size_t inputs);

// x over "<name>.weight" and "<name>.bias".
Value builder_norm(GraphBuilder *builder, Value x, const char *name, size_t width);

// Any other node with one output; its type comes from the caller (the builder knows no shape rules).
Value builder_node(GraphBuilder *builder, OpCode op, const char *name, const Value *inputs, size_t input_count,
                   const Attribute *attributes, size_t attribute_count, size_t columns);

// An i32 [dim] input, and an f32 [dim, columns] one.
Value builder_ids(GraphBuilder *builder, const char *name, Dim dim);
Value builder_states(GraphBuilder *builder, const char *name, Dim dim, size_t columns);

// A node without outputs.
void builder_effect(GraphBuilder *builder, OpCode op, const Value *inputs, size_t input_count,
                    const Attribute *attributes, size_t attribute_count);

// printf into the graph's arena, for tensor names; "" after a failure.
const char *builder_text(GraphBuilder *builder, const char *format, ...) __attribute__((format(printf, 2, 3)));

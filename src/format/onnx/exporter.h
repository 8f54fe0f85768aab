// SPDX-License-Identifier: Apache-2.0
// What the files of the export share. An Exporter remembers its first failure: after it every call does nothing and
// gives absent values, so that the translation reads from top to bottom.
#pragma once

#include "format/onnx/export.h"

// [batch, heads, length, head dim]
typedef struct LayerKeys {
    Value key, value;
} LayerKeys;

typedef struct Exporter {
    Graph *graph;            // being built
    Graph *around;           // NULL, or the graph with the If that `graph` is a body of: weights are its
    Value *outside, *inside; // [captured] values of `around`, and the inputs of `graph` that stand for them
    size_t captured, captured_room;
    int64_t opset;
    bool only_onnx, dequantize;
    ExportSizes sizes;
    Value source_mask, causal_mask;    // added to scores
    LayerKeys *past, *cross, *present; // [decoder layers]; past NULL: none
    bool head;                         // linears are the head: its weight may be a table too, and is not turned
    Status status;
    Error *err;
} Exporter;

// build.c: nodes and small constants.
void export_fail(Exporter *x, Status status);
// printf into the arena; "" after a failure.
const char *export_text(Exporter *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
Value export_node_in(Exporter *x, Graph *graph, OpCode op, const char *name, const Value *inputs, size_t input_count,
                     const Attribute *attributes, size_t attribute_count);
Value export_node(Exporter *x, OpCode op, const char *name, const Value *inputs, size_t input_count,
                  const Attribute *attributes, size_t attribute_count);
Value export_unary(Exporter *x, OpCode op, const char *name, Value a);
Value export_binary(Exporter *x, OpCode op, const char *name, Value a, Value b);
Value export_cast(Exporter *x, const char *name, Value a, DType to);
Value export_transpose(Exporter *x, const char *name, Value a, const int64_t perm[4]);
Value export_input(Exporter *x, const char *name, DType dtype, int rank, const Dim *dims);
Dim export_dim(Exporter *x, const char *name); // a variable, or the size that its name has for good
Value export_ints(Exporter *x, const int64_t *values, size_t count); // [count]
Value export_int(Exporter *x, int64_t value);
Value export_byte(Exporter *x, DType dtype, uint8_t value);
Value export_real(Exporter *x, double value);
Value export_reals(Exporter *x, const float *values, size_t count); // [count]
// A value of `around` in `graph`: itself where there is nothing around.
Value export_seen(Exporter *x, Value outer);

// weights.c: a model's constants as f32 values.
Value export_weight(Exporter *x, const Constant *weight);
Value export_weight_rows(Exporter *x, const char *name, const Constant *table, Value ids);
// Whether products with a weight read its codes: 4 bits by an operator of com.microsoft, int8 as integers.
bool export_weight_is_packed(const Exporter *x, const Constant *weight);
// input [..., inputs] times the weight [outputs, inputs]. `rounded`: the input is a DequantizeLinear already.
Value export_product(Exporter *x, const char *name, Value input, bool rounded, const Constant *weight);

// attention.c
Value export_split_heads(Exporter *x, const char *name, Value v, const Node *node, int64_t heads);
Value export_attention(Exporter *x, const Node *node, const Value *inputs);
// What is added where `mask` [batch, length] is 0, as [batch, 1, 1, length].
Value export_source_mask(Exporter *x, Value mask);
// [queries, keys]: added where a key comes after the query; query i is at positions[i].
Value export_causal_mask(Exporter *x, Value positions, Value length);

// nodes.c: fills values[node index] of what `wanted` needs; those that are set stay.
void export_translate(Exporter *x, const Graph *source, Value *values, const Value *wanted, size_t wanted_count);

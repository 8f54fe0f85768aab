// SPDX-License-Identifier: Apache-2.0
// Nodes, inputs and small constants of the graphs that are exported.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/onnx/exporter.h"
#include "op/op.h"

void export_fail(Exporter *x, Status status) {
    if (x->status == OK)
        x->status = status;
}

const char *export_text(Exporter *x, const char *format, ...) {
    if (x->status != OK)
        return "";
    va_list args;
    va_start(args, format);
    const char *text = arena_format_list(x->graph->arena, x->err, format, args);
    va_end(args);
    if (!text)
        x->status = x->err->status;
    return text ? text : "";
}

Value export_node_in(Exporter *x, Graph *graph, OpCode op, const char *name, const Value *inputs, size_t input_count,
                     const Attribute *attributes, size_t attribute_count) {
    if (x->status != OK)
        return (Value){0};
    int outputs = op_arity(op).outputs;
    NodeSpec spec = {.op = op,
                     .name = name,
                     .inputs = inputs,
                     .input_count = input_count,
                     .attributes = attributes,
                     .attribute_count = attribute_count,
                     .output_count = outputs > 0 ? (size_t)outputs : 1};
    Node *node;
    x->status = graph_add_node(graph, &spec, &node, x->err);
    if (x->status == OK)
        x->status = op_infer(node, x->err);
    return x->status == OK ? value_of(node, 0) : (Value){0};
}

Value export_node(Exporter *x, OpCode op, const char *name, const Value *inputs, size_t input_count,
                  const Attribute *attributes, size_t attribute_count) {
    return export_node_in(x, x->graph, op, name, inputs, input_count, attributes, attribute_count);
}

Value export_unary(Exporter *x, OpCode op, const char *name, Value a) {
    return export_node(x, op, name, &a, 1, NULL, 0);
}

Value export_binary(Exporter *x, OpCode op, const char *name, Value a, Value b) {
    return export_node(x, op, name, (Value[]){a, b}, 2, NULL, 0);
}

Value export_cast(Exporter *x, const char *name, Value a, DType to) {
    Attribute attribute = attribute_int("to", (int64_t)dtype_onnx(to));
    return export_node(x, TENSOR_CAST, name, &a, 1, &attribute, 1);
}

Value export_transpose(Exporter *x, const char *name, Value a, const int64_t perm[4]) {
    Attribute attribute = attribute_ints("perm", perm, 4);
    return export_node(x, TENSOR_TRANSPOSE, name, &a, 1, &attribute, 1);
}

Value export_input(Exporter *x, const char *name, DType dtype, int rank, const Dim *dims) {
    ValueType type = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; i++)
        type.dims[i] = dims[i];
    NodeSpec spec = {.op = OP_INPUT, .name = name, .types = &type, .output_count = 1};
    Node *node;
    if (x->status != OK || (x->status = graph_add_node(x->graph, &spec, &node, x->err)) != OK)
        return (Value){0};
    return value_of(node, 0);
}

Dim export_dim(Exporter *x, const char *name) {
    Dim dim = {true, DIM_UNKNOWN};
    const struct {
        const char *name;
        int64_t size;
    } fixed[] = {{"batch_size", x->sizes.batch},
                 {"encoder_sequence_length", x->sizes.source},
                 {"decoder_sequence_length", x->sizes.target}};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (fixed[i].size && strcmp(fixed[i].name, name) == 0)
            return (Dim){false, fixed[i].size};
    if (x->status == OK)
        x->status = graph_add_dim(x->graph, name, &dim, x->err);
    return dim;
}

// Constants are named by what they hold, so that each is there once.
static Value constant_of(Exporter *x, const char *name, DType dtype, Shape shape, const void *data, size_t bytes) {
    if (x->status != OK)
        return (Value){0};
    const Constant *found = graph_find_constant(x->graph, name);
    if (found)
        return value_constant(found);
    void *copy = arena_alloc(x->graph->arena, bytes, 16, x->err);
    if (!copy) {
        x->status = x->err->status;
        return (Value){0};
    }
    memcpy(copy, data, bytes);
    Constant constant = {.name = name, .dtype = dtype, .shape = shape, .data = copy};
    x->status = graph_add_constant(x->graph, &constant, &found, x->err);
    return x->status == OK ? value_constant(found) : (Value){0};
}

Value export_ints(Exporter *x, const int64_t *values, size_t count) {
    const char *name = "ints";
    for (size_t i = 0; i < count; i++)
        name = export_text(x, "%s.%lld", name, (long long)values[i]);
    return constant_of(x, name, DTYPE_I64, (Shape){1, {(int64_t)count}}, values, count * sizeof *values);
}

Value export_int(Exporter *x, int64_t value) {
    return constant_of(x, export_text(x, "int.%lld", (long long)value), DTYPE_I64, (Shape){0}, &value, sizeof value);
}

Value export_byte(Exporter *x, DType dtype, uint8_t value) {
    return constant_of(x, export_text(x, "%s.%u", dtype_name(dtype), value), dtype, (Shape){0}, &value, sizeof value);
}

Value export_real(Exporter *x, double value) {
    float single = (float)value;
    return constant_of(x, export_text(x, "real.%.9g", (double)single), DTYPE_F32, (Shape){0}, &single, sizeof single);
}

Value export_reals(Exporter *x, const float *values, size_t count) {
    const char *name = "reals";
    for (size_t i = 0; i < count; i++)
        name = export_text(x, "%s.%.9g", name, (double)values[i]);
    return constant_of(x, name, DTYPE_F32, (Shape){1, {(int64_t)count}}, values, count * sizeof *values);
}

// The type of a value of `around`, in the dimension variables of `graph`.
static ValueType type_seen(Exporter *x, Value outer) {
    ValueType type = value_type(outer);
    for (int i = 0; i < type.rank; i++)
        if (type.dims[i].variable && type.dims[i].value != DIM_UNKNOWN)
            type.dims[i] = export_dim(x, x->around->dims[type.dims[i].value]);
    return type;
}

// Room for one more.
static bool captured_grow(Exporter *x) {
    if (x->captured < x->captured_room)
        return true;
    size_t room = x->captured_room ? 2 * x->captured_room : 64;
    Value *outside = arena_array(x->graph->arena, room, sizeof *outside, x->err);
    Value *inside = outside ? arena_array(x->graph->arena, room, sizeof *inside, x->err) : NULL;
    if (!inside) {
        export_fail(x, x->err->status);
        return false;
    }
    if (x->captured) {
        memcpy(outside, x->outside, x->captured * sizeof *outside);
        memcpy(inside, x->inside, x->captured * sizeof *inside);
    }
    x->outside = outside;
    x->inside = inside;
    x->captured_room = room;
    return true;
}

Value export_seen(Exporter *x, Value outer) {
    if (!x->around || x->status != OK)
        return outer;
    for (size_t i = 0; i < x->captured; i++)
        if (value_equal(x->outside[i], outer))
            return x->inside[i];
    if (!captured_grow(x))
        return (Value){0};
    ValueType type = type_seen(x, outer);
    const char *name = outer.constant ? outer.constant->name : outer.node->names[outer.output];
    Value inner = export_input(x, name, type.dtype, type.rank, type.dims);
    x->outside[x->captured] = outer;
    x->inside[x->captured++] = inner;
    return inner;
}

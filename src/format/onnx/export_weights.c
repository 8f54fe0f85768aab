// SPDX-License-Identifier: Apache-2.0
// A model's constants: stored as they are, once, and f32 where they are used. In a body they and what is made of them
// alone belong to the graph around it, so that both bodies read the same.
#include "format/onnx/exporter.h"

static Graph *home(const Exporter *x) {
    return x->around ? x->around : x->graph;
}

static Value constant_add(Exporter *x, const Constant *constant) {
    const Constant *found = x->status == OK ? graph_find_constant(home(x), constant->name) : NULL;
    if (!found && x->status == OK)
        x->status = graph_add_constant(home(x), constant, &found, x->err);
    return x->status == OK ? value_constant(found) : (Value){0};
}

// The elements as stored; codes of 4 bits as their bytes [rows, columns / 2].
static Value stored(Exporter *x, const Constant *weight) {
    if (weight->part_count)
        export_fail(
            x, FAIL(x->err, ERR_UNSUPPORTED, "constant '%s' is made of parts, which have no form here", weight->name));
    Constant dense = {.name = weight->name,
                      .dtype = weight->dtype,
                      .shape = weight->shape,
                      .data = weight->data,
                      .mapped = weight->mapped};
    if (weight->scheme == SCHEME_Q4)
        dense.shape.dims[1] /= 2;
    return constant_add(x, &dense);
}

static Value scales(Exporter *x, const Constant *weight) {
    Constant scale = {.name = export_text(x, "%s_scale", weight->name),
                      .dtype = DTYPE_F32,
                      .shape = {1, {weight->shape.dims[0]}},
                      .data = weight->scales};
    if (weight->scheme == SCHEME_Q4)
        scale.shape = (Shape){2, {weight->shape.dims[0], weight->shape.dims[1] / (int64_t)weight->group}};
    return constant_add(x, &scale);
}

// f32 [..., columns] of bytes [..., columns / 2] and scales [..., groups], `leading` dimensions before the last.
static Value decoded(Exporter *x, const char *name, const Constant *weight, Value bytes, Value scale, int leading) {
    const char *codes = export_text(x, "%s.codes", name), *parts = export_text(x, "%s.groups", name);
    int64_t columns = weight->shape.dims[1], group = (int64_t)weight->group, shape[SHAPE_MOST_DIMS] = {0};
    float values[16];
    for (size_t i = 0; i < 16; i++)
        values[i] = weight->codes[i];
    Value last = export_ints(x, (const int64_t[]){-1}, 1), sixteen = export_int(x, 16);
    Value wide = export_cast(x, codes, bytes, DTYPE_I64);
    Value low = export_binary(x, TENSOR_UNSQUEEZE, codes, export_binary(x, TENSOR_MOD, codes, wide, sixteen), last);
    Value high = export_binary(x, TENSOR_UNSQUEEZE, codes, export_binary(x, TENSOR_DIV, codes, wide, sixteen), last);
    Attribute axis = attribute_int("axis", -1);
    Value both = export_node(x, TENSOR_CONCAT, codes, weight->high_first ? (Value[]){high, low} : (Value[]){low, high},
                             2, &axis, 1);
    shape[leading] = columns / group;
    shape[leading + 1] = group;
    Value grouped = export_binary(x, TENSOR_RESHAPE, codes, both, export_ints(x, shape, (size_t)leading + 2));
    Value real = export_binary(x, TENSOR_GATHER, parts, export_reals(x, values, 16), grouped);
    real = export_binary(x, TENSOR_MUL, parts, real, export_binary(x, TENSOR_UNSQUEEZE, parts, scale, last));
    shape[leading] = columns;
    return export_binary(x, TENSOR_RESHAPE, name, real, export_ints(x, shape, (size_t)leading + 1));
}

// A whole weight of 4 bits, at home.
static Value decoded_whole(Exporter *x, const char *name, const Constant *weight, Value bytes) {
    Graph *graph = x->graph, *around = x->around;
    Value scale = scales(x, weight);
    x->graph = home(x);
    x->around = NULL;
    Value value = decoded(x, name, weight, bytes, scale, 1);
    x->graph = graph;
    x->around = around;
    return value;
}

// What the graph at home already has under that name; absent where it has not.
static Value made(const Exporter *x, const char *name) {
    Value value = {0};
    return x->status == OK && graph_find_value(home(x), name, &value) ? value : (Value){0};
}

// f32, at home.
static Value real(Exporter *x, const Constant *weight) {
    Value value = stored(x, weight);
    const char *name = export_text(x, "%s.real", weight->name);
    Value found = made(x, name);
    if (!value_absent(found) || (weight->dtype == DTYPE_F32 && weight->scheme == SCHEME_DENSE))
        return value_absent(found) ? value : found;
    if (weight->scheme == SCHEME_Q4)
        return decoded_whole(x, name, weight, value);
    if (weight->scheme == SCHEME_INT8_ROW) {
        Attribute axis = attribute_int("axis", 0);
        return export_node_in(x, home(x), TENSOR_DEQUANTIZE_LINEAR, name, (Value[]){value, scales(x, weight)}, 2, &axis,
                              1);
    }
    Attribute to = attribute_int("to", (int64_t)dtype_onnx(DTYPE_F32));
    return export_node_in(x, home(x), TENSOR_CAST, name, &value, 1, &to, 1);
}

Value export_weight(Exporter *x, const Constant *weight) {
    return export_seen(x, real(x, weight));
}

Value export_weight_turned(Exporter *x, const Constant *weight) {
    Value value = real(x, weight);
    const char *name = export_text(x, "%s.turned", weight->name);
    Value found = made(x, name);
    Attribute perm = attribute_ints("perm", (const int64_t[]){1, 0}, 2);
    if (value_absent(found))
        found = export_node_in(x, home(x), TENSOR_TRANSPOSE, name, &value, 1, &perm, 1);
    return export_seen(x, found);
}

// Rows are taken first, and made f32 then: a table is never f32 as a whole.
Value export_weight_rows(Exporter *x, const char *name, const Constant *table, Value ids) {
    Value rows = export_binary(x, TENSOR_GATHER, name, export_seen(x, stored(x, table)), ids);
    if (table->scheme == SCHEME_DENSE)
        return table->dtype == DTYPE_F32 ? rows : export_cast(x, name, rows, DTYPE_F32);
    Value scale =
        export_binary(x, TENSOR_GATHER, export_text(x, "%s.scales", name), export_seen(x, scales(x, table)), ids);
    if (table->scheme == SCHEME_Q4)
        return decoded(x, name, table, rows, scale, value_type(ids).rank);
    scale = export_binary(x, TENSOR_UNSQUEEZE, export_text(x, "%s.scales", name), scale,
                          export_ints(x, (const int64_t[]){-1}, 1));
    return export_binary(x, TENSOR_MUL, name, export_cast(x, name, rows, DTYPE_F32), scale);
}

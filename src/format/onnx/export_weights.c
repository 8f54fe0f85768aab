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

// The elements as stored.
static Value stored(Exporter *x, const Constant *weight) {
    if (weight->scheme == SCHEME_Q4 || weight->part_count)
        export_fail(x, FAIL(x->err, ERR_UNSUPPORTED,
                            "constant '%s' is of 4 bits or of parts; exported are F32, F16, BF16 and int8 by row",
                            weight->name));
    Constant dense = {.name = weight->name,
                      .dtype = weight->dtype,
                      .shape = weight->shape,
                      .data = weight->data,
                      .mapped = weight->mapped};
    return constant_add(x, &dense);
}

static Value scales(Exporter *x, const Constant *weight) {
    Constant scale = {.name = export_text(x, "%s_scale", weight->name),
                      .dtype = DTYPE_F32,
                      .shape = {1, {weight->shape.dims[0]}},
                      .data = weight->scales};
    return constant_add(x, &scale);
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
    scale = export_binary(x, TENSOR_UNSQUEEZE, export_text(x, "%s.scales", name), scale,
                          export_ints(x, (const int64_t[]){-1}, 1));
    return export_binary(x, TENSOR_MUL, name, export_cast(x, name, rows, DTYPE_F32), scale);
}

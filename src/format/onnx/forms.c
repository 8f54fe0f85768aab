// SPDX-License-Identifier: Apache-2.0
// Older forms of operators. Mostly attributes that have become inputs.
#include <onnx.pb-c.h>
#include <string.h>

#include "format/onnx/reader.h"

#define INTS ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS
#define INT ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT
#define FLOAT ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT
#define TENSOR ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR

static bool has_input(const OnnxNode *node, size_t index) {
    return index < node->input_count && !value_absent(node->inputs[index]);
}

static void input_set(OnnxNode *node, size_t index, Value value) {
    while (node->input_count <= index)
        node->inputs[node->input_count++] = (Value){0};
    node->inputs[index] = value;
}

// A list of integers that was an attribute becomes input `index`.
static Status ints_to_input(OnnxNode *node, const char *name, size_t index, Error *err) {
    const Onnx__AttributeProto *a = onnx_attribute(node, name, INTS);
    Value value;
    if (!a)
        return OK;
    TRY(onnx_ints(node->scope, name, a->ints, a->n_ints, &value, err));
    input_set(node, index, value);
    onnx_attribute_drop(node, name);
    return OK;
}

// The type of the first input, f32 where it is not known: what numbers that were attributes are of.
static DType element_type(const OnnxNode *node) {
    ValueType type = value_type(node->inputs[0]);
    return type.rank < 0 ? DTYPE_F32 : type.dtype;
}

// A number as a scalar of a real type.
static Status real_scalar(OnnxNode *node, const char *name, float value, Value *ret, Error *err) {
    DType dtype = element_type(node);
    unsigned char *data = arena_array(node->scope->graph->arena, 8, 1, err);
    TRY_NEW(data);
    double wide = (double)value;
    uint16_t half = dtype == DTYPE_F16 ? f32_to_f16(value) : f32_to_bf16(value);
    if (dtype == DTYPE_F64)
        memcpy(data, &wide, 8);
    else if (dtype == DTYPE_F32)
        memcpy(data, &value, 4);
    else
        memcpy(data, &half, 2);
    if (!dtype_is_real(dtype))
        return FAIL(err, ERR_UNSUPPORTED, "%s: attribute '%s' beside elements of type %s", onnx_node_name(node), name,
                    dtype_name(dtype));
    return onnx_constant(node->scope, name, dtype, &(Shape){0}, data, ret, err);
}

static Status form_axes(OnnxNode *node, Error *err) {
    return ints_to_input(node, "axes", 1, err);
}

static Status form_split(OnnxNode *node, Error *err) {
    return ints_to_input(node, "split", 1, err);
}

static Status form_slice(OnnxNode *node, Error *err) {
    TRY(ints_to_input(node, "starts", 1, err));
    TRY(ints_to_input(node, "ends", 2, err));
    return ints_to_input(node, "axes", 3, err);
}

static Status form_pad(OnnxNode *node, Error *err) {
    const Onnx__AttributeProto *a = onnx_attribute(node, "value", FLOAT);
    Value value;
    TRY(ints_to_input(node, "paddings", 1, err));
    TRY(ints_to_input(node, "pads", 1, err));
    if (a) {
        TRY(real_scalar(node, "value", a->f, &value, err));
        input_set(node, 2, value);
    }
    onnx_attribute_drop(node, "value");
    return OK;
}

static Status form_clip(OnnxNode *node, Error *err) {
    static const char *const names[] = {"min", "max"};
    for (size_t i = 0; i < 2; i++) {
        const Onnx__AttributeProto *a = onnx_attribute(node, names[i], FLOAT);
        Value value;
        if (!a)
            continue;
        TRY(real_scalar(node, names[i], a->f, &value, err));
        input_set(node, 1 + i, value);
        onnx_attribute_drop(node, names[i]);
    }
    return OK;
}

static Status form_dropout(OnnxNode *node, Error *err) {
    (void)err;
    onnx_attribute_drop(node, "ratio");
    onnx_attribute_drop(node, "is_test");
    return OK;
}

static Status form_topk(OnnxNode *node, Error *err) {
    const Onnx__AttributeProto *a = onnx_attribute(node, "k", INT);
    Value value;
    if (!a)
        return FAIL(err, ERR_FORMAT, "%s: attribute k is missing", onnx_node_name(node));
    TRY(onnx_ints(node->scope, "k", &a->i, 1, &value, err));
    input_set(node, 1, value);
    onnx_attribute_drop(node, "k");
    return OK;
}

static Status form_scatter(OnnxNode *node, Error *err) {
    (void)err;
    node->op = "ScatterElements";
    return OK;
}

// Before opset 7 a smaller second operand had to be announced, and could lie at an axis in the middle.
static Status form_broadcast(OnnxNode *node, Error *err) {
    const Onnx__AttributeProto *broadcast = onnx_attribute(node, "broadcast", INT);
    const Onnx__AttributeProto *axis = onnx_attribute(node, "axis", INT);
    onnx_attribute_drop(node, "broadcast");
    onnx_attribute_drop(node, "axis");
    if (!broadcast || !broadcast->i || !axis || !has_input(node, 1))
        return OK;
    ValueType a = value_type(node->inputs[0]), b = value_type(node->inputs[1]);
    if (a.rank < 0 || b.rank < 0)
        return FAIL(err, ERR_UNSUPPORTED, "%s: broadcasting at axis %lld of shapes that are not known",
                    onnx_node_name(node), (long long)axis->i);
    int64_t at = axis->i < 0 ? axis->i + a.rank : axis->i, axes[SHAPE_MOST_DIMS];
    if (at < 0 || at > a.rank - b.rank)
        return FAIL(err, ERR_FORMAT, "%s: axis %lld, but the operands have %d and %d dimensions", onnx_node_name(node),
                    (long long)axis->i, a.rank, b.rank);
    size_t count = (size_t)(a.rank - at - b.rank);
    Value inputs[2] = {node->inputs[1]};
    for (size_t i = 0; i < count; i++)
        axes[i] = b.rank + (int64_t)i;
    if (!count)
        return OK;
    TRY(onnx_ints(node->scope, "axes", axes, count, &inputs[1], err));
    return onnx_emit(node->scope, TENSOR_UNSQUEEZE, "broadcast", inputs, 2, NULL, 0, &node->inputs[1], err);
}

static Status form_gemm(OnnxNode *node, Error *err) {
    (void)err;
    onnx_attribute_drop(node, "broadcast");
    return OK;
}

// Before opset 13 everything from the axis on was one row: flattened, along the rows, and back.
static Status form_softmax(OnnxNode *node, Error *err) {
    const Onnx__AttributeProto *a = onnx_attribute(node, "axis", INT);
    ValueType type = value_type(node->inputs[0]);
    int64_t axis = a ? a->i : 1;
    onnx_attribute_set(node, attribute_int("axis", -1));
    if (axis == -1 || (type.rank > 0 && axis == type.rank - 1))
        return OK;
    OnnxScope *scope = node->scope;
    Value x = node->inputs[0], flat, rows, back[2];
    Attribute at = attribute_int("axis", axis);
    OpCode op;
    if (!op_from_name(node->op, &op))
        return FAIL(err, ERR_INTERNAL, "there is no operator %s", node->op);
    TRY(onnx_emit(scope, TENSOR_SHAPE, "shape", &x, 1, NULL, 0, &back[1], err));
    TRY(onnx_emit(scope, TENSOR_FLATTEN, "flat", &x, 1, &at, 1, &flat, err));
    TRY(onnx_emit(scope, op, "rows", &flat, 1, node->attributes, node->attribute_count, &rows, err));
    node->op = "Reshape";
    node->inputs[0] = rows;
    input_set(node, 1, back[1]);
    node->attribute_count = 0;
    return OK;
}

// Before opset 21 scale and bias were given per group: each value is repeated for its group's channels.
static Status form_group_normalization(OnnxNode *node, Error *err) {
    const Onnx__AttributeProto *groups = onnx_attribute(node, "num_groups", INT);
    ValueType type = value_type(node->inputs[0]);
    if (!groups || groups->i < 1 || type.rank < 2 || type.dims[1].variable || type.dims[1].value % groups->i)
        return FAIL(err, ERR_UNSUPPORTED, "%s: expected num_groups and a known number of channels that it divides",
                    onnx_node_name(node));
    int64_t column[] = {-1, 1}, wide[] = {groups->i, type.dims[1].value / groups->i}, row[] = {-1};
    OnnxScope *scope = node->scope;
    Value shapes[3];
    TRY(onnx_ints(scope, "column", column, 2, &shapes[0], err));
    TRY(onnx_ints(scope, "wide", wide, 2, &shapes[1], err));
    TRY(onnx_ints(scope, "row", row, 1, &shapes[2], err));
    static const OpCode ops[] = {TENSOR_RESHAPE, TENSOR_EXPAND, TENSOR_RESHAPE};
    for (size_t i = 1; i < 3; i++)
        for (size_t s = 0; s < 3 && has_input(node, i); s++) {
            Value inputs[] = {node->inputs[i], shapes[s]};
            TRY(onnx_emit(scope, ops[s], "channels", inputs, 2, NULL, 0, &node->inputs[i], err));
        }
    return OK;
}

static Status form_constant_of_shape(OnnxNode *node, Error *err) {
    const Onnx__AttributeProto *a = onnx_attribute(node, "value", TENSOR);
    static const float zero = 0;
    Value value;
    if (a)
        TRY(onnx_tensor(node->scope, a->t, "value", &value, err));
    else
        TRY(onnx_constant(node->scope, "value", DTYPE_F32, &(Shape){1, {1}}, &zero, &value, err));
    input_set(node, 1, value);
    return OK;
}

static const struct {
    const char *op;
    int64_t before;
    Status (*form)(OnnxNode *node, Error *err);
} forms[] = {
#define FORM(op, before, function) {op, before, function},
#include "format/onnx/forms.def"
#undef FORM
};

Status onnx_node_form(OnnxNode *node, Error *err) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (node->scope->opset < forms[i].before && strcmp(node->op, forms[i].op) == 0) {
            if (!node->input_count || value_absent(node->inputs[0]))
                return FAIL(err, ERR_FORMAT, "%s has no first input", onnx_node_name(node));
            TRY(forms[i].form(node, err));
        }
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Which opset a node needs, and its form in the file's opset: the rows of write_needs.def and
// write_forms.def.
#include <stdio.h>
#include <string.h>

#include "format/onnx/writer.h"

static Value input_of(const Node *node, size_t index) {
    return index < node->input_count ? node->inputs[index] : (Value){0};
}

// A constant list of integers, which an attribute can be.
static bool value_is_list(Value value) {
    const Constant *c = value.constant;
    return c && c->dtype == DTYPE_I64 && c->scheme == SCHEME_DENSE && !c->part_count && c->data && c->shape.rank == 1;
}

// No axes are all axes, unless noop_with_empty_axes says that they are none, which no older form can.
static bool axes_vary(const Node *node) {
    Value axes = input_of(node, 1);
    bool none = value_absent(axes) || (value_is_list(axes) && axes.constant->shape.dims[0] == 0);
    if (none)
        return node_int(node, "noop_with_empty_axes", 0) != 0;
    return !value_is_list(axes);
}

static bool split_uneven(const Node *node) {
    ValueType type = value_type(input_of(node, 0));
    int64_t axis = node_int(node, "axis", 0), parts = (int64_t)node->output_count;
    if (!value_absent(input_of(node, 1)) || !node_attribute(node, "num_outputs"))
        return false;
    axis += axis < 0 ? type.rank : 0;
    return axis < 0 || axis >= type.rank || type.dims[axis].variable || type.dims[axis].value % parts != 0;
}

typedef enum RowKind { ROW_SINCE, ROW_ATTRIBUTE, ROW_VALUE, ROW_INPUT, ROW_WHEN, ROW_TYPES } RowKind;

typedef struct Row {
    RowKind kind;
    OpCode op; // OP_COUNT: any
    int64_t opset;
    const char *name, *text;
    size_t input;
    bool (*when)(const Node *node);
} Row;

static const Row rows[] = {
#define NEED(kind, op, opset, ...) {ROW_##kind, op, opset, __VA_ARGS__},
#include "format/onnx/write_needs.def"
#undef NEED
};

static bool word_in(const char *words, const char *word) {
    size_t bytes = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += bytes)
        if ((at == words || at[-1] == ' ') && (at[bytes] == ' ' || at[bytes] == '\0'))
            return true;
    return false;
}

// The first of a node's types that is among the names; NULL: none. What an If's bodies read from around it is no input
// of it in ONNX.
static const char *type_among(const Node *node, const char *names) {
    size_t inputs = node->op == TENSOR_IF ? 1 : node->input_count;
    for (size_t i = 0; i < inputs + node->output_count; i++) {
        ValueType type = i < inputs ? value_type(node->inputs[i]) : node->types[i - inputs];
        if (type.rank >= 0 && word_in(names, dtype_name(type.dtype)))
            return dtype_name(type.dtype);
    }
    return NULL;
}

// Whether a row is about what this node has, and how that is called.
static bool row_applies(const Row *row, const Node *node, const char **ret_what) {
    *ret_what = row->name;
    switch (row->kind) {
    case ROW_SINCE:
        *ret_what = "";
        return true;
    case ROW_ATTRIBUTE:
        return node_attribute(node, row->name) != NULL;
    case ROW_VALUE:
        *ret_what = row->text;
        return strcmp(node_text(node, row->name, ""), row->text) == 0;
    case ROW_INPUT:
        return !value_absent(input_of(node, row->input));
    case ROW_WHEN:
        return row->when(node);
    case ROW_TYPES:
        *ret_what = type_among(node, row->name);
        return *ret_what != NULL;
    }
    return false;
}

static Status node_need(const Node *node, WriteNeed *need, Error *err) {
    char name[200];
    const char *what;
    if (node->op != OP_INPUT && !op_is_tensor(node->op))
        return FAIL(err, ERR_UNSUPPORTED, "%s: ONNX has no such operator", write_node_name(node, name));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Row *row = &rows[i];
        if (row->opset <= need->opset || (row->op != node->op && row->op != OP_COUNT) || !row_applies(row, node, &what))
            continue;
        need->opset = row->opset;
        snprintf(need->what, sizeof need->what, "%s%s%.60s%s", write_node_name(node, name), *what ? " with '" : "",
                 what, *what ? "'" : "");
    }
    return OK;
}

Status write_need(const Graph *graph, WriteNeed *need, Error *err) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        TRY(node_need(node, need, err));
        for (size_t i = 0; i < node->attribute_count; i++)
            if (node->attributes[i].kind == ATTRIBUTE_GRAPH)
                TRY(write_need(node->attributes[i].graph, need, err));
    }
    return OK;
}

static void attribute_drop(WriteNode *node, const char *name) {
    size_t kept = 0;
    for (size_t i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, name) != 0)
            node->attributes[kept++] = node->attributes[i];
    node->attribute_count = kept;
}

// The axes are a constant, as axes_vary has seen to.
static Status form_axes(WriteNode *node, Error *err) {
    (void)err;
    Value axes = input_of(node->node, 1);
    attribute_drop(node, "noop_with_empty_axes");
    if (!value_absent(axes) && axes.constant->shape.dims[0])
        node->attributes[node->attribute_count++] =
            attribute_ints("axes", axes.constant->data, (size_t)axes.constant->shape.dims[0]);
    node->input_count = 1;
    return OK;
}

static Status form_split(WriteNode *node, Error *err) {
    (void)err;
    attribute_drop(node, "num_outputs");
    return OK;
}

static Status form_split_count(WriteNode *node, Error *err) {
    (void)err;
    if (value_absent(input_of(node->node, 1)) && !node_attribute(node->node, "num_outputs"))
        node->attributes[node->attribute_count++] = attribute_int("num_outputs", (int64_t)node->node->output_count);
    return OK;
}

static Status form_constant_of_shape(WriteNode *node, Error *err) {
    const Constant *value = input_of(node->node, 1).constant;
    size_t elements = 0;
    char name[200];
    if (!value || !shape_elements(&value->shape, &elements) || elements != 1)
        return FAIL(err, ERR_UNSUPPORTED, "%s: its value is no constant of one element",
                    write_node_name(node->node, name));
    Constant *vector = arena_array(node->scope->writer->arena, 1, sizeof *vector, err);
    TRY_NEW(vector);
    *vector = *value;
    vector->shape = (Shape){1, {1}};
    node->value = vector;
    node->input_count = 1;
    return OK;
}

// What the body reads from around it are no inputs in ONNX.
static Status form_body(WriteNode *node, Error *err) {
    size_t formal, first;
    TRY(write_body_inputs(node->node, &formal, &first, err));
    attribute_drop(node, "carried");
    node->input_count = first;
    return OK;
}

Status write_form(WriteNode *node, Error *err) {
    static const struct {
        OpCode op;
        int64_t from, before;
        Status (*form)(WriteNode *node, Error *err);
    } forms[] = {
#define FORM(op, from, before, function) {op, from, before, function},
#include "format/onnx/write_forms.def"
#undef FORM
    };
    int64_t opset = node->scope->writer->opset;
    attribute_drop(node, "consumed_inputs"); // of opsets before 6, which no operator has any more
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (forms[i].op == node->node->op && opset >= forms[i].from && opset < forms[i].before)
            TRY(forms[i].form(node, err));
    return OK;
}

bool write_is_real(const char *attribute) {
    static const char *const names[] = {"alpha", "beta",   "epsilon", "gamma", "lambd", "mask_filter_value",
                                        "scale", "softcap"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], attribute) == 0)
            return true;
    return false;
}

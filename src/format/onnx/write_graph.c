// SPDX-License-Identifier: Apache-2.0
// The fields of GraphProto and what it is made of: nodes, attributes, types.
#include <string.h>

#include "format/onnx/writer.h"

// Field numbers.
enum {
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_VALUE_INFO = 13,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    NODE_DOMAIN = 7,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_G = 6,
    ATTRIBUTE_INTEGERS = 8,
    ATTRIBUTE_TYPE = 20,
    INFO_NAME = 1,
    INFO_TYPE = 2,
    TYPE_TENSOR = 1,
    TYPE_TENSOR_ELEMENTS = 1,
    TYPE_TENSOR_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    DIM_PARAM = 2
};

// AttributeProto's types.
enum { KIND_FLOAT = 1, KIND_INT = 2, KIND_STRING = 3, KIND_TENSOR = 4, KIND_GRAPH = 5, KIND_INTS = 7 };

static void dim_put(Message *message, const Graph *graph, const Dim *dim) {
    MessageMark mark = message_begin(message);
    if (!dim->variable)
        message_int(message, DIM_VALUE, dim->value);
    else if (dim->value != DIM_UNKNOWN)
        message_text(message, DIM_PARAM, graph->dims[dim->value]);
    message_end(message, mark, SHAPE_DIM);
}

// A value's name and, where it is known, its type.
static void info_put(Message *message, uint32_t field, const char *name, const Graph *graph, const ValueType *type) {
    MessageMark info = message_begin(message);
    message_text(message, INFO_NAME, name);
    if (type->rank >= 0) {
        MessageMark mark = message_begin(message), tensor = mark;
        message_int(message, TYPE_TENSOR_ELEMENTS, (int64_t)dtype_onnx(type->dtype));
        MessageMark shape = message_begin(message);
        for (int i = 0; i < type->rank; i++)
            dim_put(message, graph, &type->dims[i]);
        message_end(message, shape, TYPE_TENSOR_SHAPE);
        message_end(message, tensor, TYPE_TENSOR);
        message_end(message, mark, INFO_TYPE);
    }
    message_end(message, info, field);
}

static Status body_put(WriteNode *node, const Graph *body, Error *err) {
    size_t formal, first;
    TRY(write_body_inputs(node->node, &formal, &first, err));
    WriteScope scope = {.writer = node->scope->writer, .outer = node->scope, .graph = body};
    TRY(write_scope_open(&scope, NULL, node->node, formal, first, err));
    return write_graph(&scope, err);
}

static Status attribute_put(WriteNode *node, const Attribute *attribute, Error *err) {
    Message *message = &node->scope->writer->message;
    MessageMark mark = message_begin(message), graph;
    int64_t type = KIND_INT;
    message_text(message, ATTRIBUTE_NAME, attribute->name);
    switch (attribute->kind) {
    case ATTRIBUTE_INT:
        if (!write_is_real(attribute->name)) {
            message_int(message, ATTRIBUTE_I, attribute->integer);
            break;
        }
        message_float(message, ATTRIBUTE_F, (float)attribute->integer);
        type = KIND_FLOAT;
        break;
    case ATTRIBUTE_REAL:
        message_float(message, ATTRIBUTE_F, (float)attribute->real);
        type = KIND_FLOAT;
        break;
    case ATTRIBUTE_TEXT:
        message_text(message, ATTRIBUTE_S, attribute->text);
        type = KIND_STRING;
        break;
    case ATTRIBUTE_INTS:
        for (size_t i = 0; i < attribute->integer_count; i++)
            message_int(message, ATTRIBUTE_INTEGERS, attribute->integers[i]);
        type = KIND_INTS;
        break;
    case ATTRIBUTE_GRAPH:
        graph = message_begin(message);
        TRY(body_put(node, attribute->graph, err));
        message_end(message, graph, ATTRIBUTE_G);
        type = KIND_GRAPH;
        break;
    }
    message_int(message, ATTRIBUTE_TYPE, type);
    message_end(message, mark, NODE_ATTRIBUTE);
    return OK;
}

static Status value_attribute_put(WriteNode *node, Error *err) {
    Message *message = &node->scope->writer->message;
    MessageMark mark = message_begin(message);
    message_text(message, ATTRIBUTE_NAME, "value");
    TRY(write_tensor(node->scope->writer, ATTRIBUTE_T, NULL, node->value, err));
    message_int(message, ATTRIBUTE_TYPE, KIND_TENSOR);
    message_end(message, mark, NODE_ATTRIBUTE);
    return OK;
}

// "com.microsoft.Gelu" is Gelu of the domain com.microsoft, which the model has to import.
static Status op_put(OnnxWriter *writer, const char *op, const char **ret_domain, Error *err) {
    const char *dot = strrchr(op, '.');
    *ret_domain = NULL;
    message_text(&writer->message, NODE_OP_TYPE, dot ? dot + 1 : op);
    if (!dot)
        return OK;
    TRY_NEW(*ret_domain = arena_copy_text(writer->arena, op, (size_t)(dot - op), err));
    for (size_t i = 0; i < writer->domain_count; i++)
        if (strcmp(writer->domains[i], *ret_domain) == 0)
            return OK;
    const char **domains = arena_array(writer->arena, writer->domain_count + 1, sizeof *domains, err);
    TRY_NEW(domains);
    if (writer->domain_count)
        memcpy(domains, writer->domains, writer->domain_count * sizeof *domains);
    domains[writer->domain_count++] = *ret_domain;
    writer->domains = domains;
    return OK;
}

static Status node_fields(WriteNode *node, Error *err) {
    WriteScope *scope = node->scope;
    Message *message = &scope->writer->message;
    const WriteValue *outputs = scope->values[node->node->index];
    const char *label, *domain;
    while (node->input_count && value_absent(node->inputs[node->input_count - 1]))
        node->input_count--;
    for (size_t i = 0; i < node->input_count; i++)
        message_text(message, NODE_INPUT, write_value_name(scope, node->inputs[i]));
    size_t output_count = node->node->output_count;
    while (output_count > 1 && !*outputs[output_count - 1].name)
        output_count--;
    for (size_t i = 0; i < output_count; i++)
        message_text(message, NODE_OUTPUT, outputs[i].name);
    TRY(write_node_label(scope, node->node, &label, err));
    if (label)
        message_text(message, NODE_NAME, label);
    TRY(op_put(scope->writer, op_name(node->node->op), &domain, err));
    for (size_t i = 0; i < node->attribute_count; i++)
        TRY(attribute_put(node, &node->attributes[i], err));
    if (node->value)
        TRY(value_attribute_put(node, err));
    if (domain)
        message_text(message, NODE_DOMAIN, domain);
    return OK;
}

static Status node_put(WriteScope *scope, const Node *from, Error *err) {
    Arena *arena = scope->writer->arena;
    WriteNode node = {
        .scope = scope, .node = from, .input_count = from->input_count, .attribute_count = from->attribute_count};
    TRY_NEW(node.inputs = arena_array(arena, from->input_count, sizeof *node.inputs, err));
    TRY_NEW(node.attributes = arena_array(arena, from->attribute_count + 1, sizeof *node.attributes, err));
    if (from->input_count)
        memcpy(node.inputs, from->inputs, from->input_count * sizeof *node.inputs);
    if (from->attribute_count)
        memcpy(node.attributes, from->attributes, from->attribute_count * sizeof *node.attributes);
    TRY(write_form(&node, err));
    MessageMark mark = message_begin(&scope->writer->message);
    TRY(node_fields(&node, err));
    message_end(&scope->writer->message, mark, GRAPH_NODE);
    return OK;
}

static void copies_put(WriteScope *scope) {
    Message *message = &scope->writer->message;
    for (size_t i = 0; i < scope->graph->return_count; i++) {
        if (!scope->returns[i].copied)
            continue;
        MessageMark mark = message_begin(message);
        message_text(message, NODE_INPUT, write_value_name(scope, scope->graph->returns[i]));
        message_text(message, NODE_OUTPUT, scope->returns[i].name);
        message_text(message, NODE_OP_TYPE, op_name(TENSOR_IDENTITY));
        message_end(message, mark, GRAPH_NODE);
    }
}

static bool is_return(const WriteScope *scope, const Node *node, size_t output) {
    for (size_t i = 0; i < scope->graph->return_count; i++)
        if (!scope->returns[i].copied && value_equal(scope->graph->returns[i], value_of(node, (int)output)))
            return true;
    return false;
}

static void infos_put(WriteScope *scope) {
    Message *message = &scope->writer->message;
    const Graph *graph = scope->graph;
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op == OP_INPUT && !scope->values[n][0].outside)
            info_put(message, GRAPH_INPUT, scope->values[n][0].name, graph, &graph->nodes[n]->types[0]);
    for (size_t i = 0; i < graph->return_count; i++) {
        ValueType type = value_type(graph->returns[i]);
        info_put(message, GRAPH_OUTPUT, scope->returns[i].name, graph, &type);
    }
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t o = 0; graph->nodes[n]->op != OP_INPUT && o < graph->nodes[n]->output_count; o++)
            if (graph->nodes[n]->types[o].rank >= 0 && *scope->values[n][o].name &&
                !is_return(scope, graph->nodes[n], o))
                info_put(message, GRAPH_VALUE_INFO, scope->values[n][o].name, graph, &graph->nodes[n]->types[o]);
}

Status write_graph(WriteScope *scope, Error *err) {
    const Graph *graph = scope->graph;
    Message *message = &scope->writer->message;
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op != OP_INPUT)
            TRY(node_put(scope, graph->nodes[n], err));
    copies_put(scope);
    message_text(message, GRAPH_NAME, graph->name);
    for (size_t c = 0; c < graph->constant_count; c++)
        if (scope->constant_read[c])
            TRY(write_tensor(scope->writer, GRAPH_INITIALIZER, scope->constants[c], graph->constants[c], err));
    if (!scope->outer)
        TRY(write_shared(scope->writer, GRAPH_INITIALIZER, err));
    infos_put(scope);
    return OK;
}

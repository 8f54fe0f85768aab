// SPDX-License-Identifier: Apache-2.0
// Looking at graphs: values, types, attributes, uses, names.
#include <string.h>

#include "graph/graph.h"
#include "graph/names.h"

Value value_of(const Node *node, int output) {
    return (Value){.node = node, .output = output};
}

Value value_constant(const Constant *constant) {
    return (Value){.constant = constant};
}

bool value_equal(Value a, Value b) {
    return a.node == b.node && a.constant == b.constant && (!a.node || a.output == b.output);
}

bool value_absent(Value value) {
    return !value.node && !value.constant;
}

ValueType value_type(Value value) {
    if (value.node)
        return value.node->types[value.output];
    ValueType type = {.rank = -1};
    if (value.constant) {
        type.dtype = value.constant->dtype;
        type.rank = value.constant->shape.rank;
        for (int i = 0; i < type.rank; i++)
            type.dims[i].value = value.constant->shape.dims[i];
    }
    return type;
}

bool type_equal(const ValueType *a, const ValueType *b) {
    if (a->rank != b->rank || (a->rank >= 0 && a->dtype != b->dtype))
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i].variable != b->dims[i].variable || a->dims[i].value != b->dims[i].value)
            return false;
    return true;
}

// A variable may turn out to be any number, or another variable.
static bool dim_agrees(const Dim *a, const Dim *b) {
    return a->variable || b->variable || a->value == b->value;
}

bool type_agrees(const ValueType *a, const ValueType *b) {
    if (a->rank < 0 || b->rank < 0)
        return true;
    bool same = a->rank == b->rank && a->dtype == b->dtype;
    for (int i = 0; i < a->rank && same; i++)
        same = dim_agrees(&a->dims[i], &b->dims[i]);
    return same;
}

const Attribute *node_attribute(const Node *node, const char *name) {
    for (size_t i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    return NULL;
}

int64_t node_int(const Node *node, const char *name, int64_t missing) {
    const Attribute *a = node_attribute(node, name);
    return a && a->kind == ATTRIBUTE_INT ? a->integer : missing;
}

double node_real(const Node *node, const char *name, double missing) {
    const Attribute *a = node_attribute(node, name);
    if (a && a->kind == ATTRIBUTE_INT)
        return (double)a->integer;
    return a && a->kind == ATTRIBUTE_REAL ? a->real : missing;
}

const char *node_text(const Node *node, const char *name, const char *missing) {
    const Attribute *a = node_attribute(node, name);
    return a && a->kind == ATTRIBUTE_TEXT ? a->text : missing;
}

const Graph *node_graph(const Node *node, const char *name) {
    const Attribute *a = node_attribute(node, name);
    return a && a->kind == ATTRIBUTE_GRAPH ? a->graph : NULL;
}

const int64_t *node_ints(const Node *node, const char *name, size_t *ret_count) {
    const Attribute *a = node_attribute(node, name);
    bool there = a && a->kind == ATTRIBUTE_INTS;
    *ret_count = there ? a->integer_count : 0;
    return there ? a->integers : NULL;
}

Attribute attribute_int(const char *name, int64_t value) {
    return (Attribute){.name = name, .kind = ATTRIBUTE_INT, .integer = value};
}

Attribute attribute_real(const char *name, double value) {
    return (Attribute){.name = name, .kind = ATTRIBUTE_REAL, .real = value};
}

Attribute attribute_text(const char *name, const char *value) {
    return (Attribute){.name = name, .kind = ATTRIBUTE_TEXT, .text = value};
}

Attribute attribute_ints(const char *name, const int64_t *values, size_t count) {
    return (Attribute){.name = name, .kind = ATTRIBUTE_INTS, .integers = values, .integer_count = count};
}

Attribute attribute_graph(const char *name, const Graph *graph) {
    return (Attribute){.name = name, .kind = ATTRIBUTE_GRAPH, .graph = graph};
}

static bool is_number(const Attribute *a) {
    return a->kind == ATTRIBUTE_INT || a->kind == ATTRIBUTE_REAL;
}

bool attribute_equal(const Attribute *a, const Attribute *b) {
    if (strcmp(a->name, b->name) != 0)
        return false;
    if (a->kind == ATTRIBUTE_INT && b->kind == ATTRIBUTE_INT)
        return a->integer == b->integer;
    if (is_number(a) && is_number(b)) { // by bits: 0 and -0 differ
        double x = a->kind == ATTRIBUTE_INT ? (double)a->integer : a->real;
        double y = b->kind == ATTRIBUTE_INT ? (double)b->integer : b->real;
        return memcmp(&x, &y, sizeof x) == 0;
    }
    if (a->kind != b->kind)
        return false;
    if (a->kind == ATTRIBUTE_TEXT)
        return strcmp(a->text, b->text) == 0;
    if (a->kind == ATTRIBUTE_GRAPH)
        return a->graph == b->graph;
    return a->integer_count == b->integer_count &&
           (a->integer_count == 0 || memcmp(a->integers, b->integers, a->integer_count * sizeof *a->integers) == 0);
}

size_t graph_uses(const Graph *graph, const Node *node, int output) {
    Value value = value_of(node, output);
    size_t uses = 0;
    for (size_t n = node->index + 1; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->input_count; i++)
            uses += value_equal(graph->nodes[n]->inputs[i], value);
    for (size_t i = 0; i < graph->return_count; i++)
        uses += value_equal(graph->returns[i], value);
    return uses;
}

void graph_count_uses(const Graph *graph, size_t *ret_uses) {
    if (graph->node_count)
        memset(ret_uses, 0, graph->node_count * sizeof *ret_uses);
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->input_count; i++)
            if (graph->nodes[n]->inputs[i].node)
                ret_uses[graph->nodes[n]->inputs[i].node->index]++;
    for (size_t i = 0; i < graph->return_count; i++)
        if (graph->returns[i].node)
            ret_uses[graph->returns[i].node->index]++;
}

bool graph_find_value(const Graph *graph, const char *name, Value *ret_value) {
    const NameEntry *entry = names_find(&graph->taken->values, name);
    if (entry)
        *ret_value = value_of(entry->object, entry->output);
    return entry != NULL;
}

const Constant *graph_find_constant(const Graph *graph, const char *name) {
    const NameEntry *entry = names_find(&graph->taken->constants, name);
    return entry ? entry->object : NULL;
}

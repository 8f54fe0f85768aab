// SPDX-License-Identifier: Apache-2.0
// Building and editing graphs. Nodes and constants are pointers in growing arrays, so they never move; what an edit
// leaves behind stays in the arena until the graph goes.
#include "graph/graph.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "graph/names.h"

static const struct {
    const char *name;
    OpArity arity;
} ops[OP_COUNT] = {
#define OP(code, name, fewest, most, outputs) [code] = {#name, {fewest, most, outputs}},
#include "graph/ops.def"
#undef OP
#define TENSOR_OP(code, symbol, name, fewest, most, outputs) [code] = {name, {fewest, most, outputs}},
#include "graph/tensor_ops.def"
#undef TENSOR_OP
};

const char *op_name(OpCode op) {
    return ops[op].name;
}

OpArity op_arity(OpCode op) {
    return ops[op].arity;
}

bool op_from_name(const char *name, OpCode *ret) {
    for (OpCode op = 0; op < OP_COUNT; op++)
        if (strcmp(ops[op].name, name) == 0) {
            *ret = op;
            return true;
        }
    return false;
}

bool op_is_tensor(OpCode op) {
    static const bool tensor[OP_COUNT] = {
#define TENSOR_OP(code, symbol, name, fewest, most, outputs) [code] = true,
#include "graph/tensor_ops.def"
#undef TENSOR_OP
    };
    return tensor[op];
}

Graph *graph_make(Arena *arena, const char *name, Error *err) {
    Graph *graph = arena_array(arena, 1, sizeof *graph, err);
    if (!graph)
        return NULL;
    graph->arena = arena;
    NameTable none = {0};
    if (names_choose(&none, arena, name, &graph->name, err) != OK)
        return NULL;
    graph->taken = arena_array(arena, 1, sizeof *graph->taken, err);
    return graph->taken ? graph : NULL;
}

// A copy of `count` elements in the arena; NULL and *err on failure, never NULL for count 0.
static void *copy_array(Arena *arena, const void *from, size_t count, size_t size, Error *err) {
    void *to = arena_array(arena, count, size, err);
    if (to && count)
        memcpy(to, from, count * size);
    return to;
}

// Makes room for one more pointer.
static Status pointers_grow(Arena *arena, void *array, size_t count, size_t *room, Error *err) {
    if (count < *room)
        return OK;
    size_t larger = *room ? *room * 2 : 16;
    void **pointers, *old;
    memcpy(&old, array, sizeof old); // array is a T ***, seen as void *
    TRY_NEW(pointers = arena_array(arena, larger, sizeof *pointers, err));
    if (count)
        memcpy(pointers, old, count * sizeof *pointers);
    memcpy(array, &pointers, sizeof pointers);
    *room = larger;
    return OK;
}

Status graph_add_dim(Graph *graph, const char *name, Dim *ret_dim, Error *err) {
    if (!name_is_identifier(name))
        return FAIL(err, ERR_FORMAT, "'%s' cannot name a dimension of graph '%s': expected an identifier", name,
                    graph->name);
    GraphNames *taken = graph->taken;
    const NameEntry *known = names_find(&taken->dims, name);
    size_t at = known ? (size_t)known->output : graph->dim_count;
    if (!known) {
        TRY(pointers_grow(graph->arena, &graph->dims, at, &taken->dim_room, err));
        TRY_NEW(graph->dims[at] = arena_copy_text(graph->arena, name, strlen(name), err));
        TRY(names_add(&taken->dims, graph->arena, graph->dims[at], graph, (int)at, err));
        graph->dim_count = at + 1;
    }
    *ret_dim = (Dim){.variable = true, .value = (int64_t)at};
    return OK;
}

Status graph_add_constant(Graph *graph, const Constant *constant, const Constant **ret_constant, Error *err) {
    Constant *copy = copy_array(graph->arena, constant, 1, sizeof *copy, err);
    TRY_NEW(copy);
    TRY(names_choose(&graph->taken->constants, graph->arena, constant->name, &copy->name, err));
    copy->parts = NULL;
    if (constant->part_count)
        TRY_NEW(copy->parts =
                    copy_array(graph->arena, constant->parts, constant->part_count, sizeof *copy->parts, err));
    TRY(pointers_grow(graph->arena, &graph->constants, graph->constant_count, &graph->constant_room, err));
    TRY(names_add(&graph->taken->constants, graph->arena, copy->name, copy, 0, err));
    copy->index = (int)graph->constant_count;
    graph->constants[graph->constant_count++] = copy;
    *ret_constant = copy;
    return OK;
}

static Status attribute_copy(Graph *graph, Attribute *attribute, Error *err) {
    if (!name_is_identifier(attribute->name))
        return FAIL(err, ERR_FORMAT, "'%s' cannot name an attribute: expected an identifier", attribute->name);
    if (attribute->kind == ATTRIBUTE_REAL && !isfinite(attribute->real))
        return FAIL(err, ERR_FORMAT, "attribute '%s' is %g, expected a finite number", attribute->name,
                    attribute->real);
    TRY_NEW(attribute->name = arena_copy_text(graph->arena, attribute->name, strlen(attribute->name), err));
    if (attribute->kind == ATTRIBUTE_TEXT)
        TRY_NEW(attribute->text = arena_copy_text(graph->arena, attribute->text, strlen(attribute->text), err));
    if (attribute->kind == ATTRIBUTE_INTS)
        TRY_NEW(attribute->integers = copy_array(graph->arena, attribute->integers, attribute->integer_count,
                                                 sizeof *attribute->integers, err));
    if (attribute->kind == ATTRIBUTE_GRAPH && attribute->graph->arena != graph->arena)
        TRY_NEW(attribute->graph = graph_copy(graph->arena, attribute->graph, err));
    return OK;
}

static int attribute_order(const void *a, const void *b) {
    return strcmp(((const Attribute *)a)->name, ((const Attribute *)b)->name);
}

// Operator, inputs, attributes and note of `node` as `spec` says.
static Status node_fill(Graph *graph, const NodeSpec *spec, Node *node, Error *err) {
    size_t inputs = spec->input_count;
    while (inputs > (size_t)ops[spec->op].arity.fewest && value_absent(spec->inputs[inputs - 1]))
        inputs--;
    node->op = spec->op;
    node->input_count = inputs;
    TRY_NEW(node->inputs = copy_array(graph->arena, spec->inputs, inputs, sizeof *node->inputs, err));
    node->attribute_count = spec->attribute_count;
    TRY_NEW(node->attributes =
                copy_array(graph->arena, spec->attributes, spec->attribute_count, sizeof *node->attributes, err));
    for (size_t i = 0; i < node->attribute_count; i++)
        TRY(attribute_copy(graph, &node->attributes[i], err));
    if (node->attribute_count > 1)
        qsort(node->attributes, node->attribute_count, sizeof *node->attributes, attribute_order);
    if (spec->note)
        TRY_NEW(node->note = arena_copy_text(graph->arena, spec->note, strlen(spec->note), err));
    return OK;
}

// Types of the outputs: those of `spec`, or all unknown.
static Status types_fill(Graph *graph, const NodeSpec *spec, Node *node, Error *err) {
    ValueType *types = arena_array(graph->arena, spec->output_count, sizeof *types, err);
    TRY_NEW(types);
    for (size_t i = 0; i < spec->output_count; i++)
        types[i] = spec->types ? spec->types[i] : (ValueType){.rank = -1};
    node->types = types;
    node->output_count = spec->output_count;
    return OK;
}

static Status names_fill(Graph *graph, const NodeSpec *spec, Node *node, Error *err) {
    NameTable *taken = &graph->taken->values;
    TRY_NEW(node->names = arena_array(graph->arena, spec->output_count, sizeof *node->names, err));
    const char *first = spec->name ? spec->name : op_name(spec->op);
    for (size_t i = 0; i < spec->output_count; i++) {
        const char *wish = spec->names ? spec->names[i] : first;
        TRY(names_choose(taken, graph->arena, wish, &node->names[i], err));
        TRY(names_add(taken, graph->arena, node->names[i], node, (int)i, err));
    }
    return OK;
}

static Status node_make(Graph *graph, const NodeSpec *spec, Node **ret_node, Error *err) {
    Node *node = arena_array(graph->arena, 1, sizeof *node, err);
    TRY_NEW(node);
    TRY(node_fill(graph, spec, node, err));
    TRY(types_fill(graph, spec, node, err));
    TRY(pointers_grow(graph->arena, &graph->nodes, graph->node_count, &graph->node_room, err));
    TRY(names_fill(graph, spec, node, err));
    *ret_node = node;
    return OK;
}

Status graph_add_node(Graph *graph, const NodeSpec *spec, Node **ret_node, Error *err) {
    Node *node;
    TRY(node_make(graph, spec, &node, err));
    node->index = graph->node_count;
    graph->nodes[graph->node_count++] = node;
    if (ret_node)
        *ret_node = node;
    return OK;
}

Status graph_insert_before(Graph *graph, const Node *place, const NodeSpec *spec, Node **ret_node, Error *err) {
    Node *node;
    TRY(node_make(graph, spec, &node, err));
    Node **at = graph->nodes + place->index;
    memmove(at + 1, at, (graph->node_count - place->index) * sizeof *at);
    *at = node;
    graph->node_count++;
    for (size_t i = (size_t)(at - graph->nodes); i < graph->node_count; i++)
        graph->nodes[i]->index = i;
    if (ret_node)
        *ret_node = node;
    return OK;
}

Status graph_set_returns(Graph *graph, const Value *values, size_t count, Error *err) {
    Value *returns = copy_array(graph->arena, values, count, sizeof *returns, err);
    TRY_NEW(returns);
    graph->returns = returns;
    graph->return_count = count;
    return OK;
}

Status graph_change_node(Graph *graph, Node *node, const NodeSpec *spec, Error *err) {
    Node changed = *node;
    TRY(node_fill(graph, spec, &changed, err));
    if (spec->types) {
        TRY(types_fill(graph, spec, &changed, err));
        TRY_NEW(changed.names = copy_array(graph->arena, spec->names, spec->output_count, sizeof *spec->names, err));
        for (size_t i = 0; i < spec->output_count; i++)
            TRY(names_add(&graph->taken->values, graph->arena, changed.names[i], node, (int)i, err));
    }
    *node = changed;
    return OK;
}

void graph_replace_value(Graph *graph, Value old, Value replacement) {
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->input_count; i++)
            if (value_equal(graph->nodes[n]->inputs[i], old))
                graph->nodes[n]->inputs[i] = replacement;
    for (size_t i = 0; i < graph->return_count; i++)
        if (value_equal(graph->returns[i], old))
            graph->returns[i] = replacement;
}

// Names of removed things are free again. The tables had room for more, so adding cannot fail.
static void names_rebuild(Graph *graph) {
    Error err;
    names_clear(&graph->taken->values);
    names_clear(&graph->taken->constants);
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->output_count; i++)
            IGNORE_STATUS(names_add(&graph->taken->values, graph->arena, graph->nodes[n]->names[i], graph->nodes[n],
                                    (int)i, &err));
    for (size_t c = 0; c < graph->constant_count; c++)
        IGNORE_STATUS(
            names_add(&graph->taken->constants, graph->arena, graph->constants[c]->name, graph->constants[c], 0, &err));
}

void graph_keep(Graph *graph, const bool *keep_node, const bool *keep_constant) {
    size_t kept = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        if (!keep_node || keep_node[n]) {
            graph->nodes[n]->index = kept;
            graph->nodes[kept++] = graph->nodes[n];
        }
    graph->node_count = kept;
    kept = 0;
    for (size_t c = 0; c < graph->constant_count; c++)
        if (!keep_constant || keep_constant[c]) {
            graph->constants[c]->index = (int)kept;
            graph->constants[kept++] = graph->constants[c];
        }
    graph->constant_count = kept;
    names_rebuild(graph);
}

// The value of the copy that stands where `value` stands in the original.
static Value value_moved(const Graph *copy, Value value) {
    if (value.node)
        value.node = copy->nodes[value.node->index];
    if (value.constant)
        value.constant = copy->constants[value.constant->index];
    return value;
}

static Status copy_constant(Graph *copy, const Constant *constant, Error *err) {
    Constant moved = *constant;
    const Constant *added;
    if (constant->part_count) {
        const Constant **parts = arena_array(copy->arena, constant->part_count, sizeof(Constant *), err);
        TRY_NEW(parts);
        for (size_t i = 0; i < constant->part_count; i++)
            parts[i] = copy->constants[constant->parts[i]->index];
        moved.parts = parts;
    }
    return graph_add_constant(copy, &moved, &added, err);
}

static Status copy_node(Graph *copy, const Node *node, Error *err) {
    NodeSpec spec = {node->op,
                     NULL,
                     node->names,
                     node->inputs,
                     node->input_count,
                     node->attributes,
                     node->attribute_count,
                     node->types,
                     node->output_count,
                     node->note};
    Node *added;
    TRY(graph_add_node(copy, &spec, &added, err));
    for (size_t i = 0; i < added->input_count; i++)
        added->inputs[i] = value_moved(copy, added->inputs[i]);
    return OK;
}

static Status copy_into(Graph *copy, const Graph *graph, Error *err) {
    Dim dim;
    for (size_t i = 0; i < graph->dim_count; i++)
        TRY(graph_add_dim(copy, graph->dims[i], &dim, err));
    for (size_t i = 0; i < graph->constant_count; i++)
        TRY(copy_constant(copy, graph->constants[i], err));
    for (size_t i = 0; i < graph->node_count; i++)
        TRY(copy_node(copy, graph->nodes[i], err));
    TRY(graph_set_returns(copy, graph->returns, graph->return_count, err));
    for (size_t i = 0; i < copy->return_count; i++)
        copy->returns[i] = value_moved(copy, copy->returns[i]);
    return OK;
}

Graph *graph_copy(Arena *arena, const Graph *graph, Error *err) {
    Graph *copy = graph_make(arena, graph->name, err);
    return copy && copy_into(copy, graph, err) == OK ? copy : NULL;
}

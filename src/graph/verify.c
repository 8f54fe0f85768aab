// SPDX-License-Identifier: Apache-2.0
// Whether a graph is well-formed: what every pass may rely on and must leave behind.
#include "graph/verify.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "graph/names.h"

static Status verify_parts(const Graph *graph, const Constant *constant, Error *err) {
    int64_t rows = 0;
    if (constant->data || constant->scales)
        return FAIL(err, ERR_INTERNAL, "constant '@%s' has both parts and data", constant->name);
    for (size_t i = 0; i < constant->part_count; i++) {
        const Constant *part = constant->parts[i];
        if (part->index < 0 || part->index >= constant->index || graph->constants[part->index] != part)
            return FAIL(err, ERR_INTERNAL, "constant '@%s': part %zu is no earlier constant of the graph",
                        constant->name, i);
        if (part->part_count)
            return FAIL(err, ERR_INTERNAL, "constant '@%s': its part '@%s' has parts itself", constant->name,
                        part->name);
        Shape like = constant->shape;
        if (part->shape.rank > 0 && like.rank > 0)
            like.dims[0] = part->shape.dims[0];
        bool like_first = constant_stacks(part, constant->parts[0]) && part->group == constant->group;
        if (part->scheme != constant->scheme || !like_first || part->dtype != constant->dtype || like.rank < 1 ||
            !shape_equal(&like, &part->shape))
            return FAIL(err, ERR_INTERNAL, "constant '@%s': its part '@%s' differs in more than the number of rows",
                        constant->name, part->name);
        rows += part->shape.dims[0];
    }
    if (rows != constant->shape.dims[0])
        return FAIL(err, ERR_INTERNAL, "constant '@%s' has %lld rows, its parts have %lld", constant->name,
                    (long long)constant->shape.dims[0], (long long)rows);
    return OK;
}

static Status verify_turned(const Constant *constant, Error *err) {
    if (constant->turned && (constant->shape.rank != 2 || constant->scheme == SCHEME_Q4 || constant->part_count))
        return FAIL(err, ERR_INTERNAL, "constant '@%s' is turned, but no matrix of whole elements", constant->name);
    return OK;
}

static Status verify_groups(const Constant *constant, Error *err) {
    const Shape *shape = &constant->shape;
    if (constant->dtype != DTYPE_U8 || shape->rank != 2)
        return FAIL(err, ERR_INTERNAL, "constant '@%s' is q4, but not u8 [rows, columns]", constant->name);
    if (!constant->group || constant->group % 32 || (size_t)shape->dims[1] % constant->group)
        return FAIL(err, ERR_INTERNAL,
                    "constant '@%s' is q4 in groups of %zu, expected a multiple of 32 that divides its %lld columns",
                    constant->name, constant->group, (long long)shape->dims[1]);
    return OK;
}

Status verify_constant(const Graph *graph, const Constant *constant, Error *err) {
    size_t bytes;
    const Shape *shape = &constant->shape;
    if (constant->dtype >= DTYPE_COUNT || constant->scheme >= SCHEME_COUNT)
        return FAIL(err, ERR_INTERNAL, "constant '@%s' has no known type", constant->name);
    if (shape->rank < 0 || shape->rank > SHAPE_MOST_DIMS || !shape_bytes(shape, DTYPE_F64, &bytes) || bytes > INT64_MAX)
        return FAIL(err, ERR_INTERNAL, "constant '@%s' has a shape that no memory can hold", constant->name);
    if (constant->scheme == SCHEME_INT8_ROW && (constant->dtype != DTYPE_I8 || shape->rank != 2))
        return FAIL(err, ERR_INTERNAL, "constant '@%s' is s8/row, but not i8 [rows, columns]", constant->name);
    if (constant->scheme == SCHEME_DENSE && constant->scales)
        return FAIL(err, ERR_INTERNAL, "constant '@%s' has scales, but is neither s8/row nor q4", constant->name);
    TRY(verify_turned(constant, err));
    if (constant->scheme == SCHEME_Q4)
        TRY(verify_groups(constant, err));
    return constant->part_count ? verify_parts(graph, constant, err) : OK;
}

// What is wrong with a value that a node at `before` reads; NULL: nothing.
static const char *value_fault(const Graph *graph, Value value, size_t before) {
    const Node *node = value.node;
    const Constant *constant = value.constant;
    if (node && constant)
        return "is a node's output and a constant at once";
    if (node && (node->index >= graph->node_count || graph->nodes[node->index] != node))
        return "is no value of this graph";
    if (node && node->index >= before)
        return "comes later";
    if (node && (value.output < 0 || (size_t)value.output >= node->output_count))
        return "is an output that its node does not have";
    if (constant && (constant->index < 0 || (size_t)constant->index >= graph->constant_count ||
                     graph->constants[constant->index] != constant))
        return "is no constant of this graph";
    return NULL;
}

static Status verify_type(const Graph *graph, const ValueType *type, Error *err) {
    if (type->rank == -1)
        return OK;
    if (type->rank < 0 || type->rank > SHAPE_MOST_DIMS || type->dtype >= DTYPE_COUNT)
        return FAIL(err, ERR_INTERNAL, "a type of rank %d", type->rank);
    for (int i = 0; i < type->rank; i++) {
        const Dim *dim = &type->dims[i];
        if (dim->variable && dim->value == DIM_UNKNOWN)
            continue;
        if (dim->value < 0 || (dim->variable && (size_t)dim->value >= graph->dim_count))
            return FAIL(err, ERR_INTERNAL, "a type whose dimension %d is %s%lld", i, dim->variable ? "variable " : "",
                        (long long)dim->value);
    }
    return OK;
}

static Status verify_attributes(const Node *node, Error *err) {
    for (size_t i = 0; i < node->attribute_count; i++) {
        const Attribute *a = &node->attributes[i];
        if (!name_is_identifier(a->name))
            return FAIL(err, ERR_INTERNAL, "an attribute has the name '%s'", a->name);
        if (i && strcmp(node->attributes[i - 1].name, a->name) >= 0)
            return FAIL(err, ERR_INTERNAL, "attribute '%s' is there twice or out of order", a->name);
        if (a->kind == ATTRIBUTE_REAL && !isfinite(a->real))
            return FAIL(err, ERR_INTERNAL, "attribute '%s' is not finite", a->name);
        if (a->kind == ATTRIBUTE_GRAPH)
            TRY(graph_verify(a->graph, err));
    }
    return OK;
}

Status verify_node(const Graph *graph, const Node *node, Error *err) {
    if (node->op >= OP_COUNT)
        return FAIL(err, ERR_INTERNAL, "operator %d does not exist", (int)node->op);
    OpArity arity = op_arity(node->op);
    int fewest = arity.fewest, most = arity.most, outputs = arity.outputs;
    if (node->input_count < (size_t)fewest || node->input_count > (size_t)most)
        return FAIL(err, ERR_INTERNAL, "%s has %zu inputs, expected %d to %d", op_name(node->op), node->input_count,
                    fewest, most);
    if (outputs >= 0 ? node->output_count != (size_t)outputs : node->output_count == 0)
        return FAIL(err, ERR_INTERNAL, "%s has %zu outputs, expected %s%d", op_name(node->op), node->output_count,
                    outputs < 0 ? "at least " : "", outputs < 0 ? 1 : outputs);
    if (node->input_count && value_absent(node->inputs[0]) && node->op != TENSOR_LOOP) // without end
        return FAIL(err, ERR_INTERNAL, "%s has no first input", op_name(node->op));
    for (size_t i = 0; i < node->input_count; i++) {
        const char *fault = value_fault(graph, node->inputs[i], node->index);
        if (fault)
            return FAIL(err, ERR_INTERNAL, "input %zu of %s %s", i, op_name(node->op), fault);
    }
    for (size_t i = 0; i < node->output_count; i++)
        TRY(verify_type(graph, &node->types[i], err));
    return verify_attributes(node, err);
}

static Status verify_names(const Graph *graph, Arena *arena, Error *err) {
    NameTable values = {0}, constants = {0};
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->output_count; i++) {
            const char *name = graph->nodes[n]->names[i];
            if (!name || !*name || names_find(&values, name))
                return FAIL(err, ERR_INTERNAL, "graph '%s': the name '%%%s' is empty or there twice", graph->name,
                            name ? name : "");
            TRY(names_add(&values, arena, name, graph->nodes[n], (int)i, err));
        }
    for (size_t c = 0; c < graph->constant_count; c++) {
        const char *name = graph->constants[c]->name;
        if (!name || !*name || names_find(&constants, name))
            return FAIL(err, ERR_INTERNAL, "graph '%s': the name '@%s' is empty or there twice", graph->name,
                        name ? name : "");
        TRY(names_add(&constants, arena, name, graph->constants[c], 0, err));
    }
    return OK;
}

Status graph_verify(const Graph *graph, Error *err) {
    for (size_t c = 0; c < graph->constant_count; c++) {
        if (graph->constants[c]->index != (int)c)
            return FAIL(err, ERR_INTERNAL, "graph '%s': constant %zu bears index %d", graph->name, c,
                        graph->constants[c]->index);
        if (verify_constant(graph, graph->constants[c], err) != OK)
            return error_context(err, "graph '%s'", graph->name);
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        if (node->index != n)
            return FAIL(err, ERR_INTERNAL, "graph '%s': node %zu bears index %zu", graph->name, n, node->index);
        if (verify_node(graph, node, err) != OK)
            return error_context(err, "graph '%s', node %zu (%s)", graph->name, n,
                                 node->output_count ? node->names[0] : "without outputs");
    }
    for (size_t i = 0; i < graph->return_count; i++) {
        bool absent = value_absent(graph->returns[i]);
        const char *fault = absent ? "is absent" : value_fault(graph, graph->returns[i], graph->node_count);
        if (fault)
            return FAIL(err, ERR_INTERNAL, "graph '%s': return %zu %s", graph->name, i, fault);
    }
    Arena scratch;
    arena_init(&scratch, 0);
    Status status = verify_names(graph, &scratch, err);
    arena_done(&scratch);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
// simplify_shapes: a Reshape whose result's dimensions are known gets a constant shape, in which 0 is a dimension kept
// and -1 the rest: whatever computed the shape is then read by nobody. One dimension of a computed value is read off an
// input of the graph that has it too, so that nothing is computed for its shape alone.
#include "pass/rewrite.h"
#include "pass/tensor/match.h"

// The list for a result of type `to` made of `from`; false where it cannot be written.
static bool shape_write(const ValueType *from, const ValueType *to, int64_t ret_shape[SHAPE_MOST_DIMS]) {
    int rests = 0;
    for (int i = 0; i < to->rank; i++) {
        const Dim *dim = &to->dims[i];
        bool kept = dim->variable && i < from->rank && from->dims[i].variable && dim->value != DIM_UNKNOWN &&
                    dim->value == from->dims[i].value;
        ret_shape[i] = kept ? 0 : dim->variable ? -1 : dim->value;
        rests += ret_shape[i] == -1;
        if (!dim->variable && dim->value == 0)
            return false;
    }
    return rests <= 1;
}

static Status reshape_simplify(Graph *graph, Node *node, Error *err) {
    int64_t shape[SHAPE_MOST_DIMS];
    ValueType from = value_type(node->inputs[0]);
    if (node->inputs[1].constant || from.rank < 0 || node->types[0].rank < 0 ||
        !shape_write(&from, &node->types[0], shape))
        return OK;
    Value constant;
    TRY(match_ints_constant(graph, "shape", shape, (size_t)node->types[0].rank, &constant, err));
    Value values[] = {node->inputs[0], constant};
    NodeSpec spec = {.op = TENSOR_RESHAPE, .inputs = values, .input_count = 2, .note = node->note};
    return graph_change_node(graph, node, &spec, err);
}

// An input of the graph with that variable, and where; false: there is none before `node`.
static bool input_find(const Graph *graph, const Node *node, Dim dim, Value *ret_input, int64_t *ret_axis) {
    for (size_t n = 0; n < node->index; n++) {
        const ValueType *type = &graph->nodes[n]->types[0];
        for (int i = 0; graph->nodes[n]->op == OP_INPUT && i < type->rank; i++)
            if (type->dims[i].variable && type->dims[i].value == dim.value) {
                *ret_input = value_of(graph->nodes[n], 0);
                *ret_axis = i;
                return true;
            }
    }
    return false;
}

// Dimension `axis` of `of` as dimension *ret_axis of an input; false: it is no variable, or `of` an input itself.
static bool dim_elsewhere(const Graph *graph, const Node *node, Value of, int64_t axis, Value *ret_input,
                          int64_t *ret_axis) {
    ValueType type = value_type(of);
    axis += axis < 0 ? type.rank : 0;
    return of.node && of.node->op != OP_INPUT && axis >= 0 && axis < type.rank && type.dims[axis].variable &&
           type.dims[axis].value != DIM_UNKNOWN && input_find(graph, node, type.dims[axis], ret_input, ret_axis);
}

static Status shape_of(Graph *graph, Node *node, Value input, int64_t axis, Error *err) {
    Attribute range[] = {attribute_int("start", axis), attribute_int("end", axis + 1)};
    NodeSpec spec = {.op = TENSOR_SHAPE,
                     .inputs = &input,
                     .input_count = 1,
                     .attributes = range,
                     .attribute_count = 2,
                     .note = node->note};
    return graph_change_node(graph, node, &spec, err);
}

// Shape of one dimension, or one element of a whole Shape.
static Status dim_simplify(Graph *graph, Node *node, Error *err) {
    const Node *shape = node->op == TENSOR_GATHER ? match_node(node->inputs[0], TENSOR_SHAPE) : node;
    bool whole = shape && !node_attribute(shape, "start") && !node_attribute(shape, "end");
    int64_t at[8] = {node_int(node, "start", 0)}, axis;
    size_t count = 1;
    Value input;
    if (!shape || whole == (shape == node) ||
        (whole ? !match_ints(node->inputs[1], at, &count) || count != 1 || node_int(node, "axis", 0) != 0
               : at[0] < 0 || node_int(node, "end", -1) != at[0] + 1) ||
        !dim_elsewhere(graph, node, shape->inputs[0], at[0], &input, &axis))
        return OK;
    if (!whole || node->inputs[1].constant->shape.rank == 1)
        return shape_of(graph, node, input, axis, err);
    Value values[2];
    Node *inserted;
    NodeSpec spec = {.op = TENSOR_SHAPE, .name = "shape", .inputs = &input, .input_count = 1, .output_count = 1};
    TRY(match_insert(graph, node, &spec, &inserted, err));
    values[0] = value_of(inserted, 0);
    int64_t *index = arena_array(graph->arena, 1, sizeof *index, err);
    TRY_NEW(index);
    *index = axis;
    Constant constant = {.name = "index", .dtype = DTYPE_I64, .data = index};
    const Constant *added;
    TRY(graph_add_constant(graph, &constant, &added, err));
    values[1] = value_constant(added);
    NodeSpec gather = {.op = TENSOR_GATHER, .inputs = values, .input_count = 2, .note = node->note};
    return graph_change_node(graph, node, &gather, err);
}

Status pass_simplify_shapes(Graph *graph, const PassInputs *inputs, Error *err) {
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        if (node->op == TENSOR_RESHAPE)
            TRY(reshape_simplify(graph, node, err));
        else if (node->op == TENSOR_GATHER || node->op == TENSOR_SHAPE)
            TRY(dim_simplify(graph, node, err));
        n = node->index; // nodes were inserted before it
    }
    return pass_dead_code(graph, inputs, err);
}

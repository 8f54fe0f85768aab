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

// Where an input of the graph has a variable.
typedef struct Source {
    Value input; // absent: none so far
    int64_t axis;
} Source;

static void sources_note(const Node *input, Source *sources) {
    const ValueType *type = &input->types[0];
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i].variable && type->dims[i].value != DIM_UNKNOWN &&
            value_absent(sources[type->dims[i].value].input))
            sources[type->dims[i].value] = (Source){value_of(input, 0), i};
}

// Dimension `axis` of `of` as dimension *ret_axis of an input; false: it is no variable, or `of` an input itself.
static bool dim_elsewhere(const Source *sources, Value of, int64_t axis, Value *ret_input, int64_t *ret_axis) {
    ValueType type = value_type(of);
    axis += axis < 0 ? type.rank : 0;
    if (!of.node || of.node->op == OP_INPUT || axis < 0 || axis >= type.rank || !type.dims[axis].variable ||
        type.dims[axis].value == DIM_UNKNOWN)
        return false;
    const Source *source = &sources[type.dims[axis].value];
    *ret_input = source->input;
    *ret_axis = source->axis;
    return !value_absent(source->input);
}

static Status shape_of(Graph *graph, Node *node, Value input, int64_t axis, Error *err) {
    Attribute range[2];
    NodeSpec spec = match_dim_spec(&input, axis, range);
    spec.note = node->note;
    return graph_change_node(graph, node, &spec, err);
}

// Shape of one dimension, or one element of a whole Shape.
static Status dim_simplify(Graph *graph, const Source *sources, Node *node, Error *err) {
    const Node *shape = node->op == TENSOR_GATHER ? match_node(node->inputs[0], TENSOR_SHAPE) : node;
    bool whole = shape && !node_attribute(shape, "start") && !node_attribute(shape, "end");
    int64_t at[8] = {node_int(node, "start", 0)}, axis;
    size_t count = 1;
    Value input;
    if (!shape || whole == (shape == node) ||
        (whole ? !match_ints(node->inputs[1], at, &count) || count != 1 || node_int(node, "axis", 0) != 0
               : at[0] < 0 || node_int(node, "end", -1) != at[0] + 1) ||
        !dim_elsewhere(sources, shape->inputs[0], at[0], &input, &axis))
        return OK;
    if (!whole || node->inputs[1].constant->shape.rank == 1)
        return shape_of(graph, node, input, axis, err);
    Value values[2];
    Node *inserted;
    NodeSpec spec = {.op = TENSOR_SHAPE, .name = "shape", .inputs = &input, .input_count = 1, .output_count = 1};
    TRY(match_insert(graph, node, &spec, &inserted, err));
    values[0] = value_of(inserted, 0);
    TRY(match_number_constant(graph, "index", DTYPE_I64, (double)axis, &values[1], err));
    NodeSpec gather = {.op = TENSOR_GATHER, .inputs = values, .input_count = 2, .note = node->note};
    return graph_change_node(graph, node, &gather, err);
}

Status pass_simplify_shapes(Graph *graph, const PassInputs *inputs, Error *err) {
    Sweep sweep;
    Node *node;
    Source *sources; // [dim_count]
    TRY_NEW(sources = arena_array(inputs->scratch, graph->dim_count, sizeof *sources, err));
    TRY(rewrite_sweep_begin(graph, inputs->scratch, &sweep, err));
    for (;;) {
        TRY(rewrite_sweep_next(&sweep, &node, err));
        if (!node)
            break;
        if (node->op == OP_INPUT)
            sources_note(node, sources);
        else if (node->op == TENSOR_RESHAPE)
            TRY(reshape_simplify(graph, node, err));
        else if (node->op == TENSOR_GATHER || node->op == TENSOR_SHAPE)
            TRY(dim_simplify(graph, sources, node, err));
    }
    return pass_dead_code(graph, inputs, err);
}

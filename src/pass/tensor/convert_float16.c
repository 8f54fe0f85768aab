// SPDX-License-Identifier: Apache-2.0
// convert_float16: weights and what is computed with them become f16, between Casts, so that inputs and results of the
// graph and of its bodies keep their types. Arithmetic of places, masks and angles stays f32, as do operators that
// would leave f16's range; numbers that stand for minus infinity become ones that f16 can hold and add to, so that a
// row in which everything is masked gives no NaN.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/float16.h"

// An output of a node as it is now, and its casts (absent: nobody has asked).
typedef struct Converted {
    DType dtype;
    Value half, full;
} Converted;

typedef struct Conversion {
    Graph *graph;
    Sweep sweep;
    Float16Kinds kinds;
    Converted **values;    // [node][output]
    Value *halves, *fulls; // [constant]
    size_t constant_count; // of before
} Conversion;

// The place that a node had.
static size_t place_of(const Conversion *x, const Node *node) {
    return rewrite_sweep_place(&x->sweep, node);
}

static bool was_f32(const Conversion *x, Value value) {
    return float16_dtype(&x->kinds, value, value.node ? place_of(x, value.node) : 0) == DTYPE_F32 &&
           (value.node || constant_is_plain(value.constant));
}

static bool is_data(const Conversion *x, Value value) {
    return float16_is_data(&x->kinds, value, value.node ? place_of(x, value.node) : 0);
}

static bool is_arithmetic(OpCode op) {
    return op == TENSOR_ADD || op == TENSOR_SUB || op == TENSOR_MUL || op == TENSOR_DIV || op == TENSOR_NEG ||
           op == TENSOR_SQRT || op == TENSOR_RECIPROCAL;
}

// Arithmetic of f32 values with vectors and numbers goes on in f32: means and epsilons, INT8 products and scales.
static bool goes_on(const Conversion *x, const Node *node) {
    bool full = false;
    for (size_t i = 0; i < node->input_count; i++) {
        Value value = node->inputs[i];
        if (value.node && x->values[place_of(x, value.node)][value.output].dtype != DTYPE_F32)
            return false;
        if (value.constant && value.constant->shape.rank > 1)
            return false;
        full |= value.node && value.node->op != OP_INPUT;
    }
    return full && is_arithmetic(node->op);
}

static bool becomes_half(const Conversion *x, const Node *node, size_t place) {
    if (node->op == OP_INPUT || float16_keeps_f32(node->op) || x->kinds.exact[place] || goes_on(x, node))
        return false;
    for (size_t i = 0; i < node->input_count; i++)
        if (was_f32(x, node->inputs[i]) && is_data(x, node->inputs[i]))
            return true;
    return false;
}

static Status cast_add(Conversion *x, const Node *place, Value value, DType dtype, Value *ret, Error *err) {
    ValueType type = value_type(value);
    type.dtype = dtype;
    Attribute to = attribute_int("to", dtype == DTYPE_F16 ? 10 : 1);
    NodeSpec spec = {
        .op = TENSOR_CAST,
        .name = arena_format(x->graph->arena, err, "%s.%s", value.node->names[value.output], dtype_name(dtype)),
        .inputs = &value,
        .input_count = 1,
        .attributes = &to,
        .attribute_count = 1,
        .types = &type,
        .output_count = 1};
    Node *node;
    TRY_NEW(spec.name);
    TRY(place ? graph_insert_before(x->graph, place, &spec, &node, err) : graph_add_node(x->graph, &spec, &node, err));
    *ret = value_of(node, 0);
    return OK;
}

// A value in the type that `place` (NULL: the graph's end) wants it in. A cast of a cast is one.
static Status value_as(Conversion *x, const Node *place, Value value, DType dtype, Value *ret, Error *err) {
    Converted *converted = &x->values[place_of(x, value.node)][value.output];
    *ret = value;
    if (converted->dtype == dtype)
        return OK;
    Value *known = dtype == DTYPE_F16 ? &converted->half : &converted->full;
    const Node *cast = match_node(value, TENSOR_CAST);
    if (value_absent(*known) && cast && dtype == DTYPE_F16 && value_type(cast->inputs[0]).rank >= 0 &&
        cast->inputs[0].node) {
        if (value_type(cast->inputs[0]).dtype == DTYPE_F16)
            *known = cast->inputs[0];
        else
            TRY(cast_add(x, place, cast->inputs[0], dtype, known, err));
    }
    if (value_absent(*known))
        TRY(cast_add(x, place, value, dtype, known, err));
    *ret = *known;
    return OK;
}

static Status constant_as(Conversion *x, const Node *node, const Constant *constant, bool half, Value *ret,
                          Error *err) {
    bool limits = node->op == TENSOR_CLIP || node->op == TENSOR_MIN || node->op == TENSOR_MAX;
    if (limits && half)
        return float16_constant(x->graph, constant, -FLOAT16_MOST, ret, err);
    *ret = value_constant(constant);
    if (limits || (size_t)constant->index >= x->constant_count)
        return OK;
    Value *known = &(half ? x->halves : x->fulls)[constant->index];
    if (value_absent(*known))
        TRY(half ? float16_constant(x->graph, constant, FLOAT16_MASKED, known, err)
                 : float16_masks(x->graph, constant, known, err));
    *ret = *known;
    return OK;
}

// Types of what a node in f16 gives: f16 where it was f32, but for what its rule says is f32 always.
static Status outputs_halve(Conversion *x, Node *node, size_t place, Error *err) {
    ValueType *was = arena_array(x->graph->arena, node->output_count, sizeof *was, err);
    TRY_NEW(was);
    memcpy(was, node->types, node->output_count * sizeof *was);
    for (size_t o = 0; o < node->output_count; o++)
        node->types[o].rank = -1;
    TRY(op_infer(node, err));
    for (size_t o = 0; o < node->output_count; o++) {
        Converted *converted = &x->values[place][o];
        bool stays = node->types[o].rank >= 0 && node->types[o].dtype != DTYPE_F16;
        if (converted->dtype == DTYPE_F32 && !stays)
            converted->dtype = DTYPE_F16;
        if (was[o].rank >= 0)
            was[o].dtype = converted->dtype;
        node->types[o] = was[o];
    }
    return OK;
}

static Status graph_convert(Graph *graph, Arena *scratch, Error *err);

// The values around a body keep their types, so that it is a graph of its own.
static Status bodies_convert(Conversion *x, Node *node, Arena *scratch, Error *err) {
    for (size_t a = 0; a < node->attribute_count; a++) {
        if (node->attributes[a].kind != ATTRIBUTE_GRAPH)
            continue;
        Graph *body = graph_copy(x->graph->arena, node->attributes[a].graph, err);
        TRY_NEW(body);
        TRY(graph_convert(body, scratch, err));
        node->attributes[a].graph = body;
    }
    return OK;
}

// Attributes that are types or numbers of masks.
static void attributes_halve(Node *node) {
    for (size_t a = 0; a < node->attribute_count; a++) {
        Attribute *attribute = &node->attributes[a];
        if (node->op == TENSOR_CAST && strcmp(attribute->name, "to") == 0 && attribute->integer == 1)
            attribute->integer = 10;
        if (strcmp(attribute->name, "mask_filter_value") == 0 && attribute->kind == ATTRIBUTE_REAL &&
            attribute->real < FLOAT16_MASKED)
            attribute->real = FLOAT16_MASKED;
    }
}

static Status node_convert(Conversion *x, Node *node, Arena *scratch, Error *err) {
    size_t place = place_of(x, node);
    bool half = becomes_half(x, node, place);
    if (node->op == TENSOR_CAST && node_int(node, "to", 1) == 10) // of either type
        return OK;
    for (size_t i = 0; i < node->input_count; i++) {
        Value value = node->inputs[i];
        if (!was_f32(x, value))
            continue;
        if (value.constant)
            TRY(constant_as(x, node, value.constant, half, &value, err));
        else
            TRY(value_as(x, node, value, half ? DTYPE_F16 : DTYPE_F32, &value, err));
        node->inputs[i] = value;
    }
    TRY(bodies_convert(x, node, scratch, err));
    if (half)
        attributes_halve(node);
    return half ? outputs_halve(x, node, place, err) : OK;
}

static Status conversion_make(Graph *graph, Arena *scratch, Conversion *ret, Error *err) {
    *ret = (Conversion){.graph = graph, .constant_count = graph->constant_count};
    TRY(float16_kinds(graph, scratch, &ret->kinds, err));
    TRY_NEW(ret->values = arena_array(scratch, graph->node_count, sizeof *ret->values, err));
    TRY_NEW(ret->halves = arena_array(scratch, ret->constant_count, sizeof *ret->halves, err));
    TRY_NEW(ret->fulls = arena_array(scratch, ret->constant_count, sizeof *ret->fulls, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        TRY_NEW(ret->values[n] = arena_array(scratch, graph->nodes[n]->output_count, sizeof **ret->values, err));
        for (size_t o = 0; o < graph->nodes[n]->output_count; o++)
            ret->values[n][o].dtype = ret->kinds.dtypes[n][o];
    }
    return rewrite_sweep_begin(graph, scratch, &ret->sweep, err);
}

static Status graph_convert(Graph *graph, Arena *scratch, Error *err) {
    Conversion x;
    Node *node;
    TRY(conversion_make(graph, scratch, &x, err));
    for (;;) {
        TRY(rewrite_sweep_next(&x.sweep, &node, err));
        if (!node)
            break;
        TRY(node_convert(&x, node, scratch, err));
    }
    for (size_t r = 0; r < graph->return_count; r++)
        if (graph->returns[r].node && was_f32(&x, graph->returns[r]))
            TRY(value_as(&x, NULL, graph->returns[r], DTYPE_F32, &graph->returns[r], err));
    return OK;
}

// Packed graphs have schemes of their own for this.
Status pass_convert_float16(Graph *graph, const PassInputs *inputs, Error *err) {
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op != OP_INPUT && !op_is_tensor(graph->nodes[n]->op))
            return OK;
    TRY(graph_convert(graph, inputs->scratch, err));
    return pass_dead_code(graph, inputs, err);
}

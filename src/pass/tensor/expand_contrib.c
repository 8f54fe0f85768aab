// SPDX-License-Identifier: Apache-2.0
// expand_contrib: operators that only ONNX Runtime has become ONNX's own ones, so that graphs which its optimizer went
// through are recognised like others, and a graph for every runtime has none of them. What has no plain form stays:
// QAttention and MatMulNBits, and of the others inputs and outputs that ONNX's operators have no place for.
#include "pass/tensor/contrib.h"

#include <string.h>

enum { MOST_OUTPUTS = 4 };

static const struct {
    OpCode op;
    ContribExpand *expand;
} expansions[] = {
    {TENSOR_MS_ATTENTION, contrib_attention},
    {TENSOR_MS_MULTI_HEAD_ATTENTION, contrib_multi_head_attention},
    {TENSOR_MS_ROTARY_EMBEDDING, contrib_rotary_embedding},
    {TENSOR_MS_SKIP_LAYER_NORMALIZATION, contrib_skip_norm},
    {TENSOR_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION, contrib_skip_norm},
    {TENSOR_MS_EMBED_LAYER_NORMALIZATION, contrib_embed_norm},
    {TENSOR_SIMPLIFIED_LAYER_NORMALIZATION, contrib_simplified_norm},
    {TENSOR_MS_FUSED_MATMUL, contrib_fused_matmul},
    {TENSOR_MS_BIAS_GELU, contrib_bias_gelu},
    {TENSOR_MS_GELU, contrib_gelu},
    {TENSOR_MS_FAST_GELU, contrib_fast_gelu},
    {TENSOR_MS_QUICK_GELU, contrib_quick_gelu},
    {TENSOR_MS_DYNAMIC_QUANTIZE_MATMUL, contrib_dynamic_quantize_matmul},
    {TENSOR_MS_MATMUL_INTEGER_TO_FLOAT, contrib_matmul_integer_to_float},
};

Status contrib_add(const Contrib *c, const NodeSpec *spec, Value *ret, Error *err) {
    NodeSpec named = *spec;
    Node *node;
    named.name = named.name ? named.name : c->node->names[0];
    named.note = c->node->note;
    named.output_count = named.output_count ? named.output_count : 1;
    TRY(match_insert(c->graph, c->node, &named, &node, err));
    *ret = value_of(node, 0);
    return OK;
}

Status contrib_apply(const Contrib *c, OpCode op, Value a, Value b, Value *ret, Error *err) {
    Value inputs[] = {a, b};
    NodeSpec spec = {.op = op, .inputs = inputs, .input_count = value_absent(b) ? 1 : 2};
    return contrib_add(c, &spec, ret, err);
}

Status contrib_apply_ints(const Contrib *c, OpCode op, Value a, const int64_t *values, size_t count, Value *ret,
                          Error *err) {
    Value list;
    TRY(match_ints_constant(c->graph, op == TENSOR_RESHAPE ? "shape" : "axes", values, count, &list, err));
    return contrib_apply(c, op, a, list, ret, err);
}

Status contrib_become(const Contrib *c, NodeSpec spec, size_t outputs, Error *err) {
    const Node *node = c->node;
    const char *names[MOST_OUTPUTS];
    ValueType types[MOST_OUTPUTS];
    spec.note = node->note;
    outputs = outputs < node->output_count ? outputs : node->output_count;
    memcpy(names, node->names, outputs * sizeof *names);
    memcpy(types, node->types, outputs * sizeof *types);
    spec.names = names;
    spec.types = types;
    spec.output_count = outputs;
    return graph_change_node(c->graph, c->node, &spec, err);
}

Status contrib_become_plain(const Contrib *c, OpCode op, Value a, Value b, Error *err) {
    Value inputs[] = {a, b};
    return contrib_become(c, (NodeSpec){.op = op, .inputs = inputs, .input_count = value_absent(b) ? 1 : 2}, 1, err);
}

bool contrib_output_is_read(const Contrib *c, size_t output) {
    return output < c->node->output_count && graph_uses(c->graph, c->node, (int)output) > 0;
}

Status contrib_number(const Contrib *c, DType dtype, double number, Value *ret, Error *err) {
    union {
        int32_t i32;
        int64_t i64;
        float f32;
        uint16_t half;
    } *element = arena_alloc(c->graph->arena, sizeof *element, 8, err);
    TRY_NEW(element);
    if (dtype == DTYPE_I64)
        element->i64 = (int64_t)number;
    else if (dtype == DTYPE_I32)
        element->i32 = (int32_t)number;
    else if (dtype == DTYPE_F32)
        element->f32 = (float)number;
    else
        element->half = dtype == DTYPE_F16 ? f32_to_f16((float)number) : f32_to_bf16((float)number);
    Constant constant = {.name = "number", .dtype = dtype, .data = element};
    const Constant *added;
    TRY(graph_add_constant(c->graph, &constant, &added, err));
    *ret = value_constant(added);
    return OK;
}

Status contrib_part(const Contrib *c, const Constant *vector, int64_t first, int64_t count, Value *ret, Error *err) {
    Constant part = *vector;
    const Constant *added;
    part.data = (const char *)vector->data + (size_t)first * dtype_bytes(vector->dtype);
    part.shape.dims[0] = count;
    TRY(graph_add_constant(c->graph, &part, &added, err));
    *ret = value_constant(added);
    return OK;
}

Status contrib_dim(const Contrib *c, Value value, int64_t axis, Value *ret, Error *err) {
    Attribute range[] = {attribute_int("start", axis), attribute_int("end", axis + 1)};
    NodeSpec spec = {.op = TENSOR_SHAPE,
                     .name = "dim",
                     .inputs = &value,
                     .input_count = 1,
                     .attributes = range,
                     .attribute_count = 2};
    return contrib_add(c, &spec, ret, err);
}

Status contrib_range(const Contrib *c, Value count, Value *ret, Error *err) {
    Value inputs[3];
    TRY(contrib_number(c, DTYPE_I64, 0, &inputs[0], err));
    TRY(contrib_apply_ints(c, TENSOR_SQUEEZE, count, &(int64_t){0}, 1, &inputs[1], err));
    TRY(contrib_number(c, DTYPE_I64, 1, &inputs[2], err));
    NodeSpec spec = {.op = TENSOR_RANGE, .name = "range", .inputs = inputs, .input_count = 3};
    return contrib_add(c, &spec, ret, err);
}

Status pass_expand_contrib(Graph *graph, const PassInputs *inputs, Error *err) {
    for (size_t n = 0; n < graph->node_count; n++) {
        Contrib c = {graph, graph->nodes[n]};
        for (size_t i = 0; i < sizeof expansions / sizeof *expansions; i++)
            if (expansions[i].op == c.node->op) {
                TRY(expansions[i].expand(&c, err));
                break;
            }
        n = c.node->index; // nodes were inserted before it
    }
    return pass_dead_code(graph, inputs, err);
}

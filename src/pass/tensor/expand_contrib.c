// SPDX-License-Identifier: Apache-2.0
// expand_contrib: operators that only ONNX Runtime has become ONNX's own ones, so that graphs which its optimizer went
// through are recognised like others, and a graph for every runtime has none of them. What has no plain form stays:
// QAttention and MatMulNBits, and of the others inputs and outputs that ONNX's operators have no place for.
#include "pass/tensor/contrib.h"

#include <string.h>

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
    const char *names[CONTRIB_MOST_OUTPUTS];
    ValueType types[CONTRIB_MOST_OUTPUTS];
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
    return c->reads >> output & 1;
}

void contrib_replace(const Contrib *c, size_t output, Value value) {
    c->replaced[output] = value;
}

Status contrib_number(const Contrib *c, DType dtype, double number, Value *ret, Error *err) {
    return match_number_constant(c->graph, "number", dtype, number, ret, err);
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
    Attribute range[2];
    NodeSpec spec = match_dim_spec(&value, axis, range);
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

// Of each node's outputs: a bit for those that are read, and what they are replaced by.
typedef struct Outputs {
    unsigned *reads;
    Value (*replaced)[CONTRIB_MOST_OUTPUTS];
} Outputs;

static void read_note(Outputs *outputs, Value value) {
    if (value.node && value.output < CONTRIB_MOST_OUTPUTS)
        outputs->reads[value.node->index] |= 1u << value.output;
}

static Status outputs_make(const Graph *graph, Arena *scratch, Outputs *ret, Error *err) {
    TRY_NEW(ret->reads = arena_array(scratch, graph->node_count, sizeof *ret->reads, err));
    TRY_NEW(ret->replaced = arena_array(scratch, graph->node_count, sizeof *ret->replaced, err));
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->input_count; i++)
            read_note(ret, graph->nodes[n]->inputs[i]);
    for (size_t i = 0; i < graph->return_count; i++)
        read_note(ret, graph->returns[i]);
    return OK;
}

// Values that nodes read which were not swept when they were replaced.
static void values_replace(const Outputs *outputs, const Sweep *sweep, Value *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!values[i].node || values[i].output >= CONTRIB_MOST_OUTPUTS)
            continue;
        Value by = outputs->replaced[rewrite_sweep_place(sweep, values[i].node)][values[i].output];
        values[i] = value_absent(by) ? values[i] : by;
    }
}

static Status node_expand(const Contrib *c, Error *err) {
    for (size_t i = 0; i < sizeof expansions / sizeof *expansions; i++)
        if (expansions[i].op == c->node->op)
            return expansions[i].expand(c, err);
    return OK;
}

Status pass_expand_contrib(Graph *graph, const PassInputs *inputs, Error *err) {
    Sweep sweep;
    Outputs outputs;
    Node *node;
    TRY(outputs_make(graph, inputs->scratch, &outputs, err));
    TRY(rewrite_sweep_begin(graph, inputs->scratch, &sweep, err));
    for (;;) {
        TRY(rewrite_sweep_next(&sweep, &node, err));
        if (!node)
            break;
        size_t place = sweep.next - 1;
        values_replace(&outputs, &sweep, node->inputs, node->input_count);
        TRY(node_expand(&(Contrib){graph, node, outputs.reads[place], outputs.replaced[place]}, err));
    }
    values_replace(&outputs, &sweep, graph->returns, graph->return_count);
    return pass_dead_code(graph, inputs, err);
}

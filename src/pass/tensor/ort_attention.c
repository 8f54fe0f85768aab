// SPDX-License-Identifier: Apache-2.0
// ort_attention: Attention as ONNX Runtime's own operators have it. com.microsoft.MultiHeadAttention takes projected Q,
// K and V, K and V of an encoder as they lie in the cache, and a past; where the three are projections of one value,
// com.microsoft.Attention takes that value and their weights side by side.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/heads.h"

enum { Q, K, V, MASK, PAST_K, PAST_V, INPUTS };

// The mask as [batch or 1, heads or 1, length, keys]: 2 dimensions get two more, a length of 1 is written out.
static Status mask_whole(Graph *graph, const Node *attention, Value *mask, Error *err) {
    ValueType type = value_type(*mask), q = value_type(attention->inputs[Q]);
    Node *node;
    if (type.rank == 2) {
        static const int64_t axes[] = {0, 1};
        Value inputs[2] = {*mask};
        TRY(match_ints_constant(graph, "axes", axes, 2, &inputs[1], err));
        NodeSpec spec = {.op = TENSOR_UNSQUEEZE, .name = "mask", .inputs = inputs, .input_count = 2, .output_count = 1};
        TRY(match_insert(graph, attention, &spec, &node, err));
        *mask = value_of(node, 0);
    }
    return heads_mask_lengthen(graph, attention, attention->inputs[Q], q.rank - 2, mask, err);
}

// y = x W [+ b] with a constant W of two dimensions.
typedef struct Projection {
    Value x;
    const Constant *weight, *bias; // bias may be NULL
    int64_t inputs, outputs;
} Projection;

static bool is_dense_f32(const Constant *c, int rank) {
    return constant_is_plain(c) && c->dtype == DTYPE_F32 && c->shape.rank == rank;
}

static bool projection_match(Value value, Projection *ret) {
    const Node *add = match_node(value, TENSOR_ADD), *product = match_node(value, TENSOR_MATMUL);
    *ret = (Projection){0};
    Value bias = {0};
    if (add && match_operands(add, TENSOR_MATMUL, &product, &bias))
        ret->bias = bias.constant;
    if (!product || !is_dense_f32(product->inputs[1].constant, 2) || (add && !is_dense_f32(ret->bias, 1)))
        return false;
    ret->x = product->inputs[0];
    ret->weight = product->inputs[1].constant;
    ret->inputs = ret->weight->shape.dims[0];
    ret->outputs = ret->weight->shape.dims[1];
    return !ret->bias || ret->bias->shape.dims[0] == ret->outputs;
}

// Q, K and V of one value, of equal width: their weights beside each other [inputs, 3 outputs], their biases one after
// the other.
static Status projections_join(Graph *graph, const Projection p[3], Value *ret_weight, Value *ret_bias, Error *err) {
    size_t rows = (size_t)p[0].inputs, columns = (size_t)p[0].outputs;
    float *weight = arena_alloc(graph->arena, rows * columns * 3 * sizeof *weight, 64, err);
    float *bias = arena_array(graph->arena, columns * 3, sizeof *bias, err);
    TRY_NEW(weight);
    TRY_NEW(bias);
    for (size_t i = 0; i < 3; i++) {
        for (size_t r = 0; r < rows; r++)
            memcpy(weight + (r * 3 + i) * columns, (const float *)p[i].weight->data + r * columns,
                   columns * sizeof *weight);
        if (p[i].bias)
            memcpy(bias + i * columns, p[i].bias->data, columns * sizeof *bias);
    }
    Constant w = {
        .name = "qkv.weight", .dtype = DTYPE_F32, .shape = {2, {p[0].inputs, 3 * p[0].outputs}}, .data = weight};
    Constant b = {.name = "qkv.bias", .dtype = DTYPE_F32, .shape = {1, {3 * p[0].outputs}}, .data = bias};
    const Constant *added[2];
    TRY(graph_add_constant(graph, &w, &added[0], err));
    TRY(graph_add_constant(graph, &b, &added[1], err));
    *ret_weight = value_constant(added[0]);
    *ret_bias = value_constant(added[1]);
    return OK;
}

// Read by nobody else, who would need them a second time.
static bool projections_match(const Node *attention, const size_t *uses, Projection p[3]) {
    for (size_t i = 0; i < 3; i++)
        if (!projection_match(attention->inputs[i], &p[i]) || uses[attention->inputs[i].node->index] != 1 ||
            !value_equal(p[i].x, p[0].x) || p[i].inputs != p[0].inputs || p[i].outputs != p[0].outputs)
            return false;
    return value_type(p[0].x).rank == 3 && value_absent(rewrite_input(attention, PAST_K));
}

static Status merged_make(Graph *graph, Node *attention, const Projection p[3], Value mask,
                          const Attribute attributes[2], Error *err) {
    Value inputs[6] = {p[0].x};
    inputs[5] = mask;
    TRY(projections_join(graph, p, &inputs[1], &inputs[2], err));
    NodeSpec spec = {.op = TENSOR_MS_ATTENTION,
                     .inputs = inputs,
                     .input_count = 6,
                     .attributes = attributes,
                     .attribute_count = 2,
                     .note = attention->note};
    return graph_change_node(graph, attention, &spec, err);
}

// Q, K and V without their split into heads.
static Status whole_rewrite(Graph *graph, Node *attention, const size_t *uses, Error *err) {
    int64_t heads = node_int(attention, "q_num_heads", 0);
    Value mask = rewrite_input(attention, MASK);
    Projection p[3];
    bool merged = projections_match(attention, uses, p) && attention->output_count == 1;
    if (!value_absent(mask))
        TRY(mask_whole(graph, attention, &mask, err));
    Attribute attributes[] = {attribute_int("num_heads", heads),
                              attribute_real("scale", node_real(attention, "scale", 0))}; // 0: as without
    if (merged)
        return merged_make(graph, attention, p, mask, attributes, err);
    Value inputs[8] = {attention->inputs[Q], attention->inputs[K], attention->inputs[V]};
    inputs[5] = mask;
    inputs[6] = rewrite_input(attention, PAST_K);
    inputs[7] = rewrite_input(attention, PAST_V);
    NodeSpec spec = {.op = TENSOR_MS_MULTI_HEAD_ATTENTION,
                     .inputs = inputs,
                     .input_count = 8,
                     .attributes = attributes,
                     .attribute_count = 2,
                     .note = attention->note};
    return graph_change_node(graph, attention, &spec, err);
}

// Q split into heads over K and V that are [batch, heads, keys, head_dim] already, as a decoder's cache of the encoder.
static Status cached_rewrite(Graph *graph, Node *attention, const size_t *uses, Error *err) {
    HeadsSplit q;
    HeadsJoin join;
    ValueType k = value_type(attention->inputs[K]), v = value_type(attention->inputs[V]);
    Value mask = rewrite_input(attention, MASK);
    if (!heads_split(attention->inputs[Q], true, &q) || !heads_join(graph, attention, uses, &join) ||
        type_dim(&k, 3) != q.heads || type_dim(&v, 3) != q.heads || type_dim(&v, 1) < 0 ||
        !value_absent(rewrite_input(attention, PAST_K)))
        return OK;
    HeadsSplit values = {{0}, q.heads, type_dim(&v, 1)};
    ValueType type = heads_joined_type(&join, &values);
    if (!value_absent(mask))
        TRY(mask_whole(graph, attention, &mask, err));
    Value inputs[6] = {q.whole, attention->inputs[K], attention->inputs[V]};
    inputs[5] = mask;
    Attribute attributes[] = {attribute_int("num_heads", q.heads),
                              attribute_real("scale", node_real(attention, "scale", 0))}; // 0: as without
    NodeSpec spec = {.op = TENSOR_MS_MULTI_HEAD_ATTENTION,
                     .name = join.reshape->names[0],
                     .inputs = inputs,
                     .input_count = 6,
                     .attributes = attributes,
                     .attribute_count = 2,
                     .types = &type,
                     .output_count = 1,
                     .note = attention->note};
    Node *node;
    if (join.reshape->types[0].rank == 3) {
        spec.types = NULL;
        spec.output_count = 0;
        return graph_change_node(graph, join.reshape, &spec, err);
    }
    TRY(graph_insert_before(graph, join.reshape, &spec, &node, err));
    heads_join_replace(graph, &join, node);
    return OK;
}

Status pass_ort_attention(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t room = 0, *uses = NULL;
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        ValueType mask = value_type(rewrite_input(node, MASK));
        bool chooses = mask.rank >= 0 && mask.dtype == DTYPE_BOOL; // theirs are only added
        if (node->op != TENSOR_ATTENTION || chooses || node_int(node, "is_causal", 0) ||
            node_attribute(node, "softcap") || node_attribute(node, "qk_matmul_output_mode") ||
            node->input_count > INPUTS)
            continue;
        if (graph->node_count > room) {
            room = graph->node_count * 2;
            TRY_NEW(uses = arena_array(inputs->scratch, room, sizeof *uses, err));
        }
        graph_count_uses(graph, uses);
        bool whole = value_type(node->inputs[Q]).rank == 3 && node_int(node, "q_num_heads", 0) > 0 &&
                     node_int(node, "q_num_heads", 0) == node_int(node, "kv_num_heads", 0);
        if (whole)
            TRY(whole_rewrite(graph, node, uses, err));
        else if (value_type(node->inputs[Q]).rank == 4 && uses[node->index])
            TRY(cached_rewrite(graph, node, uses, err));
        while (n < graph->node_count && graph->nodes[n] != node) // nodes were inserted before it
            n++;
    }
    return pass_dead_code(graph, inputs, err);
}

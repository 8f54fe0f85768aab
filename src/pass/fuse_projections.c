// SPDX-License-Identifier: Apache-2.0
// fuse_projections: linears that read the same value (q, k, v of a layer; k, v of every decoder layer over the
// encoder's output) become one linear over the rows of all their weights, and a split of its columns: the value is read
// (and for int8 quantized) once, and the product is wide enough to fill the machine. Weights become parts, nothing is
// copied.
#include <string.h>

#include "op/op.h"
#include "pass/rewrite.h"

enum { FUSE_MOST = 128 }; // siblings in one linear; a node may have 256 outputs

typedef struct Group {
    Node *members[FUSE_MOST];
    size_t count;
    const Constant *bias; // the first one there is, or NULL
} Group;

// x W' + bias and nothing else, read by somebody. How x is quantized may be told.
static bool is_projection(const Node *node, const size_t *uses) {
    bool plain = !rewrite_has_activation(node);
    for (size_t i = 0; i < node->attribute_count; i++)
        plain &=
            strcmp(node->attributes[i].name, "activation") == 0 || strcmp(node->attributes[i].name, "input_scale") == 0;
    return rewrite_is_linear(node) && plain && !rewrite_has_residual(node) && node->inputs[0].node &&
           node->inputs[1].constant && uses[node->index] > 0;
}

static bool weights_stack(const Constant *a, const Constant *b) {
    return a->shape.rank == 2 && b->shape.rank == 2 && a->shape.dims[1] == b->shape.dims[1] &&
           constant_stacks(a->part_count ? a->parts[0] : a, b->part_count ? b->parts[0] : b);
}

// Equal scales and factors of x, so that it is quantized once for both.
static bool inputs_equal(const Node *a, const Node *b) {
    const Attribute *left = node_attribute(a, "input_scale"), *right = node_attribute(b, "input_scale");
    if (!left != !right || (left && !attribute_equal(left, right)))
        return false;
    const Constant *x = rewrite_input(a, 4).constant, *y = rewrite_input(b, 4).constant;
    if (x == y)
        return true;
    return x && y && x->data && y->data && x->dtype == y->dtype && shape_equal(&x->shape, &y->shape) &&
           memcmp(x->data, y->data, constant_row_bytes(x) * (size_t)x->shape.dims[0]) == 0;
}

static bool fits(const Group *group, const Node *node) {
    const Node *first = group->members[0];
    const Constant *bias = rewrite_input(node, 2).constant;
    return value_equal(first->inputs[0], node->inputs[0]) &&
           weights_stack(first->inputs[1].constant, node->inputs[1].constant) && inputs_equal(first, node) &&
           (!bias || !group->bias || bias->dtype == group->bias->dtype);
}

static void group_add(Group *group, Node *node) {
    group->members[group->count++] = node;
    if (!group->bias)
        group->bias = rewrite_input(node, 2).constant;
}

// The siblings of `node` from there on; taken[] remembers who is in a group.
static void group_collect(const Graph *graph, Node *node, const size_t *uses, bool *taken, Group *group) {
    *group = (Group){0};
    group_add(group, node);
    for (size_t n = node->index + 1; n < graph->node_count && group->count < FUSE_MOST; n++)
        if (!taken[n] && is_projection(graph->nodes[n], uses) && fits(group, graph->nodes[n])) {
            group_add(group, graph->nodes[n]);
            taken[n] = true;
        }
}

// "name.fused": the rows of `wholes` (themselves perhaps in parts) one after another.
static Status stack_rows(Graph *graph, Arena *scratch, const char *name, const Constant *const *wholes, size_t count,
                         const Constant **ret_rows, Error *err) {
    size_t part_count = 0;
    Constant rows = wholes[0]->part_count ? *wholes[0]->parts[0] : *wholes[0];
    rows.shape.dims[0] = 0;
    for (size_t i = 0; i < count; i++) {
        part_count += wholes[i]->part_count ? wholes[i]->part_count : 1;
        rows.shape.dims[0] += wholes[i]->shape.dims[0];
    }
    const Constant **parts = arena_array(scratch, part_count, sizeof(Constant *), err);
    TRY_NEW(parts);
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t p = 0; p < (wholes[i]->part_count ? wholes[i]->part_count : 1); p++)
            parts[at++] = wholes[i]->part_count ? wholes[i]->parts[p] : wholes[i];
    rows.data = NULL;
    rows.scales = NULL;
    rows.mapped = false;
    rows.turned = false;
    rows.parts = parts;
    rows.part_count = part_count;
    TRY_NEW(rows.name = arena_format(scratch, err, "%s.fused", name));
    return graph_add_constant(graph, &rows, ret_rows, err);
}

// Zeros in place of the bias that one of the siblings lacks.
static Status zero_bias(Graph *graph, Arena *scratch, const Constant *weight, DType dtype, const Constant **ret_bias,
                        Error *err) {
    Constant zeros = {.dtype = dtype, .shape = {1, {weight->shape.dims[0]}}};
    TRY_NEW(zeros.name = arena_format(scratch, err, "%s.zeros", weight->name));
    TRY_NEW(zeros.data = arena_array(graph->arena, (size_t)weight->shape.dims[0], dtype_bytes(dtype), err));
    return graph_add_constant(graph, &zeros, ret_bias, err);
}

static Status stack_biases(Graph *graph, Arena *scratch, const Group *group, Value *ret_bias, Error *err) {
    const Constant *biases[FUSE_MOST], *stacked;
    for (size_t i = 0; i < group->count; i++) {
        biases[i] = rewrite_input(group->members[i], 2).constant;
        if (!biases[i])
            TRY(zero_bias(graph, scratch, group->members[i]->inputs[1].constant, group->bias->dtype, &biases[i], err));
    }
    TRY(stack_rows(graph, scratch, group->bias->name, biases, group->count, &stacked, err));
    *ret_bias = value_constant(stacked);
    return OK;
}

// The first member becomes the split, with the names of all; the wide linear goes before it.
static Status group_fuse(Graph *graph, Arena *scratch, const Group *group, Error *err) {
    Node *first = group->members[0], *wide;
    const Constant *weights[FUSE_MOST], *stacked;
    const char *names[FUSE_MOST];
    ValueType types[FUSE_MOST];
    int64_t sizes[FUSE_MOST];
    for (size_t i = 0; i < group->count; i++) {
        weights[i] = group->members[i]->inputs[1].constant;
        names[i] = group->members[i]->names[0];
        types[i] = group->members[i]->types[0];
        sizes[i] = weights[i]->shape.dims[0];
    }
    TRY(stack_rows(graph, scratch, weights[0]->name, weights, group->count, &stacked, err));
    Value inputs[5] = {first->inputs[0], value_constant(stacked), {0}, {0}, rewrite_input(first, 4)};
    if (group->bias)
        TRY(stack_biases(graph, scratch, group, &inputs[2], err));
    const Attribute *scale = node_attribute(first, "input_scale");
    NodeSpec spec = {.op = OP_LINEAR,
                     .inputs = inputs,
                     .input_count = 5,
                     .attributes = scale,
                     .attribute_count = scale ? 1 : 0,
                     .output_count = 1,
                     .note = first->note};
    TRY_NEW(spec.name = arena_format(scratch, err, "%s.fused", names[0]));
    TRY(graph_insert_before(graph, first, &spec, &wide, err));
    TRY(op_infer(wide, err));
    Value whole = value_of(wide, 0);
    Attribute parts = attribute_ints("sizes", sizes, group->count);
    NodeSpec split = {.op = OP_SPLIT,
                      .names = names,
                      .inputs = &whole,
                      .input_count = 1,
                      .attributes = &parts,
                      .attribute_count = 1,
                      .types = types,
                      .output_count = group->count,
                      .note = first->note};
    TRY(graph_change_node(graph, first, &split, err));
    for (size_t i = 1; i < group->count; i++)
        graph_replace_value(graph, value_of(group->members[i], 0), value_of(first, (int)i));
    return OK;
}

// Groups of two and more, while the nodes' places still hold.
static Status groups_collect(const Graph *graph, Arena *scratch, Group ***ret_groups, size_t *ret_count, Error *err) {
    bool *taken = arena_array(scratch, graph->node_count, sizeof *taken, err);
    TRY_NEW(taken);
    size_t *uses = arena_array(scratch, graph->node_count, sizeof *uses, err), count = 0;
    TRY_NEW(uses);
    Group **groups = arena_array(scratch, graph->node_count / 2 + 1, sizeof(Group *), err), group;
    TRY_NEW(groups);
    graph_count_uses(graph, uses);
    for (size_t n = 0; n < graph->node_count; n++) {
        if (taken[n] || !is_projection(graph->nodes[n], uses))
            continue;
        group_collect(graph, graph->nodes[n], uses, taken, &group);
        if (group.count < 2)
            continue;
        TRY_NEW(groups[count] = arena_alloc(scratch, sizeof group, 16, err));
        *groups[count++] = group;
    }
    *ret_groups = groups;
    *ret_count = count;
    return OK;
}

Status pass_fuse_projections(Graph *graph, const PassInputs *inputs, Error *err) {
    Group **groups;
    size_t count;
    bool *keep;
    TRY(groups_collect(graph, inputs->scratch, &groups, &count, err));
    for (size_t g = 0; g < count; g++)
        TRY(group_fuse(graph, inputs->scratch, groups[g], err));
    TRY(rewrite_marks(graph, inputs->scratch, &keep, err));
    for (size_t g = 0; g < count; g++)
        for (size_t i = 1; i < groups[g]->count; i++)
            keep[groups[g]->members[i]->index] = false;
    graph_keep(graph, keep, NULL);
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Splits into heads and joins, by their types and permutations.
#include "pass/tensor/heads.h"

const int64_t heads_perm[HEADS_RANK] = {0, 2, 1, 3};

bool heads_split(Value value, bool transposed, HeadsSplit *ret) {
    const Node *transpose = match_node(value, TENSOR_TRANSPOSE);
    if (transposed && (!transpose || !match_attribute_ints(transpose, "perm", heads_perm, HEADS_RANK)))
        return false;
    const Node *reshape = match_node(transposed ? transpose->inputs[0] : value, TENSOR_RESHAPE);
    if (!reshape || reshape->types[0].rank != HEADS_RANK)
        return false;
    ValueType from = value_type(reshape->inputs[0]), to = reshape->types[0];
    ret->whole = reshape->inputs[0];
    ret->heads = type_dim(&to, 2);
    ret->head_dim = type_dim(&to, 1);
    int64_t width = type_dim(&from, 1);
    return from.rank == 3 && ret->heads > 0 && ret->head_dim > 0 && (width < 0 || width == ret->heads * ret->head_dim);
}

// The one reader of a node's first output; NULL: several, or the graph returns it.
static Node *only_reader(const Graph *graph, const Node *node, const size_t *uses) {
    if (uses[node->index] != 1)
        return NULL;
    for (size_t n = node->index + 1; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->input_count; i++)
            if (value_equal(graph->nodes[n]->inputs[i], value_of(node, 0)))
                return graph->nodes[n];
    return NULL;
}

// Whether a Reshape of [batch, length, heads, head_dim] means the same of [batch, length, heads * head_dim]: all do but
// those that keep one of the last two dimensions.
static bool reshapes_whole(const Node *reshape) {
    int64_t shape[8];
    size_t count;
    if (!match_ints(reshape->inputs[1], shape, &count))
        return node_int(reshape, "allowzero", 0) != 0;
    for (size_t i = 2; i < count; i++)
        if (shape[i] == 0)
            return false;
    return true;
}

bool heads_join(const Graph *graph, const Node *node, const size_t *uses, HeadsJoin *ret) {
    ret->transpose = only_reader(graph, node, uses);
    if (!ret->transpose || ret->transpose->op != TENSOR_TRANSPOSE ||
        !match_attribute_ints(ret->transpose, "perm", heads_perm, HEADS_RANK))
        return false;
    ret->reshape = only_reader(graph, ret->transpose, uses);
    if (!ret->reshape || ret->reshape->op != TENSOR_RESHAPE || ret->reshape->types[0].rank < 0)
        return false;
    return ret->reshape->types[0].rank == 3 || reshapes_whole(ret->reshape);
}

ValueType heads_joined_type(const HeadsJoin *join, const HeadsSplit *v) {
    ValueType type = join->transpose->types[0];
    type.rank = 3;
    type.dims[2] = (Dim){false, v->heads * v->head_dim};
    return type;
}

void heads_join_replace(Graph *graph, const HeadsJoin *join, const Node *node) {
    if (join->reshape->types[0].rank == 3)
        graph_replace_value(graph, value_of(join->reshape, 0), value_of(node, 0));
    else
        join->reshape->inputs[0] = value_of(node, 0);
}

// The list 1, 1, length, 1.
static Status length_list(Graph *graph, const Node *place, Value q, int axis, Value *ret, Error *err) {
    ValueType type = value_type(q);
    int64_t known[] = {1, 1, 0, 1}, one = 1;
    Value parts[4];
    Node *node;
    if (!type.dims[axis].variable) {
        known[2] = type.dims[axis].value;
        return match_ints_constant(graph, "shape", known, 4, ret, err);
    }
    Attribute range[2], along = attribute_int("axis", 0);
    NodeSpec shape = match_dim_spec(&q, axis, range);
    TRY(match_ints_constant(graph, "one", &one, 1, &parts[0], err));
    parts[1] = parts[3] = parts[0];
    TRY(match_insert(graph, place, &shape, &node, err));
    parts[2] = value_of(node, 0);
    NodeSpec concat = {.op = TENSOR_CONCAT,
                       .name = "shape",
                       .inputs = parts,
                       .input_count = 4,
                       .attributes = &along,
                       .attribute_count = 1,
                       .output_count = 1};
    TRY(match_insert(graph, place, &concat, &node, err));
    *ret = value_of(node, 0);
    return OK;
}

Status heads_mask_lengthen(Graph *graph, const Node *place, Value q, int axis, Value *mask, Error *err) {
    ValueType type = value_type(*mask), queries = value_type(q);
    Value inputs[2] = {*mask};
    if (type.rank != 4 || type.dims[2].variable || type.dims[2].value != 1 || queries.rank <= axis ||
        (!queries.dims[axis].variable && queries.dims[axis].value == 1))
        return OK;
    type.dims[2] = queries.dims[axis];
    TRY(length_list(graph, place, q, axis, &inputs[1], err));
    NodeSpec spec = {
        .op = TENSOR_EXPAND, .name = "mask", .inputs = inputs, .input_count = 2, .types = &type, .output_count = 1};
    Node *node;
    TRY(match_insert(graph, place, &spec, &node, err));
    *mask = value_of(node, 0);
    return OK;
}

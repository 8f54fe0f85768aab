// SPDX-License-Identifier: Apache-2.0
// fuse_attention: softmax(scale Q K' + mask) V becomes one Attention (ONNX's of opset 23), whatever order an exporter
// wrote its parts in: scalars on either side of the product or behind it, K transposed in one step or three, keys and
// values of the past put before the new ones, projections split into heads by Reshape and Transpose. Where Q, K, V and
// the result all are such splits, the operator takes them unsplit, [batch, length, heads * head_dim].
#include <float.h>
#include <math.h>

#include "pass/rewrite.h"
#include "pass/tensor/heads.h"

static const int64_t turned_perm[] = {0, 1, 3, 2}, heads_turned_perm[] = {0, 2, 3, 1};

// What is added to the scores, or what chooses between them and a number.
typedef struct Mask {
    Value added;             // absent: the other kind
    Value condition, number; // scores where it is true, else the number
    bool inverted;           // scores where it is false
} Mask;

enum { MASKS_MOST = 3 };

typedef struct Core {
    const Node *softmax, *sum; // sum: the last product, whose result is replaced
    Value q, k, v;             // 4 dimensions each
    Mask masks[MASKS_MOST];
    size_t mask_count;
    bool guarded;                    // NaN of rows that attend to nothing become 0
    bool k_rows;                     // k is [batch, length, heads, head_dim]: was turned in one step
    const Node *joined_k, *joined_v; // k and v are a past and new ones: their concatenations; NULL: not
    double scale;
} Core;

// x of x * a, a * x, x / a: the numbers go into *scale.
static Value scalars_strip(Value value, double *scale) {
    for (;;) {
        const Node *mul = match_node(value, TENSOR_MUL), *div = match_node(value, TENSOR_DIV);
        double number;
        Value rest;
        if (mul && match_operand_number(mul, &number, &rest)) {
            *scale *= number;
        } else if (div && match_number(div->inputs[1], &number) && number != 0) {
            *scale /= number;
            rest = div->inputs[0];
        } else {
            return value;
        }
        value = rest;
    }
}

static Value casts_strip(Value value) {
    const Node *cast;
    while ((cast = match_node(value, TENSOR_CAST)) && value_type(cast->inputs[0]).rank >= 0 &&
           value_type(cast->inputs[0]).dtype == cast->types[0].dtype)
        value = cast->inputs[0];
    return value;
}

// The value whose last two dimensions are exchanged; scalars met on the way go into *scale. False: not of that form.
static bool transpose_strip(Value value, double *scale, Value *ret, bool *ret_rows) {
    value = scalars_strip(value, scale);
    const Node *transpose = match_node(value, TENSOR_TRANSPOSE), *back = match_node(value, TENSOR_RESHAPE);
    static const int64_t turned3[] = {0, 2, 1};
    *ret_rows = false;
    if (transpose && match_attribute_ints(transpose, "perm", turned_perm, 4)) {
        *ret = scalars_strip(transpose->inputs[0], scale);
        return true;
    }
    if (transpose && match_attribute_ints(transpose, "perm", heads_turned_perm, 4)) {
        *ret = transpose->inputs[0];
        *ret_rows = true;
        return true;
    }
    // [b, h, l, d] as [b h, l, d], turned, as [b, h, d, l].
    const Node *inner = back ? match_node(back->inputs[0], TENSOR_TRANSPOSE) : NULL;
    const Node *flat =
        inner && match_attribute_ints(inner, "perm", turned3, 3) ? match_node(inner->inputs[0], TENSOR_RESHAPE) : NULL;
    if (!flat)
        return false;
    ValueType from = value_type(flat->inputs[0]), to = back->types[0];
    int64_t length = type_dim(&from, 2), dim = type_dim(&from, 1);
    bool fits =
        from.rank == 4 && (to.rank < 0 || (to.rank == 4 && type_dim(&to, 2) == dim && type_dim(&to, 1) == length));
    *ret = scalars_strip(flat->inputs[0], scale);
    return fits;
}

// softmax(...) behind what only guards it: NaN of rows that attend to nothing become 0.
static bool is_softmax(Value value, const Node **ret_softmax, bool *ret_guarded) {
    double zero;
    const Node *where = match_node(value, TENSOR_WHERE);
    const Node *isnan = where ? match_node(where->inputs[0], TENSOR_ISNAN) : NULL;
    *ret_guarded =
        isnan && match_number(where->inputs[1], &zero) && zero == 0 && value_equal(isnan->inputs[0], where->inputs[2]);
    if (*ret_guarded)
        value = where->inputs[2];
    *ret_softmax = match_node(casts_strip(value), TENSOR_SOFTMAX);
    return *ret_softmax != NULL;
}

static bool is_last_axis(const Node *softmax) {
    int64_t axis = node_int(softmax, "axis", -1);
    return axis == -1 || (softmax->types[0].rank > 0 && axis == softmax->types[0].rank - 1);
}

// Whether a value is a product, scaled and masked in any way; `depth` bounds the search.
static bool leads_to_product(Value value, int depth) {
    double scale = 1;
    value = scalars_strip(casts_strip(value), &scale);
    if (match_node(value, TENSOR_MATMUL))
        return value_type(value).rank == 4;
    bool masked = depth && (match_node(value, TENSOR_ADD) || match_node(value, TENSOR_WHERE));
    for (size_t i = 0; masked && i < value.node->input_count; i++)
        if (leads_to_product(value.node->inputs[i], depth - 1))
            return true;
    return false;
}

// Takes one mask off the scores; false: there is none.
static bool mask_strip(Value *scores, Mask *ret) {
    const Node *add = match_node(*scores, TENSOR_ADD), *where = match_node(*scores, TENSOR_WHERE);
    double number;
    *ret = (Mask){0};
    for (size_t i = 0; add && i < 2; i++)
        if (leads_to_product(add->inputs[i], MASKS_MOST)) {
            *scores = add->inputs[i];
            ret->added = add->inputs[1 - i];
            return true;
        }
    for (size_t i = 1; where && i < 3; i++)
        if (match_number(where->inputs[3 - i], &number) && number <= -1e4 &&
            leads_to_product(where->inputs[i], MASKS_MOST)) {
            *scores = where->inputs[i];
            *ret = (Mask){.condition = where->inputs[0], .number = where->inputs[3 - i], .inverted = i == 2};
            return true;
        }
    return false;
}

// What is added is 0 or minus infinity by a condition: then that is the mask.
static void mask_open(Mask *mask) {
    const Node *where = match_node(mask->added, TENSOR_WHERE);
    double yes, no;
    if (!where || !match_number(where->inputs[1], &yes) || !match_number(where->inputs[2], &no) ||
        !((yes == 0 && no == -INFINITY) || (yes == -INFINITY && no == 0)))
        return;
    *mask =
        (Mask){.condition = where->inputs[0], .number = where->inputs[yes == 0 ? 2 : 1], .inverted = yes == -INFINITY};
}

// The scores: a product, perhaps scaled, perhaps masked.
static bool scores_match(Core *core, Value value) {
    value = casts_strip(value);
    core->scale = 1;
    while (core->mask_count < MASKS_MOST && mask_strip(&value, &core->masks[core->mask_count])) {
        if (core->guarded)
            mask_open(&core->masks[core->mask_count]);
        core->mask_count++;
        value = casts_strip(value);
    }
    const Node *product = match_node(scalars_strip(value, &core->scale), TENSOR_MATMUL);
    if (!product || product->types[0].rank != 4)
        return false;
    core->q = scalars_strip(product->inputs[0], &core->scale);
    if (!transpose_strip(product->inputs[1], &core->scale, &core->k, &core->k_rows))
        return false;
    return core->scale > 0 && isfinite(core->scale);
}

// A concatenation along the lengths of something and new keys or values.
static const Node *joined(Value value) {
    const Node *concat = match_node(value, TENSOR_CONCAT);
    int64_t axis = concat ? node_int(concat, "axis", 0) : 0;
    return concat && concat->input_count == 2 && (axis == 2 || axis == -2) ? concat : NULL;
}

static bool core_match(const Node *sum, Core *core) {
    *core = (Core){.sum = sum};
    if (sum->op != TENSOR_MATMUL || sum->types[0].rank != 4 ||
        !is_softmax(sum->inputs[0], &core->softmax, &core->guarded) || !is_last_axis(core->softmax) ||
        !scores_match(core, core->softmax->inputs[0]))
        return false;
    core->v = sum->inputs[1];
    core->joined_k = joined(core->k);
    core->joined_v = joined(core->v);
    return true;
}

static NodeSpec attention_spec(const Core *core, Value inputs[6], Attribute attributes[3], int64_t heads) {
    size_t count = 0;
    attributes[count++] = attribute_real("scale", core->scale);
    if (heads) {
        attributes[count++] = attribute_int("kv_num_heads", heads);
        attributes[count++] = attribute_int("q_num_heads", heads);
    }
    return (NodeSpec){.op = TENSOR_ATTENTION,
                      .inputs = inputs,
                      .input_count = 6,
                      .attributes = attributes,
                      .attribute_count = count,
                      .output_count = 1,
                      .note = core->softmax->note};
}

// What the graph returns of joined keys or values, Attention gives as well.
static void returns_replace(Graph *graph, const Node *joined_node, const Node *attention, int output) {
    for (size_t r = 0; r < graph->return_count; r++)
        if (value_equal(graph->returns[r], value_of(joined_node, 0)))
            graph->returns[r] = value_of(attention, output);
}

// Attention has no guard: minus infinity becomes the lowest number, with which rows that attend to nothing are a mean.
static Status mask_value(Graph *graph, const Node *place, const Core *core, const Mask *mask, Value *ret, Error *err) {
    Value none, masked = mask->number;
    double number;
    Node *node;
    *ret = mask->added;
    if (!value_absent(mask->added))
        return OK;
    TRY(match_number_constant(graph, "zero", DTYPE_F32, 0, &none, err));
    if (core->guarded && match_number(masked, &number) && isinf(number))
        TRY(match_number_constant(graph, "lowest", DTYPE_F32, (double)-FLT_MAX, &masked, err));
    Value inputs[] = {mask->condition, mask->inverted ? masked : none, mask->inverted ? none : masked};
    NodeSpec spec = {.op = TENSOR_WHERE, .name = "mask", .inputs = inputs, .input_count = 3, .output_count = 1};
    TRY(match_insert(graph, place, &spec, &node, err));
    *ret = value_of(node, 0);
    return OK;
}

// All masks as one that is added; absent where there is none.
static Status masks_add(Graph *graph, const Node *place, const Core *core, Value *ret, Error *err) {
    *ret = (Value){0};
    for (size_t m = 0; m < core->mask_count; m++) {
        Value inputs[2] = {*ret};
        Node *node;
        TRY(mask_value(graph, place, core, &core->masks[m], &inputs[1], err));
        if (m) {
            NodeSpec spec = {.op = TENSOR_ADD, .name = "mask", .inputs = inputs, .input_count = 2, .output_count = 1};
            TRY(match_insert(graph, place, &spec, &node, err));
            inputs[1] = value_of(node, 0);
        }
        *ret = inputs[1];
    }
    return OK;
}

// Q, K, V and the result unsplit: Attention stands for the Reshape behind the result too. With a past, joined keys and
// values are outputs 1 and 2. *ret_done stays false, and nothing changes, where something is no split.
static Status whole_fuse(Graph *graph, const Core *core, const size_t *uses, bool *ret_done, Error *err) {
    HeadsSplit q, k, v;
    HeadsJoin join;
    bool past = core->joined_k && core->joined_v;
    Value new_k = past ? core->joined_k->inputs[1] : core->k, new_v = past ? core->joined_v->inputs[1] : core->v;
    bool split =
        heads_split(core->q, true, &q) && heads_split(new_v, true, &v) && heads_split(new_k, past || !core->k_rows, &k);
    if (!split || !heads_join(graph, core->sum, uses, &join) || q.heads != k.heads || q.heads != v.heads ||
        q.head_dim != k.head_dim)
        return OK;
    Value inputs[6] = {q.whole, k.whole, v.whole};
    Attribute attributes[3];
    ValueType types[3] = {heads_joined_type(&join, &v)};
    NodeSpec spec = attention_spec(core, inputs, attributes, q.heads);
    spec.types = types;
    spec.name = join.reshape->names[0];
    if (past) {
        inputs[4] = core->joined_k->inputs[0];
        inputs[5] = core->joined_v->inputs[0];
        types[1] = core->joined_k->types[0];
        types[2] = core->joined_v->types[0];
        spec.output_count = 3;
    }
    Node *attention = join.reshape;
    TRY(masks_add(graph, join.reshape, core, &inputs[3], err));
    TRY(heads_mask_lengthen(graph, join.reshape, q.whole, 1, &inputs[3], err));
    if (!past && join.reshape->types[0].rank == 3) {
        spec.types = NULL;
        spec.output_count = 0;
        TRY(graph_change_node(graph, join.reshape, &spec, err));
    } else {
        TRY(graph_insert_before(graph, join.reshape, &spec, &attention, err));
        heads_join_replace(graph, &join, attention);
    }
    if (past) {
        returns_replace(graph, core->joined_k, attention, 1);
        returns_replace(graph, core->joined_v, attention, 2);
    }
    *ret_done = true;
    return OK;
}

// Everything in four dimensions, as it is.
static Status split_fuse(Graph *graph, const Core *core, Error *err) {
    Value inputs[6] = {core->q, core->k, core->v};
    Attribute attributes[3], perm = attribute_ints("perm", heads_perm, HEADS_RANK);
    if (core->k_rows) {
        NodeSpec turn = {.op = TENSOR_TRANSPOSE,
                         .inputs = &core->k,
                         .input_count = 1,
                         .attributes = &perm,
                         .attribute_count = 1,
                         .output_count = 1};
        Node *turned;
        TRY(match_insert(graph, core->sum, &turn, &turned, err));
        inputs[1] = value_of(turned, 0);
    }
    NodeSpec spec = attention_spec(core, inputs, attributes, 0);
    spec.output_count = 0;
    TRY(masks_add(graph, core->sum, core, &inputs[3], err));
    TRY(heads_mask_lengthen(graph, core->sum, core->q, 2, &inputs[3], err));
    return graph_change_node(graph, graph->nodes[core->sum->index], &spec, err);
}

Status pass_fuse_attention(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t room = 0, *uses = NULL;
    for (size_t n = 0; n < graph->node_count; n++) {
        Core core;
        if (!core_match(graph->nodes[n], &core))
            continue;
        if (graph->node_count > room) {
            room = graph->node_count * 2;
            TRY_NEW(uses = arena_array(inputs->scratch, room, sizeof *uses, err));
        }
        graph_count_uses(graph, uses);
        bool whole = false;
        if (uses[core.softmax->index] != (core.guarded ? 2 : 1) || !uses[core.sum->index]) // weights are read
            continue;
        TRY(whole_fuse(graph, &core, uses, &whole, err));
        if (!whole)
            TRY(split_fuse(graph, &core, err));
    }
    return pass_dead_code(graph, inputs, err);
}

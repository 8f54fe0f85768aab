// SPDX-License-Identifier: Apache-2.0
// Two graphs held against each other, node by node.
#include "model/onnx_match.h"

#include <math.h>
#include <string.h>

#include "pass/tensor/match.h"

// One matching of one graph.
typedef struct Matching {
    Match *match;
    const Graph *graph;
    Value *expected; // [node_count] what a node's output is in the imported graph; absent: not known
    Value *ret_states;
} Matching;

static const char *found_name(Value value, char ret_text[200]) {
    if (value.constant)
        snprintf(ret_text, 200, "constant '%s'", value.constant->name);
    else if (!value.node)
        snprintf(ret_text, 200, "nothing");
    else
        snprintf(ret_text, 200, "%s '%s'", op_name(value.node->op), value.node->names[value.output]);
    return ret_text;
}

static Status parted(const Matching *m, const Node *wanted, Value found, Error *err) {
    char text[200];
    return FAIL(err, ERR_UNSUPPORTED, "%s is no %s that is known here: where %s '%s' should be, it has %s",
                m->match->name, m->match->family, op_name(wanted->op),
                wanted->note           ? wanted->note
                : wanted->output_count ? wanted->names[0]
                                       : "",
                found_name(found, text));
}

// Reals of one width as another, or whole numbers of 32 and 64 bits as each other: what is computed is the same, but
// for rounding that a family does not do.
static bool only_casts(const Node *node) {
    if (node->op != TENSOR_CAST)
        return false;
    DType from = value_type(node->inputs[0]).dtype, to = node->types[0].dtype;
    bool integers = (from == DTYPE_I64 || from == DTYPE_I32) && (to == DTYPE_I64 || to == DTYPE_I32);
    return integers || (dtype_is_real(from) && dtype_is_real(to));
}

static Value without_cast(Value value) {
    while (value.node && !value.output && only_casts(value.node))
        value = value.node->inputs[0];
    return value;
}

// Values that only change their shape or are widened to several sequences.
static Value without_shape(Value value) {
    for (;;) {
        const Node *node = value.node;
        bool passes = node && !value.output &&
                      (node->op == TENSOR_RESHAPE || node->op == TENSOR_UNSQUEEZE || node->op == TENSOR_SQUEEZE ||
                       node->op == TENSOR_EXPAND || node->op == TENSOR_IDENTITY || only_casts(node));
        if (!passes)
            return value;
        value = node->inputs[0];
    }
}

static bool is_ids(const Match *match, Value value) {
    const Node *node = without_shape(value).node;
    return node && node->op == OP_INPUT && strcmp(node->names[0], match->ids) == 0;
}

// A product of two values in either order, the second a number; else the value itself, times 1.
static Value without_factor(Value value, double *ret_factor) {
    const Node *node = match_node(value, TENSOR_MUL);
    Value rest;
    *ret_factor = 1;
    return node && match_operand_number(node, ret_factor, &rest) ? rest : value;
}

// Equal as far as half precision tells: files of it have rounded factors too.
static bool same_factor(double found, double wanted) {
    return fabs(found - wanted) <= 0x1p-11 * fabs(wanted);
}

// linear: [Add](MatMul | Gemm | Mul(Cast(MatMulInteger), scales)), the product possibly over sequences in one list.
typedef struct Linear {
    Value x, bias; // bias absent: none
    StoredWeight weight;
} Linear;

static bool integer_linear(Value value, Linear *ret) {
    MatchNodes nodes = {0};
    MatchProduct product;
    if (!match_product(value, (Value){0}, &nodes, &product))
        return false;
    const Node *integers = NULL, *quantize = NULL;
    const Constant *scales = NULL;
    Value scale = {0};
    for (size_t i = 0; i < product.count; i++) {
        Value factor = product.factors[i].value;
        const Node *cast = match_node(factor, TENSOR_CAST);
        if (product.factors[i].power != 1)
            return false;
        if (cast && !integers && (integers = match_node(cast->inputs[0], TENSOR_MATMUL_INTEGER)))
            continue;
        if (factor.constant && !scales)
            scales = factor.constant;
        else if (factor.node && !scale.node && factor.node->op == TENSOR_DYNAMIC_QUANTIZE_LINEAR && factor.output == 1)
            scale = factor;
        else
            return false;
    }
    if (!integers || !scale.node || integers->input_count < 3)
        return false;
    quantize = match_node(integers->inputs[0], TENSOR_DYNAMIC_QUANTIZE_LINEAR);
    const Constant *zeros = integers->input_count > 3 ? integers->inputs[3].constant : NULL;
    StoredWeight weight;
    if (!quantize || quantize != scale.node || !value_equal(integers->inputs[2], value_of(quantize, 2)) ||
        !stored_integers(integers->inputs[1], true, &weight) ||
        (integers->input_count > 3 && !constant_is_plain(zeros)))
        return false;
    weight.scales = scales;
    weight.zeros = zeros;
    weight.factor = product.scale;
    *ret = (Linear){.x = quantize->inputs[0], .weight = weight};
    return true;
}

// A zero point in the middle of its type: what it belongs to is symmetric.
static bool is_middle(Value value) {
    DType dtype = value_type(value).dtype;
    double zero;
    return match_number(value, &zero) && ((dtype == DTYPE_I8 && zero == 0) || (dtype == DTYPE_U8 && zero == 128));
}

// Inputs that are rounded to 8 bits by one scale, after factors of their columns, and real again.
static void rounding_find(Linear *linear) {
    const Node *real = match_node(linear->x, TENSOR_DEQUANTIZE_LINEAR);
    const Node *codes = real ? match_node(real->inputs[0], TENSOR_QUANTIZE_LINEAR) : NULL;
    double scales[2];
    if (!codes || linear->weight.values->dtype != DTYPE_I8 || codes->input_count < 3 || real->input_count < 3)
        return;
    for (size_t i = 0; i < 2; i++) {
        const Node *node = i ? codes : real;
        if (!match_number(node->inputs[1], &scales[i]) || !is_middle(node->inputs[2]))
            return;
    }
    if (!(scales[0] > 0) || scales[0] != scales[1] ||
        value_type(codes->inputs[2]).dtype != value_type(real->inputs[2]).dtype)
        return;
    linear->weight.input_scale = scales[0];
    linear->x = codes->inputs[0];
    const Node *balance = match_node(linear->x, TENSOR_MUL);
    for (size_t i = 0; balance && i < 2; i++) {
        const Constant *factors = balance->inputs[i].constant;
        ValueType type = value_type(balance->inputs[1 - i]);
        if (!constant_is_plain(factors) || factors->dtype != DTYPE_F32 || factors->shape.rank != 1 || type.rank < 2 ||
            type.dims[type.rank - 1].variable || type.dims[type.rank - 1].value != factors->shape.dims[0])
            continue;
        linear->weight.input_factors = factors;
        linear->x = balance->inputs[1 - i];
        return;
    }
}

static bool gemm_linear(const Node *node, Linear *ret) {
    if (node_int(node, "transA", 0) || node_real(node, "alpha", 1) != 1 || node_real(node, "beta", 1) != 1)
        return false;
    *ret = (Linear){.x = node->inputs[0], .bias = node->input_count > 2 ? node->inputs[2] : (Value){0}};
    return stored_weight(node->inputs[1], !node_int(node, "transB", 0), &ret->weight);
}

// Whether two values have the same dimensions but for the last, as far as their types tell.
static bool same_places(Value a, Value b) {
    ValueType x = value_type(a), y = value_type(b);
    if (x.rank < 1 || x.rank != y.rank)
        return false;
    x.dims[x.rank - 1] = y.dims[y.rank - 1];
    x.dtype = y.dtype;
    return types_are_equal_and_known(&x, &y);
}

// A sum with a constant [.., 1, columns]: what it is added to; else the value itself.
static Value without_bias(Value value, Value *ret_bias) {
    const Node *sum = match_node(value, TENSOR_ADD);
    *ret_bias = (Value){0};
    for (size_t i = 0; sum && i < 2; i++) {
        const Constant *c = sum->inputs[i].constant;
        ValueType type = value_type(sum->inputs[1 - i]);
        size_t elements;
        bool fits = constant_is_plain(c) && shape_elements(&c->shape, &elements) && c->shape.rank > 0 &&
                    c->shape.rank <= type.rank && !type.dims[type.rank - 1].variable;
        if (!fits || c->shape.dims[c->shape.rank - 1] != (int64_t)elements ||
            type.dims[type.rank - 1].value != (int64_t)elements)
            continue;
        *ret_bias = sum->inputs[i];
        return without_cast(sum->inputs[1 - i]);
    }
    return value;
}

static bool linear_find(Value value, Linear *ret) {
    Value bias, rows;
    value = without_bias(without_cast(value), &bias);
    const Node *reshape = match_node(value, TENSOR_RESHAPE);
    rows = reshape ? without_cast(reshape->inputs[0]) : value;
    const Node *product = rows.node && !rows.output ? rows.node : NULL;
    bool found = false;
    if (product && product->op == TENSOR_MATMUL) {
        *ret = (Linear){.x = product->inputs[0]};
        found = stored_weight(product->inputs[1], true, &ret->weight);
    } else if (product && product->op == TENSOR_GEMM) {
        found = gemm_linear(product, ret);
    } else if (product) {
        found = integer_linear(rows, ret);
    }
    if (!found || (!value_absent(bias) && !value_absent(ret->bias)))
        return false;
    if (!value_absent(bias))
        ret->bias = bias;
    ret->x = without_cast(ret->x);
    const Node *flat = reshape ? match_node(ret->x, TENSOR_RESHAPE) : NULL;
    if (flat)
        ret->x = without_cast(flat->inputs[0]);
    if (reshape && !(flat && same_places(value, ret->x)))
        return false;
    rounding_find(ret);
    return true;
}

// embed: [Mul by a number](Gather(table, rows)); int8 tables: DequantizeLinear of it, or times rows of scales.
typedef struct Lookup {
    Value rows;
    double factor;
    StoredWeight table;
} Lookup;

static const Node *gather_rows(Value value) {
    const Node *node = match_node(without_shape(value), TENSOR_GATHER);
    return node && node_int(node, "axis", 0) == 0 ? node : NULL;
}

// Scales of s8 rows, looked up as the rows are.
static bool scaled_rows(const Node *product, Lookup *ret) {
    for (size_t i = 0; i < 2; i++) {
        const Node *reals = match_node(product->inputs[i], TENSOR_CAST);
        const Node *values = reals ? gather_rows(reals->inputs[0]) : NULL,
                   *scales = gather_rows(product->inputs[1 - i]);
        const Constant *table = values ? values->inputs[0].constant : NULL;
        if (!scales || !constant_is_plain(table) || table->shape.rank != 2 || table->dtype != DTYPE_I8 ||
            !constant_is_plain(scales->inputs[0].constant) || scales->inputs[0].constant->shape.rank != 1 ||
            !value_equal(values->inputs[1], scales->inputs[1]))
            continue;
        ret->rows = values->inputs[1];
        ret->table = (StoredWeight){.values = table, .scales = scales->inputs[0].constant, .factor = 1};
        return true;
    }
    return false;
}

static bool lookup_find(Value value, Lookup *ret) {
    *ret = (Lookup){0};
    value = without_factor(without_shape(value), &ret->factor);
    value = without_shape(value);
    const Node *product = match_node(value, TENSOR_MUL), *whole = match_node(value, TENSOR_DEQUANTIZE_LINEAR);
    if (product)
        return scaled_rows(product, ret);
    const Node *gather = gather_rows(whole ? whole->inputs[0] : value);
    if (!gather)
        return false;
    ret->rows = gather->inputs[1];
    if (!whole)
        return stored_weight(gather->inputs[0], false, &ret->table) && !ret->table.turned;
    double unused;
    const Constant *table = gather->inputs[0].constant;
    Value zero = whole->input_count > 2 ? whole->inputs[2] : (Value){0};
    ret->table =
        (StoredWeight){.values = table, .scales = whole->inputs[1].constant, .zeros = zero.constant, .factor = 1};
    return constant_is_plain(table) && match_number(whole->inputs[1], &unused) &&
           (value_absent(zero) || match_number(zero, &unused));
}

// What the family's `wanted` is must be `found`.
static Status expect(Matching *m, Value wanted, Value found, Error *err) {
    Value *place = &m->expected[wanted.node->index];
    found = without_cast(found);
    if (value_absent(*place))
        *place = found;
    return value_equal(*place, found) ? OK : parted(m, wanted.node, found, err);
}

const MatchedWeight *matched_weight(const Match *match, const char *name) {
    const NameEntry *entry = names_find(&match->names, name);
    return entry ? entry->object : NULL;
}

static bool same_weight(const StoredWeight *a, const StoredWeight *b) {
    return a->values == b->values && a->turned == b->turned && a->scales == b->scales && a->zeros == b->zeros &&
           a->factor == b->factor && a->input_scale == b->input_scale && a->input_factors == b->input_factors;
}

static Status weight_take(Matching *m, Value wanted, const StoredWeight *stored, Error *err) {
    Match *match = m->match;
    const Constant *c = wanted.constant;
    const MatchedWeight *known = matched_weight(match, c->name);
    if (known && same_weight(&known->stored, stored))
        return OK;
    if (known)
        return FAIL(err, ERR_UNSUPPORTED, "%s has several weights where %s has '%s'", match->name, match->family,
                    c->name);
    MatchedWeight *found = &match->weights[match->weight_count++];
    *found =
        (MatchedWeight){c->name, (size_t)c->shape.dims[0], c->shape.rank > 1 ? (size_t)c->shape.dims[1] : 0, *stored};
    if (stored_check(stored, c->name, found->rows, found->columns, err) != OK)
        return error_context(err, "%s", match->name);
    return names_add(&match->names, match->arena, c->name, found, 0, err);
}

static Status vector_take(Matching *m, const Node *node, Value wanted, Value found, Error *err) {
    StoredWeight stored;
    if (value_absent(found) || !stored_weight(found, false, &stored))
        return parted(m, node, found, err);
    return weight_take(m, wanted, &stored, err);
}

static Status linear_match(Matching *m, const Node *node, Value found, Error *err) {
    Linear linear;
    if (!linear_find(found, &linear))
        return parted(m, node, found, err);
    TRY(weight_take(m, node->inputs[1], &linear.weight, err));
    if (!value_absent(linear.bias))
        TRY(vector_take(m, node, node->inputs[2], linear.bias, err));
    return expect(m, node->inputs[0], linear.x, err);
}

static Status norm_match(Matching *m, const Node *node, Value found, Error *err) {
    const Node *norm = match_node(found, TENSOR_LAYER_NORMALIZATION);
    if (!norm || norm->input_count < 3 || !match_last_axis(node_int(norm, "axis", -1), norm->inputs[0]) ||
        !number_near(node_real(norm, "epsilon", 1e-5), node_real(node, "epsilon", 1e-5)))
        return parted(m, node, found, err);
    for (size_t i = 1; i < 3; i++)
        TRY(vector_take(m, node, node->inputs[i], norm->inputs[i], err));
    return expect(m, node->inputs[0], norm->inputs[0], err);
}

static bool activation_is(const Node *node, const char *kind) {
    const char *approximate = node_text(node, "approximate", "none");
    switch (node->op) {
    case TENSOR_GELU:
        return strcmp(kind, strcmp(approximate, "tanh") == 0 ? "gelu_tanh" : "gelu") == 0;
    case TENSOR_RELU:
        return strcmp(kind, "relu") == 0;
    case TENSOR_TANH:
        return strcmp(kind, "tanh") == 0;
    case TENSOR_SWISH:
        return strcmp(kind, "silu") == 0 && node_real(node, "alpha", 1) == 1;
    default:
        return false;
    }
}

static Status activation_match(Matching *m, const Node *node, Value found, Error *err) {
    const char *kind = node_text(node, "kind", "");
    const Node *sigmoid, *product = match_node(found, TENSOR_MUL);
    Value x;
    if (strcmp(kind, "none") == 0)
        return expect(m, node->inputs[0], found, err);
    if (product && strcmp(kind, "silu") == 0 && match_operands(product, TENSOR_SIGMOID, &sigmoid, &x) &&
        value_equal(sigmoid->inputs[0], x))
        return expect(m, node->inputs[0], x, err);
    if (!found.node || found.output || !activation_is(found.node, kind))
        return parted(m, node, found, err);
    return expect(m, node->inputs[0], found.node->inputs[0], err);
}

// Whether a value could be what a node of the family computes, by what makes it.
static bool could_be(const Matching *m, Value wanted, Value found) {
    Linear linear;
    Lookup lookup;
    switch (wanted.node->op) {
    case OP_LINEAR:
        return linear_find(found, &linear);
    case OP_LAYER_NORM:
        return match_node(found, TENSOR_LAYER_NORMALIZATION);
    case OP_ADD:
        return match_node(found, TENSOR_ADD) && !linear_find(found, &linear);
    case OP_EMBED:
        return lookup_find(found, &lookup) && is_ids(m->match, lookup.rows) == !node_attribute(wanted.node, "offset");
    default:
        return true;
    }
}

static Status add_match(Matching *m, const Node *node, Value found, Error *err) {
    const Node *sum = match_node(found, TENSOR_ADD);
    for (size_t i = 0; sum && i < 2; i++)
        if (could_be(m, node->inputs[0], sum->inputs[i]) && could_be(m, node->inputs[1], sum->inputs[1 - i])) {
            TRY(expect(m, node->inputs[0], sum->inputs[i], err));
            return expect(m, node->inputs[1], sum->inputs[1 - i], err);
        }
    return parted(m, node, found, err);
}

static Status embed_match(Matching *m, const Node *node, Value found, Error *err) {
    Match *match = m->match;
    Lookup lookup;
    if (!lookup_find(found, &lookup) || !same_factor(lookup.factor, node_real(node, "scale", 1)))
        return parted(m, node, found, err);
    TRY(weight_take(m, node->inputs[1], &lookup.table, err));
    if (!node_attribute(node, "offset"))
        return is_ids(match, lookup.rows) ? OK : parted(m, node, lookup.rows, err);
    match->places[match->places_count++] = (MatchedPlaces){lookup.rows, node_int(node, "offset", 0)};
    return OK;
}

static void mask_take(Match *match, MatchedMask mask) {
    for (size_t i = 0; i < match->mask_count; i++)
        if (match->masks[i].role == mask.role && match->masks[i].causal == mask.causal &&
            value_equal(match->masks[i].mask, mask.mask))
            return;
    match->masks[match->mask_count++] = mask;
}

// Attention over three values of three dimensions, the query possibly scaled before.
static Status attention_match(Matching *m, const Node *node, Value found, MatchRole role, Value ret_qkv[3],
                              Error *err) {
    const Node *attention = match_node(found, TENSOR_ATTENTION);
    int64_t heads = node_int(node, "heads", 0);
    for (size_t i = 4; attention && i < attention->input_count; i++) // a past, lengths of keys
        if (!value_absent(attention->inputs[i]))
            attention = NULL;
    if (!attention)
        return parted(m, node, found, err);
    double factor;
    Value q = without_factor(without_cast(attention->inputs[0]), &factor);
    ValueType type = value_type(node->inputs[0]);
    double usual = 1 / sqrt((double)type.dims[1].value / (double)heads), wanted = node_real(node, "scale", usual);
    int64_t found_heads = node_int(attention, "q_num_heads", 0);
    factor *= node_real(attention, "scale", usual);
    if (found_heads != heads || node_int(attention, "kv_num_heads", 0) != heads || !same_factor(factor, wanted) ||
        node_real(attention, "softcap", 0) != 0)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: attention '%s' has %lld heads and scale %g where '%s' of this %s has %lld and %g",
                    m->match->name, attention->names[0], (long long)found_heads, factor, node->note, m->match->family,
                    (long long)heads, wanted);
    ret_qkv[0] = q;
    ret_qkv[1] = attention->inputs[1];
    ret_qkv[2] = attention->inputs[2];
    MatchedMask mask = {role, attention->input_count > 3 ? attention->inputs[3] : (Value){0},
                        node_int(attention, "is_causal", 0) != 0};
    mask_take(m->match, mask);
    return OK;
}

static Status self_match(Matching *m, const Node *node, Value found, Error *err) {
    Value qkv[3];
    TRY(attention_match(m, node, found, node->op == OP_ATTENTION ? ROLE_SOURCE : ROLE_PAST, qkv, err));
    for (size_t i = 0; i < 3; i++)
        TRY(expect(m, node->inputs[i], qkv[i], err));
    return OK;
}

static Status cross_attention_match(Matching *m, const Node *node, Value found, Error *err) {
    Value qkv[3];
    size_t layer = (size_t)node_int(node, "layer", 0);
    TRY(attention_match(m, node, found, ROLE_CROSS, qkv, err));
    if (layer < m->match->cross_count)
        m->match->cross[layer] = (MatchedCross){qkv[1], qkv[2]};
    return expect(m, node->inputs[0], qkv[0], err);
}

// Ids and places are checked where they are looked up; states are told.
static Status input_match(Matching *m, const Node *node, Value found, Error *err) {
    (void)node;
    (void)err;
    if (m->ret_states)
        *m->ret_states = found;
    return OK;
}

static Status node_match(Matching *m, const Node *node, Value found, Error *err) {
    switch (node->op) {
    case OP_INPUT:
        return input_match(m, node, found, err);
    case OP_LINEAR:
        return linear_match(m, node, found, err);
    case OP_LAYER_NORM:
        return norm_match(m, node, found, err);
    case OP_ACTIVATION:
        return activation_match(m, node, found, err);
    case OP_ADD:
        return add_match(m, node, found, err);
    case OP_EMBED:
        return embed_match(m, node, found, err);
    case OP_ATTENTION:
    case OP_ATTENTION_CACHED:
        return self_match(m, node, found, err);
    case OP_ATTENTION_CROSS:
        return cross_attention_match(m, node, found, err);
    case OP_ROWS: // an imported graph computes all rows
        return expect(m, node->inputs[0], found, err);
    default:
        return FAIL(err, ERR_INTERNAL, "%s of a family's graph is not matched", op_name(node->op));
    }
}

static Status matching_begin(Match *match, const Graph *graph, Value *ret_states, Matching *ret, Error *err) {
    *ret = (Matching){.match = match, .graph = graph, .ret_states = ret_states};
    TRY_NEW(ret->expected = arena_array(match->arena, graph->node_count, sizeof(Value), err));
    return OK;
}

// Readers come after what they read, so going backwards a node's place is known before the node is looked at.
static Status matching_run(Matching *m, Error *err) {
    for (size_t n = m->graph->node_count; n-- > 0;)
        if (!value_absent(m->expected[n]))
            TRY(node_match(m, m->graph->nodes[n], m->expected[n], err));
    return OK;
}

Status match_family(Match *match, const Graph *graph, Value found, Value *ret_states, Error *err) {
    Matching m;
    TRY(matching_begin(match, graph, ret_states, &m, err));
    TRY(expect(&m, graph->returns[0], found, err));
    return matching_run(&m, err);
}

Status match_cross(Match *match, const Graph *encode, Value *ret_states, Error *err) {
    Matching m;
    TRY(matching_begin(match, encode, NULL, &m, err));
    Value states = {0};
    for (size_t n = 0; n < encode->node_count; n++) {
        const Node *store = encode->nodes[n];
        if (store->op != OP_CROSS_STORE)
            continue;
        const MatchedCross *cross = &match->cross[node_int(store, "layer", 0)];
        const Value found[] = {cross->k, cross->v};
        for (size_t i = 0; i < 2; i++) {
            const Node *linear = store->inputs[i].node;
            TRY(linear_match(&m, linear, found[i], err));
            Value *x = &m.expected[linear->inputs[0].node->index];
            if (!value_absent(states) && !value_equal(states, *x))
                return parted(&m, linear, *x, err);
            states = *x;
        }
    }
    *ret_states = states;
    return OK;
}

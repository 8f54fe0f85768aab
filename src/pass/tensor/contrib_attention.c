// SPDX-License-Identifier: Apache-2.0
// Attention: masks of integers become what is added to the scores, merged projections three products, and heads that
// lie beside each other in one value are taken apart.
#include "pass/tensor/contrib.h"

#include <string.h>

#include "pass/tensor/heads.h"

enum { Q, K, V };

// What becomes ONNX's Attention.
typedef struct Expansion {
    Value qkv[3], past[2]; // past: absent: there is none
    Value mask, bias;      // may be absent
    Value tokens,
        keys; // tokens: batch and queries in dimensions 0 and 1; keys: without the past, in dimension key_axis
    int64_t key_axis;
    DType dtype;
} Expansion;

static bool has_past(const Expansion *x) {
    return !value_absent(x->past[0]);
}

static bool dims_equal(Dim a, Dim b) {
    return a.variable == b.variable && a.value == b.value && !(a.variable && a.value == DIM_UNKNOWN);
}

// Masks of op/tensor/mask_index.h that are told apart by their types: one of a length for each row, of keys, of
// queries and keys, and squares.
static bool mask_fits(Value mask, Value tokens) {
    ValueType type = value_type(mask), batch = value_type(tokens);
    if (value_absent(mask))
        return true;
    if (type.dtype != DTYPE_I32 && type.dtype != DTYPE_I64)
        return false;
    if (type.rank == 1)
        return batch.rank > 0 && dims_equal(type.dims[0], batch.dims[0]);
    return (type.rank == 2 && type_dim(&type, 1) != 1) || type.rank == 3 || type.rank == 4;
}

static Status keys_count(const Contrib *c, const Expansion *x, Value *ret, Error *err) {
    Value past;
    TRY(contrib_dim(c, x->keys, x->key_axis, ret, err));
    if (!has_past(x))
        return OK;
    TRY(contrib_dim(c, x->past[0], 2, &past, err));
    return contrib_apply(c, TENSOR_ADD, past, *ret, ret, err);
}

// Keys before the length of each row: bool [batch, keys].
static Status lengths_compare(const Contrib *c, const Expansion *x, Value *ret, Error *err) {
    Value lengths = x->mask, keys, range;
    Attribute to = attribute_int("to", 7);
    NodeSpec cast = {.op = TENSOR_CAST, .inputs = &lengths, .input_count = 1, .attributes = &to, .attribute_count = 1};
    if (value_type(lengths).dtype != DTYPE_I64)
        TRY(contrib_add(c, &cast, &lengths, err));
    TRY(contrib_apply_ints(c, TENSOR_UNSQUEEZE, lengths, &(int64_t){1}, 1, &lengths, err));
    TRY(keys_count(c, x, &keys, err));
    TRY(contrib_range(c, keys, &range, err));
    return contrib_apply(c, TENSOR_LESS, range, lengths, ret, err);
}

// The last rows and first columns of a square [batch, 1, most, most].
static Status square_cut(const Contrib *c, const Expansion *x, Value *ret, Error *err) {
    static const int64_t axes[] = {2, 3};
    Value keys, length, first, none, parts[2], inputs[4] = {*ret};
    Attribute axis = attribute_int("axis", 0);
    NodeSpec concat = {.op = TENSOR_CONCAT,
                       .name = "cut",
                       .inputs = parts,
                       .input_count = 2,
                       .attributes = &axis,
                       .attribute_count = 1};
    TRY(keys_count(c, x, &keys, err));
    TRY(contrib_dim(c, x->tokens, 1, &length, err));
    TRY(contrib_apply(c, TENSOR_SUB, keys, length, &first, err));
    TRY(match_ints_constant(c->graph, "none", &(int64_t){0}, 1, &none, err));
    parts[0] = first;
    parts[1] = none;
    TRY(contrib_add(c, &concat, &inputs[1], err));
    parts[0] = parts[1] = keys;
    TRY(contrib_add(c, &concat, &inputs[2], err));
    TRY(match_ints_constant(c->graph, "axes", axes, 2, &inputs[3], err));
    NodeSpec slice = {.op = TENSOR_SLICE, .inputs = inputs, .input_count = 4};
    return contrib_add(c, &slice, ret, err);
}

// A mask of integers as 0 and the number that stands for masked, [batch, 1, length or 1, keys].
static Status mask_make(const Contrib *c, const Expansion *x, Value *ret, Error *err) {
    static const int64_t axes[] = {1, 2};
    int rank = value_type(x->mask).rank;
    Value zero, inputs[3];
    *ret = x->mask;
    if (rank == 1) {
        TRY(lengths_compare(c, x, ret, err));
    } else {
        if (rank == 4)
            TRY(square_cut(c, x, ret, err));
        TRY(contrib_number(c, value_type(x->mask).dtype, 0, &zero, err));
        TRY(contrib_apply(c, TENSOR_GREATER, *ret, zero, ret, err));
    }
    if (rank < 4)
        TRY(contrib_apply_ints(c, TENSOR_UNSQUEEZE, *ret, axes, rank == 3 ? 1 : 2, ret, err));
    inputs[0] = *ret;
    TRY(contrib_number(c, x->dtype, 0, &inputs[1], err));
    TRY(contrib_number(c, x->dtype, node_real(c->node, "mask_filter_value", -10000), &inputs[2], err));
    NodeSpec where = {.op = TENSOR_WHERE, .name = "mask", .inputs = inputs, .input_count = 3};
    return contrib_add(c, &where, ret, err);
}

// What is added to the scores; absent: nothing.
static Status masks_make(const Contrib *c, const Expansion *x, Value *ret, Error *err) {
    Value mask = {0};
    if (!value_absent(x->mask))
        TRY(mask_make(c, x, &mask, err));
    *ret = value_absent(mask) ? x->bias : mask;
    if (!value_absent(mask) && !value_absent(x->bias))
        TRY(contrib_apply(c, TENSOR_ADD, mask, x->bias, ret, err));
    return OK;
}

// [batch, length, heads * width] as [batch, heads, length, width].
static Status heads_make(const Contrib *c, Value whole, int64_t heads, int64_t width, Value *ret, Error *err) {
    int64_t shape[] = {0, 0, heads, width};
    Attribute perm = attribute_ints("perm", heads_perm, HEADS_RANK);
    TRY(contrib_apply_ints(c, TENSOR_RESHAPE, whole, shape, 4, ret, err));
    NodeSpec spec = {
        .op = TENSOR_TRANSPOSE, .inputs = ret, .input_count = 1, .attributes = &perm, .attribute_count = 1};
    return contrib_add(c, &spec, ret, err);
}

typedef struct AttentionParts {
    Value inputs[6];
    Attribute attributes[4];
    NodeSpec spec;
} AttentionParts;

// ONNX's Attention of these; heads 0: everything has 4 dimensions.
static Status attention_parts(const Contrib *c, const Expansion *x, int64_t heads, AttentionParts *ret, Error *err) {
    size_t count = 0;
    double scale = node_real(c->node, "scale", 0);
    memcpy(ret->inputs, x->qkv, sizeof x->qkv);
    memcpy(ret->inputs + 4, x->past, sizeof x->past);
    TRY(masks_make(c, x, &ret->inputs[3], err));
    TRY(heads_mask_lengthen(c->graph, c->node, x->tokens, 1, &ret->inputs[3], err));
    if (node_int(c->node, "unidirectional", 0))
        ret->attributes[count++] = attribute_int("is_causal", 1);
    if (heads) {
        ret->attributes[count++] = attribute_int("kv_num_heads", heads);
        ret->attributes[count++] = attribute_int("q_num_heads", heads);
    }
    if (scale != 0)
        ret->attributes[count++] = attribute_real("scale", scale);
    ret->spec = (NodeSpec){.op = TENSOR_ATTENTION,
                           .inputs = ret->inputs,
                           .input_count = 6,
                           .attributes = ret->attributes,
                           .attribute_count = count};
    return OK;
}

// Parts of a plain constant's columns, of `width` from `first` on, in a constant of their own.
static Status columns_take(const Contrib *c, const Constant *from, int64_t first, int64_t width, const char *suffix,
                           Value *ret, Error *err) {
    size_t bytes = dtype_bytes(from->dtype), rows = (size_t)from->shape.dims[0], columns = (size_t)from->shape.dims[1];
    size_t part = (size_t)width * bytes;
    char *data = arena_alloc(c->graph->arena, rows * part, 64, err);
    TRY_NEW(data);
    for (size_t r = 0; r < rows; r++)
        memcpy(data + r * part, (const char *)from->data + (r * columns + (size_t)first) * bytes, part);
    Constant constant = {.dtype = from->dtype, .shape = {2, {from->shape.dims[0], width}}, .data = data};
    TRY_NEW(constant.name = arena_format(c->graph->arena, err, "%s.%s", from->name, suffix));
    const Constant *added;
    TRY(graph_add_constant(c->graph, &constant, &added, err));
    *ret = value_constant(added);
    return OK;
}

static bool is_zero(const Constant *vector, int64_t first, int64_t count) {
    size_t bytes = dtype_bytes(vector->dtype);
    const unsigned char *data = (const unsigned char *)vector->data + (size_t)first * bytes;
    for (size_t i = 0; i < (size_t)count * bytes; i++)
        if (data[i])
            return false;
    return true;
}

// Adds elements [first, first + width) of a bias, unless all are 0.
static Status bias_add(const Contrib *c, Value bias, int64_t first, int64_t width, Value *value, Error *err) {
    Value part;
    if (value_absent(bias) || is_zero(bias.constant, first, width))
        return OK;
    TRY(contrib_part(c, bias.constant, first, width, &part, err));
    return contrib_apply(c, TENSOR_ADD, *value, part, value, err);
}

// Widths of Q, K and V in the columns of merged weights; false: they are not thirds, nor what the node says.
static bool widths_read(const Node *node, int64_t columns, int64_t ret[3]) {
    size_t count;
    const int64_t *sizes = node_ints(node, "qkv_hidden_sizes", &count);
    int64_t heads = node_int(node, "num_heads", 0);
    for (size_t i = 0; i < 3; i++) {
        ret[i] = sizes && count == 3 ? sizes[i] : columns / 3;
        if (ret[i] <= 0 || ret[i] > columns || heads <= 0 || ret[i] % heads != 0)
            return false;
    }
    return ret[0] == ret[1] && ret[0] + ret[1] + ret[2] == columns;
}

// One of the two halves of a past [2, batch, heads, tokens, width].
static Status past_take(const Contrib *c, Value past, int64_t which, Value *ret, Error *err) {
    Value index;
    TRY(contrib_number(c, DTYPE_I64, (double)which, &index, err));
    return contrib_apply(c, TENSOR_GATHER, past, index, ret, err);
}

// Keys and values, [batch, heads, tokens, width] each, as one.
static Status present_join(const Contrib *c, const Value halves[2], Value *ret, Error *err) {
    Value parts[2];
    Attribute axis = attribute_int("axis", 0);
    for (size_t i = 0; i < 2; i++)
        TRY(contrib_apply_ints(c, TENSOR_UNSQUEEZE, halves[i], &(int64_t){0}, 1, &parts[i], err));
    NodeSpec spec = {.op = TENSOR_CONCAT,
                     .name = c->node->names[1],
                     .inputs = parts,
                     .input_count = 2,
                     .attributes = &axis,
                     .attribute_count = 1,
                     .types = &c->node->types[1],
                     .output_count = 1};
    return contrib_add(c, &spec, ret, err);
}

// Attention with a past or a present: a node of its own, for its further outputs come in before what reads them.
static Status attention_with_present(const Contrib *c, const Expansion *x, const int64_t widths[3], int64_t heads,
                                     AttentionParts *parts, Error *err) {
    Value y, present, halves[2];
    bool wanted = contrib_output_is_read(c, 1);
    parts->spec.output_count = has_past(x) ? 3 : 1;
    TRY(contrib_add(c, &parts->spec, &y, err));
    for (size_t i = 0; i < 2; i++)
        if (has_past(x))
            halves[i] = value_of(y.node, 1 + (int)i);
        else
            TRY(heads_make(c, x->qkv[1 + i], heads, widths[1 + i] / heads, &halves[i], err));
    if (wanted) {
        TRY(present_join(c, halves, &present, err));
        contrib_replace(c, 1, present);
    }
    return contrib_become_plain(c, TENSOR_IDENTITY, y, (Value){0}, err);
}

Status contrib_attention(const Contrib *c, Error *err) {
    enum { X, WEIGHTS, BIAS, MASK, PAST, ATTENTION_BIAS, PAST_LENGTH };
    static const char *const suffixes[] = {"q", "k", "v"};
    const Node *node = c->node;
    const Constant *weights = node->inputs[WEIGHTS].constant;
    Value bias = rewrite_input(node, BIAS), past = rewrite_input(node, PAST);
    Expansion x = {.mask = rewrite_input(node, MASK),
                   .bias = rewrite_input(node, ATTENTION_BIAS),
                   .tokens = node->inputs[X],
                   .keys = node->inputs[X],
                   .key_axis = 1};
    int64_t widths[3], first = 0, heads = node_int(node, "num_heads", 0);
    bool fits = constant_is_plain(weights) && weights->shape.rank == 2 && dtype_is_real(weights->dtype) &&
                widths_read(node, weights->shape.dims[1], widths) && value_type(node->inputs[X]).rank == 3 &&
                mask_fits(x.mask, x.tokens) && value_absent(rewrite_input(node, PAST_LENGTH)) &&
                (value_absent(bias) || match_vector(bias, weights->shape.dims[1])) && !node_int(node, "do_rotary", 0) &&
                !node_int(node, "past_present_share_buffer", 0) && (value_absent(past) || widths[1] == widths[2]);
    if (!fits)
        return OK;
    x.dtype = weights->dtype;
    for (size_t i = 0; i < 3; first += widths[i++]) {
        Value part;
        TRY(columns_take(c, weights, first, widths[i], suffixes[i], &part, err));
        TRY(contrib_apply(c, TENSOR_MATMUL, node->inputs[X], part, &x.qkv[i], err));
        TRY(bias_add(c, bias, first, widths[i], &x.qkv[i], err));
    }
    for (int64_t i = 0; i < 2 && !value_absent(past); i++)
        TRY(past_take(c, past, i, &x.past[i], err));
    AttentionParts parts;
    TRY(attention_parts(c, &x, heads, &parts, err));
    if (has_past(&x) || contrib_output_is_read(c, 1))
        return attention_with_present(c, &x, widths, heads, &parts, err);
    return contrib_become(c, parts.spec, 1, err);
}

// `count` values that lie side by side in dimension 3 of [batch, length, heads, count, width].
static Status packed_take(const Contrib *c, Value packed, size_t count, Value *ret, Error *err) {
    static const int64_t joined[] = {0, 0, -1}, ones[] = {1, 1, 1};
    Attribute axis = attribute_int("axis", 3);
    Value inputs[2] = {packed}, first;
    TRY(match_ints_constant(c->graph, "sizes", ones, count, &inputs[1], err));
    NodeSpec spec = {.op = TENSOR_SPLIT,
                     .inputs = inputs,
                     .input_count = 2,
                     .attributes = &axis,
                     .attribute_count = 1,
                     .output_count = count};
    TRY(contrib_add(c, &spec, &first, err));
    for (size_t i = 0; i < count; i++)
        TRY(contrib_apply_ints(c, TENSOR_RESHAPE, value_of(first.node, (int)i), joined, 3, &ret[i], err));
    return OK;
}

// Biases of all three, of widths that are known.
static bool biases_fit(Value bias, const Value qkv[3], int64_t ret_widths[3]) {
    ValueType q = value_type(qkv[Q]), k = value_type(qkv[K]), v = value_type(qkv[V]);
    if (value_absent(bias))
        return true;
    if (!match_vector(bias, -1) || q.rank != 3 || k.rank != 3 || v.rank != 3)
        return false;
    int64_t all = bias.constant->shape.dims[0];
    ret_widths[Q] = ret_widths[K] = type_dim(&q, 1) >= 0 ? type_dim(&q, 1) : type_dim(&k, 1);
    ret_widths[V] = type_dim(&v, 1) >= 0 ? type_dim(&v, 1) : all - 2 * ret_widths[Q];
    return ret_widths[Q] > 0 && ret_widths[V] > 0 && 2 * ret_widths[Q] + ret_widths[V] == all;
}

// Q of 3 dimensions with K and V of 4: everything is given to Attention in 4.
static Status cached_expand(const Contrib *c, Expansion *x, int64_t heads, Error *err) {
    static const int64_t joined[] = {0, 0, -1};
    ValueType k = value_type(x->qkv[K]), v = value_type(x->qkv[V]);
    Attribute perm = attribute_ints("perm", heads_perm, HEADS_RANK);
    int64_t width = type_dim(&v, 1), shape[] = {0, 0, width > 0 ? heads * width : -1};
    Value y, list;
    AttentionParts parts;
    TRY(heads_make(c, x->qkv[Q], heads, type_dim(&k, 1) > 0 ? type_dim(&k, 1) : -1, &x->qkv[Q], err));
    TRY(attention_parts(c, x, 0, &parts, err));
    TRY(contrib_add(c, &parts.spec, &y, err));
    NodeSpec turn = {.op = TENSOR_TRANSPOSE, .inputs = &y, .input_count = 1, .attributes = &perm, .attribute_count = 1};
    TRY(contrib_add(c, &turn, &y, err));
    TRY(match_ints_constant(c->graph, "shape", width > 0 ? shape : joined, 3, &list, err));
    return contrib_become_plain(c, TENSOR_RESHAPE, y, list, err);
}

enum { QUERY, KEY, VALUE, BIAS, MASK, ATTENTION_BIAS, PAST_KEY, PAST_VALUE, SCORES = 3 };

static Status multi_head_expand(const Contrib *c, Expansion *x, const int64_t widths[3], Error *err) {
    const Node *node = c->node;
    int64_t heads = node_int(node, "num_heads", 0), first = 0;
    int q = value_type(node->inputs[QUERY]).rank, k = value_type(rewrite_input(node, KEY)).rank;
    AttentionParts parts;
    if (q == 5)
        TRY(packed_take(c, node->inputs[QUERY], 3, x->qkv, err));
    else if (k == 5)
        TRY(packed_take(c, node->inputs[KEY], 2, x->qkv + 1, err));
    else if (k == 4)
        return cached_expand(c, x, heads, err);
    for (size_t i = 0; i < 3 && !value_absent(rewrite_input(node, BIAS)); first += widths[i++])
        TRY(bias_add(c, node->inputs[BIAS], first, widths[i], &x->qkv[i], err));
    TRY(attention_parts(c, x, heads, &parts, err));
    return contrib_become(c, parts.spec, has_past(x) ? 3 : 1, err);
}

Status contrib_multi_head_attention(const Contrib *c, Error *err) {
    const Node *node = c->node;
    Value key = rewrite_input(node, KEY), value = rewrite_input(node, VALUE);
    ValueType q = value_type(node->inputs[QUERY]), k = value_type(key), v = value_type(value);
    Expansion x = {.qkv = {node->inputs[QUERY], key, value},
                   .past = {rewrite_input(node, PAST_KEY), rewrite_input(node, PAST_VALUE)},
                   .mask = rewrite_input(node, MASK),
                   .bias = rewrite_input(node, ATTENTION_BIAS),
                   .tokens = node->inputs[QUERY],
                   .keys = q.rank == 5 ? node->inputs[QUERY] : key,
                   .key_axis = k.rank == 4 ? 2 : 1,
                   .dtype = q.dtype};
    bool packed = q.rank == 5 && value_absent(key), half_packed = q.rank == 3 && k.rank == 5 && value_absent(value),
         plain = q.rank == 3 && k.rank == 3 && v.rank == 3, cached = q.rank == 3 && k.rank == 4 && v.rank == 4;
    int64_t widths[3] = {0}, heads = node_int(node, "num_heads", 0);
    bool past = has_past(&x), both = past == !value_absent(x.past[1]);
    bool fits = heads > 0 && match_takes_number(x.dtype) && (plain || ((packed || half_packed || cached) && !past)) &&
                both && biases_fit(rewrite_input(node, BIAS), x.qkv, widths) && mask_fits(x.mask, x.tokens) &&
                !contrib_output_is_read(c, SCORES) &&
                (past || (!contrib_output_is_read(c, 1) && !contrib_output_is_read(c, 2)));
    return fits ? multi_head_expand(c, &x, widths, err) : OK;
}

// With a position for each token, which ONNX's asks for; its heads are as wide as the angles say.
Status contrib_rotary_embedding(const Contrib *c, Error *err) {
    enum { X, POSITIONS, COS, SIN };
    const Node *node = c->node;
    ValueType x = value_type(node->inputs[X]), at = value_type(node->inputs[POSITIONS]),
              cos = value_type(node->inputs[COS]);
    int64_t dim = node_int(node, "rotary_embedding_dim", 0), heads = node_int(node, "num_heads", 0),
            half = cos.rank == 2 ? type_dim(&cos, 1) : -1, width = x.rank == 3 ? type_dim(&x, 1) : -1;
    int length = x.rank == 4 ? 2 : 1;
    if (!dim && x.rank == 3)
        heads = half > 0 && width > 0 && width % (2 * half) == 0 ? width / (2 * half) : 0;
    dim = dim ? dim : 2 * half;
    bool fits = (x.rank == 4 || (x.rank == 3 && heads > 0)) && dim > 0 && at.rank == 2 &&
                dims_equal(at.dims[0], x.dims[0]) && dims_equal(at.dims[1], x.dims[length]) &&
                !node_int(node, "is_packed_batching", 0) && node_real(node, "scale", 1) == 1;
    if (!fits)
        return OK;
    Value inputs[] = {node->inputs[X], node->inputs[COS], node->inputs[SIN], node->inputs[POSITIONS]};
    Attribute attributes[] = {attribute_int("interleaved", node_int(node, "interleaved", 0)),
                              attribute_int("num_heads", heads), attribute_int("rotary_embedding_dim", dim)};
    NodeSpec spec = {.op = TENSOR_ROTARY_EMBEDDING,
                     .inputs = inputs,
                     .input_count = 4,
                     .attributes = attributes,
                     .attribute_count = 3};
    return contrib_become(c, spec, 1, err);
}

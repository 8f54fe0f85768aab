// SPDX-License-Identifier: Apache-2.0
// Masks and places on a small example.
#include "model/onnx_probe.h"

#include <string.h>

#include "exec/evaluator.h"
#include "pass/pass.h"

enum { SEQUENCES = 2, SOURCE = 5, SECOND_SOURCE = 3, TARGET = 4 };

// What is more than this is no mask of a few tokens.
enum { MOST_NODES = 2000, MOST_BYTES = 1 << 20 };

// Masks and places are made of small elementwise work.
static Status part_check(const Match *match, const Graph *part, Error *err) {
    static const OpCode refused[] = {TENSOR_LOOP,           TENSOR_IF,       TENSOR_MATMUL,
                                     TENSOR_GEMM,           TENSOR_EINSUM,   TENSOR_MATMUL_INTEGER,
                                     TENSOR_QLINEAR_MATMUL, TENSOR_ATTENTION};
    if (part->node_count > MOST_NODES)
        return FAIL(err, ERR_UNSUPPORTED, "%s: masks and places take %zu operators, at most %d are looked at",
                    match->name, part->node_count, MOST_NODES);
    for (size_t n = 0; n < part->node_count; n++)
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
            if (part->nodes[n]->op == refused[i] || strncmp(op_name(part->nodes[n]->op), "com.", 4) == 0)
                return FAIL(err, ERR_UNSUPPORTED, "%s: a mask or places come out of %s '%s'", match->name,
                            op_name(part->nodes[n]->op), part->nodes[n]->names[0]);
    return OK;
}

// The part of the graph that the masks and places come from, in the order masks, places; constants are none of it.
static Status part_make(const Match *match, const Graph *graph, Graph **ret_part, Error *err) {
    Graph *part = graph_copy(match->arena, graph, err);
    TRY_NEW(part);
    size_t count = 0;
    Value *returns = arena_array(match->arena, match->mask_count + match->places_count, sizeof *returns, err);
    TRY_NEW(returns);
    for (size_t i = 0; i < match->mask_count + match->places_count; i++) {
        Value value = i < match->mask_count ? match->masks[i].mask : match->places[i - match->mask_count].rows;
        if (value.node)
            returns[count++] = value_of(part->nodes[value.node->index], value.output);
    }
    static const char *const passes[] = {"dead_code"};
    TRY(graph_set_returns(part, returns, count, err));
    TRY(passes_run(part, passes, 1, &(PassInputs){0}, NULL, NULL, err));
    bool *keep = arena_array(match->arena, part->node_count, sizeof *keep, err);
    TRY_NEW(keep);
    for (size_t n = 0; n < part->node_count; n++)
        keep[n] = part->nodes[n]->op != OP_INPUT || graph_uses(part, part->nodes[n], 0);
    graph_keep(part, keep, NULL);
    *ret_part = part;
    return part_check(match, part, err);
}

// Ids that are no padding, masks that leave out the second source's last tokens, states of zeros.
static Status input_fill(const Match *match, const Node *node, const ProbeInputs *inputs, Tensor *ret, Error *err) {
    const ValueType *type = &node->types[0];
    const char *name = node->names[0];
    bool source_mask = inputs->source_mask && strcmp(name, inputs->source_mask) == 0;
    bool target = strcmp(name, inputs->target_ids) == 0 || strcmp(name, "decoder_attention_mask") == 0;
    bool ids = strcmp(name, inputs->target_ids) == 0 || strcmp(name, inputs->source_ids) == 0;
    bool states =
        type->rank == 3 && type->dtype == DTYPE_F32 && !type->dims[2].variable && type->dims[2].value < 1 << 16;
    bool whole = type->dtype == DTYPE_I64 || type->dtype == DTYPE_I32 || type->dtype == DTYPE_BOOL;
    if (!states && (type->rank != 2 || !whole || (!ids && !source_mask && !target)))
        return FAIL(err, ERR_UNSUPPORTED, "%s: masks or places depend on input '%s', expected ids and attention masks",
                    match->name, name);
    Shape shape = {type->rank, {SEQUENCES, target ? TARGET : SOURCE, states ? type->dims[2].value : 0}};
    *ret = (Tensor){.name = name, .dtype = type->dtype, .shape = shape};
    if (!shape_bytes(&shape, type->dtype, &ret->bytes))
        return FAIL(err, ERR_LIMIT, "%s: input '%s' is too large", match->name, name);
    char *data = arena_alloc(match->arena, ret->bytes, 64, err);
    TRY_NEW(data);
    memset(data, 0, ret->bytes);
    size_t width = (size_t)shape.dims[1], bytes = dtype_bytes(type->dtype);
    for (size_t i = 0; i < SEQUENCES * width && !states; i++) {
        bool seen = i < width + SECOND_SOURCE || !source_mask;
        data[i * bytes] = ids ? inputs->padding == 0 : seen; // little-endian, small
    }
    ret->data = data;
    return OK;
}

// Whether a query may see a key by the mask's elements; *ret_odd: by a value that is neither 0 nor far below.
static bool lets_see(const Tensor *mask, const size_t at[4], bool *ret_odd) {
    size_t index = 0;
    for (int d = 0; d < mask->shape.rank; d++) {
        size_t size = (size_t)mask->shape.dims[d];
        index = index * size + (size == 1 ? 0 : at[4 - mask->shape.rank + d]);
    }
    double value;
    elements_to_f64(mask->dtype, (const char *)mask->data + index * dtype_bytes(mask->dtype), 1, &value);
    if (mask->dtype == DTYPE_BOOL)
        return value != 0;
    *ret_odd |= value != 0 && !(value <= -1e4);
    return value == 0;
}

static bool mask_spans(const Tensor *mask, const size_t sizes[4]) {
    if (mask->shape.rank > 4)
        return false;
    for (int d = 0; d < mask->shape.rank; d++) {
        size_t wanted = sizes[4 - mask->shape.rank + d], size = (size_t)mask->shape.dims[d];
        if (size != 1 && size != wanted && (wanted || !size))
            return false;
    }
    return true;
}

// `mask` NULL: none.
static bool mask_is_right(const MatchedMask *matched, const Tensor *mask, bool padded) {
    size_t queries = matched->role == ROLE_SOURCE ? SOURCE : TARGET;
    size_t keys = matched->role == ROLE_PAST ? TARGET : SOURCE;
    bool odd = false, right = !mask || mask_spans(mask, (const size_t[]){SEQUENCES, 0, queries, keys});
    size_t heads = right && mask && mask->shape.rank > 2 ? (size_t)mask->shape.dims[mask->shape.rank - 3] : 1;
    for (size_t i = 0; right && i < heads * SEQUENCES * queries * keys; i++) {
        size_t q = i / keys % queries, k = i % keys, h = i / (keys * queries) % heads;
        size_t b = i / (keys * queries * heads);
        bool there = !padded || matched->role == ROLE_PAST || b == 0 || k < SECOND_SOURCE;
        bool wanted = there && (matched->role != ROLE_PAST || k <= q);
        bool sees = (!mask || lets_see(mask, (const size_t[]){b, h, q, k}, &odd)) && (!matched->causal || k <= q);
        right = sees == wanted && !odd;
    }
    return right;
}

static bool places_are_right(const MatchedPlaces *places, const Tensor *rows) {
    size_t count;
    bool right = shape_elements(&rows->shape, &count) && rows->shape.rank > 0 && count > 0;
    size_t width = right ? (size_t)rows->shape.dims[rows->shape.rank - 1] : 0;
    right &= width == SOURCE || width == TARGET;
    for (size_t i = 0; right && i < count; i++) {
        double row;
        elements_to_f64(rows->dtype, (const char *)rows->data + i * dtype_bytes(rows->dtype), 1, &row);
        right = row == (double)(places->offset + (int64_t)(i % width));
    }
    return right;
}

static const char *role_text(MatchRole role) {
    static const char *const texts[] = {"of the source over itself", "of the decoder over what it wrote",
                                        "of the decoder over the source"};
    return texts[role];
}

static Status results_check(const Match *match, const Tensor *results, bool padded, Error *err) {
    for (size_t i = 0; i < match->mask_count; i++) {
        const MatchedMask *mask = &match->masks[i];
        if (mask->mask.constant)
            return FAIL(err, ERR_UNSUPPORTED, "%s: the mask of an attention is a constant", match->name);
        if (!mask_is_right(mask, mask->mask.node ? results++ : NULL, padded))
            return FAIL(err, ERR_UNSUPPORTED,
                        "%s: the attention %s masks other tokens than padding%s; only that is supported", match->name,
                        role_text(mask->role), mask->role == ROLE_PAST ? " and what comes later" : "");
    }
    for (size_t i = 0; i < match->places_count; i++) {
        const MatchedPlaces *places = &match->places[i];
        if (!places->rows.node || !places_are_right(places, results++))
            return FAIL(err, ERR_UNSUPPORTED, "%s: places do not count up from %lld", match->name,
                        (long long)places->offset);
    }
    return OK;
}

static Status part_run(const Match *match, const Graph *part, const ProbeInputs *inputs, bool padded, Error *err) {
    Kernels kernels;
    kernels_pick(CPU_REF, &kernels);
    Evaluator *evaluator;
    size_t count = 0;
    Tensor *tensors = arena_array(match->arena, part->node_count, sizeof *tensors, err);
    TRY_NEW(tensors);
    for (size_t n = 0; n < part->node_count; n++)
        if (part->nodes[n]->op == OP_INPUT)
            TRY(input_fill(match, part->nodes[n], inputs, &tensors[count++], err));
    TRY(evaluator_new(part, &(EvaluatorSettings){.kernels = &kernels, .limit_bytes = MOST_BYTES}, &evaluator, err));
    const Tensor *results;
    Status status = evaluator_run(evaluator, tensors, &results, err);
    if (status == OK)
        status = results_check(match, results, padded, err);
    evaluator_free(evaluator);
    return status;
}

static bool has_input(const Graph *graph, const char *name) {
    Value value;
    return name && graph_find_value(graph, name, &value) && value.node && value.node->op == OP_INPUT;
}

Status onnx_probe(const Match *match, const Graph *graph, const ProbeInputs *inputs, Error *err) {
    Graph *part = NULL;
    TRY(part_make(match, graph, &part, err));
    return part_run(match, part, inputs, has_input(graph, inputs->source_mask), err);
}

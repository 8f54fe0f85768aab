// SPDX-License-Identifier: Apache-2.0
// Quantizing a head for its screen. Every weight, stored or copied, is a product of an integer and a float, or a float:
// exact in double, so that the norms are off by the roundings of their sums alone.
#include "exec/screen_copy.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "exec/screen.h"
#include "op/packed.h"
#include "tensor/quantize4.h"

enum { TILES_PER_THREAD = 4 };

typedef struct CopyJob {
    ScreenCopy *copy;
    uint8_t *pairs; // [n, k / 2], low half first
    float *scales;  // [n, k / SCREEN_GROUP]
    unsigned char *room;
    size_t rows_each, room_each;
    Status *statuses; // of each tile
} CopyJob;

// One row as f32: exact but for INT8, whose product with its scale rounds; that choice of codes is not the bound's.
static void row_read(const ScreenCopy *copy, const void *stored, float scale, float *ret) {
    if (copy->kind == WEIGHT_S8) {
        for (size_t i = 0; i < copy->k; i++)
            ret[i] = (float)((const int8_t *)stored)[i] * scale;
        return;
    }
    Tensor tensor = {.dtype = copy->weight->dtype,
                     .shape = {.rank = 1, .dims = {(int64_t)copy->k}},
                     .data = stored,
                     .bytes = copy->row_bytes};
    tensor_to_f32(&tensor, ret);
}

// Rounded up: the sums round by less than 1e-9 of themselves.
static float norm_up(double squares) {
    return nextafterf((float)(sqrt(squares) * (1 + 1e-9)), INFINITY);
}

static void row_measure(const CopyJob *job, size_t row, const void *stored, float scale, const float *values) {
    ScreenCopy *copy = job->copy;
    const uint8_t *pairs = job->pairs + row * copy->k / 2;
    const float *scales = job->scales + row * copy->k / SCREEN_GROUP;
    double own = 0, copied = 0, difference = 0;
    for (size_t i = 0; i < copy->k; i++) {
        int code = int4_values[i % 2 ? pairs[i / 2] >> 4 : pairs[i / 2] & 15];
        double there = (double)code * (double)scales[i / SCREEN_GROUP];
        double w = copy->kind == WEIGHT_S8 ? (double)((const int8_t *)stored)[i] * (double)scale : (double)values[i];
        own += w * w;
        copied += there * there;
        difference += (w - there) * (w - there);
    }
    copy->norms[row] = norm_up(own > copied ? own : copied);
    copy->differences[row] = norm_up(difference);
}

static void copy_rows(void *context, size_t tile) {
    const CopyJob *job = context;
    ScreenCopy *copy = job->copy;
    float *values = (float *)(void *)(job->room + tile * job->room_each);
    void *gathered = values + copy->k;
    size_t first = tile * job->rows_each, last = first + job->rows_each < copy->n ? first + job->rows_each : copy->n;
    for (size_t row = first; row < last && job->statuses[tile] == OK; row++) {
        const void *stored = constant_rows(copy->weight, row, 1, gathered);
        float scale = 0;
        if (copy->kind == WEIGHT_S8)
            constant_scales(copy->weight, row, 1, &scale);
        row_read(copy, stored, scale, values);
        Error err;
        job->statuses[tile] =
            quantize_int4_rows(copy->weight->name, DTYPE_F32, values, 1, copy->k, SCREEN_GROUP, INT4_ABSMAX, DTYPE_F32,
                               job->pairs + row * copy->k / 2, job->scales + row * copy->k / SCREEN_GROUP, &err);
        if (job->statuses[tile] == OK)
            row_measure(job, row, stored, scale, values);
    }
}

static Status rows_copy(Arena *scratch, CopyJob *job, Pool *pool, Error *err) {
    ScreenCopy *copy = job->copy;
    size_t tiles = (size_t)pool_threads(pool) * TILES_PER_THREAD;
    job->rows_each = (copy->n + tiles - 1) / tiles;
    job->room_each = (copy->k * sizeof(float) + copy->row_bytes + 63) / 64 * 64;
    TRY_NEW(job->room = arena_array(scratch, tiles, job->room_each, err));
    TRY_NEW(job->statuses = arena_array(scratch, tiles, sizeof *job->statuses, err));
    pool_run(pool, tiles, copy_rows, job);
    for (size_t i = 0; i < tiles; i++)
        if (job->statuses[i] != OK)
            return FAIL(err, ERR_UNSUPPORTED, "the head '%s' has weights that are not finite", copy->weight->name);
    for (size_t i = 0; i < copy->n; i++)
        if (!(copy->norms[i] < 1e18f))
            return FAIL(err, ERR_UNSUPPORTED, "row %zu of the head '%s' is too large to be screened", i,
                        copy->weight->name);
    return OK;
}

static Status bias_read(Arena *arena, const Constant *bias, ScreenCopy *copy, Error *err) {
    if (!bias)
        return OK;
    float *values = arena_array(arena, copy->n, sizeof *values, err);
    TRY_NEW(values);
    Tensor tensor = {.dtype = bias->dtype, .shape = bias->shape, .data = bias->data};
    tensor.bytes = copy->n * dtype_bytes(bias->dtype);
    tensor_to_f32(&tensor, values);
    for (size_t i = 0; i < copy->n; i++) {
        if (!(fabsf(values[i]) < 1e18f))
            return FAIL(err, ERR_UNSUPPORTED, "element %zu of '%s' is too large to be screened", i, bias->name);
        copy->largest_bias = fabsf(values[i]) > copy->largest_bias ? fabsf(values[i]) : copy->largest_bias;
    }
    copy->bias = values;
    return OK;
}

// The head: an input, a linear, nothing else.
static Status head_read(Arena *arena, const Graph *head, ScreenCopy *copy, const Constant **ret_bias, Error *err) {
    const Node *linear = head->return_count == 1 ? head->returns[0].node : NULL;
    bool plain = linear && head->node_count == 2 && linear->op == OP_LINEAR && linear->inputs[0].node &&
                 linear->inputs[0].node->op == OP_INPUT && !node_attribute(linear, "activation") &&
                 !node_attribute(linear, "input_scale") && (linear->input_count < 4 || value_absent(linear->inputs[3]));
    if (!plain)
        return FAIL(err, ERR_UNSUPPORTED, "a head is screened that is one product; this one is more");
    copy->weight = linear->inputs[1].constant;
    copy->n = (size_t)copy->weight->shape.dims[0];
    copy->k = (size_t)copy->weight->shape.dims[1];
    copy->row_bytes = constant_row_bytes(copy->weight);
    TRY(packed_kind(copy->weight, &copy->kind, err));
    if (copy->kind == WEIGHT_Q4)
        return FAIL(err, ERR_UNSUPPORTED, "the head has 4-bit weights already: a screen has nothing to gain");
    if (copy->k % SCREEN_GROUP)
        return FAIL(err, ERR_UNSUPPORTED, "a head is screened whose width is a multiple of %d; it is %zu", SCREEN_GROUP,
                    copy->k);
    const Constant *bias = linear->input_count > 2 ? linear->inputs[2].constant : NULL;
    *ret_bias = bias;
    return bias_read(arena, bias, copy, err);
}

static Status graph_build(Arena *arena, const CopyJob *job, const Constant *bias, Graph **ret_graph, Error *err) {
    const ScreenCopy *copy = job->copy;
    Graph *graph = graph_make(arena, "screen", err);
    TRY_NEW(graph);
    Dim rows = {0};
    TRY(graph_add_dim(graph, "P", &rows, err));
    ValueType states = {DTYPE_F32, 2, {rows, {false, (int64_t)copy->k}}};
    ValueType scores = {DTYPE_F32, 2, {rows, {false, (int64_t)copy->n}}};
    NodeSpec input = {.op = OP_INPUT, .name = "states", .types = &states, .output_count = 1};
    Node *from, *linear;
    TRY(graph_add_node(graph, &input, &from, err));
    Constant words = {.name = "screen",
                      .scheme = SCHEME_Q4,
                      .dtype = DTYPE_U8,
                      .shape = copy->weight->shape,
                      .data = job->pairs,
                      .scales = job->scales,
                      .codes = int4_values,
                      .group = SCREEN_GROUP};
    const Constant *weight, *own_bias = NULL;
    TRY(graph_add_constant(graph, &words, &weight, err));
    if (bias)
        TRY(graph_add_constant(graph, bias, &own_bias, err));
    Value inputs[] = {value_of(from, 0), value_constant(weight), value_constant(own_bias)};
    NodeSpec product = {.op = OP_LINEAR,
                        .name = "scores",
                        .inputs = inputs,
                        .input_count = own_bias ? 3 : 2,
                        .types = &scores,
                        .output_count = 1};
    TRY(graph_add_node(graph, &product, &linear, err));
    Value result = value_of(linear, 0);
    TRY(graph_set_returns(graph, &result, 1, err));
    *ret_graph = graph;
    return OK;
}

static Status copy_make(Arena *arena, Arena *scratch, const Graph *head, const PlanSettings *settings, ScreenCopy *copy,
                        Plan **ret_plan, Error *err) {
    const Constant *bias = NULL;
    TRY(head_read(arena, head, copy, &bias, err));
    TRY_NEW(copy->differences = arena_array(arena, copy->n, sizeof *copy->differences, err));
    TRY_NEW(copy->norms = arena_array(arena, copy->n, sizeof *copy->norms, err));
    CopyJob job = {.copy = copy};
    TRY_NEW(job.pairs = arena_array(scratch, copy->n, copy->k / 2, err));
    TRY_NEW(job.scales = arena_array(scratch, copy->n, copy->k / SCREEN_GROUP * sizeof *job.scales, err));
    TRY(rows_copy(scratch, &job, settings->pool, err));
    Graph *graph = NULL;
    TRY(graph_build(arena, &job, bias, &graph, err));
    return plan_make(arena, graph, settings, ret_plan, err); // packs: the codes may go
}

Status screen_copy_make(Arena *arena, const Graph *head, const PlanSettings *settings, ScreenCopy *ret_copy,
                        Plan **ret_plan, Error *err) {
    ScreenCopy copy = {0};
    Arena scratch;
    arena_init(&scratch, 0);
    Status status = copy_make(arena, &scratch, head, settings, &copy, ret_plan, err);
    arena_done(&scratch);
    TRY(status);
    *ret_copy = copy;
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Both products run on the kernels for matrix products, K and V of a head packed as their weights; a few queries alone
// read K and V where they lie, as packing would cost as much as the product. Scores are held for a block of queries.
#include "op/tensor/attend.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "op/attend.h"

enum { BLOCK_QUERIES = 64, FEW_QUERIES = 4, LANES = 16 };

// A worker's scratch, in floats from its start; each part begins at a multiple of 64 bytes.
typedef struct Room {
    size_t q, scores, k_panels, v_panels, transposed, all;
    size_t score_row;
} Room;

typedef struct Job {
    const Attend *args;
    const Kernels *kernels;
    Room room;
    size_t queries, keys, head_dim, value_dim;
} Job;

static float dot(const float *a, const float *b, size_t n) {
    float lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (size_t l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

// Keys that query i of batch b sees, before biases.
static size_t keys_seen(const Job *job, size_t b, size_t i) {
    const Attend *args = job->args;
    int64_t valid = (int64_t)job->keys, past = (int64_t)args->past;
    if (args->valid_keys) {
        int64_t given = args->valid_keys[b];
        valid = given < 0 ? 0 : given < valid ? given : valid;
        past = valid - (int64_t)job->queries;
    }
    if (args->causal && past + (int64_t)i + 1 < valid)
        valid = past + (int64_t)i + 1;
    return valid < 0 ? 0 : (size_t)valid;
}

static void row_cap(const Job *job, float *row) {
    float cap = job->args->softcap;
    job->kernels->scale(row, 1 / cap, job->keys, row);
    job->kernels->activate(ACTIVATION_TANH, row, job->keys, row);
    job->kernels->scale(row, cap, job->keys, row);
}

static void row_bias(const AttendBias *bias, size_t b, size_t h, size_t i, size_t seen, float *row) {
    const float *values = bias->values + b * bias->batch + h * bias->head + i * bias->row;
    size_t keys = bias->keys < seen ? bias->keys : seen;
    for (size_t j = 0; j < keys; j++)
        row[j] += values[j];
    for (size_t j = keys; j < seen; j++)
        row[j] = -INFINITY;
}

static void row_give(const Job *job, size_t b, size_t h, size_t i, AttendStage stage, const float *row) {
    const Attend *args = job->args;
    if (args->scores && args->stage == stage)
        memcpy(args->scores + ((b * args->q.heads + h) * job->queries + i) * job->keys, row, job->keys * sizeof *row);
}

// Products of one query with all keys become weights.
static void row_finish(const Job *job, size_t b, size_t h, size_t i, float *row) {
    const Attend *args = job->args;
    size_t seen = keys_seen(job, b, i);
    row_give(job, b, h, i, ATTEND_PRODUCT, row);
    if (args->softcap > 0)
        row_cap(job, row);
    row_give(job, b, h, i, ATTEND_CAPPED, row);
    for (size_t n = 0; n < 2; n++)
        if (args->biases[n].values)
            row_bias(&args->biases[n], b, h, i, seen, row);
    for (size_t j = seen; j < job->keys; j++)
        row[j] = -INFINITY;
    row_give(job, b, h, i, ATTEND_BIASED, row);
    if (seen)
        job->kernels->softmax(row, seen, row);
    for (size_t j = seen; j < job->keys; j++)
        row[j] = seen ? 0 : NAN;
    row_give(job, b, h, i, ATTEND_WEIGHTS, row);
}

static void query_scale(const Job *job, const float *q, float *scaled) {
    for (size_t d = 0; d < job->head_dim; d++)
        scaled[d] = q[d] * job->args->scale;
}

static void few_run(const Job *job, size_t b, size_t h, const AttendView *k, const AttendView *v, float *scratch) {
    const Attend *args = job->args;
    float *scaled = scratch + job->room.q, *row = scratch + job->room.scores;
    for (size_t i = 0; i < job->queries; i++) {
        float *y = args->y + b * args->y_batch + h * args->y_head + i * args->y_row;
        query_scale(job, args->q.data + b * args->q.batch + h * args->q.head + i * args->q.row, scaled);
        for (size_t j = 0; j < job->keys; j++)
            row[j] = dot(scaled, k->data + j * k->row, job->head_dim);
        row_finish(job, b, h, i, row);
        memset(y, 0, job->value_dim * sizeof *y);
        for (size_t j = 0; j < job->keys; j++) {
            const float *value = v->data + j * v->row;
            for (size_t d = 0; d < job->value_dim; d++)
                y[d] += row[j] * value[d];
        }
    }
}

// V as the weights [value_dim, keys] of the second product.
static void values_pack(const Job *job, const AttendView *v, float *scratch) {
    const GemmKernel *gemm = &job->kernels->gemm[WEIGHT_F32];
    float *transposed = scratch + job->room.transposed;
    for (size_t first = 0; first < job->keys; first += LANES) { // 16 keys at a time stay in the first cache
        size_t last = first + LANES < job->keys ? first + LANES : job->keys;
        for (size_t d = 0; d < job->value_dim; d++)
            for (size_t j = first; j < last; j++)
                transposed[d * job->keys + j] = v->data[j * v->row + d];
    }
    GemmRows rows = {.weights = transposed, .stride = job->keys, .columns = job->value_dim, .k = job->keys};
    gemm_pack(gemm, WEIGHT_F32, &rows, 0, gemm_panels(gemm, job->value_dim), scratch + job->room.v_panels);
}

static void many_run(const Job *job, size_t b, size_t h, const AttendView *k, const AttendView *v, float *scratch) {
    const Attend *args = job->args;
    const GemmKernel *gemm = &job->kernels->gemm[WEIGHT_F32];
    const Room *room = &job->room;
    GemmRows keys = {.weights = k->data, .stride = k->row, .columns = job->keys, .k = job->head_dim};
    gemm_pack(gemm, WEIGHT_F32, &keys, 0, gemm_panels(gemm, job->keys), scratch + room->k_panels);
    values_pack(job, v, scratch);
    for (size_t first = 0; first < job->queries; first += BLOCK_QUERIES) {
        size_t rows = job->queries - first < BLOCK_QUERIES ? job->queries - first : BLOCK_QUERIES;
        for (size_t r = 0; r < rows; r++)
            query_scale(job, args->q.data + b * args->q.batch + h * args->q.head + (first + r) * args->q.row,
                        scratch + room->q + r * job->head_dim);
        GemmTile product = {.rows = rows,
                            .columns = job->keys,
                            .k = job->head_dim,
                            .x = scratch + room->q,
                            .x_stride = job->head_dim,
                            .panels = scratch + room->k_panels,
                            .y = scratch + room->scores,
                            .y_stride = room->score_row};
        gemm->run(&product);
        for (size_t r = 0; r < rows; r++)
            row_finish(job, b, h, first + r, scratch + room->scores + r * room->score_row);
        GemmTile sum = {.rows = rows,
                        .columns = job->value_dim,
                        .k = job->keys,
                        .x = scratch + room->scores,
                        .x_stride = room->score_row,
                        .panels = scratch + room->v_panels,
                        .y = args->y + b * args->y_batch + h * args->y_head + first * args->y_row,
                        .y_stride = args->y_row};
        gemm->run(&sum);
    }
}

static void head_run(void *context, size_t item, float *scratch) {
    const Job *job = context;
    const Attend *args = job->args;
    size_t b = item / args->q.heads, h = item % args->q.heads, kv_head = h / (args->q.heads / args->k.heads);
    AttendView k = args->k, v = args->v;
    k.data += b * k.batch + kv_head * k.head;
    v.data += b * v.batch + kv_head * v.head;
    if (job->queries < FEW_QUERIES)
        few_run(job, b, h, &k, &v, scratch);
    else
        many_run(job, b, h, &k, &v, scratch);
}

// Adds rows * columns floats, in whole cache lines, to *all; false on overflow.
static bool room_add(size_t rows, size_t columns, size_t *ret_at, size_t *all) {
    size_t floats;
    *ret_at = *all;
    return size_multiply(rows, columns, &floats) && size_add(floats, LANES - 1, &floats) &&
           size_add(*all, floats / LANES * LANES, all);
}

static bool room_make(const Job *job, Room *ret) {
    const GemmKernel *gemm = &job->kernels->gemm[WEIGHT_F32];
    size_t block = job->queries < BLOCK_QUERIES ? job->queries : BLOCK_QUERIES, check;
    Room room = {.score_row = (job->keys + LANES - 1) / LANES * LANES};
    bool fits =
        room_add(block, job->head_dim, &room.q, &room.all) && room_add(block, room.score_row, &room.scores, &room.all);
    if (fits && job->queries >= FEW_QUERIES) {
        fits = room_add(job->keys + 2 * gemm->nr, job->head_dim + 2 * LANES, &check, &(size_t){0}) &&
               room_add(job->value_dim + 2 * gemm->nr, job->keys + 2 * LANES, &check, &(size_t){0}) &&
               room_add(1, gemm_packed_bytes(gemm, job->keys, job->head_dim, 0) / sizeof(float), &room.k_panels,
                        &room.all) &&
               room_add(1, gemm_packed_bytes(gemm, job->value_dim, job->keys, 0) / sizeof(float), &room.v_panels,
                        &room.all) &&
               room_add(job->value_dim, job->keys, &room.transposed, &room.all);
    }
    *ret = room;
    return fits;
}

static Status views_check(const Evaluation *run, const Attend *args, Error *err) {
    const AttendView *q = &args->q, *k = &args->k, *v = &args->v;
    if (!q->width || !v->width)
        return FAIL(err, ERR_FORMAT, "%s: heads of %zu and %zu elements, expected at least 1", evaluate_name(run),
                    q->width, v->width);
    if (q->batches != k->batches || q->batches != v->batches || k->tokens != v->tokens || q->width != k->width ||
        k->heads != v->heads || !k->heads || q->heads % k->heads)
        return FAIL(err, ERR_FORMAT,
                    "%s: queries [%zu,%zu,%zu,%zu], keys [%zu,%zu,%zu,%zu] and values [%zu,%zu,%zu,%zu] (batches, "
                    "heads, tokens, elements) do not go together",
                    evaluate_name(run), q->batches, q->heads, q->tokens, q->width, k->batches, k->heads, k->tokens,
                    k->width, v->batches, v->heads, v->tokens, v->width);
    return OK;
}

Status attend(Evaluation *run, const Attend *args, Error *err) {
    Job job = {.args = args,
               .kernels = run->kernels,
               .queries = args->q.tokens,
               .keys = args->k.tokens,
               .head_dim = args->q.width,
               .value_dim = args->v.width};
    size_t items = args->q.batches * args->q.heads, bytes, whole;
    TRY(views_check(run, args, err));
    if (!items || !job.queries)
        return OK;
    // Little work is not shared out.
    double operations = (double)items * (double)job.queries * (double)job.keys * (double)job.head_dim;
    Pool *pool = operations < 1 << 18 ? NULL : run->pool;
    size_t threads = pool ? (size_t)pool_threads(pool) : 1;
    if (!room_make(&job, &job.room) || !size_multiply(job.room.all, sizeof(float), &bytes) ||
        !size_multiply(bytes, threads, &whole))
        return FAIL(err, ERR_LIMIT, "%s: %zu queries and %zu keys are more than any memory", evaluate_name(run),
                    job.queries, job.keys);
    float *scratch = arena_alloc(run->scratch, whole, 64, err);
    TRY_NEW(scratch);
    if (job.keys) {
        attend_run(pool, items, head_run, &job, scratch, bytes);
        return OK;
    }
    for (size_t i = 0; i < items; i++)
        for (size_t t = 0; t < job.queries; t++)
            memset(args->y + i / args->q.heads * args->y_batch + i % args->q.heads * args->y_head + t * args->y_row, 0,
                   job.value_dim * sizeof(float));
    return OK;
}

AttendView attend_dense(const float *data, size_t batches, size_t heads, size_t tokens, size_t width) {
    return (AttendView){batches, heads, tokens, width, data, heads * tokens * width, tokens * width, width};
}

Status attend_view(Evaluation *run, size_t index, int64_t heads, AttendView *ret, Error *err) {
    TRY(evaluate_type(run, index, DTYPES_WIDE, err));
    const Shape *shape = &run->inputs[index].shape;
    const float *data;
    char text[SHAPE_TEXT_BYTES];
    TRY(evaluate_as_f32(run, index, &data, err));
    if (shape->rank == 4) {
        *ret = attend_dense(data, (size_t)shape->dims[0], (size_t)shape->dims[1], (size_t)shape->dims[2],
                            (size_t)shape->dims[3]);
        return OK;
    }
    if (shape->rank != 3)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected 3 or 4 dimensions", evaluate_name(run), index,
                    shape_text(shape, text));
    if (heads < 1 || !shape->dims[2] || shape->dims[2] % heads)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, which cannot be shared out to %lld heads",
                    evaluate_name(run), index, shape_text(shape, text), (long long)heads);
    size_t tokens = (size_t)shape->dims[1], row = (size_t)shape->dims[2], width = row / (size_t)heads;
    *ret = (AttendView){(size_t)shape->dims[0], (size_t)heads, tokens, width, data, tokens * row, width, row};
    return OK;
}

static void tokens_copy(const AttendView *from, size_t item, float *to) {
    const float *head = from->data + item / from->heads * from->batch + item % from->heads * from->head;
    for (size_t t = 0; t < from->tokens; t++)
        memcpy(to + t * from->width, head + t * from->row, from->width * sizeof *to);
}

Status attend_join(Evaluation *run, const AttendView *past, const AttendView *fresh, float *to, AttendView *ret,
                   Error *err) {
    size_t before = past ? past->tokens : 0, tokens = before + fresh->tokens, elements, bytes;
    if (past && (past->batches != fresh->batches || past->heads != fresh->heads || past->width != fresh->width))
        return FAIL(err, ERR_FORMAT,
                    "%s: the past is [%zu,%zu,%zu,%zu], what comes after it [%zu,%zu,%zu,%zu] (batches, heads, tokens, "
                    "elements)",
                    evaluate_name(run), past->batches, past->heads, past->tokens, past->width, fresh->batches,
                    fresh->heads, fresh->tokens, fresh->width);
    size_t items = fresh->batches * fresh->heads;
    if (!to) {
        if (!size_multiply(items, fresh->width, &elements) || !size_multiply(elements, tokens, &elements) ||
            !size_multiply(elements, sizeof *to, &bytes))
            return FAIL(err, ERR_LIMIT, "%s: %zu tokens are more than any memory", evaluate_name(run), tokens);
        TRY_NEW(to = arena_alloc(run->scratch, bytes, 64, err));
    }
    for (size_t i = 0; i < items && tokens && fresh->width; i++) {
        float *head = to + i * tokens * fresh->width;
        if (past)
            tokens_copy(past, i, head);
        tokens_copy(fresh, i, head + before * fresh->width);
    }
    *ret = attend_dense(to, fresh->batches, fresh->heads, tokens, fresh->width);
    return OK;
}

Status attend_past(Evaluation *run, size_t past, size_t present, AttendView *view, WideOutput *ret_present,
                   Error *err) {
    AttendView before = {0}, *given = NULL;
    *ret_present = (WideOutput){0};
    if (evaluate_has(run, past)) {
        TRY(evaluate_same_type(run, 0, past, err));
        TRY(attend_view(run, past, 0, &before, err));
        given = &before;
    } else if (run->node->output_count <= present) {
        return OK;
    }
    Shape shape = {
        4,
        {(int64_t)view->batches, (int64_t)view->heads, (int64_t)(view->tokens + before.tokens), (int64_t)view->width}};
    TRY(wide_output(run, present, run->inputs[0].dtype, &shape, ret_present, err));
    return attend_join(run, given, view, ret_present->values, view, err);
}

static Status bias_values(Evaluation *run, size_t index, const float **ret, Error *err) {
    const Tensor *tensor = &run->inputs[index];
    TRY(evaluate_type(run, index, DTYPES_WIDE | DTYPES_BOOL, err));
    if (tensor->dtype != DTYPE_BOOL)
        return evaluate_as_f32(run, index, ret, err);
    size_t count = shape_count(&tensor->shape);
    const unsigned char *seen = tensor->data;
    float *values = arena_alloc(run->scratch, count * sizeof *values, 64, err);
    TRY_NEW(values);
    for (size_t i = 0; i < count; i++)
        values[i] = seen[i] ? 0 : -INFINITY;
    *ret = values;
    return OK;
}

Status attend_bias(Evaluation *run, size_t index, const AttendView *q, size_t keys, AttendBias *ret, Error *err) {
    *ret = (AttendBias){0};
    TRY(bias_values(run, index, &ret->values, err));
    const Shape *shape = &run->inputs[index].shape;
    const size_t most[4] = {q->batches, q->heads, q->tokens, keys};
    size_t dims[4] = {1, 1, 1, 1}, steps[4];
    bool fits = shape->rank >= 1 && shape->rank <= 4;
    char text[SHAPE_TEXT_BYTES];
    for (int i = 0; fits && i < shape->rank; i++) {
        size_t at = (size_t)(4 - shape->rank + i);
        dims[at] = (size_t)shape->dims[i];
        fits = at == 3 ? dims[at] <= most[at] : dims[at] == 1 || dims[at] == most[at];
    }
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, which does not broadcast to [%zu,%zu,%zu,%zu]",
                    evaluate_name(run), index, shape_text(shape, text), most[0], most[1], most[2], most[3]);
    steps[3] = dims[3];
    for (size_t i = 3; i-- > 0;)
        steps[i] = steps[i + 1] * dims[i];
    ret->batch = dims[0] == 1 ? 0 : steps[1];
    ret->head = dims[1] == 1 ? 0 : steps[2];
    ret->row = dims[2] == 1 ? 0 : steps[3];
    ret->keys = dims[3];
    return OK;
}

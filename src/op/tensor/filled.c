// SPDX-License-Identifier: Apache-2.0
// One panel of columns after the other, made, packed and multiplied by whichever thread takes it.
#include "op/tensor/filled.h"

#include <string.h>

#include "base/memory.h"
#include "op/attend.h"
#include "op/tensor/wide.h"

typedef struct Job {
    const FilledProduct *product;
    const GemmKernel *gemm;
    size_t rows_floats; // room for a panel's rows before they are packed
} Job;

static void panel_run(void *context, size_t panel, float *scratch) {
    const Job *job = context;
    const FilledProduct *p = job->product;
    size_t first = panel * job->gemm->nr, count = p->n - first < job->gemm->nr ? p->n - first : job->gemm->nr;
    float *packed = scratch + job->rows_floats;
    p->fill(p->context, first, count, scratch);
    job->gemm->pack(&(GemmRows){.weights = scratch, .stride = p->k, .columns = count, .k = p->k}, packed);
    GemmTile tile = {.rows = p->rows,
                     .columns = count,
                     .k = p->k,
                     .x = p->x,
                     .x_stride = p->k,
                     .panels = packed,
                     .bias = p->bias && !p->scales ? p->bias + first : NULL,
                     .y = p->y + first,
                     .y_stride = p->n};
    job->gemm->run(&tile);
    for (size_t r = 0; p->scales && r < p->rows; r++)
        for (size_t c = 0; c < count; c++)
            tile.y[r * p->n + c] = tile.y[r * p->n + c] * p->scales[first + c] + (p->bias ? p->bias[first + c] : 0);
}

static void empty_run(const FilledProduct *p) {
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->n; c++)
            p->y[r * p->n + c] = p->bias ? p->bias[c] : 0;
}

Status filled_run(Evaluation *run, const FilledProduct *product, Error *err) {
    const FilledProduct *p = product;
    Job job = {.product = p, .gemm = &run->kernels->gemm[WEIGHT_F32]};
    size_t elements, bytes;
    if (!p->rows || !p->n)
        return OK;
    if (!p->k) {
        empty_run(p);
        return OK;
    }
    if (p->packed) {
        GemmTile whole = {.rows = p->rows,
                          .columns = p->n,
                          .k = p->k,
                          .x = p->x,
                          .x_stride = p->k,
                          .bias = p->bias,
                          .y = p->y,
                          .y_stride = p->n};
        size_t threads = (size_t)pool_threads(run->pool);
        tiling_run(p->packed, whole, tiling_choose(p->packed, p->rows, threads), run->pool);
        return OK;
    }
    Pool *pool = (double)p->rows * (double)p->n * (double)p->k < 1 << 18 ? NULL : run->pool;
    size_t threads = pool ? (size_t)pool_threads(pool) : 1;
    if (!size_multiply(p->k, 2 * job.gemm->nr * sizeof(float), &elements) || !size_multiply(elements, threads, &bytes))
        return FAIL(err, ERR_LIMIT, "%s: %zu columns are more than any memory", evaluate_name(run), p->k);
    job.rows_floats = (job.gemm->nr * p->k + 15) / 16 * 16;
    bytes = job.rows_floats * sizeof(float) + job.gemm->panel_bytes(p->k, 0);
    float *scratch = arena_alloc(run->scratch, threads * bytes, 64, err);
    TRY_NEW(scratch);
    attend_run(pool, (p->n + job.gemm->nr - 1) / job.gemm->nr, panel_run, &job, scratch, bytes);
    return OK;
}

void filled_fill_matrix(const void *context, size_t first, size_t count, float *ret_rows) {
    const FilledMatrix *matrix = context;
    for (size_t k = 0; k < matrix->k; k++)
        for (size_t c = 0; c < count; c++)
            ret_rows[c * matrix->k + k] = matrix->data[k * matrix->n + first + c];
}

static Status matrix_pack(const OpPrepare *args, const FilledMatrix *matrix, PackedWeights *ret, Error *err) {
    const GemmKernel *gemm = &args->kernels->gemm[WEIGHT_F32];
    size_t bytes = gemm_packed_bytes(gemm, matrix->n, matrix->k, 0);
    unsigned char *data = arena_alloc(args->arena, bytes, 64, err);
    TRY_NEW(data);
    *ret = (PackedWeights){.gemm = gemm,
                           .kind = WEIGHT_F32,
                           .n = matrix->n,
                           .k = matrix->k,
                           .panels = gemm_panels(gemm, matrix->n),
                           .panel_bytes = gemm->panel_bytes(matrix->k, 0),
                           .data = data};
    float *rows = memory_new(matrix->k, gemm->nr * sizeof *rows, err);
    TRY_NEW(rows);
    for (size_t i = 0; i < ret->panels; i++) {
        size_t first = i * gemm->nr, count = matrix->n - first < gemm->nr ? matrix->n - first : gemm->nr;
        filled_fill_matrix(matrix, first, count, rows);
        gemm->pack(&(GemmRows){.weights = rows, .stride = matrix->k, .columns = count, .k = matrix->k},
                   data + i * ret->panel_bytes);
    }
    memory_free(rows);
    *args->ret_packed_bytes += bytes;
    return OK;
}

Status filled_prepare(const OpPrepare *args, size_t index, void **ret_state, Error *err) {
    const Constant *c = index < args->node->input_count ? args->node->inputs[index].constant : NULL;
    *ret_state = NULL;
    if (!c || c->dtype != DTYPE_F32 || c->shape.rank != 2 || !c->shape.dims[0] || !c->shape.dims[1] || !c->data)
        return OK;
    PackedWeights *packed = arena_array(args->arena, 1, sizeof *packed, err);
    TRY_NEW(packed);
    TRY(matrix_pack(args, &(FilledMatrix){c->data, (size_t)c->shape.dims[1], (size_t)c->shape.dims[0]}, packed, err));
    *ret_state = packed;
    return OK;
}

Status filled_rows(const Evaluation *run, size_t a, size_t k, size_t *ret_rows, Error *err) {
    const Shape *shape = &run->inputs[a].shape;
    char text[SHAPE_TEXT_BYTES];
    if (shape->rank < 1 || (size_t)shape->dims[shape->rank - 1] != k)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected %zu columns", evaluate_name(run), a,
                    shape_text(shape, text), k);
    *ret_rows = shape_count_range(shape, 0, shape->rank - 1);
    return OK;
}

Shape filled_shape(const Evaluation *run, size_t a, size_t n) {
    Shape shape = run->inputs[a].shape;
    shape.dims[shape.rank - 1] = (int64_t)n;
    return shape;
}

ValueType filled_type(ValueType a, Dim n) {
    if (a.rank < 1)
        return type_unknown();
    a.dims[a.rank - 1] = n;
    return a;
}

Status filled_codes_infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    int64_t n = node_int(node, "N", 0);
    ret_types[0] = filled_type(infer_type(node, 0), n > 0 ? dim_of(n) : dim_unknown());
    return OK;
}

Status filled_codes(Evaluation *run, size_t a, size_t bias, FilledProduct *product, Error *err) {
    WideOutput y;
    TRY(wide_input(run, a, &product->x, err));
    TRY(filled_rows(run, a, product->k, &product->rows, err));
    TRY(wide_vector(run, bias, product->n, &product->bias, err));
    Shape shape = filled_shape(run, a, product->n);
    TRY(wide_output(run, 0, run->inputs[a].dtype, &shape, &y, err));
    product->y = y.values;
    TRY(filled_run(run, product, err));
    wide_done(&y);
    return OK;
}

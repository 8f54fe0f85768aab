// SPDX-License-Identifier: Apache-2.0
// Packing, quantizing and the corrections for zero points.
#include "op/tensor/product_bytes.h"

#include "op/tensor/dynamic.h"

// 131071 products of at most 128 * 128 are less than 2^31.
enum { MOST_K = 131071 };

static const Constant *constant_of(const OpPrepare *args, size_t index) {
    const Node *node = args->node;
    return index < node->input_count ? node->inputs[index].constant : NULL;
}

static bool input_absent(const OpPrepare *args, size_t index) {
    return index >= args->node->input_count || value_absent(args->node->inputs[index]);
}

// One number, or one for each of n.
static bool constant_fits(const Constant *c, DType dtype, size_t n) {
    return constant_is_plain(c) && c->dtype == dtype && (shape_count(&c->shape) == 1 || shape_count(&c->shape) == n);
}

static int32_t byte_as_s8(DType dtype, const void *values, size_t index) {
    return dtype == DTYPE_U8 ? ((const uint8_t *)values)[index] - 128 : ((const int8_t *)values)[index];
}

static Status zeros_read(const OpPrepare *args, const Constant *zero, size_t n, const int32_t **ret, Error *err) {
    int32_t *zeros = arena_array(args->arena, n, sizeof *zeros, err), any = 0;
    TRY_NEW(zeros);
    bool one = shape_count(&zero->shape) == 1;
    for (size_t i = 0; i < n; i++)
        any |= zeros[i] = byte_as_s8(zero->dtype, zero->data, one ? 0 : i);
    *ret = any ? zeros : NULL;
    return OK;
}

static Status scales_read(const OpPrepare *args, const Constant *scale, size_t n, const float **ret, Error *err) {
    float *scales = arena_array(args->arena, n, sizeof *scales, err);
    TRY_NEW(scales);
    for (size_t i = 0; i < n; i++)
        scales[i] = scale ? ((const float *)scale->data)[shape_count(&scale->shape) == 1 ? 0 : i] : 1;
    *ret = scales;
    return OK;
}

static Status sums_make(const OpPrepare *args, const Constant *b, const ProductWeights *w, const int32_t **ret,
                        Error *err) {
    int32_t *sums = arena_array(args->arena, w->count * w->n, sizeof *sums, err); // zeroed
    TRY_NEW(sums);
    for (size_t i = 0; i < w->count; i++)
        for (size_t k = 0; k < w->k; k++)
            for (size_t n = 0; n < w->n; n++)
                sums[i * w->n + n] += byte_as_s8(b->dtype, b->data, (i * w->k + k) * w->n + n);
    *ret = sums;
    return OK;
}

Status byte_weights_prepare(const OpPrepare *args, ByteInputs inputs, void **ret_state, Error *err) {
    size_t values = inputs.values, zero = inputs.zero, scale = inputs.scale;
    const Constant *b = constant_of(args, values), *zeros = constant_of(args, zero),
                   *scales = scale == SIZE_MAX ? NULL : constant_of(args, scale);
    if (!constant_is_plain(b) || b->shape.rank < 2 || !(DTYPE_BIT(b->dtype) & DTYPES_BYTE))
        return OK;
    int rank = b->shape.rank;
    ProductWeights w = {.dtype = b->dtype,
                        .count = shape_count_range(&b->shape, 0, rank - 2),
                        .n = (size_t)b->shape.dims[rank - 1],
                        .k = (size_t)b->shape.dims[rank - 2],
                        .k_step = (size_t)b->shape.dims[rank - 1],
                        .n_step = 1};
    if (!w.count || !w.n || !w.k || w.k > MOST_K ||
        (!input_absent(args, zero) && !constant_fits(zeros, b->dtype, w.n)) ||
        (scale != SIZE_MAX && !constant_fits(scales, DTYPE_F32, w.n)))
        return OK;
    ByteWeights *weights = arena_array(args->arena, 1, sizeof *weights, err);
    TRY_NEW(weights);
    *weights = (ByteWeights){.count = w.count, .k = w.k, .n = w.n};
    // an absent zero point of u8 is 0, which is -128 here
    static const uint8_t nothing[1] = {0};
    const Constant none = {.dtype = b->dtype, .data = nothing};
    TRY(zeros_read(args, zeros ? zeros : &none, w.n, &weights->zeros, err));
    TRY(scales_read(args, scales, w.n, &w.scales, err));
    TRY(sums_make(args, b, &w, &weights->sums, err));
    TRY(product_prepare(args, b, &w, &weights->packed, err));
    *ret_state = weights->packed ? weights : NULL;
    return OK;
}

Status byte_weights_prepare_real(const OpPrepare *args, ByteInputs inputs, size_t bias, void **ret_state, Error *err) {
    TRY(byte_weights_prepare(args, inputs, ret_state, err));
    ByteWeights *weights = *ret_state;
    if (weights)
        epilogue_take(args, weights->n, !input_absent(args, bias), &weights->epilogue);
    return OK;
}

typedef struct RowsJob {
    const uint8_t *from;
    size_t k, stride;
    uint8_t flip;
    uint8_t *to;
} RowsJob;

static void rows_work(void *context, size_t first, size_t last) {
    const RowsJob *job = context;
    for (size_t r = first; r < last; r++) {
        const uint8_t *from = job->from + r * job->k;
        uint8_t *to = job->to + r * job->stride;
        for (size_t i = 0; i < job->k; i++)
            to[i] = from[i] ^ job->flip;
        memset(to + job->k, 0, job->stride - job->k);
    }
}

static Status rows_room(Evaluation *run, ByteRows *rows, uint8_t **ret_room, Error *err) {
    rows->stride = gemm_s8_stride(rows->k);
    TRY_NEW(*ret_room = arena_alloc(run->scratch, rows->rows * rows->stride, 64, err));
    rows->values = (const int8_t *)*ret_room;
    return OK;
}

Status byte_rows_read(Evaluation *run, size_t values, size_t zero, size_t scale, size_t k, ByteRows *ret, Error *err) {
    const Tensor *x = &run->inputs[values];
    double number = 0;
    *ret = (ByteRows){.rows = k ? shape_count(&x->shape) / k : 0, .k = k, .stride = k, .scale = 1};
    TRY(evaluate_type(run, values, DTYPES_BYTE, err));
    if (evaluate_has(run, zero)) {
        TRY(evaluate_same_type(run, values, zero, err));
        TRY(evaluate_number(run, zero, &number, err));
    }
    ret->zero = (int32_t)number - (x->dtype == DTYPE_U8 ? 128 : 0);
    if (scale != SIZE_MAX) {
        TRY(evaluate_type(run, scale, DTYPE_BIT(DTYPE_F32), err));
        TRY(evaluate_number(run, scale, &number, err));
        ret->scale = (float)number;
    }
    ret->values = x->data;
    if (x->dtype == DTYPE_I8 && k == gemm_s8_stride(k))
        return OK;
    RowsJob job = {.from = x->data, .k = k, .flip = x->dtype == DTYPE_U8 ? 0x80 : 0};
    TRY(rows_room(run, ret, &job.to, err));
    job.stride = ret->stride;
    if (ret->rows)
        evaluate_parallel(run, ret->rows, ret->rows * k / 8, rows_work, &job);
    return OK;
}

Status byte_rows_quantize(Evaluation *run, const float *x, size_t rows, size_t k, ByteRows *ret, Error *err) {
    DynamicRange range = dynamic_range(run, x, rows * k);
    uint8_t *room = NULL;
    *ret = (ByteRows){.rows = rows, .k = k, .zero = range.zero - 128, .scale = range.scale};
    TRY(rows_room(run, ret, &room, err));
    dynamic_quantize(run, x, (DynamicRows){rows, k, ret->stride}, range, 0x80, room);
    return OK;
}

typedef struct FactorsJob {
    const ByteRows *x;
    int32_t *factors;
} FactorsJob;

// k * zero - the sum of the row: what a column's zero point is to be multiplied with.
static void factors_work(void *context, size_t first, size_t last) {
    const FactorsJob *job = context;
    for (size_t r = first; r < last; r++) {
        const int8_t *row = job->x->values + r * job->x->stride;
        int32_t sum = 0; // k is at most MOST_K
        for (size_t i = 0; i < job->x->k; i++)
            sum += row[i];
        job->factors[r] = (int32_t)((uint32_t)job->x->k * (uint32_t)job->x->zero - (uint32_t)sum);
    }
}

Status byte_product_run(Evaluation *run, const ByteProduct *product, Error *err) {
    const ByteWeights *w = product->weights;
    const ByteRows *x = &product->x;
    const PackedWeights *packed = &w->packed[product->index];
    GemmTile whole = {.rows = x->rows, .columns = w->n, .k = w->k, .x = x->values, .x_stride = x->stride};
    whole.y_stride = w->n;
    whole.bias = product->bias ? product->bias : w->epilogue.bias;
    whole.activation = w->epilogue.activation;
    whole.y = product->y;
    whole.sums = product->sums;
    if (!x->rows)
        return OK;
    int32_t *column_sums = arena_array(run->scratch, w->n, sizeof *column_sums, err);
    float *x_scales = arena_array(run->scratch, x->rows, sizeof *x_scales, err);
    TRY_NEW(column_sums);
    TRY_NEW(x_scales);
    for (size_t i = 0; i < x->rows; i++)
        x_scales[i] = x->scale;
    for (size_t i = 0; x->zero && i < w->n; i++)
        column_sums[i] = (int32_t)(0u - (uint32_t)x->zero * (uint32_t)w->sums[product->index * w->n + i]);
    whole.x_scales = x_scales;
    whole.column_sums = x->zero ? column_sums : NULL;
    if (w->zeros) {
        FactorsJob job = {.x = x};
        TRY_NEW(job.factors = arena_array(run->scratch, x->rows, sizeof *job.factors, err));
        evaluate_parallel(run, x->rows, x->rows * x->k / 8, factors_work, &job);
        whole.row_factors = job.factors;
        whole.column_factors = w->zeros;
    }
    bool large = (double)x->rows * (double)w->n * (double)w->k >= PRODUCT_PARALLEL;
    size_t threads = large ? (size_t)pool_threads(run->pool) : 1;
    tiling_run(packed, whole, tiling_choose(packed, x->rows, threads), large ? run->pool : NULL);
    return OK;
}

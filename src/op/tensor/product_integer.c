// SPDX-License-Identifier: Apache-2.0
// Sums of products of 16-bit differences: pairs of them are what a processor multiplies and adds at once.
#include "op/tensor/product_integer.h"

// 32768 products of at most 255 * 255 are less than 2^31.
enum { MOST_TERMS = 32768, TILE_ROWS = 32, TILE_COLUMNS = 64, TOGETHER = 4 };

static void difference_rows(DType dtype, const void *from, size_t step, size_t count, int zero, int16_t *ret) {
    for (size_t i = 0; i < count; i++)
        ret[i] = (int16_t)((dtype == DTYPE_U8 ? ((const uint8_t *)from)[i * step] : ((const int8_t *)from)[i * step]) -
                           zero);
}

// One of the zero points: of 0, 1 or 2 kinds, as integer_parameter has it.
static int zero_of(const Tensor *zero, int kind, size_t each, size_t matrix, size_t row) {
    if (!zero)
        return 0;
    size_t at = kind == 0 ? 0 : kind == 1 ? row : matrix * each + row;
    return zero->dtype == DTYPE_U8 ? ((const uint8_t *)zero->data)[at] : ((const int8_t *)zero->data)[at];
}

// One side of the product: [matrices, rows, k] differences.
typedef struct Side {
    const Tensor *values, *zero; // zero: NULL for none
    int zero_kind;
    size_t matrices, rows, k;
    size_t row_step, step; // in `values`, of rows and of elements of one
    int16_t *differences;
} Side;

static void side_work(void *context, size_t first, size_t last) {
    const Side *side = context;
    DType dtype = side->values->dtype;
    for (size_t i = first; i < last; i++) {
        size_t matrix = i / side->rows, row = i % side->rows;
        const uint8_t *from =
            (const uint8_t *)side->values->data + matrix * side->rows * side->k + row * side->row_step;
        difference_rows(dtype, from, side->step, side->k, zero_of(side->zero, side->zero_kind, side->rows, matrix, row),
                        side->differences + i * side->k);
    }
}

static int32_t dot(const int16_t *x, const int16_t *w, size_t count) {
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i] * w[i];
    return sum;
}

// Four columns at a time read a row of x once.
static void dots(const int16_t *x, const int16_t *w, size_t k, size_t count, int32_t ret_sums[TOGETHER]) {
    const int16_t *w1 = w + k, *w2 = w1 + k, *w3 = w2 + k;
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (size_t i = 0; i < count; i++) {
        a += x[i] * w[i];
        b += x[i] * w1[i];
        c += x[i] * w2[i];
        d += x[i] * w3[i];
    }
    ret_sums[0] = a;
    ret_sums[1] = b;
    ret_sums[2] = c;
    ret_sums[3] = d;
}

typedef struct Job {
    const MatmulPlan *plan;
    const int16_t *x, *w; // [a_matrices, m, k], [b_matrices, n, k]
    int32_t *y;
    size_t row_tiles, column_tiles;
} Job;

static void sums_add(int32_t *y, const int32_t *sums, size_t count) {
    for (size_t i = 0; i < count; i++)
        y[i] = (int32_t)((uint32_t)y[i] + (uint32_t)sums[i]);
}

static void tile_row(const int16_t *x, const int16_t *w, size_t k, size_t columns, int32_t *y) {
    memset(y, 0, columns * sizeof *y);
    for (size_t at = 0; at < k; at += MOST_TERMS) {
        size_t count = k - at < MOST_TERMS ? k - at : MOST_TERMS, j = 0;
        int32_t sums[TOGETHER];
        for (; j + TOGETHER <= columns; j += TOGETHER) {
            dots(x + at, w + j * k + at, k, count, sums);
            sums_add(y + j, sums, TOGETHER);
        }
        for (; j < columns; j++) {
            sums[0] = dot(x + at, w + j * k + at, count);
            sums_add(y + j, sums, 1);
        }
    }
}

static void tile(void *context, size_t index) {
    const Job *job = context;
    const MatmulPlan *plan = job->plan;
    size_t m = plan->m, n = plan->n, k = plan->k;
    size_t row = index % job->row_tiles * TILE_ROWS, column = index / job->row_tiles % job->column_tiles * TILE_COLUMNS,
           batch = index / job->row_tiles / job->column_tiles;
    size_t rows = m - row < TILE_ROWS ? m - row : TILE_ROWS;
    size_t columns = n - column < TILE_COLUMNS ? n - column : TILE_COLUMNS;
    const int16_t *w = job->w + (plan->b_index[batch] * n + column) * k;
    for (size_t i = row; i < row + rows; i++)
        tile_row(job->x + (plan->a_index[batch] * m + i) * k, w, k, columns, job->y + (batch * m + i) * n + column);
}

Status integer_parameter(const Evaluation *run, size_t index, size_t each, size_t matrices, int *ret_kind, Error *err) {
    size_t count = shape_count(&run->inputs[index].shape);
    char text[SHAPE_TEXT_BYTES];
    if (count != 1 && count != each && count != each * matrices)
        return FAIL(err, ERR_FORMAT, "%s: input %zu of shape %s, expected one number, or one for each of %zu",
                    evaluate_name(run), index, shape_text(&run->inputs[index].shape, text), each);
    *ret_kind = count == 1 ? 0 : count == each ? 1 : 2;
    return OK;
}

static Status zero_read(const Evaluation *run, size_t values, size_t zero, Side *side, Error *err) {
    if (!evaluate_has(run, zero))
        return OK;
    TRY(evaluate_same_type(run, values, zero, err));
    side->zero = &run->inputs[zero];
    return integer_parameter(run, zero, side->rows, side->matrices, &side->zero_kind, err);
}

static Status side_make(Evaluation *run, size_t zero, size_t values, Side *side, Error *err) {
    side->values = &run->inputs[values];
    TRY(zero_read(run, values, zero, side, err));
    size_t rows = side->matrices * side->rows, count = rows * side->k;
    TRY_NEW(side->differences = arena_alloc(run->scratch, count * sizeof *side->differences, 64, err));
    if (count)
        evaluate_parallel(run, rows, count, side_work, side);
    return OK;
}

// By the kernels: `a`'s zero point is one number.
static Status packed_product(Evaluation *run, const IntegerInputs *inputs, const MatmulPlan *plan, int32_t *y,
                             Error *err) {
    ByteProduct product = {.weights = run->state, .sums = y};
    TRY(byte_rows_read(run, inputs->a, inputs->a_zero, SIZE_MAX, plan->k, &product.x, err));
    if (plan->b_matrices == 1) // all rows of all batches meet one matrix
        return byte_product_run(run, &product, err);
    const int8_t *values = product.x.values;
    product.x.rows = plan->m;
    for (size_t i = 0; i < plan->batches; i++) {
        product.index = plan->b_index[i];
        product.x.values = values + plan->a_index[i] * plan->m * product.x.stride;
        product.sums = y + i * plan->m * plan->n;
        TRY(byte_product_run(run, &product, err));
    }
    return OK;
}

Status integer_product(Evaluation *run, const IntegerInputs *inputs, const MatmulPlan *plan, int32_t *ret_y,
                       Error *err) {
    Job job = {.plan = plan, .y = ret_y};
    Side left = {.matrices = plan->a_matrices, .rows = plan->m, .k = plan->k, .row_step = plan->k, .step = 1};
    TRY(evaluate_type(run, inputs->a, DTYPES_BYTE, err));
    TRY(evaluate_type(run, inputs->b, DTYPES_BYTE, err));
    if (run->state && (!evaluate_has(run, inputs->a_zero) || shape_count(&run->inputs[inputs->a_zero].shape) == 1))
        return packed_product(run, inputs, plan, ret_y, err);
    Side right = {.matrices = plan->b_matrices, .rows = plan->n, .k = plan->k, .row_step = 1, .step = plan->n};
    TRY(side_make(run, inputs->a_zero, inputs->a, &left, err));
    TRY(side_make(run, inputs->b_zero, inputs->b, &right, err));
    job.x = left.differences;
    job.w = right.differences;
    job.row_tiles = (plan->m + TILE_ROWS - 1) / TILE_ROWS;
    job.column_tiles = (plan->n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    double operations = (double)plan->batches * (double)plan->m * (double)plan->n * (double)plan->k;
    pool_run(operations < PRODUCT_PARALLEL ? NULL : run->pool, plan->batches * job.row_tiles * job.column_tiles, tile,
             &job);
    return OK;
}

Status integer_prepare(const OpPrepare *args, const IntegerInputs *inputs, void **ret_state, Error *err) {
    return byte_weights_prepare(args, (ByteInputs){inputs->b, inputs->b_zero, SIZE_MAX}, ret_state, err);
}

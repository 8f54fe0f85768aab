// SPDX-License-Identifier: Apache-2.0
// Rows are f32 (halves are widened) or f64; means and variances are taken in double, but where the kernel does the
// whole row.
#include "op/tensor/normalize.h"

#include <math.h>

#include "op/tensor/axis.h"
#include "op/tensor/reduce.h"

// A scale or bias, one for all rows (row_step 0) or one for each.
typedef struct Vector {
    const void *values; // NULL: none
    size_t row_step;
} Vector;

typedef struct Job {
    const Kernels *kernels;
    size_t count; // elements of a row
    bool centered;
    double epsilon;
    const void *x;
    Vector scale, bias;
    void *y;
    double *means, *inverses; // [rows], where an output wants them
} Job;

#define NORMALIZE_ROWS(name, Type, loops)                                                                              \
    static void name(void *context, size_t first, size_t last) {                                                       \
        const Job *job = context;                                                                                      \
        size_t n = job->count;                                                                                         \
        for (size_t row = first; row < last; row++) {                                                                  \
            const Type *x = (const Type *)job->x + row * n;                                                            \
            const Type *scale = (const Type *)job->scale.values + row * job->scale.row_step;                           \
            const Type *bias = job->bias.values ? (const Type *)job->bias.values + row * job->bias.row_step : NULL;    \
            Type *y = (Type *)job->y + row * n;                                                                        \
            double mean = 0, squares = 0;                                                                              \
            if (job->centered)                                                                                         \
                reduce_sums.loops.run(x, n, NULL, &mean);                                                              \
            mean /= (double)n;                                                                                         \
            reduce_squares.loops.run(x, n, &mean, &squares);                                                           \
            double inverse = 1 / sqrt(squares / (double)n + job->epsilon);                                             \
            for (size_t i = 0; i < n; i++)                                                                             \
                y[i] = (Type)((x[i] - mean) * inverse) * scale[i];                                                     \
            for (size_t i = 0; bias && i < n; i++)                                                                     \
                y[i] += bias[i];                                                                                       \
            if (job->inverses)                                                                                         \
                job->inverses[row] = inverse;                                                                          \
            if (job->means)                                                                                            \
                job->means[row] = mean;                                                                                \
        }                                                                                                              \
    }

NORMALIZE_ROWS(rows_f32, float, f32)
NORMALIZE_ROWS(rows_f64, double, f64)

// Centered rows of f32 whose statistics nobody reads.
static void rows_kernel(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t n = job->count;
    for (size_t row = first; row < last; row++) {
        const float *bias = job->bias.values ? (const float *)job->bias.values + row * job->bias.row_step : NULL;
        job->kernels->layer_norm((const float *)job->x + row * n, NULL,
                                 (const float *)job->scale.values + row * job->scale.row_step, bias,
                                 (float)job->epsilon, n, NULL, (float *)job->y + row * n);
    }
}

// Elements of a broadcast input, repeated to a whole shape.
static Status repeat(Evaluation *run, const Shape *from, const Shape *to, bool wide, const void **values, Error *err) {
    size_t count = shape_count(to);
    int64_t strides[SHAPE_MOST_DIMS];
    shape_broadcast_strides(from, to, strides);
    void *all = arena_alloc(run->scratch, count * (wide ? sizeof(double) : sizeof(float)), 64, err);
    TRY_NEW(all);
    for (size_t i = 0; i < count; i++) {
        size_t at = broadcast_index(to, strides, i);
        if (wide)
            ((double *)all)[i] = ((const double *)*values)[at];
        else
            ((float *)all)[i] = ((const float *)*values)[at];
    }
    *values = all;
    return OK;
}

// Input `index` for rows over the dimensions of x from `axis` on.
static Status vector_read(Evaluation *run, size_t index, int axis, Vector *ret, Error *err) {
    const Tensor *x = &run->inputs[0], *vector = &run->inputs[index];
    Shape from = vector->shape, to = {.rank = x->shape.rank - axis}, both;
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    TRY(evaluate_type(run, index, DTYPES_REAL, err));
    if (!shape_broadcast(&from, &x->shape, &both) || !shape_equal(&both, &x->shape))
        return FAIL(err, ERR_FORMAT, "%s: input %zu of shape %s does not broadcast to x's %s", evaluate_name(run),
                    index, shape_text(&from, a), shape_text(&x->shape, b));
    while (from.rank > to.rank && from.dims[0] == 1) {
        from.rank--;
        for (int i = 0; i < from.rank; i++)
            from.dims[i] = from.dims[i + 1];
    }
    for (int i = 0; i < to.rank; i++)
        to.dims[i] = x->shape.dims[axis + i];
    size_t count = shape_count(&to);
    ret->row_step = from.rank > to.rank ? count : 0;
    if (ret->row_step)
        to = x->shape;
    bool wide = x->dtype == DTYPE_F64;
    TRY(wide ? evaluate_as_f64(run, index, (const double **)&ret->values, err)
             : evaluate_as_f32(run, index, (const float **)&ret->values, err));
    return shape_count(&from) == shape_count(&to) ? OK : repeat(run, &from, &to, wide, &ret->values, err);
}

// The type of statistics, out of {stash_type}, a number of ONNX's.
static DType stash_type(const Node *node) {
    switch (node_int(node, "stash_type", 1)) {
    case 10:
        return DTYPE_F16;
    case 11:
        return DTYPE_F64;
    case 16:
        return DTYPE_BF16;
    default:
        return DTYPE_F32;
    }
}

static Status statistics_room(Evaluation *run, size_t rows, Job *job, Error *err) {
    size_t outputs = run->node->output_count, inverses = job->centered ? 2 : 1;
    if (outputs > 1 && job->centered)
        TRY_NEW(job->means = arena_array(run->scratch, rows, sizeof *job->means, err));
    if (outputs > inverses)
        TRY_NEW(job->inverses = arena_array(run->scratch, rows, sizeof *job->inverses, err));
    return OK;
}

static Status statistics_store(Evaluation *run, int axis, size_t rows, const Job *job, Error *err) {
    Shape to = run->inputs[0].shape;
    for (int i = axis; i < to.rank; i++)
        to.dims[i] = 1;
    const double *values[] = {job->means ? job->means : job->inverses, job->inverses};
    for (size_t i = 1; i < run->node->output_count && i < 3 && values[i - 1]; i++) {
        void *y;
        TRY(evaluate_output(run, i, stash_type(run->node), &to, &y, err));
        TRY(reals_store(run, stash_type(run->node), values[i - 1], rows, y, err));
    }
    return OK;
}

Status normalize_evaluate(Evaluation *run, bool centered, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_REAL, err));
    const Tensor *x = &run->inputs[0];
    int axis;
    TRY(evaluate_axis(run, "axis", -1, x->shape.rank, false, &axis, err));
    if (run->node->output_count > (centered ? 3 : 2))
        return FAIL(err, ERR_FORMAT, "%s: %zu outputs, at most %d are possible", evaluate_name(run),
                    run->node->output_count, centered ? 3 : 2);
    Job job = {.kernels = run->kernels, .centered = centered, .epsilon = node_real(run->node, "epsilon", 1e-5)};
    size_t rows = shape_count_range(&x->shape, 0, axis), count = shape_count(&x->shape);
    job.count = shape_count_range(&x->shape, axis, x->shape.rank);
    TRY(vector_read(run, 1, axis, &job.scale, err));
    if (centered && evaluate_has(run, 2))
        TRY(vector_read(run, 2, axis, &job.bias, err));
    TRY(statistics_room(run, rows, &job, err));
    void *y;
    TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err));
    job.y = y;
    size_t bytes;
    ReduceLoops loops;
    TRY(reduce_reals(run, 0, &reduce_sums, &job.x, &bytes, &loops, err));
    bool half = x->dtype == DTYPE_F16 || x->dtype == DTYPE_BF16;
    if (half)
        TRY_NEW(job.y = arena_alloc(run->scratch, count * sizeof(float), 64, err));
    bool kernel = centered && !job.means && x->dtype != DTYPE_F64;
    if (count)
        evaluate_parallel(run, rows, count, kernel ? rows_kernel : x->dtype == DTYPE_F64 ? rows_f64 : rows_f32, &job);
    if (half)
        real_store(x->dtype, job.y, count, y);
    return statistics_store(run, axis, rows, &job, err);
}

Status normalize_infer(const Node *node, ValueType *ret_types, Error *err) {
    TRY(infer_first(node, ret_types, err));
    ValueType rows = infer_as(ret_types[0], stash_type(node));
    int axis;
    if (rows.rank < 0 || !infer_axis(node_int(node, "axis", -1), rows.rank, &axis))
        return OK;
    for (int i = axis; i < rows.rank; i++)
        rows.dims[i] = dim_of(1);
    for (size_t i = 1; i < node->output_count; i++)
        ret_types[i] = rows;
    return OK;
}

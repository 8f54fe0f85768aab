// SPDX-License-Identifier: Apache-2.0
// GroupNormalization: x [N, C, ...] by the mean and variance of num_groups groups of channels each, then a scale [C]
// and a bias [C]. {epsilon=1e-5, num_groups, stash_type=1}
#include <math.h>

#include "op/tensor/reduce.h"

typedef struct Job {
    size_t channels, pixels, groups; // pixels: elements of a channel
    double epsilon;
    const void *x, *scale, *bias;
    void *y;
} Job;

#define GROUP_ROWS(name, Type, loops)                                                                                  \
    static void name(void *context, size_t first, size_t last) {                                                       \
        const Job *job = context;                                                                                      \
        size_t each = job->channels / job->groups, n = each * job->pixels;                                             \
        for (size_t group = first; group < last; group++) {                                                            \
            const Type *x = (const Type *)job->x + group * n;                                                          \
            Type *y = (Type *)job->y + group * n;                                                                      \
            double mean = 0, squares = 0;                                                                              \
            reduce_sums.loops.run(x, n, NULL, &mean);                                                                  \
            mean /= (double)n;                                                                                         \
            reduce_squares.loops.run(x, n, &mean, &squares);                                                           \
            double inverse = 1 / sqrt(squares / (double)n + job->epsilon);                                             \
            for (size_t c = 0; c < each; c++) {                                                                        \
                size_t channel = group % job->groups * each + c;                                                       \
                double scale = ((const Type *)job->scale)[channel], bias = ((const Type *)job->bias)[channel];         \
                for (size_t i = c * job->pixels; i < (c + 1) * job->pixels; i++)                                       \
                    y[i] = (Type)((x[i] - mean) * inverse * scale + bias);                                             \
            }                                                                                                          \
        }                                                                                                              \
    }

GROUP_ROWS(rows_f32, float, f32)
GROUP_ROWS(rows_f64, double, f64)

static Status check(const Evaluation *run, int64_t groups, Error *err) {
    const Shape *x = &run->inputs[0].shape;
    char text[SHAPE_TEXT_BYTES];
    if (x->rank < 2)
        return FAIL(err, ERR_FORMAT, "%s: x is %s, expected [N, C, ...]", evaluate_name(run), shape_text(x, text));
    if (groups < 1 || x->dims[1] % groups)
        return FAIL(err, ERR_FORMAT, "%s: %lld groups of %lld channels, expected a divisor", evaluate_name(run),
                    (long long)groups, (long long)x->dims[1]);
    for (size_t i = 1; i < 3; i++) {
        TRY(evaluate_type(run, i, DTYPES_REAL, err));
        const Shape *vector = &run->inputs[i].shape;
        if (vector->rank != 1 || vector->dims[0] != x->dims[1])
            return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected one number for each of %lld channels",
                        evaluate_name(run), i, shape_text(vector, text), (long long)x->dims[1]);
    }
    return OK;
}

// All three inputs in f64 or all in f32.
static Status inputs_read(Evaluation *run, Job *job, Error *err) {
    const void **to[] = {&job->x, &job->scale, &job->bias};
    for (size_t i = 0; i < 3; i++)
        TRY(run->inputs[0].dtype == DTYPE_F64 ? evaluate_as_f64(run, i, (const double **)to[i], err)
                                              : evaluate_as_f32(run, i, (const float **)to[i], err));
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    const Tensor *x = &run->inputs[0];
    int64_t groups = node_int(run->node, "num_groups", 0);
    TRY(evaluate_type(run, 0, DTYPES_REAL, err));
    TRY(check(run, groups, err));
    Job job = {.channels = (size_t)x->shape.dims[1],
               .pixels = shape_count_range(&x->shape, 2, x->shape.rank),
               .groups = (size_t)groups,
               .epsilon = node_real(run->node, "epsilon", 1e-5)};
    size_t count = shape_count(&x->shape);
    void *y;
    TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err));
    if (!count)
        return OK;
    TRY(inputs_read(run, &job, err));
    job.y = y;
    bool half = x->dtype == DTYPE_F16 || x->dtype == DTYPE_BF16;
    if (half)
        TRY_NEW(job.y = arena_alloc(run->scratch, count * sizeof(float), 64, err));
    evaluate_parallel(run, (size_t)x->shape.dims[0] * job.groups, count, x->dtype == DTYPE_F64 ? rows_f64 : rows_f32,
                      &job);
    if (half)
        real_store(x->dtype, job.y, count, y);
    return OK;
}

const OpDef op_tensor_group_normalization = {.infer = infer_first, .evaluate = evaluate};

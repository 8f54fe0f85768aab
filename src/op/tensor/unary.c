// SPDX-License-Identifier: Apache-2.0
// Element by element, in the width of the type.
#include "op/tensor/unary.h"

typedef struct Job {
    const Evaluation *run;
    const UnaryReal *unary;
    UnaryArgs args;
    const float *x; // NULL: f64
    float *y;       // f32, or where results lie before they are narrowed
    const double *wide_x;
    double *wide_y;
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    if (job->wide_x) {
        for (size_t i = first; i < last; i++)
            job->wide_y[i] = job->unary->wide(job->wide_x[i], &job->args);
    } else if (job->unary->rows) {
        job->unary->rows(job->run->kernels, job->x + first, last - first, job->y + first);
    } else {
        for (size_t i = first; i < last; i++)
            job->y[i] = job->unary->single(job->x[i], &job->args);
    }
}

Status unary_real(Evaluation *run, const UnaryReal *unary, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_REAL, err));
    const Tensor *x = &run->inputs[0];
    size_t count = shape_count(&x->shape);
    Job job = {.run = run, .unary = unary};
    job.args.a = unary->a ? node_real(run->node, unary->a, unary->a_missing) : unary->a_missing;
    job.args.b = unary->b ? node_real(run->node, unary->b, unary->b_missing) : unary->b_missing;
    void *y;
    TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err));
    if (x->dtype == DTYPE_F64) {
        job.wide_x = x->data;
        job.wide_y = y;
    } else {
        TRY(evaluate_as_f32(run, 0, &job.x, err));
        job.y = y;
        if (x->dtype != DTYPE_F32)
            TRY_NEW(job.y = arena_alloc(run->scratch, count * sizeof *job.y, 64, err));
    }
    evaluate_parallel(run, count, count, work, &job);
    if (x->dtype == DTYPE_F16 || x->dtype == DTYPE_BF16)
        real_store(x->dtype, job.y, count, y);
    return OK;
}

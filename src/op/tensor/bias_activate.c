// SPDX-License-Identifier: Apache-2.0
#include "op/tensor/bias_activate.h"

#include "op/tensor/wide.h"

typedef struct Job {
    const Kernels *kernels;
    Activation activation;
    const float *x, *bias;
    size_t columns;
    float *y;
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    for (size_t r = first; r < last; r++) {
        const float *x = job->x + r * job->columns;
        float *y = job->y + r * job->columns;
        if (job->bias)
            job->kernels->add(x, job->bias, job->columns, y);
        job->kernels->activate(job->activation, job->bias ? y : x, job->columns, y);
    }
}

Status bias_activate(Evaluation *run, Activation activation, Error *err) {
    Job job = {.kernels = run->kernels, .activation = activation};
    WideOutput y;
    TRY(evaluate_type(run, 0, DTYPES_WIDE, err));
    const Shape *shape = &run->inputs[0].shape;
    size_t count = shape_count(shape);
    job.columns = shape->rank ? (size_t)shape->dims[shape->rank - 1] : 1;
    TRY(wide_input(run, 0, &job.x, err));
    TRY(wide_vector(run, 1, job.columns, &job.bias, err));
    TRY(wide_output(run, 0, run->inputs[0].dtype, shape, &y, err));
    job.y = y.values;
    if (count)
        evaluate_parallel(run, count / job.columns, count, work, &job);
    wide_done(&y);
    return OK;
}

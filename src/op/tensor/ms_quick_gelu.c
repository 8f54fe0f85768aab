// SPDX-License-Identifier: Apache-2.0
// QuickGelu: x sigmoid(alpha x). {alpha=1.702}
#include "op/tensor/infer.h"
#include "op/tensor/wide.h"

typedef struct Job {
    const Kernels *kernels;
    const float *x;
    float alpha, *y;
} Job;

// alpha x sigmoid(alpha x) / alpha: the kernel for SILU does the middle.
static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t n = last - first;
    float *y = job->y + first;
    if (job->alpha != 0) {
        job->kernels->scale(job->x + first, job->alpha, n, y);
        job->kernels->activate(ACTIVATION_SILU, y, n, y);
        job->kernels->scale(y, 1 / job->alpha, n, y);
    } else {
        job->kernels->scale(job->x + first, 0.5f, n, y);
    }
}

static Status evaluate(Evaluation *run, Error *err) {
    Job job = {.kernels = run->kernels, .alpha = (float)node_real(run->node, "alpha", 1.702)};
    WideOutput y;
    TRY(evaluate_type(run, 0, DTYPES_WIDE, err));
    TRY(wide_input(run, 0, &job.x, err));
    TRY(wide_output(run, 0, run->inputs[0].dtype, &run->inputs[0].shape, &y, err));
    job.y = y.values;
    evaluate_parallel(run, y.count, y.count, work, &job);
    wide_done(&y);
    return OK;
}

const OpDef op_tensor_ms_quick_gelu = {.infer = infer_first, .evaluate = evaluate};

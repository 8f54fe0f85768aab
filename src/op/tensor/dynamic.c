// SPDX-License-Identifier: Apache-2.0
#include "op/tensor/dynamic.h"

#include <math.h>
#include <string.h>

enum { PARTS = 64 };

typedef struct RangeJob {
    const Kernels *kernels;
    const float *x;
    size_t count;
    float least[PARTS], most[PARTS];
} RangeJob;

static void range_work(void *context, size_t first, size_t last) {
    RangeJob *job = context;
    for (size_t i = first; i < last; i++) {
        size_t from = job->count * i / PARTS, to = job->count * (i + 1) / PARTS;
        job->kernels->range(job->x + from, to - from, &job->least[i], &job->most[i]);
    }
}

DynamicRange dynamic_range(const Evaluation *run, const float *x, size_t count) {
    RangeJob job = {.kernels = run->kernels, .x = x, .count = count};
    float least = 0, most = 0;
    evaluate_parallel(run, PARTS, count, range_work, &job);
    for (size_t i = 0; i < PARTS; i++) {
        least = fminf(least, job.least[i]);
        most = fmaxf(most, job.most[i]);
    }
    float scale = least == most ? 1 : (most - least) / 255, zero = rintf(-least / scale);
    return (DynamicRange){scale, (uint8_t)(int)fminf(fmaxf(zero, 0), 255)}; // a NaN becomes 0
}

typedef struct QuantizeJob {
    const Kernels *kernels;
    const float *x;
    DynamicRows shape;
    DynamicRange range;
    uint8_t flip;
    uint8_t *q;
} QuantizeJob;

static void quantize_work(void *context, size_t first, size_t last) {
    const QuantizeJob *job = context;
    const DynamicRows *s = &job->shape;
    for (size_t r = first; r < last; r++) {
        uint8_t *q = job->q + r * s->stride;
        job->kernels->quantize_u8(job->x + r * s->columns, s->columns, job->range.scale, job->range.zero, job->flip, q);
        memset(q + s->columns, 0, s->stride - s->columns);
    }
}

// All elements as one row.
static void together_work(void *context, size_t first, size_t last) {
    const QuantizeJob *job = context;
    job->kernels->quantize_u8(job->x + first, last - first, job->range.scale, job->range.zero, job->flip,
                              job->q + first);
}

void dynamic_quantize(const Evaluation *run, const float *x, DynamicRows shape, DynamicRange range, uint8_t flip,
                      uint8_t *ret_q) {
    QuantizeJob job = {run->kernels, x, shape, range, flip, ret_q};
    size_t count = shape.rows * shape.columns;
    if (count && shape.stride == shape.columns)
        evaluate_parallel(run, count, count, together_work, &job);
    else if (count)
        evaluate_parallel(run, shape.rows, count, quantize_work, &job);
}

// SPDX-License-Identifier: Apache-2.0
// DynamicQuantizeLinear: the input as u8, with the scale and the zero point that its least and largest element ask for.
#include <math.h>

#include "op/tensor/quantization.h"

typedef struct Job {
    const float *x;
    uint8_t *y;
    float scale, zero;
} Job;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ret_types[0] = infer_as(infer_type(node, 0), DTYPE_U8);
    ret_types[1] = infer_rank(DTYPE_F32, 0);
    ret_types[2] = infer_rank(DTYPE_U8, 0);
    return OK;
}

// value + zero, rounded to even, as a byte; a NaN becomes 0.
static uint8_t byte_round(float value, float zero) {
    return (uint8_t)(int)round_within(value, zero, 0, 255);
}

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    for (size_t i = first; i < last; i++)
        job->y[i] = byte_round(job->x[i] / job->scale, job->zero);
}

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_type(run, 0, DTYPE_BIT(DTYPE_F32), err));
    const Tensor *x = &run->inputs[0];
    size_t count = shape_count(&x->shape);
    Job job = {.x = x->data};
    float least = 0, most = 0, *scale; // 0 is always within
    uint8_t *zero;
    for (size_t i = 0; i < count; i++) {
        least = fminf(least, job.x[i]);
        most = fmaxf(most, job.x[i]);
    }
    job.scale = least == most ? 1 : (most - least) / 255;
    job.zero = byte_round(-least / job.scale, 0);
    TRY(evaluate_output(run, 0, DTYPE_U8, &x->shape, &job.y, err));
    TRY(evaluate_output(run, 1, DTYPE_F32, &(Shape){0}, &scale, err));
    TRY(evaluate_output(run, 2, DTYPE_U8, &(Shape){0}, &zero, err));
    *scale = job.scale;
    *zero = (uint8_t)job.zero;
    if (count)
        evaluate_parallel(run, count, count, work, &job);
    return OK;
}

const OpDef op_tensor_dynamic_quantize_linear = {.infer = infer, .evaluate = evaluate};

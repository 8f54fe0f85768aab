// SPDX-License-Identifier: Apache-2.0
// QLinearMatMul: a product of quantized matrices, quantized again: y = round(sum * a_scale * b_scale / y_scale) +
// y_zero_point, half to even, clamped to y's type. Inputs a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale,
// y_zero_point; scales and zero points of a are one or one for each row, of b one or one for each column.
#include <math.h>

#include "op/tensor/product_integer.h"

static const IntegerInputs inputs = {.a = 0, .a_zero = 2, .b = 3, .b_zero = 5};

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    return integer_prepare(args, &inputs, ret_state, err);
}

typedef struct Scales {
    const float *values;
    int kind; // integer_parameter
    size_t each;
} Scales;

static float scale_of(const Scales *scales, size_t matrix, size_t row) {
    return scales->values[scales->kind == 0 ? 0 : scales->kind == 1 ? row : matrix * scales->each + row];
}

typedef struct Job {
    const MatmulPlan *plan;
    const int32_t *sums;
    Scales a, b;
    float y_scale;
    int zero, lowest, highest;
    uint8_t *y;
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    const MatmulPlan *plan = job->plan;
    for (size_t i = first; i < last; i++) {
        size_t batch = i / plan->m;
        float row = scale_of(&job->a, plan->a_index[batch], i % plan->m);
        for (size_t j = 0; j < plan->n; j++) {
            float factor = row * scale_of(&job->b, plan->b_index[batch], j) / job->y_scale;
            float value = rintf((float)job->sums[i * plan->n + j] * factor) + (float)job->zero;
            value = value > (float)job->lowest ? value : (float)job->lowest; // NaN ends here
            value = value < (float)job->highest ? value : (float)job->highest;
            job->y[i * plan->n + j] = (uint8_t)(int)value;
        }
    }
}

static Status scales_read(Evaluation *run, size_t index, size_t each, size_t matrices, Scales *ret, Error *err) {
    TRY(evaluate_type(run, index, DTYPES_REAL, err));
    ret->each = each;
    TRY(integer_parameter(run, index, each, matrices, &ret->kind, err));
    return evaluate_as_f32(run, index, &ret->values, err);
}

static Status evaluate(Evaluation *run, Error *err) {
    double zero, scale;
    MatmulPlan plan;
    for (size_t i = 0; i < 8; i++)
        TRY(evaluate_type(run, i, i == 1 || i == 4 || i == 6 ? DTYPES_REAL : DTYPES_BYTE, err));
    TRY(evaluate_number(run, 6, &scale, err));
    TRY(evaluate_number(run, 7, &zero, err));
    TRY(matmul_plan(run, 0, 3, &plan, err));
    DType dtype = run->inputs[7].dtype;
    Job job = {.plan = &plan,
               .y_scale = (float)scale,
               .zero = (int)zero,
               .lowest = dtype == DTYPE_U8 ? 0 : INT8_MIN,
               .highest = dtype == DTYPE_U8 ? UINT8_MAX : INT8_MAX};
    TRY(scales_read(run, 1, plan.m, plan.a_matrices, &job.a, err));
    TRY(scales_read(run, 4, plan.n, plan.b_matrices, &job.b, err));
    size_t count = shape_count(&plan.output);
    int32_t *sums = arena_alloc(run->scratch, count * sizeof *sums, 64, err);
    TRY_NEW(sums);
    TRY(integer_product(run, &inputs, &plan, sums, err));
    job.sums = sums;
    TRY(evaluate_output(run, 0, dtype, &plan.output, &job.y, err));
    if (count)
        evaluate_parallel(run, plan.batches * plan.m, count, work, &job);
    return OK;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType zero = infer_type(node, 7);
    ret_types[0] = zero.rank < 0 ? type_unknown() : matmul_infer(infer_type(node, 0), infer_type(node, 3), zero.dtype);
    return OK;
}

const OpDef op_tensor_qlinear_matmul = {.infer = infer, .prepare = prepare, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// CumSum: each element and those before it along an axis (input 1) summed up; integers wrap. {exclusive=0: without the
// element itself, reverse=0: from the end}
#include "op/tensor/axis.h"

typedef struct Job {
    AxisView view;
    const void *x;
    void *y;
    bool exclusive, reverse;
} Job;

// Sums of f32 are kept in double: the last of many is as right as the first.
#define SUM_LOOP(name, Type, Sum)                                                                                      \
    static void name(void *context, size_t first, size_t last) {                                                       \
        const Job *job = context;                                                                                      \
        const Type *x = job->x;                                                                                        \
        Type *y = job->y;                                                                                              \
        size_t n = job->view.count;                                                                                    \
        for (size_t row = first; row < last; row++) {                                                                  \
            size_t from = axis_row(&job->view, row);                                                                   \
            Sum sum = 0;                                                                                               \
            for (size_t i = 0; i < n; i++) {                                                                           \
                size_t at = from + (job->reverse ? n - 1 - i : i) * job->view.inners;                                  \
                Sum before = sum;                                                                                      \
                sum += x[at];                                                                                          \
                y[at] = (Type)(job->exclusive ? before : sum);                                                         \
            }                                                                                                          \
        }                                                                                                              \
    }

SUM_LOOP(sum_f32, float, double)
SUM_LOOP(sum_f64, double, double)
SUM_LOOP(sum_u32, uint32_t, uint32_t)
SUM_LOOP(sum_u64, uint64_t, uint64_t)

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_REAL | DTYPES_INDEX | DTYPE_BIT(DTYPE_U32) | DTYPE_BIT(DTYPE_U64), err));
    const Tensor *x = &run->inputs[0];
    size_t values, count = shape_count(&x->shape);
    int64_t value;
    int axis;
    TRY(evaluate_ints(run, 1, 1, &value, &values, err));
    if (!values)
        return FAIL(err, ERR_FORMAT, "%s: its axis is an empty list, expected one integer", evaluate_name(run));
    TRY(evaluate_axis_value(run, value, x->shape.rank, false, &axis, err));
    Job job = {.view = axis_view(&x->shape, axis),
               .x = x->data,
               .exclusive = node_int(run->node, "exclusive", 0) != 0,
               .reverse = node_int(run->node, "reverse", 0) != 0};
    void *y;
    TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err));
    job.y = y;
    bool half = x->dtype == DTYPE_F16 || x->dtype == DTYPE_BF16;
    if (half) {
        TRY(evaluate_as_f32(run, 0, (const float **)&job.x, err));
        TRY_NEW(job.y = arena_alloc(run->scratch, count * sizeof(float), 64, err));
    }
    if (!count)
        return OK;
    evaluate_parallel(run, count / job.view.count, count,
                      x->dtype == DTYPE_F64        ? sum_f64
                      : dtype_is_real(x->dtype)    ? sum_f32
                      : dtype_bytes(x->dtype) == 4 ? sum_u32
                                                   : sum_u64,
                      &job);
    if (half)
        real_store(x->dtype, job.y, count, y);
    return OK;
}

const OpDef op_tensor_cum_sum = {.infer = infer_first, .evaluate = evaluate};

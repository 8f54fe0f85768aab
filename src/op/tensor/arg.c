// SPDX-License-Identifier: Apache-2.0
// ArgMax and ArgMin: the first, or the last, of the best along an axis.
#include "op/tensor/axis.h"
#include "op/tensor/integers.h"

typedef size_t ArgLoop(const void *from, size_t count, size_t step, bool smallest, bool last);

// x != x only for NaN.
#define ARG_LOOP(name, Type)                                                                                           \
    static size_t name(const void *from, size_t count, size_t step, bool smallest, bool last) {                        \
        const Type *x = from;                                                                                          \
        Type best = x[0];                                                                                              \
        size_t at = 0;                                                                                                 \
        for (size_t i = 1; i < count; i++) {                                                                           \
            Type value = x[i * step];                                                                                  \
            bool odd = value != value, best_odd = best != best;                                                        \
            bool equal = value == best || (odd && best_odd);                                                           \
            bool better = !best_odd && (odd || (smallest ? value < best : value > best));                              \
            if (better || (last && equal)) {                                                                           \
                best = value;                                                                                          \
                at = i;                                                                                                \
            }                                                                                                          \
        }                                                                                                              \
        return at;                                                                                                     \
    }

ARG_LOOP(arg_f32, float)
ARG_LOOP(arg_f64, double)
ARG_LOOP(arg_i64, int64_t)
ARG_LOOP(arg_u64, uint64_t)

typedef struct Job {
    const Kernels *kernels;
    ArgLoop *loop;
    AxisView view;
    const unsigned char *x;
    size_t element_bytes;
    bool smallest, last;
    int64_t *y;
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    bool kernel = job->loop == arg_f32 && job->view.inners == 1 && !job->smallest && !job->last;
    for (size_t row = first; row < last; row++) {
        const void *x = job->x + axis_row(&job->view, row) * job->element_bytes;
        job->y[row] = (int64_t)(kernel ? job->kernels->argmax(x, job->view.count)
                                       : job->loop(x, job->view.count, job->view.inners, job->smallest, job->last));
    }
}

// Halves as f32, integers as 64 bits.
static Status elements_read(Evaluation *run, Job *job, Error *err) {
    DType dtype = run->inputs[0].dtype;
    const void *x = run->inputs[0].data;
    job->loop = arg_f64;
    job->element_bytes = sizeof(double);
    if (!(DTYPE_BIT(dtype) & DTYPES_REAL)) {
        TRY(integers_widen(run, 0, (const uint64_t **)&x, err));
        job->loop = DTYPE_BIT(dtype) & DTYPES_SIGNED ? arg_i64 : arg_u64;
    } else if (dtype != DTYPE_F64) {
        TRY(evaluate_as_f32(run, 0, (const float **)&x, err));
        job->loop = arg_f32;
        job->element_bytes = sizeof(float);
    }
    job->x = x;
    return OK;
}

Status axis_arg(Evaluation *run, bool smallest, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_NUMBER, err));
    Shape from = run->inputs[0].shape, to = {.rank = 0};
    int axis;
    if (from.rank == 0)
        from = (Shape){1, {1}};
    TRY(evaluate_axis(run, "axis", 0, from.rank, false, &axis, err));
    bool keep = node_int(run->node, "keepdims", 1) != 0 && run->inputs[0].shape.rank > 0;
    for (int i = 0; i < from.rank; i++)
        if (i != axis || keep)
            to.dims[to.rank++] = i == axis ? 1 : from.dims[i];
    Job job = {.kernels = run->kernels,
               .view = axis_view(&from, axis),
               .smallest = smallest,
               .last = node_int(run->node, "select_last_index", 0) != 0};
    TRY(evaluate_output(run, 0, DTYPE_I64, &to, &job.y, err));
    size_t rows = shape_count(&to);
    if (!rows)
        return OK;
    if (!job.view.count)
        return FAIL(err, ERR_FORMAT, "%s: no elements along axis %d", evaluate_name(run), axis);
    TRY(elements_read(run, &job, err));
    evaluate_parallel(run, rows, rows * job.view.count, work, &job);
    return OK;
}

Status axis_arg_infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), to = {.dtype = DTYPE_I64, .rank = 0};
    int axis;
    ret_types[0] = type_unknown();
    if (x.rank < 1 || !infer_axis(node_int(node, "axis", 0), x.rank, &axis))
        return OK;
    for (int i = 0; i < x.rank; i++)
        if (i != axis || node_int(node, "keepdims", 1) != 0)
            to.dims[to.rank++] = i == axis ? dim_of(1) : x.dims[i];
    ret_types[0] = to;
    return OK;
}

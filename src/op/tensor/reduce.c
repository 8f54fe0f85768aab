// SPDX-License-Identifier: Apache-2.0
// The walk along axes, the loops over reals, and what the ONNX reductions share.
#include "op/tensor/reduce.h"

#include <math.h>
#include <string.h>

#define REAL_LOOPS(name, neutral, element, fold)                                                                       \
    REDUCE_LOOPS(name##_f32, float, double, neutral, element, fold)                                                    \
    REDUCE_LOOPS(name##_f64, double, double, neutral, element, fold)                                                   \
    const ReduceReals reduce_##name = {REDUCE_LOOPS_OF(name##_f32), REDUCE_LOOPS_OF(name##_f64)};

REAL_LOOPS(sums, 0, x, a + v)
REAL_LOOPS(magnitudes, 0, fabs((double)x), a + v)
REAL_LOOPS(squares, 0, (x - shift) * (x - shift), a + v)
REAL_LOOPS(exponents, 0, exp(x - shift), a + v)
REAL_LOOPS(products, 1, x, a *v)
REAL_LOOPS(maxima, -INFINITY, x, v > a || v != v ? v : a)
REAL_LOOPS(minima, INFINITY, x, v < a || v != v ? v : a)

ReducePlan reduce_plan(const Shape *shape, const bool reduced[SHAPE_MOST_DIMS]) {
    ReducePlan plan = {.outputs = 1, .reduced = 1, .inner = 1};
    size_t step = 1;
    int groups = 0;
    bool last_reduced = false;
    for (int i = shape->rank - 1; i >= 0; i--) {
        size_t dim = (size_t)shape->dims[i];
        *(reduced[i] ? &plan.reduced : &plan.outputs) *= dim;
        if (dim == 1)
            continue;
        if (!groups || last_reduced != reduced[i]) {
            int *rank = reduced[i] ? &plan.reduced_rank : &plan.kept_rank;
            if (groups++ == 0) {
                plan.inner_reduced = reduced[i];
            } else {
                (reduced[i] ? plan.reduced_dims : plan.kept_dims)[*rank] = 1;
                (reduced[i] ? plan.reduced_steps : plan.kept_steps)[(*rank)++] = step;
            }
        }
        if (groups == 1)
            plan.inner *= dim;
        else if (reduced[i])
            plan.reduced_dims[plan.reduced_rank - 1] *= dim;
        else
            plan.kept_dims[plan.kept_rank - 1] *= dim;
        last_reduced = reduced[i];
        step *= dim;
    }
    return plan;
}

static size_t offset(int rank, const size_t *dims, const size_t *steps, size_t index) {
    size_t at = 0;
    for (int i = 0; i < rank; i++) {
        at += index % dims[i] * steps[i];
        index /= dims[i];
    }
    return at;
}

enum { COLUMNS = 512 }; // accumulators that stay in the first cache while rows are folded into them

typedef struct Job {
    const ReducePlan *plan;
    ReduceLoops loops;
    const unsigned char *x, *shifts;
    unsigned char *accumulators;
    size_t element_bytes, folds; // pieces folded into each accumulator
    size_t pieces;               // of COLUMNS accumulators in a row of them
} Job;

static void fold_piece(const Job *job, ReduceLoop *loop, size_t output, size_t from, size_t count) {
    const ReducePlan *plan = job->plan;
    const void *shifts = job->shifts ? job->shifts + output * sizeof(double) : NULL;
    for (size_t r = 0; r < job->folds; r++) {
        size_t at = from + offset(plan->reduced_rank, plan->reduced_dims, plan->reduced_steps, r);
        loop(job->x + at * job->element_bytes, count, shifts, job->accumulators + output * sizeof(double));
    }
}

static void work_runs(void *context, size_t first, size_t last) {
    const Job *job = context;
    const ReducePlan *plan = job->plan;
    for (size_t o = first; o < last; o++)
        fold_piece(job, job->loops.run, o, offset(plan->kept_rank, plan->kept_dims, plan->kept_steps, o), plan->inner);
}

static void work_rows(void *context, size_t first, size_t last) {
    const Job *job = context;
    const ReducePlan *plan = job->plan;
    for (size_t i = first; i < last; i++) {
        size_t row = i / job->pieces, column = i % job->pieces * COLUMNS;
        size_t from = offset(plan->kept_rank, plan->kept_dims, plan->kept_steps, row) + column;
        size_t count = plan->inner - column < COLUMNS ? plan->inner - column : COLUMNS;
        fold_piece(job, job->loops.rows, row * plan->inner + column, from, count);
    }
}

void reduce_fold(const Evaluation *run, const ReducePlan *plan, ReduceLoops loops, const void *x, size_t element_bytes,
                 const void *shifts, void *accumulators) {
    size_t elements = plan->outputs * plan->reduced;
    if (!elements)
        return;
    Job job = {.plan = plan,
               .loops = loops,
               .x = x,
               .shifts = shifts,
               .accumulators = accumulators,
               .element_bytes = element_bytes,
               .folds = plan->reduced / (plan->inner_reduced ? plan->inner : 1),
               .pieces = (plan->inner + COLUMNS - 1) / COLUMNS};
    if (plan->inner_reduced)
        evaluate_parallel(run, plan->outputs, elements, work_runs, &job);
    else
        evaluate_parallel(run, plan->outputs / plan->inner * job.pieces, elements, work_rows, &job);
}

Status reduce_reals(Evaluation *run, size_t index, const ReduceReals *reals, const void **ret_x,
                    size_t *ret_element_bytes, ReduceLoops *ret_loops, Error *err) {
    if (run->inputs[index].dtype == DTYPE_F64) {
        *ret_x = run->inputs[index].data;
        *ret_element_bytes = sizeof(double);
        *ret_loops = reals->f64;
        return OK;
    }
    const float *x;
    TRY(evaluate_as_f32(run, index, &x, err));
    *ret_x = x;
    *ret_element_bytes = sizeof(float);
    *ret_loops = reals->f32;
    return OK;
}

Shape reduce_shape(const Shape *shape, const bool reduced[SHAPE_MOST_DIMS], bool keep) {
    Shape to = {.rank = 0};
    for (int i = 0; i < shape->rank; i++)
        if (!reduced[i] || keep)
            to.dims[to.rank++] = reduced[i] ? 1 : shape->dims[i];
    return to;
}

Status reals_store(Evaluation *run, DType dtype, const double *values, size_t count, void *ret_elements, Error *err) {
    if (dtype == DTYPE_F64) {
        memcpy(ret_elements, values, count * sizeof *values);
        return OK;
    }
    float *single = ret_elements;
    if (dtype != DTYPE_F32)
        TRY_NEW(single = arena_alloc(run->scratch, count * sizeof *single, 64, err));
    for (size_t i = 0; i < count; i++)
        single[i] = (float)values[i];
    if (dtype != DTYPE_F32)
        real_store(dtype, single, count, ret_elements);
    return OK;
}

// The axes in input 1, or all, or none under noop_with_empty_axes.
static Status axes_read(const Evaluation *run, int rank, bool ret_reduced[SHAPE_MOST_DIMS], Error *err) {
    int64_t axes[SHAPE_MOST_DIMS];
    size_t count = 0;
    int axis;
    memset(ret_reduced, 0, SHAPE_MOST_DIMS * sizeof *ret_reduced);
    if (evaluate_has(run, 1))
        TRY(evaluate_ints(run, 1, SHAPE_MOST_DIMS, axes, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(evaluate_axis_value(run, axes[i], rank, false, &axis, err));
        ret_reduced[axis] = true;
    }
    for (int i = 0; !count && i < rank; i++)
        ret_reduced[i] = node_int(run->node, "noop_with_empty_axes", 0) == 0;
    return OK;
}

static Status fold_reals(Evaluation *run, const Reduction *reduction, const ReducePlan *plan, double *values,
                         Error *err) {
    const void *x;
    size_t bytes;
    ReduceLoops loops;
    double *shifts = NULL;
    if (DTYPE_BIT(run->inputs[0].dtype) & DTYPES_REAL) {
        TRY(reduce_reals(run, 0, reduction->reals, &x, &bytes, &loops, err));
    } else {
        TRY(evaluate_as_f64(run, 0, (const double **)&x, err));
        bytes = sizeof(double);
        loops = reduction->reals->f64;
    }
    if (reduction->shifted) {
        TRY_NEW(shifts = arena_alloc(run->scratch, plan->outputs * sizeof *shifts, 64, err));
        for (size_t i = 0; i < plan->outputs; i++)
            shifts[i] = -INFINITY;
        reduce_fold(run, plan, bytes == sizeof(double) ? reduce_maxima.f64 : reduce_maxima.f32, x, bytes, NULL, shifts);
        for (size_t i = 0; i < plan->outputs; i++)
            shifts[i] = isfinite(shifts[i]) ? shifts[i] : 0;
    }
    double start = reduction->start == REDUCE_LOWEST    ? -INFINITY
                   : reduction->start == REDUCE_HIGHEST ? INFINITY
                                                        : (double)reduction->start;
    for (size_t i = 0; i < plan->outputs; i++)
        values[i] = start;
    reduce_fold(run, plan, loops, x, bytes, shifts, values);
    for (size_t i = 0; reduction->finish && i < plan->outputs; i++)
        values[i] = reduction->finish(values[i], (double)plan->reduced, shifts ? shifts[i] : 0);
    return OK;
}

static Status fold_integers(Evaluation *run, const Reduction *reduction, const ReducePlan *plan, uint64_t *values,
                            Error *err) {
    const uint64_t *x;
    DType dtype = run->inputs[0].dtype;
    TRY(integers_widen(run, 0, &x, err));
    uint64_t start = reduction->start == REDUCE_LOWEST    ? integer_lowest(dtype)
                     : reduction->start == REDUCE_HIGHEST ? integer_highest(dtype)
                                                          : (uint64_t)reduction->start;
    for (size_t i = 0; i < plan->outputs; i++)
        values[i] = start;
    reduce_fold(run, plan, DTYPE_BIT(dtype) & DTYPES_SIGNED ? reduction->i64 : reduction->u64, x, sizeof *x, NULL,
                values);
    return OK;
}

Status reduce_evaluate(Evaluation *run, const Reduction *reduction, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_NUMBER | (reduction->bools ? DTYPES_BOOL : 0), err));
    const Tensor *x = &run->inputs[0];
    bool reduced[SHAPE_MOST_DIMS];
    TRY(axes_read(run, x->shape.rank, reduced, err));
    ReducePlan plan = reduce_plan(&x->shape, reduced);
    Shape to = reduce_shape(&x->shape, reduced, node_int(run->node, "keepdims", 1) != 0);
    void *y;
    TRY(evaluate_output(run, 0, x->dtype, &to, &y, err));
    uint64_t *integers = arena_alloc(run->scratch, plan.outputs * sizeof *integers, 64, err);
    TRY_NEW(integers);
    if (!(DTYPE_BIT(x->dtype) & DTYPES_REAL) && reduction->i64.run) {
        TRY(fold_integers(run, reduction, &plan, integers, err));
        integers_narrow(x->dtype, integers, plan.outputs, y);
        return OK;
    }
    double *values = arena_alloc(run->scratch, plan.outputs * sizeof *values, 64, err);
    TRY_NEW(values);
    TRY(fold_reals(run, reduction, &plan, values, err));
    if (DTYPE_BIT(x->dtype) & DTYPES_REAL)
        return reals_store(run, x->dtype, values, plan.outputs, y, err);
    integers_truncate(x->dtype, values, plan.outputs, integers);
    integers_narrow(x->dtype, integers, plan.outputs, y);
    return OK;
}

Status reduce_infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), to = {.dtype = x.dtype, .rank = 0};
    bool keep = node_int(node, "keepdims", 1) != 0, has_axes = node->input_count > 1 && !value_absent(node->inputs[1]);
    int64_t axes[SHAPE_MOST_DIMS];
    size_t count = 0;
    bool known = !has_axes || infer_ints(node, 1, SHAPE_MOST_DIMS, axes, &count), reduced[SHAPE_MOST_DIMS] = {false};
    ret_types[0] = type_unknown();
    if (x.rank < 0)
        return OK;
    if (!known) {
        if (keep)
            ret_types[0] = infer_rank(x.dtype, x.rank);
        return OK;
    }
    int axis;
    for (size_t i = 0; i < count; i++) {
        if (!infer_axis(axes[i], x.rank, &axis))
            return OK;
        reduced[axis] = true;
    }
    for (int i = 0; !count && i < x.rank; i++)
        reduced[i] = node_int(node, "noop_with_empty_axes", 0) == 0;
    for (int i = 0; i < x.rank; i++)
        if (!reduced[i] || keep)
            to.dims[to.rank++] = reduced[i] ? dim_of(1) : x.dims[i];
    ret_types[0] = to;
    return OK;
}

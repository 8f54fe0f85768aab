// SPDX-License-Identifier: Apache-2.0
// MeanVarianceNormalization: (x - mean) / (deviation + 1e-9) along axes. {axes=[0,2,3]}
#include <math.h>

#include "op/tensor/axis.h"
#include "op/tensor/reduce.h"

typedef struct Job {
    Shape shape;
    int64_t strides[SHAPE_MOST_DIMS]; // to the mean of an element
    const double *x, *means, *deviations;
    double *y;
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    for (size_t i = first; i < last; i++) {
        size_t at = broadcast_index(&job->shape, job->strides, i);
        job->y[i] = (job->x[i] - job->means[at]) / (job->deviations[at] + 1e-9);
    }
}

static Status axes_read(const Evaluation *run, bool ret_reduced[SHAPE_MOST_DIMS], Error *err) {
    static const int64_t missing[] = {0, 2, 3};
    size_t count;
    const int64_t *axes = node_ints(run->node, "axes", &count);
    if (!node_attribute(run->node, "axes")) {
        axes = missing;
        count = 3;
    }
    for (size_t i = 0; i < count; i++) {
        int axis;
        TRY(evaluate_axis_value(run, axes[i], run->inputs[0].shape.rank, false, &axis, err));
        ret_reduced[axis] = true;
    }
    return OK;
}

// Their means, or, around given means, their deviations.
static Status fold(Evaluation *run, const ReducePlan *plan, const double *x, const double *means, double **ret,
                   Error *err) {
    double *folded = arena_array(run->scratch, plan->outputs, sizeof *folded, err);
    TRY_NEW(folded);
    reduce_fold(run, plan, means ? reduce_squares.f64 : reduce_sums.f64, x, sizeof *x, means, folded);
    for (size_t i = 0; i < plan->outputs; i++) {
        folded[i] /= (double)plan->reduced;
        folded[i] = means ? sqrt(folded[i]) : folded[i];
    }
    *ret = folded;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_REAL, err));
    const Tensor *x = &run->inputs[0];
    bool reduced[SHAPE_MOST_DIMS] = {false};
    TRY(axes_read(run, reduced, err));
    ReducePlan plan = reduce_plan(&x->shape, reduced);
    Shape kept = reduce_shape(&x->shape, reduced, true);
    Job job = {.shape = x->shape};
    size_t count = shape_count(&x->shape);
    double *means = NULL, *deviations = NULL;
    void *y;
    TRY(evaluate_as_f64(run, 0, &job.x, err));
    TRY(fold(run, &plan, job.x, NULL, &means, err));
    TRY(fold(run, &plan, job.x, means, &deviations, err));
    job.means = means;
    job.deviations = deviations;
    shape_broadcast_strides(&kept, &x->shape, job.strides);
    TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err));
    TRY_NEW(job.y = arena_alloc(run->scratch, count * sizeof *job.y, 64, err));
    evaluate_parallel(run, count, count, work, &job);
    return reals_store(run, x->dtype, job.y, count, y, err);
}

const OpDef op_tensor_mean_variance_normalization = {.infer = infer_first, .evaluate = evaluate};

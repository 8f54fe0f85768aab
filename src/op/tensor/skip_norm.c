// SPDX-License-Identifier: Apache-2.0
#include "op/tensor/skip_norm.h"

#include <math.h>

enum { X, SKIP, GAIN };
enum { Y, MEAN, INVERSE, SUM, MOST_OUTPUTS };

typedef struct Job {
    const Kernels *kernels;
    size_t columns, skip_rows;
    const float *x, *skip, *gain, *beta, *bias;
    float epsilon;
    bool simplified;
    float *y, *mean, *inverse, *sum; // the last three may be NULL; sum is there where anything but y needs it
} Job;

static double mean_square(const float *x, size_t n, double mean) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)x[i] - mean) * ((double)x[i] - mean);
    return sum / (double)n;
}

static void row_measure(const Job *job, size_t row, const float *sum) {
    double mean = 0;
    for (size_t i = 0; i < job->columns && !job->simplified; i++)
        mean += (double)sum[i] / (double)job->columns;
    job->mean[row] = (float)mean;
    if (job->inverse)
        job->inverse[row] = (float)(1 / sqrt(mean_square(sum, job->columns, mean) + (double)job->epsilon));
}

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t n = job->columns;
    for (size_t r = first; r < last; r++) {
        const float *x = job->x + r * n, *skip = job->skip + r % job->skip_rows * n;
        float *y = job->y + r * n, *sum = job->sum ? job->sum + r * n : NULL;
        if (job->bias || job->simplified) {
            job->kernels->add(x, skip, n, sum);
            if (job->bias)
                job->kernels->add(sum, job->bias, n, sum);
            x = sum;
            skip = NULL;
        }
        if (job->simplified) {
            float factor = (float)(1 / sqrt(mean_square(sum, n, 0) + (double)job->epsilon));
            for (size_t i = 0; i < n; i++)
                y[i] = sum[i] * factor * job->gain[i];
        } else {
            job->kernels->layer_norm(x, skip, job->gain, job->beta, job->epsilon, n, skip ? sum : NULL, y);
        }
        if (job->mean)
            row_measure(job, r, sum);
    }
}

// Rows of skip: x's shape, or the end of it, ones in front.
static Status skip_rows(const Evaluation *run, size_t *ret, Error *err) {
    const Shape *x = &run->inputs[X].shape, *skip = &run->inputs[SKIP].shape;
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    bool fits = skip->rank >= 1 && skip->rank <= x->rank, repeats = false;
    for (int i = 1; fits && i <= skip->rank; i++) {
        int64_t of_x = x->dims[x->rank - i], of_skip = skip->dims[skip->rank - i];
        fits = repeats ? of_skip == 1 : of_skip == of_x || (of_skip == 1 && i > 1);
        repeats = repeats || of_skip != of_x;
    }
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: x is %s and skip %s, expected the same or its last dimensions",
                    evaluate_name(run), shape_text(x, a), shape_text(skip, b));
    *ret = shape_count_range(skip, 0, skip->rank - 1);
    return OK;
}

static Status outputs_make(Evaluation *run, Job *job, WideOutput outputs[MOST_OUTPUTS], Error *err) {
    size_t count = run->node->output_count;
    Shape shape = run->inputs[X].shape, row = shape;
    row.dims[row.rank - 1] = 1;
    DType dtype = run->inputs[X].dtype;
    TRY(wide_output(run, Y, dtype, &shape, &outputs[Y], err));
    if (count > MEAN)
        TRY(wide_output(run, MEAN, DTYPE_F32, &row, &outputs[MEAN], err));
    if (count > INVERSE)
        TRY(wide_output(run, INVERSE, DTYPE_F32, &row, &outputs[INVERSE], err));
    if (count > MEAN || job->bias || job->simplified)
        TRY(wide_output(run, SUM, dtype, &shape, &outputs[SUM], err));
    job->y = outputs[Y].values;
    job->mean = outputs[MEAN].values;
    job->inverse = outputs[INVERSE].values;
    job->sum = outputs[SUM].values;
    return OK;
}

Status skip_norm(Evaluation *run, size_t beta, size_t bias, bool simplified, Error *err) {
    Job job = {
        .kernels = run->kernels, .epsilon = (float)node_real(run->node, "epsilon", 1e-12), .simplified = simplified};
    WideOutput outputs[MOST_OUTPUTS] = {{0}};
    TRY(evaluate_type(run, X, DTYPES_WIDE, err));
    TRY(evaluate_same_type(run, X, SKIP, err));
    TRY(evaluate_same_type(run, X, GAIN, err));
    const Shape *shape = &run->inputs[X].shape;
    if (shape->rank < 1 || run->node->output_count > MOST_OUTPUTS)
        return FAIL(err, ERR_FORMAT, "%s: x of no dimension, or more than %d outputs", evaluate_name(run),
                    MOST_OUTPUTS);
    job.columns = (size_t)shape->dims[shape->rank - 1];
    size_t rows = shape_count_range(shape, 0, shape->rank - 1);
    TRY(skip_rows(run, &job.skip_rows, err));
    TRY(wide_input(run, X, &job.x, err));
    TRY(wide_input(run, SKIP, &job.skip, err));
    TRY(wide_vector(run, GAIN, job.columns, &job.gain, err));
    TRY(wide_vector(run, beta, job.columns, &job.beta, err));
    TRY(wide_vector(run, bias, job.columns, &job.bias, err));
    TRY(outputs_make(run, &job, outputs, err));
    if (job.columns)
        evaluate_parallel(run, rows, rows * job.columns, work, &job);
    for (size_t i = 0; i < MOST_OUTPUTS; i++)
        wide_done(&outputs[i]);
    return OK;
}

Status skip_norm_infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, X), row = infer_as(x, DTYPE_F32);
    if (row.rank > 0)
        row.dims[row.rank - 1] = dim_of(1);
    for (size_t i = 0; i < node->output_count; i++)
        ret_types[i] = i == MEAN || i == INVERSE ? row : x;
    return OK;
}

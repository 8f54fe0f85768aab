// SPDX-License-Identifier: Apache-2.0
// Rows along any axis: gathered where their elements do not lie side by side.
#include "op/tensor/axis.h"

AxisView axis_view(const Shape *shape, int axis) {
    return (AxisView){shape_count_range(shape, 0, axis), (size_t)shape->dims[axis],
                      shape_count_range(shape, axis + 1, shape->rank)};
}

size_t axis_row(const AxisView *view, size_t row) {
    return row / view->inners * view->count * view->inners + row % view->inners;
}

typedef struct Job {
    const Evaluation *run;
    const AxisMap *map;
    AxisView view;
    const float *x; // NULL: f64
    float *y;
    const double *wide_x;
    double *wide_y;
    void *rows; // [rows][count] where elements of a row do not lie side by side, else NULL
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t n = job->view.count, step = job->view.inners;
    for (size_t row = first; row < last; row++) {
        size_t at = axis_row(&job->view, row);
        if (!job->rows && job->x) {
            job->map->single(job->run->kernels, job->x + at, n, job->y + at);
        } else if (!job->rows) {
            job->map->wide(job->wide_x + at, n, job->wide_y + at);
        } else if (job->x) {
            float *values = (float *)job->rows + row * n;
            for (size_t i = 0; i < n; i++)
                values[i] = job->x[at + i * step];
            job->map->single(job->run->kernels, values, n, values);
            for (size_t i = 0; i < n; i++)
                job->y[at + i * step] = values[i];
        } else {
            double *values = (double *)job->rows + row * n;
            for (size_t i = 0; i < n; i++)
                values[i] = job->wide_x[at + i * step];
            job->map->wide(values, n, values);
            for (size_t i = 0; i < n; i++)
                job->wide_y[at + i * step] = values[i];
        }
    }
}

// A scalar has one row of one element.
static Status view_read(const Evaluation *run, int64_t missing, AxisView *ret, int *ret_axis, Error *err) {
    Shape shape = run->inputs[0].shape;
    if (shape.rank == 0)
        shape = (Shape){1, {1}};
    TRY(evaluate_axis(run, "axis", missing, shape.rank, false, ret_axis, err));
    *ret = axis_view(&shape, *ret_axis);
    return OK;
}

Status axis_map(Evaluation *run, const AxisMap *map, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_REAL, err));
    const Tensor *x = &run->inputs[0];
    Job job = {.run = run, .map = map};
    int axis;
    TRY(view_read(run, -1, &job.view, &axis, err));
    size_t count = shape_count(&x->shape);
    void *y;
    TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err));
    if (!count)
        return OK;
    if (x->dtype == DTYPE_F64) {
        job.wide_x = x->data;
        job.wide_y = y;
    } else {
        TRY(evaluate_as_f32(run, 0, &job.x, err));
        job.y = y;
        if (x->dtype != DTYPE_F32)
            TRY_NEW(job.y = arena_alloc(run->scratch, count * sizeof *job.y, 64, err));
    }
    if (job.view.inners > 1)
        TRY_NEW(job.rows = arena_alloc(run->scratch, count * (job.x ? sizeof(float) : sizeof(double)), 64, err));
    evaluate_parallel(run, count / job.view.count, count, work, &job);
    if (x->dtype == DTYPE_F16 || x->dtype == DTYPE_BF16)
        real_store(x->dtype, job.y, count, y);
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Grids of scales.
#include "op/tensor/quantization.h"

static Status zeros_find(Evaluation *run, size_t count, const float **ret, Error *err) {
    if (evaluate_has(run, 2)) {
        char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
        if (shape_count(&run->inputs[2].shape) != count)
            return FAIL(err, ERR_FORMAT, "%s: zero points of %s for scales of %s", evaluate_name(run),
                        shape_text(&run->inputs[2].shape, a), shape_text(&run->inputs[1].shape, b));
        return evaluate_as_f32(run, 2, ret, err);
    }
    float *zeros = arena_array(run->scratch, count, sizeof *zeros, err); // zeroed
    TRY_NEW(zeros);
    *ret = zeros;
    return OK;
}

Status grid_find(Evaluation *run, Grid *ret_grid, Error *err) {
    if (!evaluate_has(run, 0) || !evaluate_has(run, 1))
        return FAIL(err, ERR_FORMAT, "%s: input %d is missing", evaluate_name(run), evaluate_has(run, 0));
    const Shape *x = &run->inputs[0].shape, *scale = &run->inputs[1].shape;
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    int64_t block = node_int(run->node, "block_size", 0);
    size_t count = shape_count(scale);
    Grid grid = {.outer = 1, .axis = 1, .inner = shape_count(x), .block = 1};
    bool fits = true;
    if (block != 0 || count != 1) {
        int axis;
        TRY(evaluate_axis(run, "axis", 1, x->rank, false, &axis, err));
        grid = (Grid){shape_count_range(x, 0, axis), (size_t)x->dims[axis], shape_count_range(x, axis + 1, x->rank)};
        grid.block = 1;
        grid.block_step = 1;
        fits = block >= 0;
        if (block > 0) {
            int64_t blocks = x->dims[axis] / block + (x->dims[axis] % block != 0);
            fits = scale->rank == x->rank;
            for (int i = 0; fits && i < x->rank; i++)
                fits = scale->dims[i] == (i == axis ? blocks : x->dims[i]);
            grid.block = (size_t)block;
            grid.outer_step = (size_t)blocks * grid.inner;
            grid.block_step = grid.inner;
            grid.inner_step = 1;
        } else {
            fits = fits && scale->rank == 1 && scale->dims[0] == x->dims[axis];
        }
    }
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: scales of %s do not fit %s (block_size %lld)", evaluate_name(run),
                    shape_text(scale, a), shape_text(x, b), (long long)block);
    TRY(evaluate_as_f32(run, 1, &grid.scales, err));
    TRY(zeros_find(run, count, &grid.zeros, err));
    *ret_grid = grid;
    return OK;
}

typedef struct Job {
    const Grid *grid;
    void (*work)(void *context, GridRow row);
    void *context;
    size_t pieces; // of a row
} Job;

static void rows_work(void *context, size_t first, size_t last) {
    const Job *job = context;
    const Grid *g = job->grid;
    for (size_t item = first; item < last; item++) {
        size_t line = item / job->pieces, start = item % job->pieces * GRID_MOST_ROW, o = line / g->axis,
               a = line % g->axis;
        size_t scale = o * g->outer_step + a / g->block * g->block_step + start * g->inner_step;
        size_t count = g->inner - start < GRID_MOST_ROW ? g->inner - start : GRID_MOST_ROW;
        job->work(job->context,
                  (GridRow){line * g->inner + start, count, g->scales + scale, g->zeros + scale, g->inner_step});
    }
}

void grid_run(const Evaluation *run, const Grid *grid, void (*work)(void *context, GridRow row), void *context) {
    Job job = {grid, work, context, (grid->inner + GRID_MOST_ROW - 1) / GRID_MOST_ROW};
    size_t rows = grid->outer * grid->axis;
    if (rows && grid->inner)
        evaluate_parallel(run, rows * job.pieces, rows * grid->inner, rows_work, &job);
}

// SPDX-License-Identifier: Apache-2.0
// (x1, x2) becomes (x1 cos - x2 sin, x1 sin + x2 cos).
#include "op/tensor/rotary.h"

#include <string.h>

#include "op/tensor/wide.h"

static void head_turn(const Rotary *args, const float *x, const float *cos, const float *sin, float *y) {
    size_t half = args->dim / 2;
    if (args->interleaved) {
        for (size_t d = 0; d < half; d++) {
            float a = x[2 * d], b = x[2 * d + 1];
            y[2 * d] = a * cos[d] - b * sin[d];
            y[2 * d + 1] = a * sin[d] + b * cos[d];
        }
    } else {
        for (size_t d = 0; d < half; d++) {
            float a = x[d], b = x[half + d];
            y[d] = a * cos[d] - b * sin[d];
            y[half + d] = a * sin[d] + b * cos[d];
        }
    }
    memcpy(y + args->dim, x + args->dim, (args->x.width - args->dim) * sizeof *y);
}

static void work(void *context, size_t first, size_t last) {
    const Rotary *args = context;
    const AttendView *x = &args->x;
    for (size_t i = first; i < last; i++) {
        size_t start = i / x->tokens * x->batch + i % x->tokens * x->row, half = args->dim / 2;
        const float *cos = args->cos + (size_t)args->at[i] * half, *sin = args->sin + (size_t)args->at[i] * half;
        for (size_t h = 0; h < x->heads; h++)
            head_turn(args, x->data + start + h * x->head, cos, sin, args->y + start + h * x->head);
    }
}

Status rotary_caches(Evaluation *run, size_t cos, size_t sin, int rank, Rotary *args, Error *err) {
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    TRY(evaluate_same_type(run, cos, sin, err));
    const Shape *shape = &run->inputs[cos].shape;
    if (shape->rank != rank || !shape_equal(shape, &run->inputs[sin].shape))
        return FAIL(err, ERR_FORMAT, "%s: caches of cosines %s and sines %s, expected %d dimensions and one shape",
                    evaluate_name(run), shape_text(shape, a), shape_text(&run->inputs[sin].shape, b), rank);
    TRY(wide_input(run, cos, &args->cos, err));
    TRY(wide_input(run, sin, &args->sin, err));
    args->positions = shape_count_range(shape, 0, rank - 1);
    return OK;
}

Status rotary_run(Evaluation *run, const Rotary *args, Error *err) {
    size_t tokens = args->x.batches * args->x.tokens;
    if (!args->x.width || args->dim % 2 || args->dim > args->x.width)
        return FAIL(err, ERR_FORMAT, "%s: %zu elements of heads of %zu turn, expected an even number of them",
                    evaluate_name(run), args->dim, args->x.width);
    for (size_t i = 0; i < tokens; i++)
        if (args->at[i] < 0 || (uint64_t)args->at[i] >= args->positions)
            return FAIL(err, ERR_FORMAT, "%s: position %lld, the caches have %zu", evaluate_name(run),
                        (long long)args->at[i], args->positions);
    Rotary job = *args;
    evaluate_parallel(run, tokens, tokens * args->x.heads * args->x.width, work, &job);
    return OK;
}

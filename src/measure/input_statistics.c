// SPDX-License-Identifier: Apache-2.0
// Adding up: extremes first, so that the histogram is wide enough, then every element into its bin and its column.
#include "measure/input_statistics.h"

#include <float.h>
#include <math.h>

#define AVERAGING 0.01f

Status input_statistics_init(Arena *arena, size_t columns, bool gram, InputStatistics *ret_statistics, Error *err) {
    InputStatistics s = {.columns = columns};
    TRY_NEW(s.histogram = arena_array(arena, STATISTICS_BINS, sizeof *s.histogram, err));
    TRY_NEW(s.column_absmax = arena_array(arena, columns, sizeof *s.column_absmax, err));
    TRY_NEW(s.column_sums = arena_array(arena, columns, sizeof *s.column_sums, err));
    TRY_NEW(s.column_squares = arena_array(arena, columns, sizeof *s.column_squares, err));
    if (gram)
        TRY(gram_make(arena, columns, &s.gram, err));
    *ret_statistics = s;
    return OK;
}

static float element(const float *row, const float *factors, size_t column) {
    return factors ? row[column] * factors[column] : row[column];
}

static const float *slab_floats(const Slab *x, size_t row) {
    return (const float *)x->data + row * x->row_stride;
}

static void extremes_add(InputStatistics *s, const Slab *x, const float *factors) {
    for (size_t r = 0; r < x->rows; r++) {
        const float *row = slab_floats(x, r);
        for (size_t c = 0; c < s->columns; c++) {
            float value = element(row, factors, c);
            if (!(fabsf(value) <= FLT_MAX)) {
                s->not_finite++;
                continue;
            }
            s->batch_least = value < s->batch_least ? value : s->batch_least;
            s->batch_most = value > s->batch_most ? value : s->batch_most;
        }
    }
    s->least = s->batch_least < s->least ? s->batch_least : s->least;
    s->most = s->batch_most > s->most ? s->batch_most : s->most;
}

float input_statistics_absmax(const InputStatistics *s) {
    return s->most > -s->least ? s->most : -s->least;
}

// Twice the range: two bins become one.
static void range_double(InputStatistics *s) {
    for (size_t i = 0; i < STATISTICS_BINS / 2; i++)
        s->histogram[i] = s->histogram[2 * i] + s->histogram[2 * i + 1];
    for (size_t i = STATISTICS_BINS / 2; i < STATISTICS_BINS; i++)
        s->histogram[i] = 0;
    s->range *= 2;
}

// The least power of two that is not below the largest magnitude. Magnitudes that no power of two of f32 bounds, or
// whose bins f32 could not tell apart, end at 2^127 and begin at 2^-100.
static void range_widen(InputStatistics *s) {
    float absmax = input_statistics_absmax(s);
    if (!(absmax > 0))
        return;
    if (!(s->range > 0)) {
        int exponent;
        float fraction = frexpf(absmax, &exponent);
        exponent -= fraction == 0.5f;
        s->range = ldexpf(1, exponent < -100 ? -100 : exponent > 127 ? 127 : exponent);
    }
    while (s->range < absmax && s->range < 0x1p127f)
        range_double(s);
}

static void elements_add(InputStatistics *s, const Slab *x, const float *factors) {
    float bins_per_unit = s->range > 0 ? STATISTICS_BINS / s->range : 0;
    for (size_t r = 0; r < x->rows; r++) {
        const float *row = slab_floats(x, r);
        for (size_t c = 0; c < s->columns; c++) {
            float value = element(row, factors, c), magnitude = fabsf(value);
            if (!(magnitude <= FLT_MAX))
                continue;
            size_t bin = (size_t)(magnitude * bins_per_unit);
            s->histogram[bin < STATISTICS_BINS ? bin : STATISTICS_BINS - 1]++;
            s->column_absmax[c] = magnitude > s->column_absmax[c] ? magnitude : s->column_absmax[c];
            s->column_sums[c] += (double)value;
            s->column_squares[c] += (double)value * (double)value;
        }
    }
}

// Zeros seen while there was no range are in bin 0, where any range has them.
void input_statistics_add(InputStatistics *s, const Slab *x, const float *factors, const Kernels *kernels, Pool *pool) {
    extremes_add(s, x, factors);
    range_widen(s);
    elements_add(s, x, factors);
    s->rows += x->rows;
    s->batch_rows += x->rows;
    if (s->gram)
        gram_add(s->gram, x, factors, kernels, pool);
}

void input_statistics_end_batch(InputStatistics *s) {
    if (!s->batch_rows)
        return;
    bool first = s->rows == s->batch_rows;
    s->average_least = first ? s->batch_least : s->average_least + AVERAGING * (s->batch_least - s->average_least);
    s->average_most = first ? s->batch_most : s->average_most + AVERAGING * (s->batch_most - s->average_most);
    s->batch_least = s->batch_most = 0;
    s->batch_rows = 0;
}

// SPDX-License-Identifier: Apache-2.0
// Rounding weights to int8.
#include "tensor/quantize.h"

#include <math.h>

#include "tensor/span.h"

static void row_round(const Span *row, float scale, int8_t *ret_values) {
    float values[SPAN_PIECE];
    for (size_t first = 0, count; first < row->count; first += count) {
        count = span_piece(row, first, values);
        for (size_t i = 0; i < count; i++) {
            float q = scale > 0 ? nearbyintf(values[i] / scale) : 0; // half to even
            ret_values[first + i] = (int8_t)fmaxf(-127, fminf(127, q));
        }
    }
}

Status quantize_int8_rows(const char *name, DType dtype, const void *data, size_t rows, size_t columns,
                          int8_t *ret_values, float *ret_scales, Error *err) {
    TRY(span_dtype_check(name, dtype, err));
    Span all = {dtype, data, rows * columns};
    for (size_t r = 0; r < rows; r++) {
        Span row = span_part(&all, r * columns, columns);
        float absmax;
        TRY(span_absmax(name, &row, r * columns, columns, &absmax, err));
        ret_scales[r] = absmax / 127;
        row_round(&row, ret_scales[r], ret_values + r * columns);
    }
    return OK;
}

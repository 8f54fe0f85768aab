// SPDX-License-Identifier: Apache-2.0
// Rounding weights to int8, a piece of a row at a time, so that no second copy of a weight is needed.
#include "tensor/quantize.h"

#include <math.h>

enum { PIECE = 256 }; // elements widened at once

typedef struct Row {
    DType dtype;
    const unsigned char *data;
    size_t columns;
} Row;

// Elements [first, ..) of a row as f32; returns how many.
static size_t piece_of(const Row *row, size_t first, float values[PIECE]) {
    size_t count = row->columns - first < PIECE ? row->columns - first : PIECE, size = dtype_bytes(row->dtype);
    Tensor tensor = {.dtype = row->dtype, .data = row->data + first * size, .bytes = count * size};
    tensor_to_f32(&tensor, values);
    return count;
}

// The largest magnitude, and the column of the first value that is not finite (columns: none).
static float row_absmax(const Row *row, size_t *ret_bad) {
    float values[PIECE], absmax = 0;
    for (size_t first = 0, count; first < row->columns; first += count) {
        count = piece_of(row, first, values);
        for (size_t i = 0; i < count; i++) {
            if (!isfinite(values[i])) {
                *ret_bad = first + i;
                return 0;
            }
            absmax = fmaxf(absmax, fabsf(values[i]));
        }
    }
    *ret_bad = row->columns;
    return absmax;
}

static void row_round(const Row *row, float scale, int8_t *ret_values) {
    float values[PIECE];
    for (size_t first = 0, count; first < row->columns; first += count) {
        count = piece_of(row, first, values);
        for (size_t i = 0; i < count; i++) {
            float q = scale > 0 ? nearbyintf(values[i] / scale) : 0; // half to even
            ret_values[first + i] = (int8_t)fmaxf(-127, fminf(127, q));
        }
    }
}

Status quantize_int8_rows(const char *name, DType dtype, const void *data, size_t rows, size_t columns,
                          int8_t *ret_values, float *ret_scales, Error *err) {
    if (dtype != DTYPE_F32 && dtype != DTYPE_F16 && dtype != DTYPE_BF16)
        return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' holds %s, expected f32, f16 or bf16 to quantize", name,
                    dtype_name(dtype));
    Row row = {dtype, data, columns};
    for (size_t r = 0; r < rows; r++, row.data += columns * dtype_bytes(dtype)) {
        size_t bad;
        float absmax = row_absmax(&row, &bad), value[PIECE];
        if (bad < columns) {
            piece_of(&row, bad, value);
            return FAIL(err, ERR_FORMAT, "tensor '%s' cannot be quantized: row %zu, column %zu is %g", name, r, bad,
                        (double)value[0]);
        }
        ret_scales[r] = absmax / 127;
        row_round(&row, ret_scales[r], ret_values + r * columns);
    }
    return OK;
}

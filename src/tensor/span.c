// SPDX-License-Identifier: Apache-2.0
// Widening runs of weights piece by piece, and their largest magnitude.
#include "tensor/span.h"

#include <math.h>

Status span_dtype_check(const char *name, DType dtype, Error *err) {
    if (dtype != DTYPE_F32 && dtype != DTYPE_F16 && dtype != DTYPE_BF16)
        return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' holds %s, expected f32, f16 or bf16 to quantize", name,
                    dtype_name(dtype));
    return OK;
}

Span span_part(const Span *span, size_t first, size_t count) {
    return (Span){span->dtype, span->data + first * dtype_bytes(span->dtype), count};
}

size_t span_piece(const Span *span, size_t first, float ret_values[SPAN_PIECE]) {
    size_t count = span->count - first < SPAN_PIECE ? span->count - first : SPAN_PIECE;
    size_t size = dtype_bytes(span->dtype);
    Tensor tensor = {.dtype = span->dtype, .data = span->data + first * size, .bytes = count * size};
    tensor_to_f32(&tensor, ret_values);
    return count;
}

Status span_absmax(const char *name, const Span *span, size_t base, size_t columns, float *ret_absmax, Error *err) {
    float values[SPAN_PIECE], absmax = 0;
    for (size_t first = 0, count; first < span->count; first += count) {
        count = span_piece(span, first, values);
        for (size_t i = 0; i < count; i++) {
            size_t place = base + first + i;
            if (!isfinite(values[i]))
                return FAIL(err, ERR_FORMAT, "tensor '%s' cannot be quantized: row %zu, column %zu is %g", name,
                            place / columns, place % columns, (double)values[i]);
            absmax = fmaxf(absmax, fabsf(values[i]));
        }
    }
    *ret_absmax = absmax;
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Pieces of a tensor, widened and checked.
#include "compress/source_values.h"

#include <math.h>

enum { PIECE = 1 << 12 }; // elements widened at once

Status source_values_each(const ModelInfo *info, const Tensor *tensor, SourceTake *take, void *context, Error *err) {
    float values[PIECE];
    size_t size = dtype_bytes(tensor->dtype), elements = tensor->bytes / size;
    for (size_t first = 0; first < elements; first += PIECE) {
        size_t count = elements - first < PIECE ? elements - first : PIECE;
        Tensor part = {
            .dtype = tensor->dtype, .data = (const unsigned char *)tensor->data + first * size, .bytes = count * size};
        tensor_to_f32(&part, values);
        for (size_t i = 0; i < count; i++)
            if (!isfinite(values[i]))
                return weight_not_finite(tensor, first + i, values[i], err);
        take(context, first, count, values);
    }
    model_bytes_forget(info, tensor->data, tensor->bytes);
    return OK;
}

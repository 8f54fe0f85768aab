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

static void nothing(void *context, size_t first, size_t count, const float *values) {
    (void)context, (void)first, (void)count, (void)values;
}

Status source_values_check(const Model *model, Error *err) {
    const Bundle *bundle = model_tensors(model);
    for (size_t i = 0; i < bundle->count; i++)
        if (dtype_is_real(bundle->tensors[i].dtype))
            TRY(source_values_each(model_info(model), &bundle->tensors[i], nothing, NULL, err));
    return OK;
}

Status source_values_explain(const Model *model, Status status, Error *err) {
    Error of_weight;
    if (status == ERR_FORMAT && source_values_check(model, &of_weight) != OK)
        *err = of_weight;
    return status;
}

// SPDX-License-Identifier: Apache-2.0
// For fuzz targets whose result is tensors: reads every byte of each, so that a sanitizer sees any that is not there,
// and holds sizes against shapes.
#pragma once

#include <stdlib.h>

#include "tensor/tensor.h"

static inline void tensor_touch(const Tensor *tensor) {
    size_t bytes;
    if (!tensor->name || !shape_bytes(&tensor->shape, tensor->dtype, &bytes) || bytes != tensor->bytes)
        abort();
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum = (unsigned char)(sum + ((const unsigned char *)tensor->data)[i]);
}

// A bundle is sorted by name and finds each of its tensors.
static inline void bundle_touch(const Bundle *bundle) {
    for (size_t i = 0; i < bundle->count; i++) {
        tensor_touch(&bundle->tensors[i]);
        if (bundle_find(bundle, bundle->tensors[i].name) != &bundle->tensors[i])
            abort();
    }
}

// SPDX-License-Identifier: Apache-2.0
// Shapes: overflow-checked sizes and their text.
#include "tensor/tensor.h"

#include "base/memory.h"

bool shape_elements(const Shape *shape, size_t *ret_elements) {
    size_t elements = 1;
    bool zero = false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] < 0)
            return false;
        zero |= shape->dims[i] == 0;
    }
    for (int i = 0; i < shape->rank && !zero; i++)
        if (!size_multiply(elements, (size_t)shape->dims[i], &elements))
            return false;
    *ret_elements = zero ? 0 : elements;
    return true;
}

bool shape_bytes(const Shape *shape, DType dtype, size_t *ret_bytes) {
    size_t elements;
    return shape_elements(shape, &elements) && size_multiply(elements, dtype_bytes(dtype), ret_bytes);
}

bool shape_equal(const Shape *a, const Shape *b) {
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

char *shape_text(const Shape *shape, char ret_text[SHAPE_TEXT_BYTES]) {
    size_t used = 0;
    ret_text[used++] = '[';
    for (int i = 0; i < shape->rank; i++)
        used +=
            (size_t)snprintf(ret_text + used, SHAPE_TEXT_BYTES - used, i ? ",%lld" : "%lld", (long long)shape->dims[i]);
    ret_text[used++] = ']';
    ret_text[used] = '\0';
    return ret_text;
}

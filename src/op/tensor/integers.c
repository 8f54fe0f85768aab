// SPDX-License-Identifier: Apache-2.0
// Widening, narrowing, and the way from reals.
#include "op/tensor/integers.h"

#include <math.h>
#include <string.h>

#define WIDEN(Type)                                                                                                    \
    for (size_t i = 0; i < count; i++)                                                                                 \
    ret_values[i] = (uint64_t)((const Type *)data)[i]

static void widen(DType dtype, const void *data, size_t count, uint64_t *ret_values) {
    switch (dtype) {
    case DTYPE_I32:
        WIDEN(int32_t);
        break;
    case DTYPE_I16:
        WIDEN(int16_t);
        break;
    case DTYPE_I8:
        WIDEN(int8_t);
        break;
    case DTYPE_U32:
        WIDEN(uint32_t);
        break;
    case DTYPE_U16:
        WIDEN(uint16_t);
        break;
    default: // u8 and bool
        WIDEN(uint8_t);
    }
}

Status integers_widen(Evaluation *run, size_t index, const uint64_t **ret_values, Error *err) {
    const Tensor *tensor = &run->inputs[index];
    size_t count = shape_count(&tensor->shape);
    if (tensor->dtype == DTYPE_I64 || tensor->dtype == DTYPE_U64) {
        *ret_values = tensor->data;
        return OK;
    }
    uint64_t *values = arena_alloc(run->scratch, count * sizeof *values, 64, err);
    TRY_NEW(values);
    widen(tensor->dtype, tensor->data, count, values);
    *ret_values = values;
    return OK;
}

#define NARROW(Type)                                                                                                   \
    for (size_t i = 0; i < count; i++)                                                                                 \
    ((Type *)ret_elements)[i] = (Type)values[i]

void integers_narrow(DType dtype, const uint64_t *values, size_t count, void *ret_elements) {
    if (dtype == DTYPE_BOOL) {
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)ret_elements)[i] = values[i] != 0;
        return;
    }
    switch (dtype_bytes(dtype)) {
    case 8:
        NARROW(uint64_t);
        break;
    case 4:
        NARROW(uint32_t);
        break;
    case 2:
        NARROW(uint16_t);
        break;
    default:
        NARROW(uint8_t);
    }
}

static bool is_signed(DType dtype) {
    return (DTYPES_SIGNED & DTYPE_BIT(dtype)) != 0;
}

uint64_t integer_highest(DType dtype) {
    if (dtype == DTYPE_BOOL)
        return 1;
    return UINT64_MAX >> (64 - 8 * dtype_bytes(dtype) + is_signed(dtype));
}

uint64_t integer_lowest(DType dtype) {
    return is_signed(dtype) ? ~integer_highest(dtype) : 0;
}

void integers_truncate(DType dtype, const double *values, size_t count, uint64_t *ret_values) {
    bool negative = is_signed(dtype);
    uint64_t highest = integer_highest(dtype), lowest = integer_lowest(dtype);
    double above = ldexp(1, (int)(8 * dtype_bytes(dtype)) - negative); // the first that is too large
    for (size_t i = 0; i < count; i++) {
        double value = trunc(values[i]);
        if (isnan(value))
            ret_values[i] = 0;
        else if (value >= above)
            ret_values[i] = highest;
        else if (value < (negative ? -above : 0))
            ret_values[i] = lowest;
        else
            ret_values[i] = negative ? (uint64_t)(int64_t)value : (uint64_t)value;
    }
}

// SPDX-License-Identifier: Apache-2.0
// Element types: names, sizes, and conversion to f32.
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

#include "tensor/small_floats.h"

static const struct {
    const char *name, *safetensors, *numpy;
    unsigned bits, onnx;
} dtypes[DTYPE_COUNT] = {
#define DTYPE(code, text, safetensors, bits, numpy, onnx) [code] = {text, safetensors, numpy, bits, onnx},
#include "tensor/dtypes.def"
#undef DTYPE
};

const char *dtype_name(DType dtype) {
    return dtypes[dtype].name;
}

const char *dtype_safetensors_name(DType dtype) {
    return dtypes[dtype].safetensors;
}

const char *dtype_numpy_name(DType dtype) {
    return dtypes[dtype].numpy;
}

size_t dtype_bytes(DType dtype) {
    return (dtypes[dtype].bits + 7) / 8;
}

unsigned dtype_bits(DType dtype) {
    return dtypes[dtype].bits;
}

bool dtype_is_real(DType dtype) {
    return dtype == DTYPE_F64 || dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

bool dtype_integer_range(DType dtype, int64_t *ret_least, int64_t *ret_most) {
    static const struct {
        int64_t least, most;
    } ranges[DTYPE_COUNT] = {
        [DTYPE_I64] = {INT64_MIN, INT64_MAX},
        [DTYPE_I32] = {INT32_MIN, INT32_MAX},
        [DTYPE_I16] = {INT16_MIN, INT16_MAX},
        [DTYPE_I8] = {INT8_MIN, INT8_MAX},
        [DTYPE_I4] = {-8, 7},
        [DTYPE_I2] = {-2, 1},
        [DTYPE_U32] = {0, UINT32_MAX},
        [DTYPE_U16] = {0, UINT16_MAX},
        [DTYPE_U8] = {0, UINT8_MAX},
        [DTYPE_U4] = {0, 15},
        [DTYPE_U2] = {0, 3},
        [DTYPE_BOOL] = {0, 1},
    };
    *ret_least = ranges[dtype].least;
    *ret_most = ranges[dtype].most;
    return ranges[dtype].most != 0;
}

bool dtype_from_name(const char *name, DType *ret) {
    for (DType d = 0; d < DTYPE_COUNT; d++)
        if (strcmp(dtypes[d].name, name) == 0) {
            *ret = d;
            return true;
        }
    return false;
}

bool dtype_from_safetensors_name(const char *name, DType *ret) {
    for (DType d = 0; d < DTYPE_COUNT; d++)
        if (*name && strcmp(dtypes[d].safetensors, name) == 0) {
            *ret = d;
            return true;
        }
    return false;
}

uint64_t dtype_onnx(DType dtype) {
    return dtypes[dtype].onnx;
}

bool dtype_from_onnx(uint64_t number, DType *ret) {
    for (DType d = 0; d < DTYPE_COUNT; d++)
        if (dtypes[d].onnx == number) {
            *ret = d;
            return true;
        }
    return false;
}

float f16_to_f32(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3FF;
    if (exponent == 0) { // zero or denormal: fraction * 2^-24, exact in f32
        float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    uint32_t bits = sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | fraction << 13;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

uint16_t f32_to_f16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000)
        return sign | 0x7E00;
    if (magnitude >= 0x477FF000) // 65520 and more round to infinity
        return sign | 0x7C00;
    if (magnitude < 0x38800000) // below 2^-14: a multiple of 2^-24, rounded to even by the FPU
        return sign | (uint16_t)((fabsf(value) * 0x1p24f + 0x1p23f) - 0x1p23f);
    uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    return sign | (uint16_t)((rounded >> 13) - (112 << 10));
}

float bf16_to_f32(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, 4);
    return result;
}

uint16_t f32_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// All elements as `Real`; f32 goes through float, the others straight.
#define CONVERT(type, expression)                                                                                      \
    for (size_t i = 0; i < count; i++) {                                                                               \
        type v;                                                                                                        \
        memcpy(&v, (const unsigned char *)data + i * sizeof v, sizeof v); /* files align loosely */                    \
        ret_values[i] = (expression);                                                                                  \
    }                                                                                                                  \
    break
#define CONVERT_ALL(Real)                                                                                              \
    switch (dtype) {                                                                                                   \
    case DTYPE_F64:                                                                                                    \
        CONVERT(double, (Real)v);                                                                                      \
    case DTYPE_F32:                                                                                                    \
        CONVERT(float, (Real)v);                                                                                       \
    case DTYPE_F16:                                                                                                    \
        CONVERT(uint16_t, (Real)f16_to_f32(v));                                                                        \
    case DTYPE_BF16:                                                                                                   \
        CONVERT(uint16_t, (Real)bf16_to_f32(v));                                                                       \
    case DTYPE_I64:                                                                                                    \
        CONVERT(int64_t, (Real)v);                                                                                     \
    case DTYPE_I32:                                                                                                    \
        CONVERT(int32_t, (Real)v);                                                                                     \
    case DTYPE_I16:                                                                                                    \
        CONVERT(int16_t, (Real)v);                                                                                     \
    case DTYPE_I8:                                                                                                     \
    case DTYPE_I4:                                                                                                     \
    case DTYPE_I2:                                                                                                     \
        CONVERT(int8_t, (Real)v);                                                                                      \
    case DTYPE_U8:                                                                                                     \
    case DTYPE_U4:                                                                                                     \
    case DTYPE_U2:                                                                                                     \
        CONVERT(uint8_t, (Real)v);                                                                                     \
    case DTYPE_U16:                                                                                                    \
        CONVERT(uint16_t, (Real)v);                                                                                    \
    case DTYPE_U32:                                                                                                    \
        CONVERT(uint32_t, (Real)v);                                                                                    \
    case DTYPE_U64:                                                                                                    \
        CONVERT(uint64_t, (Real)v);                                                                                    \
    case DTYPE_BOOL:                                                                                                   \
        CONVERT(uint8_t, (Real)(v != 0));                                                                              \
    case DTYPE_F8E4M3:                                                                                                 \
    case DTYPE_F8E4M3FNUZ:                                                                                             \
    case DTYPE_F8E5M2:                                                                                                 \
    case DTYPE_F8E5M2FNUZ:                                                                                             \
    case DTYPE_F8E8M0:                                                                                                 \
    case DTYPE_F4E2M1:                                                                                                 \
        CONVERT(uint8_t, (Real)small_float_to_f32(dtype, v));                                                          \
    case DTYPE_COUNT:                                                                                                  \
        break;                                                                                                         \
    }

void elements_to_f64(DType dtype, const void *data, size_t count, double *ret_values) {
    CONVERT_ALL(double)
}

void tensor_to_f32(const Tensor *tensor, float *ret_values) {
    DType dtype = tensor->dtype;
    const void *data = tensor->data;
    size_t count = tensor->bytes / dtype_bytes(dtype);
    CONVERT_ALL(float)
}

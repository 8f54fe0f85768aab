// SPDX-License-Identifier: Apache-2.0
// Small floats: reals of 8 and 4 bits, one to a byte, as ONNX's Cast defines them. Each has its own idea of what its
// topmost codes are:
//
//     f8e4m3 (FLOAT8E4M3FN)  NaN 7F, no infinity, most 448      f8e5m2      infinity 7C, NaN 7E, most 57344
//     f8e4m3fnuz             NaN 80, no -0, most 240            f8e5m2fnuz  NaN 80, no -0, most 57344
//     f4e2m1                 neither infinity nor NaN, most 6   f8e8m0      2^(code - 127), NaN FF
#pragma once

#include "tensor/tensor.h"

bool dtype_is_small_float(DType dtype);

// The value of a code of a small float; exact.
float small_float_to_f32(DType dtype, uint8_t code);

// Rounded to nearest, ties to even (f8e8m0: as below, up). What is out of range becomes the largest value where
// `saturate`, else infinity, or NaN in types that have none; f4e2m1 always saturates, and
// has -0 for NaN.
uint8_t f32_to_small_float(DType dtype, float value, bool saturate);

// f8e8m0 has powers of two only, and no sign: that of `value` is dropped.
typedef enum ScaleRounding { SCALE_ROUND_UP, SCALE_ROUND_DOWN, SCALE_ROUND_NEAREST } ScaleRounding; // ties go up
uint8_t f32_to_f8e8m0(float value, bool saturate, ScaleRounding rounding);

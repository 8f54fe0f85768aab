// SPDX-License-Identifier: Apache-2.0
// Weights as int8, one scale a row (SCHEME_INT8_ROW; compressed-tensors' W8A8 per channel): scale = absmax / 127,
// q = x / scale rounded half to even, clamped to +-127; a row of zeros (or one so small that its scale is 0) is all 0.
#pragma once

#include "tensor/tensor.h"

// Quantizes [rows, columns] values of f32, f16 or bf16 (aligned or not) into ret_values [rows, columns] and ret_scales
// [rows]. ERR_FORMAT for NaN and infinity, naming the tensor, row and column; ERR_UNSUPPORTED for another dtype.
MUST_CHECK Status quantize_int8_rows(const char *name, DType dtype, const void *data, size_t rows, size_t columns,
                                     int8_t *ret_values, float *ret_scales, Error *err);

// SPDX-License-Identifier: Apache-2.0
// Dynamic: quantizing f32 to 8 bits by its own range, as DynamicQuantizeLinear defines it.
#pragma once

#include "op/tensor/evaluate.h"

typedef struct DynamicRange {
    float scale;
    uint8_t zero;
} DynamicRange;

// What the least and the largest element, and 0, ask for.
DynamicRange dynamic_range(const Evaluation *run, const float *x, size_t count);

typedef struct DynamicRows {
    size_t rows, columns, stride; // bytes between quantized rows; what is beyond `columns` becomes 0
} DynamicRows;

// x [rows, columns] as u8, or with `flip` 0x80 as s8, less 128 (kernel/kernels.h, quantize_u8).
void dynamic_quantize(const Evaluation *run, const float *x, DynamicRows shape, DynamicRange range, uint8_t flip,
                      uint8_t *ret_q);

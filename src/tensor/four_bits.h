// SPDX-License-Identifier: Apache-2.0
// 4-bit weights as files keep them: a tensor of codes and several beside it, under its name.
//
//     bitsandbytes (codes in X, U8 or another storage dtype)
//         X.absmax, X.quant_map, X.quant_state.bitsandbytes__nf4 (or __fp4; JSON), and under double quantization
//         X.nested_absmax, X.nested_quant_map: blocks over the flattened tensor, the first code in the high half
//     compressed-tensors pack-quantized (codes in X_packed, I32)
//         X_scale [rows, groups], X_shape [2]: groups of a row's columns, codes + 8, the first in the low half; where
//         its writer wanted, X_zero_point [(rows + 7) / 8, groups], taken off codes, and X_g_idx [columns], their
//         groups
//
// They come out as codes that stay where they lie, 16 s8 values (quantize4.h) and f32 scales by groups of a row; blocks
// that straddle rows are split at the greatest common divisor of block and row. Where that is no multiple of 32, as
// with zero points other than 0 and groups out of order, the weight comes out as f32 instead.
#pragma once

#include "tensor/tensor.h"

enum { FOUR_BITS_STEP = 32 }; // codes of a group are used in steps of this

typedef enum FourBitForm { FOUR_BITS_NONE, FOUR_BITS_NF4, FOUR_BITS_FP4, FOUR_BITS_INT4 } FourBitForm;

const char *four_bits_name(FourBitForm form); // "nf4", "fp4", "int4"; "" for none

// What the tensor's codes are, by the names beside it.
FourBitForm four_bits_form(const Bundle *bundle, const Tensor *codes);

// The tensor of codes that `tensor` stands beside; NULL: none.
const Tensor *four_bits_owner(const Bundle *bundle, const Tensor *tensor);

// The tensor beside `codes` called its name (without "_packed") and `ending`; NULL: there is none.
const Tensor *four_bits_beside(const Bundle *bundle, const Tensor *codes, const char *ending);

// A whole weight [rows, columns].
typedef struct FourBits {
    FourBitForm form;
    size_t rows, columns;
    size_t block;         // elements to a scale as the file has it
    bool nested;          // double quantization
    bool high_first;      // order of codes in a byte
    const uint8_t *pairs; // [rows][columns / 2], the tensor's own data; NULL: see dense
    size_t group;         // columns to a scale
    const int8_t *codes;  // [16]
    const float *scales;  // [rows][columns / group]
    const float *dense;   // [rows, columns] where groups do not fit
} FourBits;

// Reads `codes` and what stands beside it. ERR_FORMAT for tensors that are missing, of the wrong size or not finite, or
// a quant_state that is no such JSON; ERR_UNSUPPORTED for other sizes of block. Every message names the tensor.
MUST_CHECK Status four_bits_read(Arena *arena, const Bundle *bundle, const Tensor *codes, FourBits *ret, Error *err);

// SPDX-License-Identifier: Apache-2.0
// Packed weights as files have them, "X" being the tensor's name:
//
//     int8   X I8 [rows, columns], X_scale F32 [rows, 1]                       (compressed-tensors int-quantized)
//            and beside X = "Y.weight" with static activations Y.input_scale F32 [1], and Y.input_factors F32
//            [columns], which is hone's own
//     int4   X_packed I32 [rows, columns / 8], X_scale F16 [rows, groups], X_shape I64 [2]       (pack-quantized)
//     nf4    X U8 [(elements + 1) / 2, 1], X.absmax, X.quant_map F32 [16], X.quant_state.bitsandbytes__nf4 U8 (JSON),
//            and under double quantization X.nested_absmax, X.nested_quant_map F32 [256]              (bitsandbytes)
#pragma once

#include "compress/weights.h"

enum { ENCODE_MOST_SIDES = 5 };

// Elements that are encoded at once, `room` at most: whole rows or blocks of a packed weight.
size_t encode_step(const Weight *weight, size_t room);

// Scales that the packed weight has.
size_t encode_scales(const Weight *weight);

// Encodes elements [first, first + count) of a packed weight, in steps as above; their scales go into weight->scales.
// `ret_codes` has room for `count` bytes.
MUST_CHECK Status encode_piece(const Weight *weight, const float *values, size_t first, size_t count, void *ret_codes,
                               size_t *ret_bytes, Error *err);

// A sparse weight is X.values with X.bitmap and X.shape (tensor/sparse.h).

// Fills weight->sides from its scales, and counts its bytes anew.
MUST_CHECK Status encode_sides(Arena *arena, Weight *weight, Error *err);

// Name, dtype and shape of the weight's own tensor in the file; no data.
MUST_CHECK Status encode_tensor(Arena *arena, const Weight *weight, Tensor *ret_tensor, Error *err);

// Length of the "_packed" or ".values" that ends a name; 0 without.
size_t encode_ending(const char *name);

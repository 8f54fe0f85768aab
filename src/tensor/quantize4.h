// SPDX-License-Identifier: Apache-2.0
// Weights as 4-bit codes, two to a byte, by the rules of the formats that keep them in files, so that the bytes are
// those their own programs write.
//
// hone multiplies codes as integers, so that a codebook of reals is rounded to 16 s8 values first (codebook_round).
// NF4's becomes nf4_values: 112 is the multiple at which rounding costs least, +-1 stay exact, and the codebook's error
// is 0.0017 rms of a block's largest magnitude. On normally distributed weights NF4 itself is off by 9.20 % rms; with
// the rounded codebook that is 9.21 %. int4's values are integers as they are.
#pragma once

#include "tensor/tensor.h"

enum { CODEBOOK = 16 };

extern const int8_t int4_values[CODEBOOK]; // -8..7: code 0 is -8
extern const int8_t nf4_values[CODEBOOK];  // codebook_round(nf4_map), unit 1/112
extern const float nf4_map[CODEBOOK];      // bitsandbytes' quant_map of nf4: quantiles of the normal distribution

// map[i] ~ codes[i] * unit, unit = largest magnitude / S, with the S in 64..127 of least squared error (the smallest of
// equals). False, and nothing touched, where the map has no finite value other than 0 or one that is not finite.
bool codebook_round(const float map[CODEBOOK], int8_t ret_codes[CODEBOOK], float *ret_unit);

// Where the scale of a group of int4 comes from. The format of the files is the same.
typedef enum Int4Rule {
    INT4_ABSMAX, // compressed-tensors' own: absmax / 7.5, so that the largest positive value is cut off at 7
    INT4_FIT     // of absmax / 7.5 and 25 multiples of it, 0.70 to 1.20, the one of least squared error
} Int4Rule;

// Symmetric W4A16 as compressed-tensors keeps it: a scale for each `group` columns (even; divides columns), rounded to
// `scale_dtype` (f32, f16), 2^-23 where that is 0; q = rint(clamp(x / scale, -8, 7)). INT4_ABSMAX gives the bytes of
// compressed-tensors' own program. On the demo's model INT4_FIT's rms error is 9.3 % less in groups of 32, 8.9 % in
// groups of 128. ret_pairs [rows, columns / 2], the first of two codes in the low half; ret_scales [rows, columns /
// group]. Errors as quantize_int8_rows; ERR_FORMAT too where a scale is more than f16 can hold.
MUST_CHECK Status quantize_int4_rows(const char *name, DType dtype, const void *data, size_t rows, size_t columns,
                                     size_t group, Int4Rule rule, DType scale_dtype, uint8_t *ret_pairs,
                                     float *ret_scales, Error *err);

// The scale of one group, by the same rules; infinity where it is more than `scale_dtype` can hold.
float int4_scale(const float *values, size_t count, Int4Rule rule, DType scale_dtype);

// -8..7 for a value under a scale > 0.
int int4_code(float value, float scale);

enum { NF4_BLOCK = 64 };

// bitsandbytes' NF4: blocks of 64 over the flattened tensor (the last may be shorter), the code the number of midpoints
// of nf4_map below x / absmax. ret_pairs [(elements + 1) / 2], the first of two codes in the high half, a missing last
// one 7 (0.0); ret_absmax [(elements + 63) / 64]. `columns` only places errors. Errors as quantize_int8_rows.
MUST_CHECK Status quantize_nf4_blocks(const char *name, DType dtype, const void *data, size_t elements, size_t columns,
                                      uint8_t *ret_pairs, float *ret_absmax, Error *err);

// Double quantization of absmax: `offset` is their mean; absmax - offset, in blocks of 256, by the largest magnitude of
// the block against dynamic_map. absmax ~ dynamic_map[code] * nested[block] + offset.
enum { NESTED_BLOCK = 256 };
void quantize_absmax(const float *absmax, size_t count, uint8_t *ret_codes, float *ret_nested, float *ret_offset);

// bitsandbytes' signed dynamic map of 8 bits, ascending: 7 ranges a decade each, 2^i midpoints in the i-th, 0 and 1.
void dynamic_map(float ret_map[256]);

// SPDX-License-Identifier: Apache-2.0
// Variant: one weight of an opened model in another form, in memory: exactly what a model that was written with it
// would be opened with, and the bytes that it would take in the file.
#pragma once

#include "compress/weights.h"

typedef struct Variant {
    Constant constant;            // called like the tensor
    size_t original_bytes, bytes; // in the file, with what stands beside it
} Variant;

// Of a weight of the model's (weight_assign), packed or changed; it is filled as weights_scan fills it. Everything
// lives in `arena`. Errors as of weights_scan.
MUST_CHECK Status variant_make(Arena *arena, const Model *model, Weight *weight, Variant *ret_variant, Error *err);

// The group for int4 that a matrix takes where none was asked for: the largest of 128, 64 and 32 that divides its
// columns; 0 where none does.
size_t variant_group(const Tensor *tensor);

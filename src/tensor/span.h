// SPDX-License-Identifier: Apache-2.0
// Runs of real weights, widened a piece at a time, so that no second copy of a weight is needed: what the quantizers
// read.
#pragma once

#include "tensor/tensor.h"

enum { SPAN_PIECE = 256 }; // elements widened at once

typedef struct Span {
    DType dtype; // f32, f16 or bf16
    const unsigned char *data;
    size_t count;
} Span;

// ERR_UNSUPPORTED unless `dtype` is f32, f16 or bf16; `name` is the tensor's.
MUST_CHECK Status span_dtype_check(const char *name, DType dtype, Error *err);

// `count` elements of `span` from `first`.
Span span_part(const Span *span, size_t first, size_t count);

// Elements [first, ..) as f32; returns how many, SPAN_PIECE at most.
size_t span_piece(const Span *span, size_t first, float ret_values[SPAN_PIECE]);

// The largest magnitude. ERR_FORMAT for NaN and infinity, naming the tensor and the row and column of the value, which
// lies at `base` plus its place in the span among rows of `columns`.
MUST_CHECK Status span_absmax(const char *name, const Span *span, size_t base, size_t columns, float *ret_absmax,
                              Error *err);

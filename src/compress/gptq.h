// SPDX-License-Identifier: Apache-2.0
// GPTQ: 4-bit codes for a linear's weight that keep its outputs rather than its weights near what they were (Frantar,
// Ashkboos, Hoefler, Alistarh, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
// 2022).
//
// Columns are rounded from left to right, and what rounding one of them does to the output is taken back by the columns
// not yet rounded, as far as their inputs go along with its own:
//
//     H = G + damping * mean of G's diagonal     G = sum of x x^T over the inputs x that the linear was given
//     U upper triangular, U^T U = H^-1
//     for each column j:  e = (w[j] - q[j]) / U[j][j];  w[j..] -= e * U[j][j..]
//
// The scale of a group is found when j enters it, from the weights as they are by then. A factor before H changes
// nothing. Rows know nothing of each other: they run in parallel, and the result does not depend on how many threads
// there are. An input that was 0 throughout is rounded to nearest, since other data may use it.
#pragma once

#include "base/arena.h"
#include "base/pool.h"
#include "tensor/quantize4.h"

typedef struct GptqInput {
    const char *name;     // of the tensor, for messages
    const float *weights; // [rows, columns]
    size_t rows, columns;
    const double *gram; // [columns, columns] (measure/gram.h); the upper half is read
    uint64_t samples;   // inputs that gram sums up, > 0
    size_t group;       // even; divides columns
    Int4Rule rule;
    DType scale_dtype; // f32 or f16
} GptqInput;

// Codes and scales as quantize_int4_rows has them. Errors are squared differences of outputs, the mean over samples and
// rows, without damping. No row is worse than rounded to nearest by the same rule: where it would be, it is that.
typedef struct GptqResult {
    uint8_t *pairs;
    float *scales;
    double error, plain_error; // plain: rounded to nearest
    size_t plain_rows;         // that stayed rounded to nearest
    double damping;            // 0.01, or more where H was not positive definite
} GptqResult;

// The result lives in `arena`; 16 * columns^2 bytes are needed besides while it works. ERR_FORMAT for weights or a Gram
// matrix that are not finite, for scales that f16 cannot hold, and for a matrix that is not positive definite even with
// its whole mean diagonal added; ERR_MEMORY.
MUST_CHECK Status gptq_round(Arena *arena, Pool *pool, const GptqInput *input, GptqResult *ret_result, Error *err);

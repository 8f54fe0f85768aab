// SPDX-License-Identifier: Apache-2.0
// Sigmoid: 1 / (1 + e^-x).
#include <tgmath.h>

#include "op/tensor/unary.h"

// The kernel of SiLU gives x sigmoid(x). Far out the sigmoid is 0 or 1 to a float, near 0 it is 1/2: there x is moved
// to where the quotient is as good.
enum { CHUNK = 512 };
#define FARTHEST 100.0f
#define NEAREST 1e-20f

static void sigmoid_f32(const void *from, size_t count, const UnaryArgs *args, void *to) {
    float at[CHUNK];
    for (size_t first = 0; first < count; first += CHUNK) {
        size_t n = count - first < CHUNK ? count - first : CHUNK;
        const float *x = (const float *)from + first;
        float *y = (float *)to + first;
        for (size_t i = 0; i < n; i++)
            at[i] = FARTHEST < x[i] ? FARTHEST : x[i]; // NaN stays
        for (size_t i = 0; i < n; i++)
            at[i] = -FARTHEST > at[i] ? -FARTHEST : at[i];
        for (size_t i = 0; i < n; i++)
            at[i] = fabsf(at[i]) < NEAREST ? NEAREST : at[i];
        args->kernels->activate(ACTIVATION_SILU, at, n, y);
        for (size_t i = 0; i < n; i++)
            y[i] /= at[i];
    }
}

UNARY_LOOP(sigmoid_f64, double, double, 1 / (1 + exp(-x)))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(sigmoid)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_sigmoid = {.infer = infer_first, .evaluate = evaluate};

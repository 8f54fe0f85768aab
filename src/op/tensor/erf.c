// SPDX-License-Identifier: Apache-2.0
// Erf: the error function; of integers without its fraction, so -1, 0 or 1.
#include <tgmath.h>

#include "kernel/ref/math.h"
#include "op/tensor/unary.h"

// The kernel of GELU has it within: gelu(t) = t/2 (1 + erf(t/sqrt 2)). Taken out of there little is left of a small
// one, which has a polynomial instead. FARTHEST: where the result is 1.
enum { CHUNK = 512 };
#define FARTHEST 4.0f
#define SMALL 0.5f
#define SQRT_2 0x1.6a09e6p+0f

// Spelled out, so that the compiler makes vectors.
static inline float small_erf(float x, float square) {
    float p = fmaf(erf_terms[6], square, erf_terms[5]);
    p = fmaf(p, square, erf_terms[4]);
    p = fmaf(p, square, erf_terms[3]);
    p = fmaf(p, square, erf_terms[2]);
    p = fmaf(p, square, erf_terms[1]);
    p = fmaf(p, square, erf_terms[0]);
    return fmaf(x, p, x);
}

UNARY_F32_LOOP(small_erfs, float, small_erf(x, (x) * (x)))

static void erf_f32(const void *from, size_t count, const UnaryArgs *args, void *to) {
    float t[CHUNK], small[CHUNK], large[CHUNK];
    for (size_t first = 0; first < count; first += CHUNK) {
        size_t n = count - first < CHUNK ? count - first : CHUNK;
        const float *x = (const float *)from + first;
        float *y = (float *)to + first;
        small_erfs(x, n, args, small);
        for (size_t i = 0; i < n; i++)
            t[i] = FARTHEST < x[i] ? FARTHEST : x[i]; // NaN stays
        for (size_t i = 0; i < n; i++)
            t[i] = (-FARTHEST > t[i] ? -FARTHEST : t[i]) * SQRT_2;
        args->kernels->activate(ACTIVATION_GELU, t, n, large);
        for (size_t i = 0; i < n; i++)
            large[i] = 2 * large[i] / t[i] - 1;
        for (size_t i = 0; i < n; i++)
            y[i] = fabsf(x[i]) < SMALL ? small[i] : large[i];
    }
}

UNARY_LOOP(erf_f64, double, double, erf(x))
UNARY_SIGNED_LOOPS(erf, erf((double)x))
UNARY_UNSIGNED_LOOPS(erf, erf((double)x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_NUMBER(erf)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_erf = {.infer = infer_first, .evaluate = evaluate};

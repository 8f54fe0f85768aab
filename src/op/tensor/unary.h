// SPDX-License-Identifier: Apache-2.0
// Unary: operators that make of each element another one of the same type. A file says what it does to a double, and
// its attributes; half precisions are computed in f32, f32 in f32.
//
//     static float one(float x, const UnaryArgs *args) { return ... }
//     static double one_double(double x, const UnaryArgs *args) { return ... }
//     const OpDef op_tensor_elu = UNARY_REAL;
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"

// Up to two numbers out of attributes, read once a run.
typedef struct UnaryArgs {
    double a, b;
} UnaryArgs;

typedef struct UnaryReal {
    float (*single)(float x, const UnaryArgs *args);
    double (*wide)(double x, const UnaryArgs *args);
    void (*rows)(const Kernels *kernels, const float *x, size_t n, float *y); // optional: a kernel in place of `single`
    const char *a, *b;                                                        // attributes, NULL: none
    double a_missing, b_missing;
} UnaryReal;

// Input 0 of a real type to output 0.
MUST_CHECK Status unary_real(Evaluation *run, const UnaryReal *unary, Error *err);

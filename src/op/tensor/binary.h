// SPDX-License-Identifier: Apache-2.0
// Binary: operators over pairs of elements of two tensors that broadcast. A file gives, for each kind of element it
// takes, what to do with a run of them:
//
//     BINARY_LOOPS(add, x + y)   // for f32, f64 and every integer width; halves go through f32
//
// A loop sees `count` results; a step of 0 means that operand stays the same for the whole run.
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"

typedef void BinaryLoop(const void *a, size_t a_step, const void *b, size_t b_step, size_t count, void *y);

typedef struct Binary {
    BinaryLoop *loops[DTYPE_COUNT]; // NULL: the type is not taken; of DTYPE_F16, BF16: DTYPE_F32's is used
    bool compares;                  // results are bool
} Binary;

// Inputs 0 and 1, of one type, to output 0.
MUST_CHECK Status binary_evaluate(Evaluation *run, const Binary *binary, Error *err);
// Inputs 0 .. n-1 folded from the left, for Max, Min, Sum.
MUST_CHECK Status binary_fold(Evaluation *run, const Binary *binary, Error *err);

// Shape rules: the broadcast shape, of the first input's type or of bool.
Status binary_infer(const Node *node, ValueType *ret_types, Error *err);
Status binary_infer_bool(const Node *node, ValueType *ret_types, Error *err);
Status binary_infer_fold(const Node *node, ValueType *ret_types, Error *err);

// One loop: elements x and y of type `In` give one of type `Out`. The common steps are spelled out, so that the
// compiler turns them into vectors.
#define BINARY_LOOP(name, In, Out, expression)                                                                         \
    static void name(const void *a, size_t a_step, const void *b, size_t b_step, size_t count, void *to) {             \
        const In *left = a, *right = b;                                                                                \
        Out *out = to;                                                                                                 \
        if (a_step == 1 && b_step == 1) {                                                                              \
            for (size_t i = 0; i < count; i++) {                                                                       \
                In x = left[i], y = right[i];                                                                          \
                out[i] = (Out)(expression);                                                                            \
            }                                                                                                          \
        } else if (a_step == 1 && b_step == 0) {                                                                       \
            In y = right[0];                                                                                           \
            for (size_t i = 0; i < count; i++) {                                                                       \
                In x = left[i];                                                                                        \
                out[i] = (Out)(expression);                                                                            \
            }                                                                                                          \
        } else {                                                                                                       \
            for (size_t i = 0; i < count; i++) {                                                                       \
                In x = left[i * a_step], y = right[i * b_step];                                                        \
                out[i] = (Out)(expression);                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }

// Integers wrap: computed in the unsigned type of their width or wider, so that nothing is undefined.
#define BINARY_INTEGER_LOOPS(name, expression)                                                                         \
    BINARY_LOOP(name##_u64, uint64_t, uint64_t, expression)                                                            \
    BINARY_LOOP(name##_u32, uint32_t, uint32_t, expression)                                                            \
    BINARY_LOOP(name##_u16, uint16_t, uint16_t, expression)                                                            \
    BINARY_LOOP(name##_u8, uint8_t, uint8_t, expression)

#define BINARY_REAL_LOOPS(name, expression)                                                                            \
    BINARY_LOOP(name##_f32, float, float, expression)                                                                  \
    BINARY_LOOP(name##_f64, double, double, expression)

// Initializers of Binary.loops. Wrapping: signed types share the unsigned loops, for sums, differences and products.
#define BINARY_REAL(name) [DTYPE_F32] = name##_f32, [DTYPE_F64] = name##_f64
#define BINARY_WRAPPING(name)                                                                                          \
    [DTYPE_U64] = name##_u64, [DTYPE_U32] = name##_u32, [DTYPE_U16] = name##_u16, [DTYPE_U8] = name##_u8,              \
    [DTYPE_I64] = name##_u64, [DTYPE_I32] = name##_u32, [DTYPE_I16] = name##_u16, [DTYPE_I8] = name##_u8

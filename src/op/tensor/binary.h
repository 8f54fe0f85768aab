// SPDX-License-Identifier: Apache-2.0
// Binary: operators over pairs of elements of two tensors that broadcast. A file gives, for each kind of element it
// takes, what to do with a run of them:
//
//     BINARY_REAL_LOOPS(add, x + y)     // for f32 and f64; halves go through f32
//     BINARY_UNSIGNED_LOOPS(add, x + y) // for every integer width
//
// A loop sees `count` results; a step of 0 means that operand stays the same for the whole run.
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"
#include "op/tensor/loops.h"

typedef void BinaryLoop(const void *a, size_t a_step, const void *b, size_t b_step, size_t count, void *y);

typedef struct Binary {
    BinaryLoop *loops[DTYPE_COUNT]; // NULL: the type is not taken; of DTYPE_F16, BF16: DTYPE_F32's is used
    bool compares;                  // results are bool
    bool averages;                  // a fold is divided by the number of inputs (reals only)
} Binary;

// Inputs 0 and 1, of one type, to output 0.
MUST_CHECK Status binary_evaluate(Evaluation *run, const Binary *binary, Error *err);
// Inputs 0 .. n-1 folded from the left, for Max, Min, Sum, Mean.
MUST_CHECK Status binary_fold(Evaluation *run, const Binary *binary, Error *err);

// What both rest on: elements of in_bytes that broadcast to `to`, into elements of out_bytes.
typedef struct BinaryOperand {
    const void *data;
    Shape shape;
} BinaryOperand;
void binary_pairs(const Evaluation *run, BinaryLoop *loop, BinaryOperand x, BinaryOperand y, size_t in_bytes,
                  const Shape *to, size_t out_bytes, void *out);

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
        } else if (a_step == 0 && b_step == 1) {                                                                       \
            In x = left[0];                                                                                            \
            for (size_t i = 0; i < count; i++) {                                                                       \
                In y = right[i];                                                                                       \
                out[i] = (Out)(expression);                                                                            \
            }                                                                                                          \
        } else {                                                                                                       \
            for (size_t i = 0; i < count; i++) {                                                                       \
                In x = left[i * a_step], y = right[i * b_step];                                                        \
                out[i] = (Out)(expression);                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }

// Narrow elements are promoted to int: a product of u16 needs a 1u.
#define BINARY_UNSIGNED_LOOPS(name, expression)                                                                        \
    BINARY_LOOP(name##_u64, uint64_t, uint64_t, expression)                                                            \
    BINARY_LOOP(name##_u32, uint32_t, uint32_t, expression)                                                            \
    BINARY_LOOP(name##_u16, uint16_t, uint16_t, expression)                                                            \
    BINARY_LOOP(name##_u8, uint8_t, uint8_t, expression)

#define BINARY_SIGNED_LOOPS(name, expression)                                                                          \
    BINARY_LOOP(name##_i64, int64_t, int64_t, expression)                                                              \
    BINARY_LOOP(name##_i32, int32_t, int32_t, expression)                                                              \
    BINARY_LOOP(name##_i16, int16_t, int16_t, expression)                                                              \
    BINARY_LOOP(name##_i8, int8_t, int8_t, expression)

#define BINARY_REAL_LOOPS(name, expression)                                                                            \
    BINARY_LOOP(name##_f32, float, float, expression)                                                                  \
    BINARY_LOOP(name##_f64, double, double, expression)

// Every number type, to bool.
#define BINARY_COMPARE_LOOPS(name, expression)                                                                         \
    BINARY_LOOP(name##_f32, float, bool, expression)                                                                   \
    BINARY_LOOP(name##_f64, double, bool, expression)                                                                  \
    BINARY_LOOP(name##_i64, int64_t, bool, expression)                                                                 \
    BINARY_LOOP(name##_i32, int32_t, bool, expression)                                                                 \
    BINARY_LOOP(name##_i16, int16_t, bool, expression)                                                                 \
    BINARY_LOOP(name##_i8, int8_t, bool, expression)                                                                   \
    BINARY_LOOP(name##_u64, uint64_t, bool, expression)                                                                \
    BINARY_LOOP(name##_u32, uint32_t, bool, expression)                                                                \
    BINARY_LOOP(name##_u16, uint16_t, bool, expression)                                                                \
    BINARY_LOOP(name##_u8, uint8_t, bool, expression)

// SPDX-License-Identifier: Apache-2.0
// Unary: operators that make of each element another one. A file gives, for each kind of element it takes, what becomes
// of x, with tgmath.h, so that one expression serves f32 and f64 (halves go through f32):
//
//     UNARY_REAL_LOOPS(elu, x < 0 ? a * expm1(x) : x)  // a, b: the operator's attributes; Type: the element's
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"
#include "op/tensor/loops.h"

// What a loop gets besides its elements: up to two numbers out of attributes, or whatever the operator hands on.
typedef struct UnaryArgs {
    double a, b;
    const void *more;
    const Kernels *kernels;
} UnaryArgs;

typedef void UnaryLoop(const void *from, size_t count, const UnaryArgs *args, void *to);

typedef struct Unary {
    UnaryLoop *loops[DTYPE_COUNT]; // NULL: the type is not taken; of DTYPE_F16, BF16: DTYPE_F32's is used
    const char *a, *b;             // attributes, NULL: none
    double a_missing, b_missing;
    const void *more; // for the loops, of the kind they expect
    bool tests;       // results are bool
} Unary;

// Input 0 to output 0.
MUST_CHECK Status unary_evaluate(Evaluation *run, const Unary *unary, Error *err);

// Shape rule where results are bool.
Status unary_infer_bool(const Node *node, ValueType *ret_types, Error *err);

// One loop: element x of type `In` gives one of type `Out`; constants are of type Type.
#define UNARY_LOOP(name, In, Out, expression) static UNARY_BODY(name, In, Out, expression)

#define UNARY_BODY(name, In, Out, expression)                                                                          \
    void name(const void *from, size_t count, const UnaryArgs *args, void *to) {                                       \
        typedef In Type;                                                                                               \
        const In *in = from;                                                                                           \
        Out *out = to;                                                                                                 \
        const Type a = (Type)args->a, b = (Type)args->b;                                                               \
        (void)a;                                                                                                       \
        (void)b;                                                                                                       \
        for (size_t i = 0; i < count; i++) {                                                                           \
            Type x = in[i];                                                                                            \
            out[i] = (Out)(expression);                                                                                \
        }                                                                                                              \
    }

// f32 twice, since SSE2 neither rounds nor multiplies and adds in one: the compiler's vectors of kernel/ref/math.h give
// the same bits with AVX2 and FMA, many times as fast.
#if defined(__x86_64__)
#define UNARY_F32_LOOP(name, Out, expression)                                                                          \
    __attribute__((always_inline)) static inline UNARY_BODY(name##_body, float, Out, expression)                       \
        __attribute__((target("avx2,fma"))) static void name##_avx2(const void *from, size_t count,                    \
                                                                    const UnaryArgs *args, void *to) {                 \
        name##_body(from, count, args, to);                                                                            \
    }                                                                                                                  \
    static void name(const void *from, size_t count, const UnaryArgs *args, void *to) {                                \
        if (args->kernels->level >= CPU_AVX2)                                                                          \
            name##_avx2(from, count, args, to);                                                                        \
        else                                                                                                           \
            name##_body(from, count, args, to);                                                                        \
    }
#else
#define UNARY_F32_LOOP(name, Out, expression) UNARY_LOOP(name, float, Out, expression)
#endif

// Where kernels do the work in f32.
#define UNARY_ACTIVATION_LOOP(name, activation)                                                                        \
    static void name(const void *from, size_t count, const UnaryArgs *args, void *to) {                                \
        args->kernels->activate(activation, from, count, to);                                                          \
    }

#define UNARY_WITHIN_01(t) ((t) < 0 ? 0 : (t) > 1 ? 1 : (t))

#define UNARY_REAL_LOOPS(name, expression)                                                                             \
    UNARY_F32_LOOP(name##_f32, float, expression)                                                                      \
    UNARY_LOOP(name##_f64, double, double, expression)

#define UNARY_SIGNED_LOOPS(name, expression)                                                                           \
    UNARY_LOOP(name##_i64, int64_t, int64_t, expression)                                                               \
    UNARY_LOOP(name##_i32, int32_t, int32_t, expression)                                                               \
    UNARY_LOOP(name##_i16, int16_t, int16_t, expression)                                                               \
    UNARY_LOOP(name##_i8, int8_t, int8_t, expression)

#define UNARY_UNSIGNED_LOOPS(name, expression)                                                                         \
    UNARY_LOOP(name##_u64, uint64_t, uint64_t, expression)                                                             \
    UNARY_LOOP(name##_u32, uint32_t, uint32_t, expression)                                                             \
    UNARY_LOOP(name##_u16, uint16_t, uint16_t, expression)                                                             \
    UNARY_LOOP(name##_u8, uint8_t, uint8_t, expression)

// SPDX-License-Identifier: Apache-2.0
// Loops: tables of a loop for each type of element, as Unary and Binary have them.
#pragma once

#include "tensor/tensor.h"

// The type whose loop takes elements of `dtype`: halves go through f32.
static inline DType loops_dtype(DType dtype) {
    return dtype == DTYPE_F16 || dtype == DTYPE_BF16 ? DTYPE_F32 : dtype;
}

// Initializers of a table, for loops called <name>_<type>.
#define LOOPS_REAL(name) [DTYPE_F32] = name##_f32, [DTYPE_F64] = name##_f64
#define LOOPS_SIGNED(name)                                                                                             \
    [DTYPE_I64] = name##_i64, [DTYPE_I32] = name##_i32, [DTYPE_I16] = name##_i16, [DTYPE_I8] = name##_i8
#define LOOPS_UNSIGNED(name)                                                                                           \
    [DTYPE_U64] = name##_u64, [DTYPE_U32] = name##_u32, [DTYPE_U16] = name##_u16, [DTYPE_U8] = name##_u8
#define LOOPS_NUMBER(name) LOOPS_REAL(name), LOOPS_SIGNED(name), LOOPS_UNSIGNED(name)
// Signed types share the unsigned loops, where only the bits matter: sums, differences, products.
#define LOOPS_WRAPPING(name)                                                                                           \
    LOOPS_UNSIGNED(name), [DTYPE_I64] = name##_u64, [DTYPE_I32] = name##_u32, [DTYPE_I16] = name##_u16,                \
                          [DTYPE_I8] = name##_u8

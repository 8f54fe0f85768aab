// SPDX-License-Identifier: Apache-2.0
// Pow: a^b of a's type; b may have another. Reals in f32, or f64 where one of them does not fit that; integers to
// integers exactly, wrapping, and 0 where the power is a fraction; integers to reals in f64, without the fraction.
#include <tgmath.h>

#include "op/tensor/binary.h"
#include "op/tensor/walk.h"

// Squares and cubes are what graphs have most.
#define POWER_LOOPS(name, Type)                                                                                        \
    BINARY_LOOP(name##_any, Type, Type, pow(x, y))                                                                     \
    BINARY_LOOP(name##_square, Type, Type, ((void)y, x * x))                                                           \
    BINARY_LOOP(name##_cube, Type, Type, ((void)y, x * x * x))                                                         \
    static void name(const void *a, size_t a_step, const void *b, size_t b_step, size_t count, void *to) {             \
        BinaryLoop *loop = name##_any;                                                                                 \
        if (b_step == 0 && *(const Type *)b == 2)                                                                      \
            loop = name##_square;                                                                                      \
        else if (b_step == 0 && *(const Type *)b == 3)                                                                 \
            loop = name##_cube;                                                                                        \
        loop(a, a_step, b, b_step, count, to);                                                                         \
    }

POWER_LOOPS(power_f32, float)
POWER_LOOPS(power_f64, double)

static int64_t power(int64_t base, int64_t exponent) {
    uint64_t square = (uint64_t)base, product = 1;
    if (exponent < 0) // 1 / base^-exponent
        return base == 1 || base == -1 ? (exponent % 2 ? base : 1) : 0;
    for (; exponent; exponent /= 2) {
        product *= exponent % 2 ? square : 1;
        square *= square;
    }
    return (int64_t)product;
}

BINARY_LOOP(power_i64, int64_t, int64_t, power(x, y))

// Exponents beyond i64: odd numbers to the 2^62th are 1 and even ones 0, so those bits that decide are kept.
static int64_t exponent_fit(uint64_t exponent) {
    return exponent <= INT64_MAX ? (int64_t)exponent : (int64_t)((exponent & INT64_MAX) | UINT64_C(1) << 62);
}

#define WIDEN(Type, convert)                                                                                           \
    for (size_t i = 0; i < count; i++)                                                                                 \
        values[i] = convert(((const Type *)tensor->data)[i]);                                                          \
    break

static Status integers_widen(Evaluation *run, size_t index, const int64_t **ret_values, Error *err) {
    const Tensor *tensor = &run->inputs[index];
    size_t count = shape_count(&tensor->shape);
    int64_t *values = arena_alloc(run->scratch, count * sizeof *values, 64, err);
    TRY_NEW(values);
    switch (tensor->dtype) {
    case DTYPE_I32:
        WIDEN(int32_t, );
    case DTYPE_I16:
        WIDEN(int16_t, );
    case DTYPE_I8:
        WIDEN(int8_t, );
    case DTYPE_U64:
        WIDEN(uint64_t, exponent_fit);
    case DTYPE_U32:
        WIDEN(uint32_t, );
    case DTYPE_U16:
        WIDEN(uint16_t, );
    case DTYPE_U8:
        WIDEN(uint8_t, );
    default:
        WIDEN(int64_t, );
    }
    *ret_values = values;
    return OK;
}

// An input in the type that is computed in.
static Status operand_make(Evaluation *run, size_t index, DType as, BinaryOperand *ret, Error *err) {
    const Tensor *tensor = &run->inputs[index];
    *ret = (BinaryOperand){tensor->data, tensor->shape};
    if (tensor->dtype == as)
        return OK;
    if (as == DTYPE_I64)
        return integers_widen(run, index, (const int64_t **)&ret->data, err);
    if (as == DTYPE_F64)
        return evaluate_as_f64(run, index, (const double **)&ret->data, err);
    return evaluate_as_f32(run, index, (const float **)&ret->data, err);
}

static int64_t whole_part(double x) {
    return !(fabs(x) < 0x1p63) ? 0 : (int64_t)x;
}

// Results from the type computed in to the base's.
static void results_store(DType as, const void *from, size_t count, DType dtype, void *to) {
    for (size_t i = 0; i < count && !dtype_is_real(dtype); i++) {
        int64_t value = as == DTYPE_I64 ? ((const int64_t *)from)[i] : whole_part(((const double *)from)[i]);
        if (dtype == DTYPE_I64)
            ((int64_t *)to)[i] = value;
        else
            ((int32_t *)to)[i] = (int32_t)value;
    }
    if (dtype_is_real(dtype) && as == DTYPE_F32) {
        real_store(dtype, from, count, to);
        return;
    }
    for (size_t i = 0; i < count && dtype_is_real(dtype); i++) {
        float value = (float)((const double *)from)[i];
        real_store(dtype, &value, 1, (char *)to + i * dtype_bytes(dtype));
    }
}

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_REAL | DTYPES_INDEX, err));
    TRY(evaluate_type(run, 1, DTYPES_NUMBER, err));
    DType dtype = run->inputs[0].dtype, exponent = run->inputs[1].dtype;
    DType as = DTYPE_F64;
    BinaryLoop *loop = power_f64;
    if (loops_dtype(dtype) == DTYPE_F32 && loops_dtype(exponent) == DTYPE_F32) {
        as = DTYPE_F32;
        loop = power_f32;
    } else if (!dtype_is_real(dtype) && !dtype_is_real(exponent)) {
        as = DTYPE_I64;
        loop = power_i64;
    }
    BinaryOperand x, y;
    TRY(operand_make(run, 0, as, &x, err));
    TRY(operand_make(run, 1, as, &y, err));
    Shape shape = x.shape;
    TRY(walk_broadcast(run, &shape, &y.shape, err));
    void *out, *wide;
    TRY(evaluate_output(run, 0, dtype, &shape, &out, err));
    wide = out;
    if (as != dtype)
        TRY_NEW(wide = arena_alloc(run->scratch, shape_count(&shape) * dtype_bytes(as), 64, err));
    binary_pairs(run, loop, x, y, dtype_bytes(as), &shape, dtype_bytes(as), wide);
    if (as != dtype)
        results_store(as, wide, shape_count(&shape), dtype, out);
    return OK;
}

const OpDef op_tensor_pow = {.infer = binary_infer, .evaluate = evaluate};

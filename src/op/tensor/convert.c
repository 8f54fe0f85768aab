// SPDX-License-Identifier: Apache-2.0
// Conversions in short pieces: integers through 64 bits, reals through f32, or f64 where f32 cannot hold them.
#include "op/tensor/convert.h"

#include <math.h>
#include <string.h>

#include "op/tensor/move.h"

typedef struct Job {
    Conversion conversion;
    const unsigned char *from;
    unsigned char *to;
} Job;

enum { PIECE = 256 };

static bool is_integer(DType dtype) {
    return !dtype_is_real(dtype) && !dtype_is_small_float(dtype);
}

// `count` integers, sign-extended to 64 bits.
#define LOAD(type)                                                                                                     \
    for (size_t i = 0; i < count; i++) {                                                                               \
        type v;                                                                                                        \
        memcpy(&v, from + i * sizeof v, sizeof v);                                                                     \
        ret[i] = (uint64_t)v;                                                                                          \
    }                                                                                                                  \
    break
static void integers_load(DType dtype, const unsigned char *from, size_t count, uint64_t *ret) {
    switch (dtype) {
    case DTYPE_I64:
    case DTYPE_U64:
        LOAD(uint64_t);
    case DTYPE_I32:
        LOAD(int32_t);
    case DTYPE_U32:
        LOAD(uint32_t);
    case DTYPE_I16:
        LOAD(int16_t);
    case DTYPE_U16:
        LOAD(uint16_t);
    case DTYPE_I8:
    case DTYPE_I4:
    case DTYPE_I2:
        LOAD(int8_t);
    default:
        LOAD(uint8_t);
    }
}

// The low bits of `count` integers.
#define STORE(type, expression)                                                                                        \
    for (size_t i = 0; i < count; i++) {                                                                               \
        uint64_t v = values[i];                                                                                        \
        ((type *)to)[i] = (type)(expression);                                                                          \
    }                                                                                                                  \
    break
static void integers_store(DType dtype, const uint64_t *values, size_t count, void *to) {
    switch (dtype) {
    case DTYPE_BOOL:
        STORE(uint8_t, v != 0);
    case DTYPE_I4:
        STORE(uint8_t, ((v & 15) ^ 8) - 8);
    case DTYPE_U4:
        STORE(uint8_t, v & 15);
    case DTYPE_I2:
        STORE(uint8_t, ((v & 3) ^ 2) - 2);
    case DTYPE_U2:
        STORE(uint8_t, v & 3);
    default:
        break;
    }
    switch (dtype_is_small_float(dtype) || dtype_bits(dtype) < 8 || dtype == DTYPE_BOOL ? 0 : dtype_bytes(dtype)) {
    case 8:
        STORE(uint64_t, v);
    case 4:
        STORE(uint32_t, v);
    case 2:
        STORE(uint16_t, v);
    case 1:
        STORE(uint8_t, v);
    }
}

// The fraction cut off, in the range of `dtype`'s 32 or 64 bits.
static uint64_t real_truncate(DType dtype, double value) {
    if (dtype == DTYPE_BOOL)
        return value != 0; // NaN too
    bool natural = dtype == DTYPE_U64 || dtype == DTYPE_U32;
    if (value > (natural ? -1.0 : -0x1p31) && value < 0x1p31) // nearly all
        return (uint64_t)(int64_t)value;
    if (isnan(value))
        return 0;
    if (dtype == DTYPE_U64 && value >= 0x1p63)
        return value >= 0x1p64 ? UINT64_MAX : (uint64_t)value;
    if (natural)
        value = fmax(value, 0);
    if (dtype == DTYPE_U32)
        value = fmin(value, UINT32_MAX);
    if (dtype == DTYPE_I32)
        value = fmin(fmax(value, INT32_MIN), INT32_MAX);
    if (value >= 0x1p63)
        return INT64_MAX;
    return value < -0x1p63 ? (uint64_t)INT64_MIN : (uint64_t)(int64_t)value;
}

static void integers_piece(const Job *job, const unsigned char *from, size_t count, void *to) {
    Conversion c = job->conversion;
    uint64_t integers[PIECE];
    if (is_integer(c.from)) {
        integers_load(c.from, from, count, integers);
    } else {
        double reals[PIECE];
        elements_to_f64(c.from, from, count, reals);
        for (size_t i = 0; i < count; i++)
            integers[i] = real_truncate(c.to, reals[i]);
    }
    integers_store(c.to, integers, count, to);
}

static void reals_piece(const Job *job, const unsigned char *from, size_t count, void *to) {
    Conversion c = job->conversion;
    Tensor piece = {.dtype = c.from, .data = from, .bytes = count * dtype_bytes(c.from)};
    float reals[PIECE];
    if (c.to == DTYPE_F64) {
        elements_to_f64(c.from, from, count, to);
        return;
    }
    tensor_to_f32(&piece, c.to == DTYPE_F32 ? to : reals);
    if (c.to == DTYPE_F8E8M0)
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)to)[i] = f32_to_f8e8m0(reals[i], c.saturate, c.rounding);
    else if (dtype_is_small_float(c.to))
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)to)[i] = f32_to_small_float(c.to, reals[i], c.saturate);
    else if (c.to != DTYPE_F32)
        real_store(c.to, reals, count, to);
}

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    for (size_t i = first; i < last; i += PIECE) {
        size_t count = last - i < PIECE ? last - i : PIECE;
        (is_integer(job->conversion.to) ? integers_piece
                                        : reals_piece)(job, job->from + i * dtype_bytes(job->conversion.from), count,
                                                       job->to + i * dtype_bytes(job->conversion.to));
    }
}

void elements_convert(const Evaluation *run, Conversion conversion, const void *from, size_t count,
                      void *ret_elements) {
    Job job = {conversion, from, ret_elements};
    if (count)
        evaluate_parallel(run, count, count, work, &job);
}

Status convert_output(Evaluation *run, size_t input, DType to, Error *err) {
    const Tensor *x = &run->inputs[input];
    if (!evaluate_has(run, input))
        return FAIL(err, ERR_FORMAT, "%s: input %zu is missing", evaluate_name(run), input);
    if (x->dtype == to)
        return evaluate_view(run, 0, input, to, &x->shape, err);
    const char *mode = node_text(run->node, "round_mode", "up");
    static const char *const modes[] = {
        [SCALE_ROUND_UP] = "up", [SCALE_ROUND_DOWN] = "down", [SCALE_ROUND_NEAREST] = "nearest"};
    Conversion conversion = {x->dtype, to, node_int(run->node, "saturate", 1) != 0, SCALE_ROUND_UP};
    while (conversion.rounding <= SCALE_ROUND_NEAREST && strcmp(modes[conversion.rounding], mode) != 0)
        conversion.rounding++;
    if (conversion.rounding > SCALE_ROUND_NEAREST)
        return FAIL(err, ERR_FORMAT, "%s: round_mode '%s', expected up, down or nearest", evaluate_name(run), mode);
    void *y;
    TRY(evaluate_output(run, 0, to, &x->shape, &y, err));
    elements_convert(run, conversion, x->data, shape_count(&x->shape), y);
    return OK;
}

Status evaluate_dtype(const Evaluation *run, const char *name, DType missing, DType *ret_dtype, Error *err) {
    int64_t number = node_int(run->node, name, 0);
    *ret_dtype = missing;
    if (number == 0 && missing != DTYPE_COUNT)
        return OK;
    if (number <= 0 || !dtype_from_onnx((uint64_t)number, ret_dtype))
        return FAIL(err, ERR_UNSUPPORTED, "%s: %s=%lld is no element type that is supported", evaluate_name(run), name,
                    (long long)number);
    return OK;
}

bool infer_dtype(const Node *node, const char *name, DType *ret_dtype) {
    int64_t number = node_int(node, name, 0);
    return number > 0 && dtype_from_onnx((uint64_t)number, ret_dtype);
}

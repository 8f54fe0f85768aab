// SPDX-License-Identifier: Apache-2.0
// Range: start, start + delta, ... up to but without limit.
#include <math.h>
#include <string.h>

#include "op/tensor/move.h"

#define TYPES (DTYPES_REAL | DTYPES_SIGNED)

// How many elements; -1: delta is 0, or a bound is no number. The three values are of one type out of TYPES.
static int64_t range_count(DType dtype, const void *const *values) {
    if (dtype_is_real(dtype)) {
        double v[3];
        for (int i = 0; i < 3; i++)
            elements_to_f64(dtype, values[i], 1, &v[i]);
        double count = ceil((v[1] - v[0]) / v[2]);
        return v[2] == 0 || isnan(count) ? -1 : count <= 0 ? 0 : count < 0x1p62 ? (int64_t)count : INT64_MAX;
    }
    int64_t v[3] = {0};
    for (int i = 0; i < 3; i++) {
        Tensor one = {.dtype = DTYPE_I64, .data = values[i]};
        double narrow;
        elements_to_f64(dtype, values[i], 1, &narrow);
        v[i] = dtype == DTYPE_I64 ? index_at(&one, 0) : (int64_t)narrow;
    }
    if (v[2] == 0)
        return -1;
    if (v[2] > 0 ? v[0] >= v[1] : v[0] <= v[1])
        return 0;
    uint64_t gap = v[2] > 0 ? (uint64_t)v[1] - (uint64_t)v[0] : (uint64_t)v[0] - (uint64_t)v[1];
    uint64_t step = v[2] > 0 ? (uint64_t)v[2] : -(uint64_t)v[2], count = (gap - 1) / step + 1;
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType type = infer_type(node, 0);
    const void *values[3];
    size_t elements;
    bool known = true;
    for (size_t i = 0; i < 3; i++) {
        const Constant *c = node->inputs[i].constant;
        known = known && c && c->scheme == SCHEME_DENSE && c->dtype == type.dtype && constant_has_data(c) &&
                !c->part_count && shape_elements(&c->shape, &elements) && elements == 1;
        values[i] = known ? c->data : NULL;
    }
    ret_types[0] = type.rank < 0 ? type_unknown() : infer_rank(type.dtype, 1);
    if (known && DTYPE_BIT(type.dtype) & TYPES) {
        int64_t count = range_count(type.dtype, values);
        ret_types[0].dims[0] = count < 0 ? dim_unknown() : dim_of(count);
    }
    return OK;
}

#define FILL(type, Wide)                                                                                               \
    {                                                                                                                  \
        type start, delta;                                                                                             \
        memcpy(&start, values[0], sizeof start);                                                                       \
        memcpy(&delta, values[2], sizeof delta);                                                                       \
        for (int64_t i = 0; i < count; i++)                                                                            \
            ((type *)y)[i] = (type)((Wide)start + (Wide)i * (Wide)delta);                                              \
        break;                                                                                                         \
    }
// Halves are computed in f32.
static void halves_fill(DType dtype, const void *const *values, int64_t count, uint16_t *y) {
    double start, delta;
    elements_to_f64(dtype, values[0], 1, &start);
    elements_to_f64(dtype, values[2], 1, &delta);
    for (int64_t i = 0; i < count; i++) {
        float value = (float)start + (float)i * (float)delta;
        real_store(dtype, &value, 1, &y[i]);
    }
}

static void range_fill(DType dtype, const void *const *values, int64_t count, void *y) {
    switch (dtype) {
    case DTYPE_F16:
    case DTYPE_BF16:
        halves_fill(dtype, values, count, y);
        break;
    case DTYPE_F32:
        FILL(float, float)
    case DTYPE_F64:
        FILL(double, double)
    case DTYPE_I64:
        FILL(int64_t, uint64_t)
    case DTYPE_I32:
        FILL(int32_t, uint64_t)
    case DTYPE_I16:
        FILL(int16_t, uint64_t)
    default:
        FILL(int8_t, uint64_t)
    }
}

static Status evaluate(Evaluation *run, Error *err) {
    const void *values[3];
    char text[SHAPE_TEXT_BYTES];
    TRY(evaluate_type(run, 0, TYPES, err));
    DType dtype = run->inputs[0].dtype;
    for (size_t i = 0; i < 3; i++) {
        TRY(evaluate_same_type(run, 0, i, err));
        values[i] = run->inputs[i].data;
        if (shape_count(&run->inputs[i].shape) != 1)
            return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected a single number", evaluate_name(run), i,
                        shape_text(&run->inputs[i].shape, text));
    }
    int64_t count = range_count(dtype, values);
    if (count < 0)
        return FAIL(err, ERR_FORMAT, "%s: the steps lead nowhere: delta is 0, or there is a NaN", evaluate_name(run));
    void *y;
    Shape list = {1, {count}};
    TRY(evaluate_output(run, 0, dtype, &list, &y, err));
    range_fill(dtype, values, count, y);
    return OK;
}

const OpDef op_tensor_range = {.infer = infer, .evaluate = evaluate};

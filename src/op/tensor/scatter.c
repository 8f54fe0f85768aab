// SPDX-License-Identifier: Apache-2.0
// Places and reductions.
#include "op/tensor/scatter.h"

#include <math.h>
#include <string.h>

Status along_axis_places(Evaluation *run, int axis, int64_t **ret_places, Error *err) {
    TRY(evaluate_type(run, 1, DTYPES_INDEX, err));
    const Tensor *at = &run->inputs[1];
    const Shape *data = &run->inputs[0].shape;
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];
    bool fits = at->shape.rank == data->rank;
    for (int i = 0; fits && i < data->rank; i++)
        fits = i == axis || at->shape.dims[i] <= data->dims[i];
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: indices of %s reach beyond %s", evaluate_name(run),
                    shape_text(&at->shape, from), shape_text(data, to));
    int64_t *places, strides[SHAPE_MOST_DIMS], counter[SHAPE_MOST_DIMS] = {0}, base = 0;
    size_t count = shape_count(&at->shape);
    TRY(indices_take(run, 1, data->dims[axis], &places, err));
    shape_strides(data, strides);
    for (size_t n = 0; n < count; n++) { // base: the place without the axis
        places[n] = base + places[n] * strides[axis];
        for (int i = at->shape.rank; i-- > 0;) {
            base += i == axis ? 0 : strides[i];
            if (++counter[i] < at->shape.dims[i])
                break;
            base -= i == axis ? 0 : strides[i] * counter[i];
            counter[i] = 0;
        }
    }
    *ret_places = places;
    return OK;
}

Status tuple_places(Evaluation *run, int batch, int64_t **ret_places, size_t *ret_count, size_t *ret_block,
                    Error *err) {
    TRY(evaluate_type(run, 1, DTYPES_INDEX, err));
    const Tensor *at = &run->inputs[1];
    const Shape *data = &run->inputs[0].shape;
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];
    int64_t length = at->shape.rank ? at->shape.dims[at->shape.rank - 1] : -1;
    bool fits =
        length >= 0 && batch >= 0 && batch < at->shape.rank && batch <= data->rank && length <= data->rank - batch;
    for (int i = 0; fits && i < batch; i++)
        fits = at->shape.dims[i] == data->dims[i];
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: indices of %s do not fit %s with %d dimensions in common", evaluate_name(run),
                    shape_text(&at->shape, from), shape_text(data, to), batch);
    size_t count = shape_count_range(&at->shape, 0, at->shape.rank - 1);
    size_t per_batch = shape_count_range(&at->shape, batch, at->shape.rank - 1);
    int64_t *places = arena_array(run->scratch, count, sizeof *places, err), strides[SHAPE_MOST_DIMS];
    TRY_NEW(places);
    shape_strides(data, strides);
    int64_t batch_stride = (int64_t)shape_count_range(data, batch, data->rank);
    for (size_t n = 0; n < count; n++) {
        places[n] = batch_stride * (int64_t)(n / per_batch);
        for (int k = 0; k < (int)length; k++) {
            size_t place = n * (size_t)length + (size_t)k;
            int64_t index;
            TRY(index_check(run, 1, place, index_at(at, place), data->dims[batch + k], &index, err));
            places[n] += index * strides[batch + k];
        }
    }
    *ret_places = places;
    *ret_count = count;
    *ret_block = shape_count_range(data, batch + (int)length, data->rank);
    return OK;
}

// `count` elements of x met by those of u; integers wrap.
typedef void Reduce(Reduction reduction, void *x, const void *u, size_t count);
#define REDUCE(name, type, Wide, load, store, is_nan)                                                                  \
    static void name(Reduction reduction, void *x, const void *u, size_t count) {                                      \
        for (size_t i = 0; i < count; i++) {                                                                           \
            type a, b, y;                                                                                              \
            memcpy(&a, (char *)x + i * sizeof a, sizeof a);                                                            \
            memcpy(&b, (const char *)u + i * sizeof b, sizeof b);                                                      \
            Wide v = (Wide)load(a), w = (Wide)load(b);                                                                 \
            v = reduction == REDUCTION_ADD   ? v + w                                                                   \
                : reduction == REDUCTION_MUL ? v * w                                                                   \
                : reduction == REDUCTION_MAX ? (load(a) < load(b) || is_nan(w) ? w : v)                                \
                                             : (load(b) < load(a) || is_nan(w) ? w : v);                               \
            y = (type)store(v);                                                                                        \
            memcpy((char *)x + i * sizeof y, &y, sizeof y);                                                            \
        }                                                                                                              \
    }
REDUCE(reduce_f64, double, double, , , isnan)
REDUCE(reduce_f32, float, float, , , isnan)
REDUCE(reduce_f16, uint16_t, float, f16_to_f32, f32_to_f16, isnan)
REDUCE(reduce_bf16, uint16_t, float, bf16_to_f32, f32_to_bf16, isnan)
#define NEVER(v) false
REDUCE(reduce_i64, int64_t, uint64_t, , , NEVER)
REDUCE(reduce_u64, uint64_t, uint64_t, , , NEVER)
REDUCE(reduce_i32, int32_t, uint64_t, , , NEVER)
REDUCE(reduce_u32, uint32_t, uint64_t, , , NEVER)
REDUCE(reduce_i16, int16_t, uint64_t, , , NEVER)
REDUCE(reduce_u16, uint16_t, uint64_t, , , NEVER)
REDUCE(reduce_i8, int8_t, uint64_t, , , NEVER)
REDUCE(reduce_u8, uint8_t, uint64_t, , , NEVER)

static Reduce *const reduces[DTYPE_COUNT] = {
    [DTYPE_F64] = reduce_f64, [DTYPE_F32] = reduce_f32, [DTYPE_F16] = reduce_f16, [DTYPE_BF16] = reduce_bf16,
    [DTYPE_I64] = reduce_i64, [DTYPE_I32] = reduce_i32, [DTYPE_I16] = reduce_i16, [DTYPE_I8] = reduce_i8,
    [DTYPE_U64] = reduce_u64, [DTYPE_U32] = reduce_u32, [DTYPE_U16] = reduce_u16, [DTYPE_U8] = reduce_u8,
};

static Status reduction_find(const Evaluation *run, Reduction *ret, Error *err) {
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *name = node_text(run->node, "reduction", "none");
    Reduction r = REDUCTION_NONE;
    while (r <= REDUCTION_MIN && strcmp(name, names[r]) != 0)
        r++;
    if (r > REDUCTION_MIN)
        return FAIL(err, ERR_FORMAT, "%s: reduction '%s', expected none, add, mul, max or min", evaluate_name(run),
                    name);
    *ret = r;
    return r == REDUCTION_NONE ? OK : evaluate_type(run, 0, DTYPES_NUMBER, err);
}

Status scatter_output(Evaluation *run, const int64_t *places, size_t count, size_t block, Error *err) {
    Reduction reduction = REDUCTION_NONE;
    const Tensor *x = &run->inputs[0], *updates = &run->inputs[2];
    size_t width = dtype_bytes(x->dtype);
    unsigned char *y;
    TRY(reduction_find(run, &reduction, err));
    TRY(evaluate_same_type(run, 0, 2, err));
    if (shape_count(&updates->shape) != count * block)
        return FAIL(err, ERR_FORMAT, "%s: %zu updates, the indices need %zu", evaluate_name(run),
                    shape_count(&updates->shape), count * block);
    TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err));
    if (!x->bytes)
        return OK;
    memcpy(y, x->data, x->bytes);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *from = (const unsigned char *)updates->data + i * block * width;
        unsigned char *to = y + (size_t)places[i] * width;
        if (reduction == REDUCTION_NONE)
            element_copy(to, from, block * width);
        else
            reduces[x->dtype](reduction, to, from, block);
    }
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Clip: x, at least min and then at most max; both may be absent. NaN stays.
#include <math.h>

#include "op/tensor/unary.h"

// The bounds, of the loop's type; NULL: none.
typedef struct Bounds {
    const void *low, *high;
} Bounds;

#define CLIP_LOOP(name, Type, least, most)                                                                             \
    static void name(const void *from, size_t count, const UnaryArgs *args, void *to) {                                \
        const Bounds *bounds = args->more;                                                                             \
        Type low = bounds->low ? *(const Type *)bounds->low : (least);                                                 \
        Type high = bounds->high ? *(const Type *)bounds->high : (most);                                               \
        const Type *in = from;                                                                                         \
        Type *out = to;                                                                                                \
        for (size_t i = 0; i < count; i++) {                                                                           \
            Type x = in[i] < low ? low : in[i];                                                                        \
            out[i] = x > high ? high : x;                                                                              \
        }                                                                                                              \
    }

CLIP_LOOP(clip_f32, float, -INFINITY, INFINITY)
CLIP_LOOP(clip_f64, double, -(double)INFINITY, (double)INFINITY)
CLIP_LOOP(clip_i64, int64_t, INT64_MIN, INT64_MAX)
CLIP_LOOP(clip_i32, int32_t, INT32_MIN, INT32_MAX)
CLIP_LOOP(clip_i16, int16_t, INT16_MIN, INT16_MAX)
CLIP_LOOP(clip_i8, int8_t, INT8_MIN, INT8_MAX)
CLIP_LOOP(clip_u64, uint64_t, 0, UINT64_MAX)
CLIP_LOOP(clip_u32, uint32_t, 0, UINT32_MAX)
CLIP_LOOP(clip_u16, uint16_t, 0, UINT16_MAX)
CLIP_LOOP(clip_u8, uint8_t, 0, UINT8_MAX)

static Status bound_read(Evaluation *run, size_t index, const void **ret, Error *err) {
    if (!evaluate_has(run, index))
        return OK;
    TRY(evaluate_same_type(run, 0, index, err));
    const Tensor *bound = &run->inputs[index];
    char text[SHAPE_TEXT_BYTES];
    if (shape_count(&bound->shape) != 1)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected a single number", evaluate_name(run), index,
                    shape_text(&bound->shape, text));
    *ret = bound->data;
    if (loops_dtype(bound->dtype) != bound->dtype)
        TRY(evaluate_as_f32(run, index, (const float **)ret, err));
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    Bounds bounds = {0};
    TRY(bound_read(run, 1, &bounds.low, err));
    TRY(bound_read(run, 2, &bounds.high, err));
    return unary_evaluate(run, &(Unary){.loops = {LOOPS_NUMBER(clip)}, .more = &bounds}, err);
}

const OpDef op_tensor_clip = {.infer = infer_first, .evaluate = evaluate};

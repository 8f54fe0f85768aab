// SPDX-License-Identifier: Apache-2.0
#include "op/tensor/mask_index.h"

#include "base/memory.h"

typedef enum MaskKind { MASK_LENGTHS, MASK_ENDS_STARTS, MASK_KEYS, MASK_QUERIES, MASK_SQUARE, MASK_ALL } MaskKind;

typedef struct Mask {
    const Tensor *tensor;
    MaskKind kind;
    size_t batches, queries, keys;
} Mask;

static bool kind_find(Mask *mask) {
    const Shape *shape = &mask->tensor->shape;
    size_t d[4] = {0};
    for (int i = 0; i < shape->rank && i < 4; i++)
        d[i] = (size_t)shape->dims[i];
    size_t batches = mask->batches, keys = mask->keys;
    if (shape->rank == 1) {
        mask->kind = d[0] == 2 * batches && batches ? MASK_ENDS_STARTS : MASK_LENGTHS;
        return d[0] == batches || d[0] == 2 * batches || d[0] == 3 * batches + 2;
    }
    if (shape->rank == 2) {
        mask->kind = d[0] == batches && d[1] == keys ? MASK_KEYS : MASK_ALL;
        return mask->kind == MASK_KEYS || ((d[0] == batches || d[0] == 1) && d[1] == 1);
    }
    mask->kind = shape->rank == 3 ? MASK_QUERIES : MASK_SQUARE;
    if (shape->rank == 3)
        return d[0] == batches && d[1] == mask->queries && d[2] == keys;
    return shape->rank == 4 && d[0] == batches && d[1] == 1 && d[2] == d[3] && d[2] >= keys && keys >= mask->queries;
}

static int64_t mask_at(const Mask *mask, size_t at) {
    const Tensor *t = mask->tensor;
    return t->dtype == DTYPE_I64 ? ((const int64_t *)t->data)[at] : ((const int32_t *)t->data)[at];
}

static bool is_seen(const Mask *mask, size_t b, size_t i, size_t key) {
    size_t most = mask->kind == MASK_SQUARE ? (size_t)mask->tensor->shape.dims[2] : 0;
    switch (mask->kind) {
    case MASK_LENGTHS:
        return (int64_t)key < mask_at(mask, b);
    case MASK_ENDS_STARTS:
        return (int64_t)key < mask_at(mask, b) && (int64_t)key >= mask_at(mask, mask->batches + b);
    case MASK_KEYS:
        return mask_at(mask, b * mask->keys + key) > 0;
    case MASK_QUERIES:
        return mask_at(mask, (b * mask->queries + i) * mask->keys + key) > 0;
    case MASK_SQUARE:
        return mask_at(mask, (b * most + mask->keys - mask->queries + i) * most + key) > 0;
    default:
        return true;
    }
}

Status mask_index(Evaluation *run, size_t index, size_t batches, size_t queries, size_t keys, AttendBias *ret,
                  Error *err) {
    Mask mask = {.batches = batches, .queries = queries, .keys = keys};
    char text[SHAPE_TEXT_BYTES];
    *ret = (AttendBias){0};
    if (!evaluate_has(run, index))
        return OK;
    TRY(evaluate_type(run, index, DTYPES_INDEX, err));
    mask.tensor = &run->inputs[index];
    if (!kind_find(&mask))
        return FAIL(err, ERR_FORMAT, "%s: mask %s for %zu batches, %zu queries and %zu keys", evaluate_name(run),
                    shape_text(&mask.tensor->shape, text), batches, queries, keys);
    if (mask.kind == MASK_ALL)
        return OK;
    size_t rows = mask.kind == MASK_QUERIES || mask.kind == MASK_SQUARE ? queries : 1, count;
    float *values, filter = (float)node_real(run->node, "mask_filter_value", -10000);
    if (!size_multiply(batches, rows, &count) || !size_multiply(count, keys, &count))
        return FAIL(err, ERR_LIMIT, "%s: a mask of %zu keys is more than any memory", evaluate_name(run), keys);
    TRY_NEW(values = arena_array(run->scratch, count, sizeof *values, err));
    for (size_t b = 0; b < batches; b++)
        for (size_t i = 0; i < rows; i++)
            for (size_t key = 0; key < keys; key++)
                values[(b * rows + i) * keys + key] = is_seen(&mask, b, i, key) ? 0 : filter;
    *ret = (AttendBias){.values = values, .batch = rows * keys, .row = rows == 1 ? 0 : keys, .keys = keys};
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// TensorScatter: a cache [batch, ..., places, ...] with an update [batch, ..., fewer, ...] written along `axis`, from a
// place for each of the batch on. {axis=-2, mode=linear, or circular: past the end it goes on at the beginning}
#include <string.h>

#include "op/tensor/move.h"

// Where each of the batch begins, from the third input, or 0.
static Status starts_take(Evaluation *run, int64_t places, int64_t length, bool circular, int64_t *ret_starts,
                          Error *err) {
    size_t batch = (size_t)run->inputs[0].shape.dims[0];
    if (!evaluate_has(run, 2))
        return OK;
    TRY(evaluate_type(run, 2, DTYPES_INDEX, err));
    if (shape_count(&run->inputs[2].shape) != batch)
        return FAIL(err, ERR_FORMAT, "%s: input 2 has %zu elements, expected %zu", evaluate_name(run),
                    shape_count(&run->inputs[2].shape), batch);
    for (size_t i = 0; i < batch; i++) {
        int64_t start = index_at(&run->inputs[2], i);
        if (circular && places) {
            start %= places;
            start += start < 0 ? places : 0;
        } else if (start < 0 || start > places - length) {
            return FAIL(err, ERR_FORMAT, "%s: %lld elements from place %lld on do not fit %lld places",
                        evaluate_name(run), (long long)length, (long long)start, (long long)places);
        }
        ret_starts[i] = start;
    }
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_same_type(run, 0, 1, err));
    const Tensor *x = &run->inputs[0], *update = &run->inputs[1];
    const char *mode = node_text(run->node, "mode", "linear");
    bool circular = strcmp(mode, "circular") == 0;
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];
    int axis;
    TRY(evaluate_axis(run, "axis", -2, x->shape.rank, false, &axis, err));
    bool fits = axis > 0 && update->shape.rank == x->shape.rank;
    for (int i = 0; fits && i < x->shape.rank; i++)
        fits = i == axis ? update->shape.dims[i] <= x->shape.dims[i] : update->shape.dims[i] == x->shape.dims[i];
    if (!fits || (!circular && strcmp(mode, "linear") != 0))
        return FAIL(err, ERR_FORMAT, "%s: an update of %s does not go into %s along axis %d in mode '%s'",
                    evaluate_name(run), shape_text(&update->shape, from), shape_text(&x->shape, to), axis, mode);
    int64_t places = x->shape.dims[axis], length = update->shape.dims[axis];
    int64_t *starts = arena_array(run->scratch, (size_t)x->shape.dims[0], sizeof *starts, err);
    TRY_NEW(starts);
    TRY(starts_take(run, places, length, circular, starts, err));
    unsigned char *y;
    TRY(evaluate_output(run, 0, x->dtype, &x->shape, &y, err));
    if (!x->bytes)
        return OK;
    memcpy(y, x->data, x->bytes);
    size_t block = shape_count_range(&x->shape, axis + 1, x->shape.rank) * dtype_bytes(x->dtype);
    size_t rows = shape_count_range(&x->shape, 0, axis), rows_each = rows / (size_t)x->shape.dims[0];
    for (size_t row = 0; row < rows && length; row++) {
        int64_t start = starts[row / rows_each], first = start + length > places ? places - start : length;
        const unsigned char *news = (const unsigned char *)update->data + row * (size_t)length * block;
        unsigned char *cache = y + row * (size_t)places * block;
        memcpy(cache + (size_t)start * block, news, (size_t)first * block);
        memcpy(cache, news + (size_t)first * block, (size_t)(length - first) * block);
    }
    return OK;
}

const OpDef op_tensor_tensor_scatter = {.infer = infer_first, .evaluate = evaluate};

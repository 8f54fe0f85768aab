// SPDX-License-Identifier: Apache-2.0
// Tile: the input as often along each dimension as the second input says.
#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    Shape repeats;
    ret_types[0] = x.rank < 0 ? type_unknown() : infer_rank(x.dtype, x.rank);
    if (x.rank < 0 || !infer_shape(node, 1, &repeats) || repeats.rank != x.rank)
        return OK;
    for (int i = 0; i < x.rank; i++) {
        int64_t dim;
        if (repeats.dims[i] == 1)
            ret_types[0].dims[i] = x.dims[i];
        else if (!x.dims[i].variable && !__builtin_mul_overflow(x.dims[i].value, repeats.dims[i], &dim))
            ret_types[0].dims[i] = dim_of(dim);
    }
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    Shape repeats, shape = x->shape;
    char text[SHAPE_TEXT_BYTES], times[SHAPE_TEXT_BYTES];
    TRY(shape_take(run, 1, &repeats, err));
    bool fits = repeats.rank == shape.rank;
    for (int i = 0; fits && i < shape.rank; i++)
        fits = !__builtin_mul_overflow(shape.dims[i], repeats.dims[i], &shape.dims[i]);
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: %s cannot be repeated %s times", evaluate_name(run),
                    shape_text(&x->shape, text), shape_text(&repeats, times));
    if (shape_equal(&shape, &x->shape))
        return evaluate_view(run, 0, 0, x->dtype, &shape, err);
    StridedCopy copy = {.from = x->data, .width = dtype_bytes(x->dtype), .rank = 2 * shape.rank};
    int64_t from[SHAPE_MOST_DIMS], to[SHAPE_MOST_DIMS];
    TRY(evaluate_output(run, 0, x->dtype, &shape, &copy.to, err));
    if (!shape_count(&shape))
        return OK;
    shape_strides(&x->shape, from);
    shape_strides(&shape, to);
    for (int i = 0; i < shape.rank; i++) {
        int outer = 2 * i;
        copy.dims[outer] = repeats.dims[i];
        copy.to_strides[outer] = to[i] * x->shape.dims[i];
        copy.dims[outer + 1] = x->shape.dims[i];
        copy.from_strides[outer + 1] = from[i];
        copy.to_strides[outer + 1] = to[i];
    }
    strided_copy(run, &copy);
    return OK;
}

const OpDef op_tensor_tile = {.infer = infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// Unsqueeze: dimensions of size 1 put in, at the places of the result that the second input names.
#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), y = {.dtype = x.dtype};
    int64_t axes[SHAPE_MOST_DIMS];
    size_t count;
    int marks[SHAPE_MOST_DIMS];
    ret_types[0] = type_unknown();
    if (x.rank < 0 || !infer_ints(node, 1, SHAPE_MOST_DIMS, axes, &count) || x.rank + (int)count > SHAPE_MOST_DIMS ||
        !infer_axes(node, 1, x.rank + (int)count, marks))
        return OK;
    for (int from = 0; y.rank < x.rank + (int)count; y.rank++)
        y.dims[y.rank] = marks[y.rank] ? dim_of(1) : x.dims[from++];
    ret_types[0] = y;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    TRY(evaluate_type(run, 1, DTYPES_INDEX, err));
    size_t count = shape_count(&run->inputs[1].shape);
    int marks[SHAPE_MOST_DIMS], rank = x->shape.rank + (int)(count > SHAPE_MOST_DIMS ? SHAPE_MOST_DIMS + 1 : count);
    TRY(rank_check(run, rank, err));
    TRY(axes_take(run, 1, rank, marks, err));
    Shape shape = {.rank = rank};
    for (int i = 0, from = 0; i < rank; i++)
        shape.dims[i] = marks[i] ? 1 : x->shape.dims[from++];
    return evaluate_view(run, 0, 0, x->dtype, &shape, err);
}

const OpDef op_tensor_unsqueeze = {.infer = infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// Squeeze: without the dimensions of size 1 that the second input names, or without all of them.
#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), y = {.dtype = x.dtype};
    int marks[SHAPE_MOST_DIMS];
    bool all = node->input_count < 2 || value_absent(node->inputs[1]);
    Shape shape;
    ret_types[0] = type_unknown();
    if (x.rank < 0 || (all ? !infer_known(x, &shape) : !infer_axes(node, 1, x.rank, marks)))
        return OK;
    for (int i = 0; i < x.rank; i++)
        if (all ? !dim_is(x.dims[i], 1) : !marks[i])
            y.dims[y.rank++] = x.dims[i];
    ret_types[0] = y;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    Shape shape = {0};
    int marks[SHAPE_MOST_DIMS];
    bool all = !evaluate_has(run, 1);
    if (!all)
        TRY(axes_take(run, 1, x->shape.rank, marks, err));
    for (int i = 0; i < x->shape.rank; i++) {
        int64_t dim = x->shape.dims[i];
        if (all ? dim != 1 : !marks[i])
            shape.dims[shape.rank++] = dim;
        else if (dim != 1)
            return FAIL(err, ERR_FORMAT, "%s: dimension %d is %lld, expected 1", evaluate_name(run), i, (long long)dim);
    }
    return evaluate_view(run, 0, 0, x->dtype, &shape, err);
}

const OpDef op_tensor_squeeze = {.infer = infer, .evaluate = evaluate};

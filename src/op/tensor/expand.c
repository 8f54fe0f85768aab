// SPDX-License-Identifier: Apache-2.0
// Expand: broadcast together with the shape in the second input.
#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    Shape shape;
    ret_types[0] = infer_shape(node, 1, &shape) ? infer_broadcast(x, infer_of_shape(x.dtype, &shape)) : type_unknown();
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    Shape asked, shape;
    int64_t strides[SHAPE_MOST_DIMS];
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];
    TRY(shape_take(run, 1, &asked, err));
    if (!shape_broadcast(&x->shape, &asked, &shape))
        return FAIL(err, ERR_FORMAT, "%s: %s does not broadcast to %s", evaluate_name(run), shape_text(&x->shape, from),
                    shape_text(&asked, to));
    if (shape_equal(&shape, &x->shape))
        return evaluate_view(run, 0, 0, x->dtype, &shape, err);
    shape_broadcast_strides(&x->shape, &shape, strides);
    return strided_output(run, &shape, 0, strides, err);
}

const OpDef op_tensor_expand = {.infer = infer, .evaluate = evaluate};

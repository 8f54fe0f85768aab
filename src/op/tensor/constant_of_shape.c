// SPDX-License-Identifier: Apache-2.0
// ConstantOfShape: the one element of the second input, in the shape that the first one lists.
#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType sizes = infer_type(node, 0), value = infer_type(node, 1);
    Shape shape;
    ret_types[0] = type_unknown();
    if (value.rank < 0)
        return OK;
    if (infer_shape(node, 0, &shape))
        ret_types[0] = infer_of_shape(value.dtype, &shape);
    else if (sizes.rank == 1 && !sizes.dims[0].variable && sizes.dims[0].value <= SHAPE_MOST_DIMS)
        ret_types[0] = infer_rank(value.dtype, (int)sizes.dims[0].value);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    Shape shape;
    char text[SHAPE_TEXT_BYTES];
    void *y;
    TRY(shape_take(run, 0, &shape, err));
    if (!evaluate_has(run, 1) || shape_count(&run->inputs[1].shape) != 1)
        return FAIL(err, ERR_FORMAT, "%s: input 1 is %s, expected a single element", evaluate_name(run),
                    evaluate_has(run, 1) ? shape_text(&run->inputs[1].shape, text) : "missing");
    const Tensor *value = &run->inputs[1];
    TRY(evaluate_output(run, 0, value->dtype, &shape, &y, err));
    elements_fill(value->data, dtype_bytes(value->dtype), shape_count(&shape), y);
    return OK;
}

const OpDef op_tensor_constant_of_shape = {.infer = infer, .evaluate = evaluate};

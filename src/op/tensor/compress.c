// SPDX-License-Identifier: Apache-2.0
// Compress: the places along `axis` where the second input is true. {axis: of the elements in a row}
#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    int axis;
    ret_types[0] = type_unknown();
    if (x.rank < 0)
        return OK;
    if (!node_attribute(node, "axis"))
        ret_types[0] = infer_rank(x.dtype, 1);
    else if (infer_axis(node_int(node, "axis", 0), x.rank, &axis)) {
        ret_types[0] = x;
        ret_types[0].dims[axis] = dim_unknown();
    }
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    Shape shape = x->shape;
    int axis = 0;
    TRY(evaluate_type(run, 1, DTYPES_BOOL, err));
    if (node_attribute(run->node, "axis"))
        TRY(evaluate_axis(run, "axis", 0, shape.rank, false, &axis, err));
    else
        shape = (Shape){1, {(int64_t)shape_count(&x->shape)}};
    const uint8_t *wanted = run->inputs[1].data;
    size_t asked = shape_count(&run->inputs[1].shape), whole = (size_t)shape.dims[axis], taken = 0;
    for (size_t i = 0; i < asked; i++) {
        if (wanted[i] && i >= whole)
            return FAIL(err, ERR_FORMAT, "%s: element %zu of input 1 is true, but there are %zu places",
                        evaluate_name(run), i, whole);
        taken += wanted[i] != 0;
    }
    size_t outer = shape_count_range(&shape, 0, axis), width = dtype_bytes(x->dtype);
    size_t block = shape_count_range(&shape, axis + 1, shape.rank) * width;
    shape.dims[axis] = (int64_t)taken;
    unsigned char *y;
    TRY(evaluate_output(run, 0, x->dtype, &shape, &y, err));
    if (!shape_count(&shape))
        return OK;
    const unsigned char *from = x->data;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < asked; i++)
            if (wanted[i]) {
                element_copy(y, from + (o * whole + i) * block, block);
                y += block;
            }
    return OK;
}

const OpDef op_tensor_compress = {.infer = infer, .evaluate = evaluate};

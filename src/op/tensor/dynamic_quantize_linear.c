// SPDX-License-Identifier: Apache-2.0
// DynamicQuantizeLinear: the input as u8, with the scale and the zero point that its least and largest element ask for.
#include "op/tensor/dynamic.h"
#include "op/tensor/infer.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ret_types[0] = infer_as(infer_type(node, 0), DTYPE_U8);
    ret_types[1] = infer_rank(DTYPE_F32, 0);
    ret_types[2] = infer_rank(DTYPE_U8, 0);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_type(run, 0, DTYPE_BIT(DTYPE_F32), err));
    const Tensor *x = &run->inputs[0];
    size_t count = shape_count(&x->shape);
    DynamicRange range = dynamic_range(run, x->data, count);
    uint8_t *y, *zero;
    float *scale;
    TRY(evaluate_output(run, 0, DTYPE_U8, &x->shape, &y, err));
    TRY(evaluate_output(run, 1, DTYPE_F32, &(Shape){0}, &scale, err));
    TRY(evaluate_output(run, 2, DTYPE_U8, &(Shape){0}, &zero, err));
    *scale = range.scale;
    *zero = range.zero;
    dynamic_quantize(run, x->data, (DynamicRows){1, count, count}, range, 0, y);
    return OK;
}

const OpDef op_tensor_dynamic_quantize_linear = {.infer = infer, .evaluate = evaluate};

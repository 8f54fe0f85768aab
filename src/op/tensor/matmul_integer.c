// SPDX-License-Identifier: Apache-2.0
// MatMulInteger: (A - a_zero_point) (B - b_zero_point) of 8-bit integers, as i32.
#include "op/tensor/product_integer.h"

static const IntegerInputs inputs = {.a = 0, .a_zero = 2, .b = 1, .b_zero = 3};

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    return integer_prepare(args, &inputs, ret_state, err);
}

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_BYTE, err));
    TRY(evaluate_type(run, 1, DTYPES_BYTE, err));
    MatmulPlan plan;
    TRY(matmul_plan(run, 0, 1, &plan, err));
    int32_t *y;
    TRY(evaluate_output(run, 0, DTYPE_I32, &plan.output, &y, err));
    return integer_product(run, &inputs, &plan, y, err);
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ret_types[0] = matmul_infer(infer_type(node, 0), infer_type(node, 1), DTYPE_I32);
    return OK;
}

const OpDef op_tensor_matmul_integer = {.infer = infer, .prepare = prepare, .evaluate = evaluate};

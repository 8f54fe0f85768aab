// SPDX-License-Identifier: Apache-2.0
// Size: how many elements the input has.
#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)node;
    (void)err;
    ret_types[0] = infer_rank(DTYPE_I64, 0);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    int64_t *y;
    TRY(evaluate_output(run, 0, DTYPE_I64, &(Shape){0}, &y, err));
    *y = (int64_t)shape_count(&run->inputs[0].shape);
    return OK;
}

const OpDef op_tensor_size = {.infer = infer, .evaluate = evaluate};

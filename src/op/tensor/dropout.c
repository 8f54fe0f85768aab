// SPDX-License-Identifier: Apache-2.0
// Dropout as inference has it: its input, and a mask that is true everywhere. Inputs ratio and training_mode; training
// drops nothing only where the ratio is 0.
#include <string.h>

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"

static Status evaluate(Evaluation *run, Error *err) {
    double ratio = 0.5, training = 0;
    TRY(evaluate_type(run, 0, DTYPES_REAL, err));
    if (evaluate_has(run, 1))
        TRY(evaluate_number(run, 1, &ratio, err));
    if (evaluate_has(run, 2))
        TRY(evaluate_number(run, 2, &training, err));
    if (training != 0 && ratio != 0)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: training mode with a ratio of %g drops elements at random, only a ratio "
                    "of 0 is supported",
                    evaluate_name(run), ratio);
    const Tensor *x = &run->inputs[0];
    TRY(evaluate_view(run, 0, 0, x->dtype, &x->shape, err));
    if (run->node->output_count < 2)
        return OK;
    unsigned char *mask;
    TRY(evaluate_output(run, 1, DTYPE_BOOL, &x->shape, &mask, err));
    memset(mask, 1, shape_count(&x->shape));
    return OK;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    TRY(infer_first(node, ret_types, err));
    if (node->output_count > 1)
        ret_types[1] = infer_as(ret_types[0], DTYPE_BOOL);
    return OK;
}

const OpDef op_tensor_dropout = {.infer = infer, .evaluate = evaluate};

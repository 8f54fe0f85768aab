// SPDX-License-Identifier: Apache-2.0
// Identity: its input.
#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    return evaluate_view(run, 0, 0, run->inputs[0].dtype, &run->inputs[0].shape, err);
}

const OpDef op_tensor_identity = {.infer = infer_first, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// ArgMax: where the largest element along an axis is. {axis=0, keepdims=1, select_last_index=0}
#include "op/tensor/axis.h"

static Status evaluate(Evaluation *run, Error *err) {
    return axis_arg(run, false, err);
}

const OpDef op_tensor_arg_max = {.infer = axis_arg_infer, .evaluate = evaluate};

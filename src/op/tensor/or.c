// SPDX-License-Identifier: Apache-2.0
// Or: of bools.
#include "op/tensor/binary.h"

BINARY_LOOP(or_bool, uint8_t, bool, x || y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {[DTYPE_BOOL] = or_bool}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_or = {.infer = binary_infer, .evaluate = evaluate};

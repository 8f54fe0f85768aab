// SPDX-License-Identifier: Apache-2.0
// And: of bools.
#include "op/tensor/binary.h"

BINARY_LOOP(and_bool, uint8_t, bool, x &&y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {[DTYPE_BOOL] = and_bool}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_and = {.infer = binary_infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// Xor: of bools.
#include "op/tensor/binary.h"

BINARY_LOOP(xor_bool, uint8_t, bool, !x != !y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {[DTYPE_BOOL] = xor_bool}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_xor = {.infer = binary_infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// Cast: the elements as another type. {to, saturate=1, round_mode=up}
#include "op/tensor/convert.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    DType to;
    (void)err;
    ret_types[0] = infer_dtype(node, "to", &to) ? infer_as(infer_type(node, 0), to) : type_unknown();
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    DType to;
    TRY(evaluate_dtype(run, "to", DTYPE_COUNT, &to, err));
    return convert_output(run, 0, to, err);
}

const OpDef op_tensor_cast = {.infer = infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// CastLike: the elements as the second input's type. {saturate=1, round_mode=up}
#include "op/tensor/convert.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType like = infer_type(node, 1);
    ret_types[0] = like.rank >= 0 ? infer_as(infer_type(node, 0), like.dtype) : type_unknown();
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 1))
        return FAIL(err, ERR_FORMAT, "%s: input 1 is missing", evaluate_name(run));
    return convert_output(run, 0, run->inputs[1].dtype, err);
}

const OpDef op_tensor_cast_like = {.infer = infer, .evaluate = evaluate};

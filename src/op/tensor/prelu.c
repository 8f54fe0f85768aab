// SPDX-License-Identifier: Apache-2.0
// PRelu: x where x >= 0, else slope x; slope broadcasts to x.
#include "op/tensor/binary.h"

#define WRAPPED(x, y) ((uint64_t)(x) * (uint64_t)(y))
BINARY_REAL_LOOPS(prelu, x < 0 ? x * y : x)
BINARY_SIGNED_LOOPS(prelu, x < 0 ? WRAPPED(x, y) : (uint64_t)x)
BINARY_UNSIGNED_LOOPS(prelu, ((void)y, x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_NUMBER(prelu)}};
    TRY(binary_evaluate(run, &binary, err));
    char x[SHAPE_TEXT_BYTES], slope[SHAPE_TEXT_BYTES];
    if (shape_equal(&run->outputs[0].shape, &run->inputs[0].shape))
        return OK;
    return FAIL(err, ERR_FORMAT, "%s: a slope of shape %s does not broadcast to %s", evaluate_name(run),
                shape_text(&run->inputs[1].shape, slope), shape_text(&run->inputs[0].shape, x));
}

const OpDef op_tensor_prelu = {.infer = infer_first, .evaluate = evaluate};

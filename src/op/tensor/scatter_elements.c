// SPDX-License-Identifier: Apache-2.0
// ScatterElements: the first input with the elements of the third put where the second says, along `axis`.
// {axis=0, reduction=none, add, mul, max or min: how they meet what is there}
#include "op/tensor/scatter.h"

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0) || !evaluate_has(run, 2))
        return FAIL(err, ERR_FORMAT, "%s: an input is missing", evaluate_name(run));
    int axis;
    int64_t *places;
    char indices[SHAPE_TEXT_BYTES], updates[SHAPE_TEXT_BYTES];
    TRY(evaluate_axis(run, "axis", 0, run->inputs[0].shape.rank, false, &axis, err));
    TRY(along_axis_places(run, axis, &places, err));
    if (!shape_equal(&run->inputs[1].shape, &run->inputs[2].shape))
        return FAIL(err, ERR_FORMAT, "%s: indices of %s for updates of %s", evaluate_name(run),
                    shape_text(&run->inputs[1].shape, indices), shape_text(&run->inputs[2].shape, updates));
    return scatter_output(run, places, shape_count(&run->inputs[1].shape), 1, err);
}

const OpDef op_tensor_scatter_elements = {.infer = infer_first, .evaluate = evaluate};

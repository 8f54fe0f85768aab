// SPDX-License-Identifier: Apache-2.0
// ScatterND: the first input with the slices of the third put where the second one's tuples of indices say.
// {reduction=none, add, mul, max or min: how they meet what is there}
#include "op/tensor/scatter.h"

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0) || !evaluate_has(run, 2))
        return FAIL(err, ERR_FORMAT, "%s: an input is missing", evaluate_name(run));
    int64_t *places;
    size_t count, block;
    TRY(tuple_places(run, 0, &places, &count, &block, err));
    return scatter_output(run, places, count, block, err);
}

const OpDef op_tensor_scatter_nd = {.infer = infer_first, .evaluate = evaluate};

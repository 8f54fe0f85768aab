// SPDX-License-Identifier: Apache-2.0
// ReduceMean: of integers towards zero; of nothing NaN. {keepdims=1, noop_with_empty_axes=0}
#include "op/tensor/reduce.h"

static double finish(double folded, double count, double shift) {
    (void)shift;
    return folded / count;
}

static Status evaluate(Evaluation *run, Error *err) {
    static const Reduction reduction = {.reals = &reduce_sums, .finish = finish};
    return reduce_evaluate(run, &reduction, err);
}

const OpDef op_tensor_reduce_mean = {.infer = reduce_infer, .evaluate = evaluate};

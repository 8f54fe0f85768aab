// SPDX-License-Identifier: Apache-2.0
// ReduceLogSum: of nothing -infinity. {keepdims=1, noop_with_empty_axes=0}
#include <math.h>

#include "op/tensor/reduce.h"

static double finish(double folded, double count, double shift) {
    (void)count;
    (void)shift;
    return log(folded);
}

static Status evaluate(Evaluation *run, Error *err) {
    static const Reduction reduction = {.reals = &reduce_sums, .finish = finish};
    return reduce_evaluate(run, &reduction, err);
}

const OpDef op_tensor_reduce_log_sum = {.infer = reduce_infer, .evaluate = evaluate};

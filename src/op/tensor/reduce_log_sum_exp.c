// SPDX-License-Identifier: Apache-2.0
// ReduceLogSumExp: the largest is taken out first, so that no power overflows; of nothing -infinity. {keepdims=1,
// noop_with_empty_axes=0}
#include <math.h>

#include "op/tensor/reduce.h"

static double finish(double folded, double count, double shift) {
    (void)count;
    return log(folded) + shift;
}

static Status evaluate(Evaluation *run, Error *err) {
    static const Reduction reduction = {.reals = &reduce_exponents, .shifted = true, .finish = finish};
    return reduce_evaluate(run, &reduction, err);
}

const OpDef op_tensor_reduce_log_sum_exp = {.infer = reduce_infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// ReduceMin: NaN where there is one; of nothing infinity, or the highest of the type. {keepdims=1,
// noop_with_empty_axes=0}
#include "op/tensor/reduce.h"

REDUCE_LOOPS(i64, int64_t, int64_t, INT64_MAX, x, v < a ? v : a)
REDUCE_LOOPS(u64, uint64_t, uint64_t, UINT64_MAX, x, v < a ? v : a)

static Status evaluate(Evaluation *run, Error *err) {
    static const Reduction reduction = {.reals = &reduce_minima,
                                        .i64 = REDUCE_LOOPS_OF(i64),
                                        .u64 = REDUCE_LOOPS_OF(u64),
                                        .start = REDUCE_HIGHEST,
                                        .bools = true};
    return reduce_evaluate(run, &reduction, err);
}

const OpDef op_tensor_reduce_min = {.infer = reduce_infer, .evaluate = evaluate};

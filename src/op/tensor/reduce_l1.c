// SPDX-License-Identifier: Apache-2.0
// ReduceL1: the sum of magnitudes; integers wrap; of nothing 0. {keepdims=1, noop_with_empty_axes=0}
#include "op/tensor/reduce.h"

REDUCE_LOOPS(i64, int64_t, uint64_t, 0, x < 0 ? 0 - (uint64_t)x : (uint64_t)x, a + v)
REDUCE_LOOPS(u64, uint64_t, uint64_t, 0, x, a + v)

static Status evaluate(Evaluation *run, Error *err) {
    static const Reduction reduction = {
        .reals = &reduce_magnitudes, .i64 = REDUCE_LOOPS_OF(i64), .u64 = REDUCE_LOOPS_OF(u64)};
    return reduce_evaluate(run, &reduction, err);
}

const OpDef op_tensor_reduce_l1 = {.infer = reduce_infer, .evaluate = evaluate};

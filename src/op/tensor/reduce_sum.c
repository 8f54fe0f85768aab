// SPDX-License-Identifier: Apache-2.0
// ReduceSum: integers wrap; of nothing 0. {keepdims=1, noop_with_empty_axes=0}
#include "op/tensor/reduce.h"

REDUCE_LOOPS(integers, uint64_t, uint64_t, 0, x, a + v)

static Status evaluate(Evaluation *run, Error *err) {
    static const Reduction reduction = {
        .reals = &reduce_sums, .i64 = REDUCE_LOOPS_OF(integers), .u64 = REDUCE_LOOPS_OF(integers)};
    return reduce_evaluate(run, &reduction, err);
}

const OpDef op_tensor_reduce_sum = {.infer = reduce_infer, .evaluate = evaluate};

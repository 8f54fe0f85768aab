// SPDX-License-Identifier: Apache-2.0
// Shape: the dimensions [start, end) of the input as a list. {start=0, end=rank}
#include "op/tensor/move.h"

// Bounds count from the end where they are negative, and are cut to what is there.
static int64_t bound(const Node *node, const char *name, int64_t missing, int rank) {
    int64_t value = node_int(node, name, missing);
    value += value < 0 ? rank : 0;
    return value < 0 ? 0 : value > rank ? rank : value;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    int rank = infer_type(node, 0).rank;
    ret_types[0] = infer_rank(DTYPE_I64, 1);
    if (rank >= 0) {
        int64_t start = bound(node, "start", 0, rank), end = bound(node, "end", rank, rank);
        ret_types[0].dims[0] = dim_of(end > start ? end - start : 0);
    }
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Shape *shape = &run->inputs[0].shape;
    int64_t start = bound(run->node, "start", 0, shape->rank), end = bound(run->node, "end", shape->rank, shape->rank);
    int64_t *y;
    Shape list = {1, {end > start ? end - start : 0}};
    TRY(evaluate_output(run, 0, DTYPE_I64, &list, &y, err));
    for (int64_t i = start; i < end; i++)
        y[i - start] = shape->dims[i];
    return OK;
}

const OpDef op_tensor_shape = {.infer = infer, .evaluate = evaluate};

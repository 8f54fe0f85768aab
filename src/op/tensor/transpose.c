// SPDX-License-Identifier: Apache-2.0
// Transpose: dimension i of the result is dimension perm[i] of the input. {perm: the order reversed}
#include "op/tensor/move.h"

// False where `perm` is no order of `rank` dimensions.
static bool order_find(const Node *node, int rank, int ret_order[SHAPE_MOST_DIMS]) {
    size_t count;
    const int64_t *perm = node_ints(node, "perm", &count);
    unsigned seen = 0;
    if (perm && count != (size_t)rank)
        return false;
    for (int i = 0; i < rank; i++) {
        int64_t from = perm ? perm[i] : rank - 1 - i;
        if (from < 0 || from >= rank || seen & 1u << from)
            return false;
        seen |= 1u << from;
        ret_order[i] = (int)from;
    }
    return true;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), y = x;
    int order[SHAPE_MOST_DIMS];
    ret_types[0] = type_unknown();
    if (x.rank < 0 || !order_find(node, x.rank, order))
        return OK;
    for (int i = 0; i < x.rank; i++)
        y.dims[i] = x.dims[order[i]];
    ret_types[0] = y;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    int order[SHAPE_MOST_DIMS], last = -1;
    int64_t own[SHAPE_MOST_DIMS], strides[SHAPE_MOST_DIMS];
    char text[SHAPE_TEXT_BYTES];
    if (!order_find(run->node, x->shape.rank, order))
        return FAIL(err, ERR_FORMAT, "%s: perm is no order of the dimensions of %s", evaluate_name(run),
                    shape_text(&x->shape, text));
    Shape shape = {.rank = x->shape.rank};
    shape_strides(&x->shape, own);
    bool moves = false; // more than dimensions of size 1
    for (int i = 0; i < shape.rank; i++) {
        shape.dims[i] = x->shape.dims[order[i]];
        strides[i] = own[order[i]];
        if (shape.dims[i] == 1)
            continue;
        moves = moves || order[i] < last;
        last = order[i];
    }
    return moves ? strided_output(run, &shape, 0, strides, err) : evaluate_view(run, 0, 0, x->dtype, &shape, err);
}

const OpDef op_tensor_transpose = {.infer = infer, .evaluate = evaluate};

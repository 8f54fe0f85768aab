// SPDX-License-Identifier: Apache-2.0
// Flatten: the dimensions before `axis` as rows, the others as columns. {axis=1}
#include "op/tensor/move.h"

// The product of dimensions; one of them alone may be a variable.
static Dim dim_product(const ValueType *x, int first, int last) {
    Dim product = dim_of(1);
    for (int i = first; i < last; i++) {
        Dim dim = x->dims[i];
        int64_t value;
        if (dim_is(dim, 1))
            continue;
        if (dim_is(product, 1))
            product = dim;
        else if (dim.variable || product.variable || __builtin_mul_overflow(product.value, dim.value, &value))
            return dim_unknown();
        else
            product = dim_of(value);
    }
    return product;
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    int64_t axis = node_int(node, "axis", 1);
    axis += axis < 0 && x.rank > 0 ? x.rank : 0;
    ret_types[0] = type_unknown();
    if (x.rank < 0)
        return OK;
    ret_types[0] = infer_rank(x.dtype, 2);
    if (axis < 0 || axis > x.rank)
        return OK;
    ret_types[0].dims[0] = dim_product(&x, 0, (int)axis);
    ret_types[0].dims[1] = dim_product(&x, (int)axis, x.rank);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    int axis, rank = x->shape.rank;
    TRY(evaluate_axis(run, "axis", 1, rank, true, &axis, err));
    Shape shape = {2,
                   {(int64_t)shape_count_range(&x->shape, 0, axis), (int64_t)shape_count_range(&x->shape, axis, rank)}};
    return evaluate_view(run, 0, 0, x->dtype, &shape, err);
}

const OpDef op_tensor_flatten = {.infer = infer, .evaluate = evaluate};

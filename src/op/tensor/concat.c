// SPDX-License-Identifier: Apache-2.0
// Concat: the inputs one behind the other along `axis`. {axis}
#include "op/tensor/move.h"

static Dim dim_sum(Dim a, Dim b) {
    int64_t value;
    if (dim_is(a, 0) || dim_is(b, 0))
        return dim_is(a, 0) ? b : a;
    return a.variable || b.variable || __builtin_add_overflow(a.value, b.value, &value) ? dim_unknown() : dim_of(value);
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType all = infer_type(node, 0);
    int axis;
    ret_types[0] = type_unknown();
    if (all.rank < 0 || !infer_axis(node_int(node, "axis", 0), all.rank, &axis))
        return OK;
    for (size_t i = 1; i < node->input_count; i++) {
        ValueType next = infer_type(node, i);
        if (next.rank >= 0 && next.rank != all.rank)
            return OK;
        for (int k = 0; k < all.rank; k++) {
            Dim dim = next.rank < 0 ? dim_unknown() : next.dims[k];
            if (k == axis)
                all.dims[k] = dim_sum(all.dims[k], dim);
            else if (dim_is_unknown(all.dims[k]) || (all.dims[k].variable && !dim.variable))
                all.dims[k] = dim; // they are the same: what says most
        }
    }
    ret_types[0] = all;
    return OK;
}

static Status shapes_join(const Evaluation *run, int axis, Shape *shape, Error *err) {
    char first[SHAPE_TEXT_BYTES], other[SHAPE_TEXT_BYTES];
    for (size_t i = 1; i < run->node->input_count; i++) {
        TRY(evaluate_same_type(run, 0, i, err));
        const Shape *next = &run->inputs[i].shape;
        bool fits = next->rank == shape->rank;
        for (int k = 0; fits && k < shape->rank; k++)
            fits = k == axis || next->dims[k] == shape->dims[k];
        if (!fits || __builtin_add_overflow(shape->dims[axis], next->dims[axis], &shape->dims[axis]))
            return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, which does not continue %s along axis %d",
                        evaluate_name(run), i, shape_text(next, other), shape_text(&run->inputs[0].shape, first), axis);
    }
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    int axis;
    if (!evaluate_has(run, 0) || !node_attribute(run->node, "axis"))
        return FAIL(err, ERR_FORMAT, "%s: input 0 or the axis is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    TRY(evaluate_axis(run, "axis", 0, x->shape.rank, false, &axis, err));
    if (run->node->input_count == 1)
        return evaluate_view(run, 0, 0, x->dtype, &x->shape, err);
    Shape shape = x->shape;
    unsigned char *y;
    TRY(shapes_join(run, axis, &shape, err));
    TRY(evaluate_output(run, 0, x->dtype, &shape, &y, err));
    if (!shape_count(&shape))
        return OK;
    int64_t inner = (int64_t)shape_count_range(&shape, axis + 1, shape.rank), done = 0;
    for (size_t i = 0; i < run->node->input_count; i++) {
        int64_t rows = run->inputs[i].shape.dims[axis];
        StridedCopy copy = {.from = run->inputs[i].data,
                            .to = y + (size_t)(done * inner) * dtype_bytes(x->dtype),
                            .width = dtype_bytes(x->dtype),
                            .rank = 2,
                            .dims = {(int64_t)shape_count_range(&shape, 0, axis), rows * inner},
                            .from_strides = {rows * inner, 1},
                            .to_strides = {shape.dims[axis] * inner, 1}};
        strided_copy(run, &copy);
        done += rows;
    }
    return OK;
}

const OpDef op_tensor_concat = {.infer = infer, .evaluate = evaluate};

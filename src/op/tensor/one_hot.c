// SPDX-License-Identifier: Apache-2.0
// OneHot: for each index a vector, along a new `axis`, that is values[1] there and values[0] elsewhere. {axis=-1}
#include <math.h>

#include "op/tensor/move.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), values = infer_type(node, 2);
    int64_t depth;
    size_t count;
    int axis;
    ret_types[0] = type_unknown();
    if (x.rank < 0 || values.rank < 0 || x.rank == SHAPE_MOST_DIMS ||
        !infer_axis(node_int(node, "axis", -1), x.rank + 1, &axis))
        return OK;
    ValueType y = infer_rank(values.dtype, x.rank + 1);
    for (int i = 0; i < x.rank; i++)
        y.dims[i + (i >= axis)] = x.dims[i];
    if (infer_ints(node, 1, 1, &depth, &count) && count == 1 && depth >= 0)
        y.dims[axis] = dim_of(depth);
    ret_types[0] = y;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_type(run, 0, DTYPES_NUMBER, err));
    const Tensor *x = &run->inputs[0];
    int axis, rank = x->shape.rank;
    double depth;
    TRY(rank_check(run, rank + 1, err));
    TRY(evaluate_axis(run, "axis", -1, rank + 1, false, &axis, err));
    TRY(evaluate_number(run, 1, &depth, err));
    if (!(depth >= 0 && depth < 0x1p53))
        return FAIL(err, ERR_FORMAT, "%s: the depth is %g", evaluate_name(run), depth);
    if (!evaluate_has(run, 2) || shape_count(&run->inputs[2].shape) != 2)
        return FAIL(err, ERR_FORMAT, "%s: input 2 is not two elements, for off and on", evaluate_name(run));
    const Tensor *values = &run->inputs[2];
    Shape shape = {.rank = rank + 1};
    for (int i = 0; i < rank; i++)
        shape.dims[i + (i >= axis)] = x->shape.dims[i];
    shape.dims[axis] = (int64_t)depth;
    size_t width = dtype_bytes(values->dtype), count = shape_count(&x->shape);
    size_t inner = shape_count_range(&shape, axis + 1, shape.rank), all = (size_t)depth;
    const double *indices;
    unsigned char *y;
    TRY(evaluate_output(run, 0, values->dtype, &shape, &y, err));
    TRY(evaluate_as_f64(run, 0, &indices, err));
    elements_fill(values->data, width, shape_count(&shape), y);
    for (size_t i = 0; i < count; i++) {
        double index = trunc(indices[i]);
        index += index < 0 ? depth : 0;
        if (index >= 0 && index < depth) // others are off everywhere
            element_copy(y + ((i / inner * all + (size_t)index) * inner + i % inner) * width,
                         (const unsigned char *)values->data + width, width);
    }
    return OK;
}

const OpDef op_tensor_one_hot = {.infer = infer, .evaluate = evaluate};

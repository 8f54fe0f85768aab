// SPDX-License-Identifier: Apache-2.0
// Shapes and types of products: numpy's matmul, and the elements that products compute in.
#include "op/tensor/axis.h"
#include "op/tensor/product.h"

DType product_type(DType dtype) {
    return !dtype_is_real(dtype) ? DTYPE_U64 : dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
}

Status product_operand(Evaluation *run, size_t index, const void **ret_values, Error *err) {
    switch (product_type(run->inputs[index].dtype)) {
    case DTYPE_F64:
        return evaluate_as_f64(run, index, (const double **)ret_values, err);
    case DTYPE_F32:
        return evaluate_as_f32(run, index, (const float **)ret_values, err);
    default:
        return integers_widen(run, index, (const uint64_t **)ret_values, err);
    }
}

Status product_room(Evaluation *run, DType dtype, void *output, size_t count, void **ret_room, Error *err) {
    DType wide = product_type(dtype);
    *ret_room = output;
    if (dtype_bytes(wide) != dtype_bytes(dtype))
        TRY_NEW(*ret_room = arena_alloc(run->scratch, count * dtype_bytes(wide), 64, err));
    return OK;
}

void product_store(DType dtype, const void *room, size_t count, void *ret_elements) {
    if (room == ret_elements)
        return;
    if (dtype_is_real(dtype))
        real_store(dtype, room, count, ret_elements);
    else
        integers_narrow(dtype, room, count, ret_elements);
}

// The shape of `from`'s matrices: the dimensions before the last two.
static Shape batches_of(const Shape *from) {
    Shape shape = *from;
    shape.rank = from->rank > 2 ? from->rank - 2 : 0;
    return shape;
}

static Status indices(Evaluation *run, const Shape *from, const Shape *to, size_t **ret, Error *err) {
    int64_t strides[SHAPE_MOST_DIMS];
    size_t count = shape_count(to), *index = arena_array(run->scratch, count, sizeof *index, err);
    TRY_NEW(index);
    shape_broadcast_strides(from, to, strides);
    for (size_t i = 0; i < count; i++)
        index[i] = broadcast_index(to, strides, i);
    *ret = index;
    return OK;
}

Status matmul_plan(Evaluation *run, size_t a, size_t b, MatmulPlan *ret, Error *err) {
    const Shape *x = &run->inputs[a].shape, *w = &run->inputs[b].shape;
    char left[SHAPE_TEXT_BYTES], right[SHAPE_TEXT_BYTES];
    Shape x_batches = batches_of(x), w_batches = batches_of(w), to;
    bool fits = x->rank > 0 && w->rank > 0 && x->dims[x->rank - 1] == w->dims[w->rank > 1 ? w->rank - 2 : 0] &&
                shape_broadcast(&x_batches, &w_batches, &to);
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: no product of matrices %s and %s", evaluate_name(run), shape_text(x, left),
                    shape_text(w, right));
    *ret = (MatmulPlan){.batches = shape_count(&to),
                        .m = x->rank > 1 ? (size_t)x->dims[x->rank - 2] : 1,
                        .k = (size_t)x->dims[x->rank - 1],
                        .n = w->rank > 1 ? (size_t)w->dims[w->rank - 1] : 1,
                        .a_matrices = shape_count(&x_batches),
                        .b_matrices = shape_count(&w_batches)};
    TRY(indices(run, &x_batches, &to, &ret->a_index, err));
    TRY(indices(run, &w_batches, &to, &ret->b_index, err));
    if (x->rank > 1)
        to.dims[to.rank++] = (int64_t)ret->m;
    if (w->rank > 1)
        to.dims[to.rank++] = (int64_t)ret->n;
    ret->output = to;
    return OK;
}

ValueType matmul_infer(ValueType a, ValueType b, DType dtype) {
    if (a.rank < 1 || b.rank < 1)
        return type_unknown();
    ValueType x = a, w = b;
    x.rank = a.rank > 2 ? a.rank - 2 : 0;
    w.rank = b.rank > 2 ? b.rank - 2 : 0;
    ValueType to = infer_as(infer_broadcast(x, w), dtype);
    if (a.rank > 1)
        to.dims[to.rank++] = a.dims[a.rank - 2];
    if (b.rank > 1)
        to.dims[to.rank++] = b.dims[b.rank - 1];
    return to;
}

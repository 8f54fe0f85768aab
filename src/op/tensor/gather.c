// SPDX-License-Identifier: Apache-2.0
// Gather: the places along `axis` that the second input names, in its shape. {axis=0}
#include "op/tensor/move.h"

typedef struct Job {
    const unsigned char *from;
    unsigned char *to;
    const int64_t *indices;
    size_t count, whole, block; // indices, places along the axis, bytes of a place
} Job;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), at = infer_type(node, 1), y = {.dtype = x.dtype};
    int axis;
    ret_types[0] = type_unknown();
    if (x.rank < 0 || at.rank < 0 || x.rank - 1 + at.rank > SHAPE_MOST_DIMS ||
        !infer_axis(node_int(node, "axis", 0), x.rank, &axis))
        return OK;
    for (int i = 0; i < x.rank; i++) {
        if (i != axis)
            y.dims[y.rank++] = x.dims[i];
        for (int k = 0; i == axis && k < at.rank; k++)
            y.dims[y.rank++] = at.dims[k];
    }
    ret_types[0] = y;
    return OK;
}

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    for (size_t i = first; i < last; i++)
        element_copy(job->to + i * job->block,
                     job->from + (i / job->count * job->whole + (size_t)job->indices[i % job->count]) * job->block,
                     job->block);
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0) || !evaluate_has(run, 1))
        return FAIL(err, ERR_FORMAT, "%s: input %d is missing", evaluate_name(run), evaluate_has(run, 0));
    const Tensor *x = &run->inputs[0];
    const Shape *at = &run->inputs[1].shape;
    int axis;
    int64_t *indices;
    TRY(evaluate_axis(run, "axis", 0, x->shape.rank, false, &axis, err));
    TRY(rank_check(run, x->shape.rank - 1 + at->rank, err));
    TRY(indices_take(run, 1, x->shape.dims[axis], &indices, err));
    Shape shape = {0};
    for (int i = 0; i < x->shape.rank; i++) {
        if (i != axis)
            shape.dims[shape.rank++] = x->shape.dims[i];
        for (int k = 0; i == axis && k < at->rank; k++)
            shape.dims[shape.rank++] = at->dims[k];
    }
    Job job = {.from = x->data,
               .indices = indices,
               .count = shape_count(at),
               .whole = (size_t)x->shape.dims[axis],
               .block = shape_count_range(&x->shape, axis + 1, x->shape.rank) * dtype_bytes(x->dtype)};
    TRY(evaluate_output(run, 0, x->dtype, &shape, &job.to, err));
    size_t elements = shape_count(&shape);
    if (elements)
        evaluate_parallel(run, shape_count_range(&x->shape, 0, axis) * job.count, elements, work, &job);
    return OK;
}

const OpDef op_tensor_gather = {.infer = infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// GatherND: the slices that the second input's tuples of indices name. {batch_dims=0: leading dimensions in common}
#include "op/tensor/scatter.h"

typedef struct Job {
    const unsigned char *from;
    unsigned char *to;
    const int64_t *places;
    size_t width, block; // bytes
} Job;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0), at = infer_type(node, 1), y = {.dtype = x.dtype};
    int64_t batch = node_int(node, "batch_dims", 0);
    ret_types[0] = type_unknown();
    if (x.rank < 0 || at.rank < 1 || at.dims[at.rank - 1].variable)
        return OK;
    if (batch < 0 || batch >= at.rank || batch > x.rank || at.dims[at.rank - 1].value > x.rank - batch)
        return OK;
    int64_t rest = batch + at.dims[at.rank - 1].value;
    if (at.rank - 1 + x.rank - rest > SHAPE_MOST_DIMS)
        return OK;
    for (int i = 0; i < at.rank - 1; i++)
        y.dims[y.rank++] = at.dims[i];
    for (int i = (int)rest; i < x.rank; i++)
        y.dims[y.rank++] = x.dims[i];
    ret_types[0] = y;
    return OK;
}

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    for (size_t i = first; i < last; i++)
        element_copy(job->to + i * job->block, job->from + (size_t)job->places[i] * job->width, job->block);
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    int64_t batch = node_int(run->node, "batch_dims", 0), *places;
    size_t count, block;
    TRY(tuple_places(run, batch < 0 || batch > SHAPE_MOST_DIMS ? -1 : (int)batch, &places, &count, &block, err));
    const Shape *at = &run->inputs[1].shape;
    int taken = (int)(batch + at->dims[at->rank - 1]);
    TRY(rank_check(run, at->rank - 1 + x->shape.rank - taken, err));
    Shape shape = {0};
    for (int i = 0; i < at->rank - 1; i++)
        shape.dims[shape.rank++] = at->dims[i];
    for (int i = taken; i < x->shape.rank; i++)
        shape.dims[shape.rank++] = x->shape.dims[i];
    Job job = {.from = x->data, .places = places, .width = dtype_bytes(x->dtype)};
    job.block = block * job.width;
    TRY(evaluate_output(run, 0, x->dtype, &shape, &job.to, err));
    if (count && block)
        evaluate_parallel(run, count, count * block, work, &job);
    return OK;
}

const OpDef op_tensor_gather_nd = {.infer = infer, .evaluate = evaluate};

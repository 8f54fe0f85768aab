// SPDX-License-Identifier: Apache-2.0
// GatherElements: for each place of the second input the element of the first one at that place, except that along
// `axis` it lies where the second input says. {axis=0}
#include "op/tensor/scatter.h"

typedef struct Job {
    const unsigned char *from;
    unsigned char *to;
    const int64_t *places;
    size_t width;
} Job;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType x = infer_type(node, 0);
    ret_types[0] = x.rank < 0 ? type_unknown() : infer_as(infer_type(node, 1), x.dtype);
    return OK;
}

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    for (size_t i = first; i < last; i++)
        element_copy(job->to + i * job->width, job->from + (size_t)job->places[i] * job->width, job->width);
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    int axis;
    int64_t *places;
    TRY(evaluate_axis(run, "axis", 0, x->shape.rank, false, &axis, err));
    TRY(along_axis_places(run, axis, &places, err));
    Job job = {.from = x->data, .places = places, .width = dtype_bytes(x->dtype)};
    TRY(evaluate_output(run, 0, x->dtype, &run->inputs[1].shape, &job.to, err));
    size_t count = shape_count(&run->inputs[1].shape);
    if (count)
        evaluate_parallel(run, count, count, work, &job);
    return OK;
}

const OpDef op_tensor_gather_elements = {.infer = infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// Element by element, in the width of the type.
#include "op/tensor/unary.h"

typedef struct Job {
    UnaryLoop *loop;
    UnaryArgs args;
    const unsigned char *x;
    unsigned char *y;
    size_t in_bytes, out_bytes;
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    job->loop(job->x + first * job->in_bytes, last - first, &job->args, job->y + first * job->out_bytes);
}

Status unary_evaluate(Evaluation *run, const Unary *unary, Error *err) {
    DTypeSet types = 0;
    for (DType d = 0; d < DTYPE_COUNT; d++)
        if (unary->loops[loops_dtype(d)])
            types |= DTYPE_BIT(d);
    TRY(evaluate_type(run, 0, types, err));
    const Tensor *x = &run->inputs[0];
    DType dtype = loops_dtype(x->dtype);
    bool half = dtype != x->dtype;
    size_t count = shape_count(&x->shape);
    Job job = {.loop = unary->loops[dtype], .x = x->data};
    job.args = (UnaryArgs){.a = unary->a_missing, .b = unary->b_missing, .more = unary->more, .kernels = run->kernels};
    if (unary->a)
        job.args.a = node_real(run->node, unary->a, unary->a_missing);
    if (unary->b)
        job.args.b = node_real(run->node, unary->b, unary->b_missing);
    job.in_bytes = dtype_bytes(dtype);
    job.out_bytes = unary->tests ? 1 : job.in_bytes;
    if (half)
        TRY(evaluate_as_f32(run, 0, (const float **)(const void *)&job.x, err));
    unsigned char *y;
    TRY(evaluate_output(run, 0, unary->tests ? DTYPE_BOOL : x->dtype, &x->shape, &y, err));
    job.y = y;
    if (half && !unary->tests)
        TRY_NEW(job.y = arena_alloc(run->scratch, count * sizeof(float), 64, err));
    evaluate_parallel(run, count, count, work, &job);
    if (half && !unary->tests)
        real_store(x->dtype, (const float *)(const void *)job.y, count, y);
    return OK;
}

Status unary_infer_bool(const Node *node, ValueType *ret_types, Error *err) {
    TRY(infer_first(node, ret_types, err));
    ret_types[0] = infer_as(ret_types[0], DTYPE_BOOL);
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Trilu: matrices with zeros below (or above) a diagonal, k upwards of the main one. {upper=1}
#include <string.h>

#include "op/tensor/move.h"

typedef struct Job {
    const unsigned char *x;
    unsigned char *y;
    int64_t rows, columns, k;
    size_t width;
    bool upper;
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t bytes = (size_t)job->columns * job->width;
    for (size_t line = first; line < last; line++) {
        int64_t row = (int64_t)(line % (size_t)job->rows), edge = row + job->k + !job->upper; // the first on the right
        edge = edge < 0 ? 0 : edge > job->columns ? job->columns : edge;
        size_t left = (size_t)edge * job->width;
        unsigned char *to = job->y + line * bytes;
        const unsigned char *from = job->x + line * bytes;
        memcpy(to, from, bytes);
        memset(job->upper ? to : to + left, 0, job->upper ? left : bytes - left);
    }
}

static Status evaluate(Evaluation *run, Error *err) {
    if (!evaluate_has(run, 0))
        return FAIL(err, ERR_FORMAT, "%s: input 0 is missing", evaluate_name(run));
    const Tensor *x = &run->inputs[0];
    const Shape *shape = &x->shape;
    char text[SHAPE_TEXT_BYTES];
    int64_t k = 0;
    size_t count = 1;
    if (shape->rank < 2)
        return FAIL(err, ERR_FORMAT, "%s: input 0 is %s, expected matrices", evaluate_name(run),
                    shape_text(shape, text));
    if (evaluate_has(run, 1))
        TRY(evaluate_ints(run, 1, 1, &k, &count, err));
    if (count != 1)
        return FAIL(err, ERR_FORMAT, "%s: input 1 is empty, expected a number", evaluate_name(run));
    Job job = {.x = x->data,
               .rows = shape->dims[shape->rank - 2],
               .columns = shape->dims[shape->rank - 1],
               .width = dtype_bytes(x->dtype),
               .upper = node_int(run->node, "upper", 1) != 0};
    job.k = k > job.columns ? job.columns : k < -job.rows - 1 ? -job.rows - 1 : k; // further is all or nothing too
    TRY(evaluate_output(run, 0, x->dtype, shape, &job.y, err));
    size_t elements = shape_count(shape);
    if (elements)
        evaluate_parallel(run, elements / (size_t)job.columns, elements, work, &job);
    return OK;
}

const OpDef op_tensor_trilu = {.infer = infer_first, .evaluate = evaluate};

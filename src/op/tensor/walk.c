// SPDX-License-Identifier: Apache-2.0
// The walk over tensors that broadcast.
#include "op/tensor/walk.h"

// Whether dimension i of the result continues the last one taken: each operand steps through the two as through one.
static bool dim_continues(const Walk *walk, int64_t steps[WALK_MOST][SHAPE_MOST_DIMS], int i, int64_t size) {
    if (!walk->rank)
        return false;
    for (int k = 0; k < walk->operands; k++)
        if (walk->steps[k][walk->rank - 1] != steps[k][i] * size)
            return false;
    return true;
}

Walk walk_make(const Shape *const *from, int operands, const Shape *to) {
    Walk walk = {.operands = operands};
    int64_t steps[WALK_MOST][SHAPE_MOST_DIMS];
    for (int k = 0; k < operands; k++)
        shape_broadcast_strides(from[k], to, steps[k]);
    for (int i = 0; i < to->rank; i++) {
        if (to->dims[i] == 1)
            continue;
        if (dim_continues(&walk, steps, i, to->dims[i]))
            walk.dims[walk.rank - 1] *= to->dims[i];
        else
            walk.dims[walk.rank++] = to->dims[i];
        for (int k = 0; k < operands; k++)
            walk.steps[k][walk.rank - 1] = steps[k][i];
    }
    if (!walk.rank)
        walk.dims[walk.rank++] = 1;
    return walk;
}

typedef struct Job {
    const Walk *walk;
    WalkLoop *loop;
    const void *context;
    size_t steps[WALK_MOST]; // of the last dimension
    size_t run;              // results of one call of the loop
} Job;

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    const Walk *walk = job->walk;
    for (size_t i = first; i < last; i++) {
        size_t rest = i, at[WALK_MOST] = {0};
        for (int d = walk->rank - 2; d >= 0; d--) {
            size_t index = rest % (size_t)walk->dims[d];
            rest /= (size_t)walk->dims[d];
            for (int k = 0; k < walk->operands; k++)
                at[k] += index * (size_t)walk->steps[k][d];
        }
        job->loop(job->context, at, job->steps, i * job->run, job->run);
    }
}

// A single long run is cut into pieces for the threads.
static void work_flat(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t at[WALK_MOST];
    for (int k = 0; k < WALK_MOST; k++)
        at[k] = first * job->steps[k];
    job->loop(job->context, at, job->steps, first, last - first);
}

void walk_run(const Evaluation *run, const Walk *walk, WalkLoop *loop, const void *context) {
    Job job = {.walk = walk, .loop = loop, .context = context, .run = (size_t)walk->dims[walk->rank - 1]};
    size_t count = 1;
    for (int i = 0; i < walk->rank; i++)
        count *= (size_t)walk->dims[i];
    for (int k = 0; k < walk->operands; k++)
        job.steps[k] = (size_t)walk->steps[k][walk->rank - 1];
    if (count && walk->rank == 1)
        evaluate_parallel(run, count, count, work_flat, &job);
    else if (count)
        evaluate_parallel(run, count / job.run, count, work, &job);
}

Status walk_broadcast(const Evaluation *run, Shape *shape, const Shape *with, Error *err) {
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    Shape both;
    if (!shape_broadcast(shape, with, &both))
        return FAIL(err, ERR_FORMAT, "%s: shapes %s and %s do not broadcast", evaluate_name(run), shape_text(shape, a),
                    shape_text(with, b));
    *shape = both;
    return OK;
}

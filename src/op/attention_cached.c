// SPDX-License-Identifier: Apache-2.0
// attention_cached: the decoder's self-attention. Each row's K and V go into its own slot of the pool; then each row
// attends to the slots listed as its past, its own last. Beams share slots through their lists: nothing is ever copied.
#include "op/attend.h"
#include "op/rules.h"

typedef struct Job {
    const OpRun *run;
    size_t heads, head_dim, group; // heads of an item
    float scale;
    unsigned char *layer; // of the pool
} Job;

static size_t groups_of(const Job *job) {
    return (job->heads + job->group - 1) / job->group;
}

static void attend_item(void *context, size_t item, float *scratch) {
    const Job *job = context;
    const KvPool *kv = job->run->step->kv;
    size_t row = item / groups_of(job), head = item % groups_of(job) * job->group, column = head * job->head_dim;
    const DecodeSpan *span = &job->run->step->rows[row];
    AttentionRows args = {
        .kind = kv->kind,
        .heads = job->heads - head < job->group ? job->heads - head : job->group,
        .keys = span->past_count,
        .head_dim = job->head_dim,
        .scale = job->scale,
        .q = slab_row(&job->run->inputs[0], row) + column,
        .base = job->layer + head * kv_head_bytes(kv->kind, job->head_dim),
        .slots = span->past_slots,
        .slot_bytes = kv->slot_bytes,
        .y = slab_row(&job->run->outputs[0], row) + column,
        .scratch = scratch,
    };
    job->run->kernels->attention_rows(&args);
}

static void store_item(void *context, size_t row) {
    const Job *job = context;
    const KvPool *kv = job->run->step->kv;
    const DecodeSpan *span = &job->run->step->rows[row];
    job->run->kernels->store_row(kv->kind, slab_row(&job->run->inputs[1], row), slab_row(&job->run->inputs[2], row),
                                 job->heads, job->head_dim,
                                 job->layer + (size_t)span->past_slots[span->past_count - 1] * kv->slot_bytes);
}

static void run(const OpRun *args) {
    const StepContext *step = args->step;
    const KvPool *kv = step->kv;
    Job job = {.run = args,
               .heads = (size_t)node_int(args->node, "heads", 1),
               .scale = (float)node_real(args->node, "scale", 1.0)};
    job.head_dim = args->outputs[0].columns / job.heads;
    job.layer = kv->base + (size_t)node_int(args->node, "layer", 0) * kv->layer_bytes;
    size_t keys = 0, most_keys = 0;
    for (size_t r = 0; r < step->row_count; r++) {
        const DecodeSpan *span = &step->rows[r];
        keys += span->past_count;
        most_keys = span->past_count > most_keys ? span->past_count : most_keys;
    }
    // Less than some 50,000 products, or some 50 kB to store (a few microseconds), stays on this thread.
    Pool *pool = keys * kv->width < 50000 ? NULL : args->pool;
    job.group = attend_heads(job.heads, step->row_count, ATTENTION_QUERY_ROWS, pool);
    pool_run(step->row_count * kv->width < 12000 ? NULL : args->pool, step->row_count, store_item, &job);
    attend_run(pool, step->row_count * groups_of(&job), attend_item, &job, args->scratch,
               attend_worker_bytes(most_keys));
}

const OpDef op_attention_cached = {
    .infer = attend_infer, .scratch_bytes = attend_scratch_bytes, .run = run, .cost = attend_cost, .effect = true};

// SPDX-License-Identifier: Apache-2.0
// attention_cached: the decoder's self-attention. Each row's K and V go into its own slot of the pool; then each row
// attends to the slots listed as its past, its own last. Beams share slots through their lists: nothing is ever copied.
#include "op/attend.h"
#include "op/rules.h"

typedef struct Job {
    const OpRun *run;
    size_t heads, head_dim;
    float scale;
    unsigned char *layer; // of the pool
} Job;

static void attend_item(void *context, size_t item, float *scratch) {
    const Job *job = context;
    const KvPool *kv = job->run->step->kv;
    size_t row = item / job->heads, column = item % job->heads * job->head_dim;
    const DecodeSpan *span = &job->run->step->rows[row];
    AttentionRows args = {
        .kind = kv->kind,
        .keys = span->past_count,
        .head_dim = job->head_dim,
        .scale = job->scale,
        .q = slab_row(&job->run->inputs[0], row) + column,
        .base = job->layer + item % job->heads * kv_head_bytes(kv->kind, job->head_dim),
        .slots = span->past_slots,
        .slot_bytes = kv->slot_bytes,
        .y = slab_row(&job->run->outputs[0], row) + column,
        .scratch = scratch,
    };
    job->run->kernels->attention_rows(&args);
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
        args->kernels->store_row(kv->kind, slab_row(&args->inputs[1], r), slab_row(&args->inputs[2], r), job.heads,
                                 job.head_dim,
                                 job.layer + (size_t)span->past_slots[span->past_count - 1] * kv->slot_bytes);
        keys += span->past_count;
        most_keys = span->past_count > most_keys ? span->past_count : most_keys;
    }
    // Less than some 50,000 products (a few microseconds) stays on this thread.
    Pool *pool = keys * kv->width < 50000 ? NULL : args->pool;
    attend_run(pool, step->row_count * job.heads, attend_item, &job, args->scratch, attend_worker_bytes(most_keys));
}

const OpDef op_attention_cached = {
    .infer = attend_infer, .scratch_bytes = attend_scratch_bytes, .run = run, .cost = attend_cost, .effect = true};

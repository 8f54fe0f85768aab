// SPDX-License-Identifier: Apache-2.0
// attention_cross: rows attend to their source's stored K and V. Neighbouring rows of one source (its beams) go through
// one read of its blocks.
#include "op/attend.h"
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    TRY(rule_matrix(node, 0, &ret_types[0], err));
    return rule_heads(node, ret_types[0].dims[1].value, NULL, err);
}

typedef struct Job {
    const OpRun *run;
    size_t heads, head_dim, together; // heads of an item
    float scale;
    const unsigned char *layer;
} Job;

// Rows from `row` on that belong to the same source, at most what the kernel takes at once.
static size_t group_rows(const StepContext *step, size_t row) {
    size_t count = 1;
    while (count < ATTENTION_QUERY_ROWS && row + count < step->row_count &&
           step->rows[row + count].cross_pages == step->rows[row].cross_pages)
        count++;
    return count;
}

static size_t items_of(const Job *job) {
    return (job->heads + job->together - 1) / job->together;
}

static void attend_item(void *context, size_t item, float *scratch) {
    const Job *job = context;
    const StepContext *step = job->run->step;
    size_t group = item / items_of(job), head = item % items_of(job) * job->together, row = 0;
    while (group--)
        row += group_rows(step, row);
    AttentionBlocks args = {
        .kind = step->kv->kind,
        .heads = job->heads - head < job->together ? job->heads - head : job->together,
        .queries = group_rows(step, row),
        .keys = step->rows[row].cross_keys,
        .head_dim = job->head_dim,
        .scale = job->scale,
        .q = slab_row(&job->run->inputs[0], row) + head * job->head_dim,
        .q_stride = job->run->inputs[0].row_stride,
        .base = job->layer + head * KV_BLOCK_TOKENS * kv_head_bytes(step->kv->kind, job->head_dim),
        .blocks = step->rows[row].cross_pages,
        .block_bytes = kv_page_bytes(step->kv),
        .y = slab_row(&job->run->outputs[0], row) + head * job->head_dim,
        .y_stride = job->run->outputs[0].row_stride,
        .scratch = scratch,
    };
    job->run->kernels->attention_blocks(&args);
}

static void run(const OpRun *args) {
    const StepContext *step = args->step;
    Job job = {.run = args,
               .heads = (size_t)node_int(args->node, "heads", 1),
               .scale = (float)node_real(args->node, "scale", 1.0)};
    job.head_dim = args->outputs[0].columns / job.heads;
    job.layer = step->kv->base + (size_t)node_int(args->node, "layer", 0) * step->kv->layer_bytes;
    size_t groups = 0, keys = 0, most_keys = 0, most_rows = 1;
    for (size_t row = 0, rows; row < step->row_count; row += rows) {
        groups++;
        rows = group_rows(step, row);
        most_rows = rows > most_rows ? rows : most_rows;
        keys += step->rows[row].cross_keys * rows;
        most_keys = step->rows[row].cross_keys > most_keys ? step->rows[row].cross_keys : most_keys;
    }
    Pool *pool = keys * step->kv->width < 50000 ? NULL : args->pool;
    job.together = attend_heads(job.heads, groups, ATTENTION_QUERY_ROWS / most_rows, pool);
    attend_run(pool, groups * items_of(&job), attend_item, &job, args->scratch, attend_worker_bytes(most_keys));
}

const OpDef op_attention_cross = {
    .infer = infer, .scratch_bytes = attend_scratch_bytes, .run = run, .cost = attend_cost, .effect = true};

// SPDX-License-Identifier: Apache-2.0
// attention: whole source sequences attend to themselves, both ways. K and V of the step's sources go into blocks of 16
// tokens in the scratch; work items are (source, head, chunk of query rows), taken by as many workers as there are
// threads. Where keys and values are kept as int8 and the projections take 8 bits too, the same in integers: an item
// then makes what it needs of its head's keys and values itself. Which of the two a source takes depends on its own
// length alone, so that no result depends on a source beside it.
#include "op/attend.h"
#include "op/rules.h"

enum { QUERY_CHUNK = 64 };

// Blocks first (every source may leave its last block part empty), then block numbers, then the workers' scores.
typedef struct Layout {
    size_t blocks_bytes, numbers_bytes, worker_bytes;
} Layout;

static Layout layout(size_t columns, size_t rows, size_t sources, size_t most_keys) {
    size_t blocks = rows / KV_BLOCK_TOKENS + sources;
    return (Layout){blocks * 2 * KV_BLOCK_TOKENS * columns * sizeof(float), (blocks * sizeof(int32_t) + 63) / 64 * 64,
                    attend_worker_bytes(most_keys)};
}

static size_t integer_bytes(size_t most_keys, size_t head_dim) {
    return (attention_s8_bytes(most_keys, head_dim) + 63) / 64 * 64;
}

static size_t head_columns(const Node *node) {
    return output_columns(node) / (size_t)node_int(node, "heads", 1);
}

static size_t scratch_bytes(const Node *node, size_t rows, int threads, size_t most_keys) {
    Layout l = layout(output_columns(node), rows, rows, most_keys); // at worst each row is a source of its own
    size_t bytes = l.blocks_bytes + l.numbers_bytes + (size_t)threads * l.worker_bytes;
    size_t integers = (size_t)threads * integer_bytes(most_keys < rows ? most_keys : rows, head_columns(node));
    return bytes > integers ? bytes : integers;
}

// Whether queries come from a product that takes 8 bits.
static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    bool *quantized = arena_array(args->arena, 1, sizeof *quantized, err);
    TRY_NEW(quantized);
    const Node *node = args->node->inputs[0].node;
    if (node && node->op == OP_SPLIT)
        node = node->inputs[0].node;
    *quantized = node && node->op == OP_LINEAR && node->inputs[1].constant->scheme != SCHEME_DENSE;
    *ret_state = quantized;
    return OK;
}

// Sources that are attended to in blocks, or those in integers.
typedef struct Share {
    bool integers;     // which of the two
    bool has_integers; // whether the node has both
    size_t chunk;      // query rows of an item
} Share;

// Items of a source for each head; 0: it is the other share's.
static size_t chunks_of(const Share *share, const SourceSpan *span) {
    bool integers = share->has_integers && span->keys <= ATTENTION_S8_KEYS;
    return integers == share->integers ? (span->rows + share->chunk - 1) / share->chunk : 0;
}

// How many items there are in all, and the longest of the sources.
static size_t items_count(const Share *share, const StepContext *step, size_t heads, size_t *ret_most_keys) {
    size_t items = 0;
    *ret_most_keys = 0;
    for (size_t i = 0; i < step->source_count; i++) {
        const SourceSpan *span = &step->sources[i];
        size_t chunks = chunks_of(share, span);
        items += chunks * heads;
        if (chunks && span->keys > *ret_most_keys)
            *ret_most_keys = span->keys;
    }
    return items;
}

// The source that *item is of, *item becoming its place among that source's.
static size_t item_source(const Share *share, const StepContext *step, size_t heads, size_t *item) {
    size_t source = 0, items;
    while (*item >= (items = chunks_of(share, &step->sources[source]) * heads)) {
        *item -= items;
        source++;
    }
    return source;
}

typedef struct Job {
    const OpRun *run;
    Share share;
    size_t heads, head_dim, block_bytes;
    float scale;
    unsigned char *blocks;
    int32_t *numbers;
} Job;

// Blocks before those of source i: as many as the sources before it fill.
static size_t blocks_before(const StepContext *step, size_t source) {
    size_t blocks = 0;
    for (size_t i = 0; i < source; i++)
        blocks += (step->sources[i].keys + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
    return blocks;
}

static void attend_item(void *context, size_t item, float *scratch) {
    const Job *job = context;
    const StepContext *step = job->run->step;
    size_t source = item_source(&job->share, step, job->heads, &item);
    const SourceSpan *span = &step->sources[source];
    size_t chunks = chunks_of(&job->share, span), head = item / chunks, first = item % chunks * QUERY_CHUNK;
    const Slab *q = &job->run->inputs[0], *y = &job->run->outputs[0];
    AttentionBlocks args = {
        .kind = KV_F32,
        .heads = 1,
        .queries = span->rows - first < QUERY_CHUNK ? span->rows - first : QUERY_CHUNK,
        .keys = span->keys,
        .head_dim = job->head_dim,
        .scale = job->scale,
        .q = slab_row(q, span->first_row + first) + head * job->head_dim,
        .q_stride = q->row_stride,
        .base = job->blocks + head * KV_BLOCK_TOKENS * kv_head_bytes(KV_F32, job->head_dim),
        .blocks = job->numbers + blocks_before(step, source),
        .block_bytes = job->block_bytes,
        .y = slab_row(y, span->first_row + first) + head * job->head_dim,
        .y_stride = y->row_stride,
        .scratch = scratch,
    };
    job->run->kernels->attention_blocks(&args);
}

typedef struct IntegerJob {
    const OpRun *run;
    Share share;
    size_t heads, head_dim;
    float scale;
} IntegerJob;

static void attend_integers(void *context, size_t item, float *scratch) {
    const IntegerJob *job = context;
    const StepContext *step = job->run->step;
    const SourceSpan *span = &step->sources[item_source(&job->share, step, job->heads, &item)];
    size_t chunk = job->share.chunk, column = item % job->heads * job->head_dim, first = item / job->heads * chunk;
    const Slab *q = &job->run->inputs[0], *k = &job->run->inputs[1], *v = &job->run->inputs[2];
    const Slab *y = &job->run->outputs[0];
    AttentionS8 args = {
        .queries = span->rows - first < chunk ? span->rows - first : chunk,
        .keys = span->keys,
        .head_dim = job->head_dim,
        .scale = job->scale,
        .q = (const float *)slab_row(q, span->first_row + first) + column,
        .k = (const float *)slab_row(k, span->first_row) + column,
        .v = (const float *)slab_row(v, span->first_row) + column,
        .q_stride = q->row_stride,
        .k_stride = k->row_stride,
        .v_stride = v->row_stride,
        .y = slab_row(y, span->first_row + first) + column,
        .y_stride = y->row_stride,
        .scratch = scratch,
    };
    job->run->kernels->attention_s8(&args);
}

static bool has_integers(const OpRun *args) {
    const bool *quantized = args->state;
    return *quantized && args->step->kv && args->step->kv->kind == KV_S8 &&
           head_columns(args->node) <= ATTENTION_S8_DIMS && node_real(args->node, "scale", 1.0) > 0;
}

// A head's keys and values are made ready once for each chunk of its queries: a chunk is all of them, unless that
// leaves threads without work.
static void run_integers(const OpRun *args) {
    const StepContext *step = args->step;
    IntegerJob job = {args,
                      {true, true, SIZE_MAX / 2},
                      (size_t)node_int(args->node, "heads", 1),
                      head_columns(args->node),
                      (float)node_real(args->node, "scale", 1.0)};
    if (step->source_count * job.heads < 2 * (size_t)pool_threads(args->pool))
        job.share.chunk = QUERY_CHUNK;
    size_t most_keys, items = items_count(&job.share, step, job.heads, &most_keys);
    attend_run(args->pool, items, attend_integers, &job, args->scratch, integer_bytes(most_keys, job.head_dim));
}

static void run(const OpRun *args) {
    const StepContext *step = args->step;
    size_t columns = args->outputs[0].columns, heads = (size_t)node_int(args->node, "heads", 1);
    Share share = {false, has_integers(args), QUERY_CHUNK};
    size_t most_keys, items = items_count(&share, step, heads, &most_keys);
    if (share.has_integers)
        run_integers(args);
    if (!items)
        return;
    size_t blocks = blocks_before(step, step->source_count);
    Layout l = layout(columns, args->outputs[0].rows, step->source_count, most_keys);
    Job job = {.run = args, .share = share, .heads = heads, .head_dim = columns / heads, .blocks = args->scratch};
    job.block_bytes = 2 * KV_BLOCK_TOKENS * columns * sizeof(float);
    job.scale = (float)node_real(args->node, "scale", 1.0);
    job.numbers = (int32_t *)(void *)((unsigned char *)args->scratch + l.blocks_bytes);
    for (size_t i = 0; i < blocks; i++)
        job.numbers[i] = (int32_t)i;
    const Slab *k = &args->inputs[1], *v = &args->inputs[2];
    KvStore store = {.kind = KV_F32,
                     .heads = job.heads,
                     .head_dim = job.head_dim,
                     .k = k->data,
                     .v = v->data,
                     .k_stride = k->row_stride,
                     .v_stride = v->row_stride,
                     .base = job.blocks,
                     .blocks = job.numbers,
                     .block_bytes = job.block_bytes};
    attend_store(args, &store);
    attend_run(args->pool, items, attend_item, &job, (unsigned char *)job.numbers + l.numbers_bytes, l.worker_bytes);
}

const OpDef op_attention = {
    .infer = attend_infer, .prepare = prepare, .scratch_bytes = scratch_bytes, .run = run, .cost = attend_cost};

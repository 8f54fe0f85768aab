// SPDX-License-Identifier: Apache-2.0
// Workers of the attention operators: one tile of the pool is one worker, items come from a shared counter.
#include "op/attend.h"

#include <stdatomic.h>

#include "op/rules.h"

Status attend_infer(const Node *node, ValueType *ret_types, Error *err) {
    TRY(rule_matrix(node, 0, &ret_types[0], err));
    TRY(rule_same(node, 0, 1, err));
    TRY(rule_same(node, 0, 2, err));
    return rule_heads(node, ret_types[0].dims[1].value, NULL, err);
}

size_t attend_scratch_bytes(const Node *node, size_t rows, int threads, size_t most_keys) {
    (void)node;
    (void)rows;
    return (size_t)threads * attend_worker_bytes(most_keys);
}

size_t attend_worker_bytes(size_t most_keys) {
    size_t keys = (most_keys + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS * KV_BLOCK_TOKENS;
    return ATTENTION_QUERY_ROWS * keys * sizeof(float);
}

typedef struct Workers {
    void (*item)(void *context, size_t item, float *scratch);
    void *context;
    unsigned char *scratch;
    size_t worker_bytes, items;
    _Atomic size_t next;
} Workers;

static void worker_run(void *context, size_t index) {
    Workers *workers = context;
    float *scratch = (float *)(void *)(workers->scratch + index * workers->worker_bytes);
    for (size_t i; (i = atomic_fetch_add_explicit(&workers->next, 1, memory_order_relaxed)) < workers->items;)
        workers->item(workers->context, i, scratch);
}

void attend_run(Pool *pool, size_t items, void (*item)(void *context, size_t item, float *scratch), void *context,
                void *scratch, size_t worker_bytes) {
    Workers workers = {
        .item = item, .context = context, .scratch = scratch, .worker_bytes = worker_bytes, .items = items};
    size_t threads = (size_t)pool_threads(pool);
    pool_run(pool, items < threads ? items : threads, worker_run, &workers);
}

size_t attend_heads(size_t heads, size_t rows, size_t most, const Pool *pool) {
    size_t threads = pool ? (size_t)pool_threads(pool) : 1,
           split = rows < 2 * threads ? (2 * threads + rows - 1) / rows : 1;
    size_t group = (heads + split - 1) / split;
    return group < most ? group : most;
}

typedef struct StoreJob {
    const OpRun *run;
    const KvStore *store;
} StoreJob;

static size_t blocks_of(const SourceSpan *span) {
    return (span->keys + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
}

// Block `index` of all sources' blocks.
static void store_item(void *context, size_t index) {
    const StoreJob *job = context;
    const SourceSpan *span = job->run->step->sources;
    size_t block = index;
    for (; block >= blocks_of(span); span++)
        block -= blocks_of(span);
    KvStore store = *job->store;
    size_t token = block * KV_BLOCK_TOKENS, row = span->first_row + token;
    store.tokens = span->keys - token < KV_BLOCK_TOKENS ? span->keys - token : KV_BLOCK_TOKENS;
    store.k += row * store.k_stride;
    store.v += row * store.v_stride;
    store.blocks = store.blocks ? store.blocks + index : span->cross_pages + block;
    job->run->kernels->store_blocks(&store);
}

void attend_store(const OpRun *run, const KvStore *store) {
    StoreJob job = {run, store};
    size_t blocks = 0;
    for (size_t i = 0; i < run->step->source_count; i++)
        blocks += blocks_of(&run->step->sources[i]);
    pool_run(run->pool, blocks, store_item, &job);
}

OpCost attend_cost(const Node *node, size_t rows, size_t keys) {
    double columns = (double)output_columns(node);
    return (OpCost){.operations = 4 * columns * (double)rows * (double)keys,
                    .other_bytes = 4 * columns * (2 * (double)rows + 2 * (double)keys)};
}

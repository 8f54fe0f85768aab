// SPDX-License-Identifier: Apache-2.0
// What the attention operators share: workers that take items one by one, each with a scratch of its own.
#pragma once

#include "op/op.h"

// Shape rule of q, k, v of one type, and {heads} that divide their columns.
MUST_CHECK Status attend_infer(const Node *node, ValueType *ret_types, Error *err);

// Bytes of one worker's scratch: scores of a few query rows over the keys, a multiple of 64.
size_t attend_worker_bytes(size_t most_keys);

// Calls item(context, 0 .. items-1, scratch) on the pool; worker w uses scratch + w * worker_bytes, at most as many
// workers as the pool has threads.
void attend_run(Pool *pool, size_t items, void (*item)(void *context, size_t item, float *scratch), void *context,
                void *scratch, size_t worker_bytes);

// Heads that an item takes at once, at most `most`: all, so that K and V are read in one go, unless that leaves threads
// without work. `rows`: how many times there are so many heads to share out.
size_t attend_heads(size_t heads, size_t rows, size_t most, const Pool *pool);

// Stores K and V of the step's sources, block by block on the pool. `store` says all but which tokens: k and v begin at
// the step's first row; its blocks NULL: each source's cross_pages, else the blocks of all sources one after the other.
void attend_store(const OpRun *run, const KvStore *store);

// A scratch for each thread and nothing else: OpDef.scratch_bytes of operators over stored K and V.
size_t attend_scratch_bytes(const Node *node, size_t rows, int threads, size_t most_keys);

// q K' and p V: two products of rows x keys x columns.
OpCost attend_cost(const Node *node, size_t rows, size_t keys);

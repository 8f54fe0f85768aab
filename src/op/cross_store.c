// SPDX-License-Identifier: Apache-2.0
// cross_store: a decoder layer's K and V of each source go into that source's pages, once per request.
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)ret_types;
    ValueType k;
    TRY(rule_matrix(node, 0, &k, err));
    TRY(rule_same(node, 0, 1, err));
    return rule_heads(node, k.dims[1].value, NULL, err);
}

static void store_tile(void *context, size_t source) {
    const OpRun *args = context;
    const SourceSpan *span = &args->step->sources[source];
    const KvPool *kv = args->step->kv;
    const Slab *k = &args->inputs[0], *v = &args->inputs[1];
    size_t heads = (size_t)node_int(args->node, "heads", 1);
    args->kernels->store_blocks(slab_row(k, span->first_row), k->row_stride, slab_row(v, span->first_row),
                                v->row_stride, span->keys, heads, k->columns / heads, 0,
                                kv->base + (size_t)node_int(args->node, "layer", 0) * kv->layer_stride,
                                span->cross_pages, kv->page_stride, kv->page_stride / 2);
}

static void run(const OpRun *args) {
    pool_run(args->pool, args->step->source_count, store_tile, (void *)args);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    const ValueType k = value_type(node->inputs[0]);
    return (OpCost){.other_bytes = 16.0 * (double)rows * (double)k.dims[1].value};
}

const OpDef op_cross_store = {.infer = infer, .run = run, .cost = cost, .effect = true};

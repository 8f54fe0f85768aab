// SPDX-License-Identifier: Apache-2.0
// cross_store: a decoder layer's K and V of each source go into that source's pages, once per request. A page is an
// item.
#include "op/attend.h"
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)ret_types;
    ValueType k;
    TRY(rule_matrix(node, 0, &k, err));
    TRY(rule_same(node, 0, 1, err));
    return rule_heads(node, k.dims[1].value, NULL, err);
}

static void run(const OpRun *args) {
    const KvPool *kv = args->step->kv;
    const Slab *k = &args->inputs[0], *v = &args->inputs[1];
    size_t heads = (size_t)node_int(args->node, "heads", 1);
    KvStore store = {.kind = kv->kind,
                     .heads = heads,
                     .head_dim = k->columns / heads,
                     .k = k->data,
                     .v = v->data,
                     .k_stride = k->row_stride,
                     .v_stride = v->row_stride,
                     .base = kv->base + (size_t)node_int(args->node, "layer", 0) * kv->layer_bytes,
                     .block_bytes = kv_page_bytes(kv)};
    attend_store(args, &store);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    const ValueType k = value_type(node->inputs[0]);
    return (OpCost){.other_bytes = 16.0 * (double)rows * (double)k.dims[1].value};
}

const OpDef op_cross_store = {.infer = infer, .run = run, .cost = cost, .effect = true};

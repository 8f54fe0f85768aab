// SPDX-License-Identifier: Apache-2.0
// rows: out[i] = x[index[i]]: the rows of a step whose logits somebody wants.
#include "op/rules.h"

#include <string.h>

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    ValueType x, index;
    TRY(rule_matrix(node, 0, &x, err));
    TRY(rule_ids(node, 1, &index, err));
    ret_types[0] = x;
    ret_types[0].dims[0] = index.dims[0];
    return OK;
}

static void run(const OpRun *args) {
    const int32_t *index = args->inputs[1].data;
    for (size_t i = 0; i < args->outputs[0].rows; i++)
        memcpy(slab_row(&args->outputs[0], i), slab_row(&args->inputs[0], (size_t)index[i]),
               args->outputs[0].columns * sizeof(float));
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    return cost_elementwise(node, rows, 0, 1);
}

const OpDef op_rows = {.infer = infer, .run = run, .cost = cost};

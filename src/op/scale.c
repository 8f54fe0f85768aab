// SPDX-License-Identifier: Apache-2.0
// scale: out = x * factor.
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    return rule_matrix(node, 0, &ret_types[0], err);
}

static void scale_rows(const OpRun *args, size_t first, size_t last) {
    float factor = (float)node_real(args->node, "factor", 1.0);
    for (size_t r = first; r < last; r++)
        args->kernels->scale(slab_row(&args->inputs[0], r), factor, args->outputs[0].columns,
                             slab_row(&args->outputs[0], r));
}

static void run(const OpRun *args) {
    run_by_rows(args, args->outputs[0].rows, args->outputs[0].rows * args->outputs[0].columns, scale_rows);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    return cost_elementwise(node, rows, 1, 1);
}

const OpDef op_scale = {.infer = infer, .run = run, .cost = cost};

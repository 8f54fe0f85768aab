// SPDX-License-Identifier: Apache-2.0
// add: out = a + b, elementwise.
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    TRY(rule_matrix(node, 0, &ret_types[0], err));
    return rule_same(node, 0, 1, err);
}

static void add_rows(const OpRun *args, size_t first, size_t last) {
    for (size_t r = first; r < last; r++)
        args->kernels->add(slab_row(&args->inputs[0], r), slab_row(&args->inputs[1], r), args->outputs[0].columns,
                           slab_row(&args->outputs[0], r));
}

static void run(const OpRun *args) {
    run_by_rows(args, args->outputs[0].rows, args->outputs[0].rows * args->outputs[0].columns, add_rows);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    return cost_elementwise(node, rows, 1, 2);
}

const OpDef op_add = {.infer = infer, .run = run, .cost = cost};

// SPDX-License-Identifier: Apache-2.0
// activation: out = kind(x), elementwise. Families write it as a node; fuse_activation moves it into the linear before.
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    Activation kind;
    if (!activation_from_name(node_text(node, "kind", ""), &kind))
        return FAIL(err, ERR_FORMAT, "activation '%s': unknown kind '%s'", rule_name(node),
                    node_text(node, "kind", ""));
    return rule_matrix(node, 0, &ret_types[0], err);
}

static void activate_rows(const OpRun *args, size_t first, size_t last) {
    Activation kind = ACTIVATION_NONE;
    activation_from_name(node_text(args->node, "kind", ""), &kind);
    for (size_t r = first; r < last; r++)
        args->kernels->activate(kind, slab_row(&args->inputs[0], r), args->outputs[0].columns,
                                slab_row(&args->outputs[0], r));
}

static void run(const OpRun *args) {
    run_by_rows(args, args->outputs[0].rows, args->outputs[0].rows * args->outputs[0].columns * 8, activate_rows);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    return cost_elementwise(node, rows, 20, 1);
}

const OpDef op_activation = {.infer = infer, .run = run, .cost = cost};

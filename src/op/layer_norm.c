// SPDX-License-Identifier: Apache-2.0
// layer_norm: out = (x - mean) / sqrt(variance + epsilon) * gain + bias over the columns of each row.
#include "op/norm.h"
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    TRY(rule_matrix(node, 0, &ret_types[0], err));
    TRY(rule_vector(node, 1, ret_types[0].dims[1].value, false, err));
    return rule_vector(node, 2, ret_types[0].dims[1].value, true, err);
}

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    return norm_prepare(args, 1, ret_state, err);
}

static void norm_rows(const OpRun *args, size_t first, size_t last) {
    const NormState *state = args->state;
    for (size_t r = first; r < last; r++)
        args->kernels->layer_norm(slab_row(&args->inputs[0], r), NULL, state->gain, state->bias, state->epsilon,
                                  args->outputs[0].columns, NULL, slab_row(&args->outputs[0], r));
}

static void run(const OpRun *args) {
    run_by_rows(args, args->outputs[0].rows, args->outputs[0].rows * args->outputs[0].columns, norm_rows);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    return cost_elementwise(node, rows, 8, 1);
}

const OpDef op_layer_norm = {.infer = infer, .prepare = prepare, .run = run, .cost = cost};

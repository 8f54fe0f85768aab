// SPDX-License-Identifier: Apache-2.0
// add_norm: out = layer_norm(x + residual); a second output, where the node has one, is the sum itself (pre-norm
// models).
#include "op/norm.h"
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    TRY(rule_matrix(node, 0, &ret_types[0], err));
    TRY(rule_same(node, 0, 1, err));
    if (node->output_count < 1 || node->output_count > 2)
        return FAIL(err, ERR_FORMAT, "add_norm '%s': %zu outputs, expected 1 or 2", rule_name(node),
                    node->output_count);
    TRY(rule_vector(node, 2, ret_types[0].dims[1].value, false, err));
    TRY(rule_vector(node, 3, ret_types[0].dims[1].value, true, err));
    if (node->output_count == 2)
        ret_types[1] = ret_types[0];
    return OK;
}

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    return norm_prepare(args, 2, ret_state, err);
}

static void norm_rows(const OpRun *args, size_t first, size_t last) {
    const NormState *state = args->state;
    for (size_t r = first; r < last; r++)
        args->kernels->layer_norm(slab_row(&args->inputs[0], r), slab_row(&args->inputs[1], r), state->gain,
                                  state->bias, state->epsilon, args->outputs[0].columns,
                                  args->node->output_count == 2 ? slab_row(&args->outputs[1], r) : NULL,
                                  slab_row(&args->outputs[0], r));
}

static void run(const OpRun *args) {
    run_by_rows(args, args->outputs[0].rows, args->outputs[0].rows * args->outputs[0].columns, norm_rows);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    return cost_elementwise(node, rows, 9, 1.0 + (double)node->output_count);
}

const OpDef op_add_norm = {.infer = infer, .prepare = prepare, .run = run, .cost = cost};

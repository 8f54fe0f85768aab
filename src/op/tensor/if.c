// SPDX-License-Identifier: Apache-2.0
// If: the results of one of two bodies. Inputs: the condition, then what the bodies read, both the same.
// {then_branch=(...), else_branch=(...)}
#include "op/tensor/body.h"
#include "op/tensor/evaluate.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    const Graph *yes = node_graph(node, "then_branch"), *no = node_graph(node, "else_branch");
    if (!yes || !no)
        return FAIL(err, ERR_FORMAT, "If '%s' needs bodies 'then_branch' and 'else_branch'",
                    node->output_count ? node->names[0] : "");
    for (size_t i = 0; i < node->output_count; i++)
        ret_types[i] = body_either_type(body_result_type(yes, i), body_result_type(no, i));
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    double condition;
    const Tensor *results;
    TRY(evaluate_type(run, 0, DTYPES_BOOL, err));
    TRY(evaluate_number(run, 0, &condition, err));
    const char *name = condition != 0 ? "then_branch" : "else_branch";
    const Graph *body = node_graph(run->node, name);
    if (!body || body->return_count != run->node->output_count)
        return FAIL(err, ERR_FORMAT, "%s: its %s has %zu results, expected %zu", evaluate_name(run), name,
                    body ? body->return_count : 0, run->node->output_count);
    TRY(evaluate_body(run, body, run->inputs + 1, run->node->input_count - 1, &results, err));
    for (size_t i = 0; i < body->return_count; i++)
        TRY(evaluate_result(run, i, &results[i], err));
    return OK;
}

const OpDef op_tensor_if = {.infer = infer, .evaluate = evaluate};

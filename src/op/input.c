// SPDX-License-Identifier: Apache-2.0
// input: a value that the caller writes before a run.
#include "op/op.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ret_types[0] = node->types[0];
    return OK;
}

static void run(const OpRun *args) {
    (void)args;
}

const OpDef op_input = {.infer = infer, .run = run, .effect = true};

// SPDX-License-Identifier: Apache-2.0
// split: column ranges of x. Outputs are views into x, so the operator itself costs nothing; plans resolve them.
#include "op/rules.h"

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    ValueType whole;
    TRY(rule_matrix(node, 0, &whole, err));
    const Attribute *sizes = node_attribute(node, "sizes");
    if (!sizes || sizes->kind != ATTRIBUTE_INTS || sizes->integer_count != node->output_count)
        return FAIL(err, ERR_FORMAT, "split '%s': expected one size for each of its %zu outputs", rule_name(node),
                    node->output_count);
    int64_t left = whole.dims[1].value;
    for (size_t i = 0; i < node->output_count; i++) {
        if (sizes->integers[i] < 1 || sizes->integers[i] > left)
            return FAIL(err, ERR_FORMAT, "split '%s': size %zu is %lld, and %lld columns are left", rule_name(node), i,
                        (long long)sizes->integers[i], (long long)left);
        left -= sizes->integers[i];
        ret_types[i] = whole;
        ret_types[i].dims[1].value = sizes->integers[i];
    }
    if (left)
        return FAIL(err, ERR_FORMAT, "split '%s': its sizes leave %lld columns over", rule_name(node), (long long)left);
    return OK;
}

static void run(const OpRun *args) {
    (void)args;
}

const OpDef op_split = {.infer = infer, .run = run, .view = true};

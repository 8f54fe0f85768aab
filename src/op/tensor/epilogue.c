// SPDX-License-Identifier: Apache-2.0
#include "op/tensor/epilogue.h"

#include <string.h>

static bool activation_of(const Node *node, Activation *ret) {
    const char *approximate = node_text(node, "approximate", "none");
    bool tanh = node->op == TENSOR_MS_FAST_GELU || (node->op == TENSOR_GELU && strcmp(approximate, "tanh") == 0);
    bool erf = node->op == TENSOR_MS_BIAS_GELU || node->op == TENSOR_MS_GELU ||
               (node->op == TENSOR_GELU && strcmp(approximate, "none") == 0);
    *ret = tanh ? ACTIVATION_GELU_TANH : ACTIVATION_GELU;
    return tanh || erf;
}

bool epilogue_take(const OpPrepare *args, size_t n, bool biased, Epilogue *ret) {
    const Node *reader = args->reader;
    Epilogue epilogue = {0};
    if (!reader || !activation_of(reader, &epilogue.activation) || reader->inputs[0].node != args->node)
        return false;
    if (reader->input_count > 1 && !value_absent(reader->inputs[1])) {
        const Constant *bias = reader->inputs[1].constant;
        if (biased || !constant_is_plain(bias) || bias->dtype != DTYPE_F32 || bias->shape.rank != 1 ||
            (size_t)bias->shape.dims[0] != n)
            return false;
        epilogue.bias = bias->data;
    }
    *args->ret_takes_reader = true;
    *ret = epilogue;
    return true;
}

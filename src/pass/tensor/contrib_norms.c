// SPDX-License-Identifier: Apache-2.0
// Norms with what ONNX Runtime put into them: sums, biases and lookups.
#include "pass/tensor/contrib.h"

// A sum of the type that the norm has.
static Status sum_add(const Contrib *c, Value a, Value b, Value *ret, Error *err) {
    Value inputs[] = {a, b};
    NodeSpec spec = {
        .op = TENSOR_ADD, .inputs = inputs, .input_count = 2, .types = &c->node->types[0], .output_count = 1};
    return contrib_add(c, &spec, ret, err);
}

// ONNX's norm of `x` in the node's place.
static Status norm_become(const Contrib *c, bool simplified, Value x, Value gain, Value beta, Error *err) {
    Attribute epsilon = attribute_real("epsilon", node_real(c->node, "epsilon", 1e-12));
    Value inputs[] = {x, gain, beta};
    NodeSpec spec = {.op = simplified ? TENSOR_RMS_NORMALIZATION : TENSOR_LAYER_NORMALIZATION,
                     .inputs = inputs,
                     .input_count = value_absent(beta) ? 2 : 3,
                     .attributes = &epsilon,
                     .attribute_count = 1};
    return contrib_become(c, spec, 1, err);
}

// Sums that are read elsewhere are there without the norm.
static void sum_replace(const Contrib *c, size_t output, Value sum) {
    if (output < c->node->output_count)
        contrib_replace(c, output, sum);
}

// A product with a weight, of reals or of integers with their scales.
static bool is_product(Value value) {
    const Node *scaled = match_node(value, TENSOR_MUL), *real;
    Value scale;
    return match_node(value, TENSOR_MATMUL) || (scaled && match_operands(scaled, TENSOR_CAST, &real, &scale) &&
                                                match_node(real->inputs[0], TENSOR_MATMUL_INTEGER));
}

// The bias goes to the product, from which it came as a rule.
Status contrib_skip_norm(const Contrib *c, Error *err) {
    enum { X, SKIP, GAIN, SUM = 3 };
    const Node *node = c->node;
    bool simplified = node->op == TENSOR_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION;
    Value bias = rewrite_input(node, simplified ? 3 : 4), beta = simplified ? (Value){0} : rewrite_input(node, 3);
    Value x = node->inputs[X], skip = node->inputs[SKIP], sum;
    if (contrib_output_is_read(c, 1) || contrib_output_is_read(c, 2))
        return OK;
    bool second = !is_product(x) && is_product(skip);
    if (!value_absent(bias))
        TRY(contrib_apply(c, TENSOR_ADD, second ? skip : x, bias, second ? &skip : &x, err));
    TRY(sum_add(c, x, skip, &sum, err));
    sum_replace(c, SUM, sum);
    return norm_become(c, simplified, sum, node->inputs[GAIN], beta, err);
}

Status contrib_simplified_norm(const Contrib *c, Error *err) {
    Attribute attributes[] = {attribute_int("axis", node_int(c->node, "axis", -1)),
                              attribute_real("epsilon", node_real(c->node, "epsilon", 1e-5))};
    NodeSpec spec = {.op = TENSOR_RMS_NORMALIZATION,
                     .inputs = c->node->inputs,
                     .input_count = 2,
                     .attributes = attributes,
                     .attribute_count = 2};
    return contrib_output_is_read(c, 1) ? OK : contrib_become(c, spec, 1, err);
}

// How many of each row of a mask are 1.
static Status mask_count(const Contrib *c, Value mask, Value *ret, Error *err) {
    Attribute to = attribute_int("to", 6), keep = attribute_int("keepdims", 0);
    Value one, equal, inputs[2];
    TRY(contrib_number(c, value_type(mask).dtype, 1, &one, err));
    TRY(contrib_apply(c, TENSOR_EQUAL, mask, one, &equal, err));
    NodeSpec cast = {.op = TENSOR_CAST, .inputs = &equal, .input_count = 1, .attributes = &to, .attribute_count = 1};
    TRY(contrib_add(c, &cast, &inputs[0], err));
    TRY(match_ints_constant(c->graph, "axes", &(int64_t){1}, 1, &inputs[1], err));
    NodeSpec sum = {
        .op = TENSOR_REDUCE_SUM, .inputs = inputs, .input_count = 2, .attributes = &keep, .attribute_count = 1};
    return contrib_add(c, &sum, ret, err);
}

Status contrib_embed_norm(const Contrib *c, Error *err) {
    enum { WORDS, SEGMENTS, WORD_TABLE, POSITION_TABLE, SEGMENT_TABLE, GAIN, BETA, MASK, POSITIONS };
    enum { MASK_INDEX = 1, SUM };
    const Node *node = c->node;
    Value positions = rewrite_input(node, POSITIONS), mask = rewrite_input(node, MASK), parts[3], sum, index, length;
    bool segments = !value_absent(rewrite_input(node, SEGMENTS)), counts = contrib_output_is_read(c, MASK_INDEX);
    ValueType type = value_type(mask);
    if (counts && (type.rank != 2 || (type.dtype != DTYPE_I32 && type.dtype != DTYPE_I64)))
        return OK;
    if (value_absent(positions)) {
        TRY(contrib_dim(c, node->inputs[WORDS], 1, &length, err));
        TRY(contrib_range(c, length, &positions, err));
    }
    TRY(contrib_apply(c, TENSOR_GATHER, node->inputs[WORD_TABLE], node->inputs[WORDS], &parts[0], err));
    TRY(contrib_apply(c, TENSOR_GATHER, node->inputs[POSITION_TABLE], positions, &parts[1], err));
    TRY(sum_add(c, parts[0], parts[1], &sum, err));
    if (segments) {
        TRY(contrib_apply(c, TENSOR_GATHER, node->inputs[SEGMENT_TABLE], node->inputs[SEGMENTS], &parts[2], err));
        TRY(sum_add(c, sum, parts[2], &sum, err));
    }
    sum_replace(c, SUM, sum);
    if (counts) {
        TRY(mask_count(c, mask, &index, err));
        contrib_replace(c, MASK_INDEX, index);
    }
    return norm_become(c, false, sum, node->inputs[GAIN], node->inputs[BETA], err);
}

// SPDX-License-Identifier: Apache-2.0
// Activations with their biases, and 8-bit products with their scales.
#include "pass/tensor/contrib.h"

static Status gelu_become(const Contrib *c, bool tanh, Value bias, Error *err) {
    Attribute approximate = attribute_text("approximate", tanh ? "tanh" : "none");
    Value x = c->node->inputs[0];
    if (!value_absent(bias))
        TRY(contrib_apply(c, TENSOR_ADD, x, bias, &x, err));
    NodeSpec spec = {
        .op = TENSOR_GELU, .inputs = &x, .input_count = 1, .attributes = &approximate, .attribute_count = 1};
    return contrib_become(c, spec, 1, err);
}

Status contrib_bias_gelu(const Contrib *c, Error *err) {
    return gelu_become(c, false, c->node->inputs[1], err);
}

Status contrib_gelu(const Contrib *c, Error *err) {
    return gelu_become(c, false, (Value){0}, err);
}

Status contrib_fast_gelu(const Contrib *c, Error *err) {
    return gelu_become(c, true, rewrite_input(c->node, 1), err);
}

Status contrib_quick_gelu(const Contrib *c, Error *err) {
    Value x = c->node->inputs[0], alpha, t;
    ValueType type = value_type(x);
    if (type.rank < 0 || !match_takes_number(type.dtype))
        return OK;
    TRY(contrib_number(c, type.dtype, node_real(c->node, "alpha", 1.702), &alpha, err));
    TRY(contrib_apply(c, TENSOR_MUL, x, alpha, &t, err));
    TRY(contrib_apply(c, TENSOR_SIGMOID, t, (Value){0}, &t, err));
    return contrib_become_plain(c, TENSOR_MUL, x, t, err);
}

// The last two dimensions exchanged, of a known number of them.
static Status turn(const Contrib *c, const char *attribute, Value *value, Error *err) {
    int rank = value_type(*value).rank;
    int64_t order[SHAPE_MOST_DIMS];
    if (!node_int(c->node, attribute, 0) || rank < 2)
        return OK;
    for (int i = 0; i < rank; i++)
        order[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    Attribute perm = attribute_ints("perm", order, (size_t)rank);
    NodeSpec spec = {
        .op = TENSOR_TRANSPOSE, .inputs = value, .input_count = 1, .attributes = &perm, .attribute_count = 1};
    return contrib_add(c, &spec, value, err);
}

// The first operand is scaled and not the product, which may be beyond the largest half where the result is not.
Status contrib_fused_matmul(const Contrib *c, Error *err) {
    const Node *node = c->node;
    Value a = node->inputs[0], b = node->inputs[1], factor;
    ValueType types[] = {value_type(a), value_type(b)};
    double alpha = node_real(node, "alpha", 1);
    if (types[0].rank < 0 || types[1].rank < 0 || !match_takes_number(types[0].dtype) ||
        node_int(node, "transBatchA", 0) || node_int(node, "transBatchB", 0))
        return OK;
    TRY(turn(c, "transA", &a, err));
    TRY(turn(c, "transB", &b, err));
    if (alpha != 1) {
        TRY(contrib_number(c, types[0].dtype, alpha, &factor, err));
        TRY(contrib_apply(c, TENSOR_MUL, a, factor, &a, err));
    }
    return contrib_become_plain(c, TENSOR_MATMUL, a, b, err);
}

// (a - a_zero) (b - b_zero) times a scale and then another, and a bias.
typedef struct Product {
    Value a, b, a_zero, b_zero, a_scale, b_scale, bias; // zeros and bias may be absent
} Product;

static Status product_become(const Contrib *c, const Product *p, Error *err) {
    Value inputs[] = {p->a, p->b, p->a_zero, p->b_zero}, y, scale;
    Attribute to = attribute_int("to", 1);
    NodeSpec product = {.op = TENSOR_MATMUL_INTEGER, .inputs = inputs, .input_count = 4};
    TRY(contrib_add(c, &product, &y, err));
    NodeSpec cast = {.op = TENSOR_CAST, .inputs = &y, .input_count = 1, .attributes = &to, .attribute_count = 1};
    TRY(contrib_add(c, &cast, &y, err));
    TRY(contrib_apply(c, TENSOR_MUL, p->a_scale, p->b_scale, &scale, err));
    if (value_absent(p->bias))
        return contrib_become_plain(c, TENSOR_MUL, y, scale, err);
    TRY(contrib_apply(c, TENSOR_MUL, y, scale, &y, err));
    return contrib_become_plain(c, TENSOR_ADD, y, p->bias, err);
}

Status contrib_matmul_integer_to_float(const Contrib *c, Error *err) {
    const Node *node = c->node;
    Product product = {.a = node->inputs[0],
                       .b = node->inputs[1],
                       .a_scale = node->inputs[2],
                       .b_scale = node->inputs[3],
                       .a_zero = rewrite_input(node, 4),
                       .b_zero = rewrite_input(node, 5),
                       .bias = rewrite_input(node, 6)};
    return product_become(c, &product, err);
}

Status contrib_dynamic_quantize_matmul(const Contrib *c, Error *err) {
    const Node *node = c->node;
    Product product = {.b = node->inputs[1],
                       .b_scale = node->inputs[2],
                       .b_zero = rewrite_input(node, 3),
                       .bias = rewrite_input(node, 4)};
    NodeSpec quantize = {
        .op = TENSOR_DYNAMIC_QUANTIZE_LINEAR, .inputs = node->inputs, .input_count = 1, .output_count = 3};
    TRY(contrib_add(c, &quantize, &product.a, err));
    product.a_scale = value_of(product.a.node, 1);
    product.a_zero = value_of(product.a.node, 2);
    return product_become(c, &product, err);
}

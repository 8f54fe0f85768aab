// SPDX-License-Identifier: Apache-2.0
// fuse_integer_products: MatMulInteger with a constant, the cast of its sums and their scales become
// MatMulIntegerToFloat, or DynamicQuantizeMatMul where nobody else reads what DynamicQuantizeLinear makes for it; then
// a bias goes in. Only ONNX Runtime has these.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/match.h"

enum { A, B, A_ZERO, B_ZERO };                     // of MatMulInteger
enum { DYNAMIC_BIAS = 4, TO_FLOAT_BIAS = 6 };      // where the others have theirs
enum { QUANTIZED, SCALE, ZERO, DYNAMIC_USES = 3 }; // of DynamicQuantizeLinear

typedef struct Product {
    const Node *integer;
    Value a_scale, b_scale;
} Product;

static bool is_number(Value value, DType dtype) {
    ValueType type = value_type(value);
    return type.dtype == dtype && (type.rank == 0 || (type.rank == 1 && type_dim(&type, 1) == 1));
}

static bool is_byte(DType dtype) {
    return dtype == DTYPE_U8 || dtype == DTYPE_I8;
}

// A constant number, or one for each of n.
static bool is_constant_for(Value value, DType dtype, int64_t n) {
    const Constant *c = value.constant;
    return constant_is_plain(c) && c->dtype == dtype &&
           (is_number(value, dtype) || (c->shape.rank == 1 && c->shape.dims[0] == n));
}

static bool operands_fit(const Node *integer) {
    ValueType a = value_type(integer->inputs[A]);
    const Constant *b = integer->inputs[B].constant;
    Value a_zero = rewrite_input(integer, A_ZERO), b_zero = rewrite_input(integer, B_ZERO);
    return a.rank >= 1 && is_byte(a.dtype) && constant_is_plain(b) && b->shape.rank == 2 && is_byte(b->dtype) &&
           (value_absent(a_zero) || is_number(a_zero, a.dtype)) &&
           (value_absent(b_zero) || is_constant_for(b_zero, b->dtype, b->shape.dims[1]));
}

// Mul(Cast(MatMulInteger), Mul(scale of a, scales of b)), operands in any order.
static bool product_match(const Node *node, const size_t *uses, Product *ret) {
    for (size_t i = 0; i < 2; i++) {
        const Node *cast = match_node(node->inputs[i], TENSOR_CAST);
        const Node *scale = match_node(node->inputs[1 - i], TENSOR_MUL);
        const Node *integer = cast ? match_node(cast->inputs[0], TENSOR_MATMUL_INTEGER) : NULL;
        if (!integer || !scale || node->types[0].dtype != DTYPE_F32 || !operands_fit(integer))
            continue;
        MatchNodes nodes = {{node, cast, scale, integer}, 4};
        for (size_t j = 0; j < 2; j++) {
            *ret = (Product){integer, scale->inputs[j], scale->inputs[1 - j]};
            if (is_number(ret->a_scale, DTYPE_F32) &&
                is_constant_for(ret->b_scale, DTYPE_F32, integer->inputs[B].constant->shape.dims[1]))
                return match_nodes_are_private(&nodes, uses);
        }
    }
    return false;
}

// The DynamicQuantizeLinear that serves this product alone.
static const Node *own_quantization(const Product *p, const size_t *uses) {
    const Node *quantized = match_node(p->integer->inputs[A], TENSOR_DYNAMIC_QUANTIZE_LINEAR);
    bool own = quantized && value_equal(p->a_scale, value_of(quantized, SCALE)) &&
               value_equal(rewrite_input(p->integer, A_ZERO), value_of(quantized, ZERO)) &&
               uses[quantized->index] == DYNAMIC_USES;
    return own ? quantized : NULL;
}

static Status product_rewrite(Graph *graph, Node *node, const Product *p, const size_t *uses, Error *err) {
    const Node *quantized = own_quantization(p, uses);
    Value b = p->integer->inputs[B], b_zero = rewrite_input(p->integer, B_ZERO);
    Value dynamic[DYNAMIC_BIAS] = {quantized ? quantized->inputs[0] : b, b, p->b_scale, b_zero};
    Value to_float[TO_FLOAT_BIAS] = {
        p->integer->inputs[A], b, p->a_scale, p->b_scale, rewrite_input(p->integer, A_ZERO), b_zero};
    NodeSpec spec = {.op = quantized ? TENSOR_MS_DYNAMIC_QUANTIZE_MATMUL : TENSOR_MS_MATMUL_INTEGER_TO_FLOAT,
                     .inputs = quantized ? dynamic : to_float,
                     .input_count = quantized ? DYNAMIC_BIAS : TO_FLOAT_BIAS,
                     .note = node->note};
    return graph_change_node(graph, node, &spec, err);
}

// Where a product has its bias; 0: it is another operator.
static size_t bias_index(OpCode op) {
    return op == TENSOR_MS_DYNAMIC_QUANTIZE_MATMUL   ? DYNAMIC_BIAS
           : op == TENSOR_MS_MATMUL_INTEGER_TO_FLOAT ? TO_FLOAT_BIAS
                                                     : 0;
}

static Status bias_rewrite(Graph *graph, Node *node, const size_t *uses, Error *err) {
    Value values[TO_FLOAT_BIAS + 1] = {0}, rest, bias;
    const Node *product = match_bias(value_of(node, 0), &rest, &bias) ? rest.node : NULL;
    size_t at = product ? bias_index(product->op) : 0;
    if (!at || uses[product->index] != 1 || !value_absent(rewrite_input(product, at)))
        return OK;
    memcpy(values, product->inputs, product->input_count * sizeof *values);
    values[at] = bias;
    NodeSpec spec = {.op = product->op, .inputs = values, .input_count = at + 1, .note = node->note};
    return graph_change_node(graph, node, &spec, err);
}

Status pass_fuse_integer_products(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses;
    Product product;
    TRY(match_uses(graph, inputs, &uses, err));
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op == TENSOR_MUL && product_match(graph->nodes[n], uses, &product))
            TRY(product_rewrite(graph, graph->nodes[n], &product, uses, err));
    TRY(match_uses(graph, inputs, &uses, err));
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op == TENSOR_ADD)
            TRY(bias_rewrite(graph, graph->nodes[n], uses, err));
    return pass_dead_code(graph, inputs, err);
}

// SPDX-License-Identifier: Apache-2.0
// quantize_products: dynamic INT8 quantization, in ONNX's own operators, which every runtime knows: products with a
// constant of f32 become MatMulInteger of it as s8, with one scale a column (absmax / 127), and of the activations as
// u8, quantized as a whole when they come (DynamicQuantizeLinear); then scales, and a Gemm's bias.
#include <math.h>

#include "pass/rewrite.h"
#include "pass/tensor/match.h"

// What a product is worth quantizing from: below that, scales and casts cost more than they save.
enum { FEWEST_ELEMENTS = 1024 };

typedef struct Weights {
    const Constant *constant; // [k, n], or [n, k] turned
    bool turned;
    size_t k, n;
} Weights;

static bool weights_match(const Node *node, Weights *ret) {
    const Constant *c = node->input_count > 1 ? node->inputs[1].constant : NULL;
    bool gemm = node->op == TENSOR_GEMM;
    if (!constant_is_plain(c) || c->dtype != DTYPE_F32 || c->shape.rank != 2 || (node->op != TENSOR_MATMUL && !gemm))
        return false;
    if (gemm && (node_int(node, "transA", 0) || node_real(node, "alpha", 1) != 1 || node_real(node, "beta", 1) != 1))
        return false;
    ret->constant = c;
    ret->turned = gemm && node_int(node, "transB", 0);
    ret->k = (size_t)c->shape.dims[ret->turned];
    ret->n = (size_t)c->shape.dims[!ret->turned];
    return ret->k * ret->n >= FEWEST_ELEMENTS;
}

static float weight_at(const Weights *w, size_t k, size_t n) {
    return ((const float *)w->constant->data)[w->turned ? n * w->k + k : k * w->n + n];
}

// False where a weight is no number.
static bool columns_quantize(const Weights *w, int8_t *q, float *scales) {
    for (size_t n = 0; n < w->n; n++) {
        float most = 0;
        for (size_t k = 0; k < w->k; k++) {
            float magnitude = fabsf(weight_at(w, k, n));
            if (!isfinite(magnitude))
                return false;
            most = magnitude > most ? magnitude : most;
        }
        scales[n] = most / 127;
        for (size_t k = 0; k < w->k; k++) {
            float value = scales[n] > 0 ? rintf(weight_at(w, k, n) / scales[n]) : 0;
            q[k * w->n + n] = (int8_t)fmaxf(-127, fminf(value, 127));
        }
    }
    return true;
}

static Status weights_quantize(Graph *graph, const Weights *w, Value ret[2], bool *ret_done, Error *err) {
    int8_t *q = arena_alloc(graph->arena, w->k * w->n, 64, err);
    float *scales = arena_array(graph->arena, w->n, sizeof *scales, err);
    TRY_NEW(q);
    TRY_NEW(scales);
    if (!(*ret_done = columns_quantize(w, q, scales)))
        return OK;
    Constant constants[] = {{.dtype = DTYPE_I8, .shape = {2, {(int64_t)w->k, (int64_t)w->n}}, .data = q},
                            {.dtype = DTYPE_F32, .shape = {1, {(int64_t)w->n}}, .data = scales}};
    static const char *const endings[] = {"int8", "scale"};
    for (size_t i = 0; i < 2; i++) {
        const Constant *added;
        TRY_NEW(constants[i].name = arena_format(graph->arena, err, "%s.%s", w->constant->name, endings[i]));
        TRY(graph_add_constant(graph, &constants[i], &added, err));
        ret[i] = value_constant(added);
    }
    return OK;
}

static Status step_insert(Graph *graph, const Node *place, OpCode op, const char *name, const Value *inputs,
                          size_t input_count, const Attribute *attribute, size_t outputs, Node **ret, Error *err) {
    NodeSpec spec = {.op = op,
                     .name = name,
                     .inputs = inputs,
                     .input_count = input_count,
                     .attributes = attribute,
                     .attribute_count = attribute != NULL,
                     .output_count = outputs};
    return match_insert(graph, place, &spec, ret, err);
}

// The node becomes the last step, so that its name and type stay.
static Status product_rewrite(Graph *graph, Node *node, const Value weights[2], Error *err) {
    Node *quantized, *product, *real, *scale;
    Attribute to_f32 = attribute_int("to", 1);
    Value bias = rewrite_input(node, 2);
    TRY(step_insert(graph, node, TENSOR_DYNAMIC_QUANTIZE_LINEAR, "quantized", &node->inputs[0], 1, NULL, 3, &quantized,
                    err));
    Value factors[] = {value_of(quantized, 0), weights[0], value_of(quantized, 2)};
    TRY(step_insert(graph, node, TENSOR_MATMUL_INTEGER, "product", factors, 3, NULL, 1, &product, err));
    Value whole = value_of(product, 0), scales[] = {value_of(quantized, 1), weights[1]};
    TRY(step_insert(graph, node, TENSOR_CAST, "product.f32", &whole, 1, &to_f32, 1, &real, err));
    TRY(step_insert(graph, node, TENSOR_MUL, "scale", scales, 2, NULL, 1, &scale, err));
    Value last[] = {value_of(real, 0), value_of(scale, 0)};
    OpCode op = TENSOR_MUL;
    if (!value_absent(bias)) {
        Node *scaled;
        TRY(step_insert(graph, node, TENSOR_MUL, "scaled", last, 2, NULL, 1, &scaled, err));
        last[0] = value_of(scaled, 0);
        last[1] = bias;
        op = TENSOR_ADD;
    }
    NodeSpec spec = {.op = op, .inputs = last, .input_count = 2, .note = node->note};
    return graph_change_node(graph, node, &spec, err);
}

Status pass_quantize_products(Graph *graph, const PassInputs *inputs, Error *err) {
    Sweep sweep;
    Node *node;
    TRY(rewrite_sweep_begin(graph, inputs->scratch, &sweep, err));
    for (;;) {
        TRY(rewrite_sweep_next(&sweep, &node, err));
        if (!node)
            return OK;
        Weights w;
        Value weights[2];
        bool done;
        ValueType x = node->input_count ? value_type(node->inputs[0]) : (ValueType){.rank = -1};
        if (!weights_match(node, &w) || x.rank < 1 || x.dtype != DTYPE_F32)
            continue;
        TRY(weights_quantize(graph, &w, weights, &done, err));
        if (done)
            TRY(product_rewrite(graph, node, weights, err));
    }
}

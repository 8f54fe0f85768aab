// SPDX-License-Identifier: Apache-2.0
// Packed nodes, one by one, as tensor operators: [tokens, columns] becomes [batch, length, columns].
#include <math.h>
#include <string.h>

#include "format/onnx/exporter.h"

static Value embed(Exporter *x, const Node *node, Value ids) {
    const char *name = node->names[0];
    int64_t offset = node_int(node, "offset", 0);
    double scale = node_real(node, "scale", 1);
    if (offset)
        ids = export_binary(x, TENSOR_ADD, export_text(x, "%s.rows", name), ids, export_int(x, offset));
    Value rows = export_weight_rows(x, name, node->inputs[1].constant, ids);
    return scale == 1 ? rows
                      : export_binary(x, TENSOR_MUL, export_text(x, "%s.scaled", name), rows, export_real(x, scale));
}

// What a static quantization makes of a linear's input: rounded to 8 bits by one scale, and real again. For integer
// products the codes are u8 around 128, the same numbers: ONNX Runtime's kernels on x86 take no s8, and it makes u8 of
// codes itself only where one product alone reads them. TensorRT takes s8 alone.
static Value rounded(Exporter *x, const Node *node, Value input) {
    if (!node_attribute(node, "input_scale"))
        return input;
    if (node->input_count > 4 && !value_absent(node->inputs[4]))
        input = export_binary(x, TENSOR_MUL, "balanced", input, export_weight(x, node->inputs[4].constant));
    Value scale = export_real(x, node_real(node, "input_scale", 1));
    bool integers = export_weight_is_packed(x, node->inputs[1].constant);
    Value zero = integers ? export_byte(x, DTYPE_U8, 128) : export_byte(x, DTYPE_I8, 0);
    Value codes = export_node(x, TENSOR_QUANTIZE_LINEAR, "codes", (Value[]){input, scale, zero}, 3, NULL, 0);
    return export_node(x, TENSOR_DEQUANTIZE_LINEAR, "rounded", (Value[]){codes, scale, zero}, 3, NULL, 0);
}

// Rows times the weight as it lies: the head's may be the word table, which must not be there a second time.
static Value head(Exporter *x, const Node *node, Value input) {
    const Constant *weight = node->inputs[1].constant;
    Value outer = export_unary(x, TENSOR_SHAPE, "states.shape", input);
    outer = export_binary(x, TENSOR_GATHER, "states.places", outer, export_ints(x, (const int64_t[]){0, 1}, 2));
    Value rows = export_binary(x, TENSOR_RESHAPE, "states.rows", input,
                               export_ints(x, (const int64_t[]){-1, weight->shape.dims[1]}, 2));
    Value inputs[3] = {rows, export_weight(x, weight)};
    size_t count = 2;
    if (node->input_count > 2 && !value_absent(node->inputs[2]))
        inputs[count++] = export_weight(x, node->inputs[2].constant);
    Attribute turned = attribute_int("transB", 1), axis = attribute_int("axis", 0);
    Value product = export_node(x, TENSOR_GEMM, "logits.rows", inputs, count, &turned, 1);
    Value shape = export_node(x, TENSOR_CONCAT, "logits.shape",
                              (Value[]){outer, export_ints(x, &weight->shape.dims[0], 1)}, 2, &axis, 1);
    return export_binary(x, TENSOR_RESHAPE, node->names[0], product, shape);
}

static Value linear(Exporter *x, const Node *node, Value input) {
    const char *name = node->names[0];
    bool residual = node->input_count > 3 && !value_absent(node->inputs[3]);
    if (residual || node_attribute(node, "activation"))
        export_fail(
            x, FAIL(x->err, ERR_UNSUPPORTED, "linear '%s' is fused with what follows it; no form is exported", name));
    input = rounded(x, node, input);
    if (x->head && !export_weight_is_packed(x, node->inputs[1].constant))
        return head(x, node, input);
    bool bias = node->input_count > 2 && !value_absent(node->inputs[2]);
    Value product = export_product(x, bias ? export_text(x, "%s.product", name) : name, input,
                                   node_attribute(node, "input_scale"), node->inputs[1].constant);
    return bias ? export_binary(x, TENSOR_ADD, name, product, export_weight(x, node->inputs[2].constant)) : product;
}

static Value mean(Exporter *x, const char *name, Value of) {
    Attribute keep = attribute_int("keepdims", 1);
    return export_node(x, TENSOR_REDUCE_MEAN, name, (Value[]){of, export_ints(x, (const int64_t[]){-1}, 1)}, 2, &keep,
                       1);
}

static Value norm(Exporter *x, const Node *node, Value input) {
    const char *name = node->names[0];
    double epsilon = node_real(node, "epsilon", 1e-5);
    Value gain = export_weight(x, node->inputs[1].constant), bias = export_weight(x, node->inputs[2].constant);
    if (x->opset >= 17) {
        Attribute attributes[] = {attribute_int("axis", -1), attribute_real("epsilon", epsilon)};
        return export_node(x, TENSOR_LAYER_NORMALIZATION, name, (Value[]){input, gain, bias}, 3, attributes, 2);
    }
    Value centred = export_binary(x, TENSOR_SUB, export_text(x, "%s.centred", name), input,
                                  mean(x, export_text(x, "%s.mean", name), input));
    Value square = export_binary(x, TENSOR_POW, export_text(x, "%s.square", name), centred, export_real(x, 2));
    Value variance = mean(x, export_text(x, "%s.variance", name), square);
    Value root = export_unary(
        x, TENSOR_SQRT, export_text(x, "%s.deviation", name),
        export_binary(x, TENSOR_ADD, export_text(x, "%s.raised", name), variance, export_real(x, epsilon)));
    Value unit = export_binary(x, TENSOR_DIV, export_text(x, "%s.unit", name), centred, root);
    return export_binary(x, TENSOR_ADD, name,
                         export_binary(x, TENSOR_MUL, export_text(x, "%s.gained", name), unit, gain), bias);
}

// x (1 + turn) / 2
static Value half_gated(Exporter *x, const char *name, Value input, Value turn) {
    Value gate = export_binary(x, TENSOR_ADD, export_text(x, "%s.gate", name), turn, export_real(x, 1));
    Value gated = export_binary(x, TENSOR_MUL, export_text(x, "%s.gated", name), input, gate);
    return export_binary(x, TENSOR_MUL, name, gated, export_real(x, 0.5));
}

static Value gelu(Exporter *x, const char *name, Value input, bool near) {
    if (x->opset >= 20) {
        Attribute approximate = attribute_text("approximate", near ? "tanh" : "none");
        return export_node(x, TENSOR_GELU, name, &input, 1, &approximate, 1);
    }
    const char *inner = export_text(x, "%s.inner", name), *turn = export_text(x, "%s.turn", name);
    if (!near) {
        Value scaled = export_binary(x, TENSOR_DIV, inner, input, export_real(x, M_SQRT2));
        return half_gated(x, name, input, export_unary(x, TENSOR_ERF, turn, scaled));
    }
    Value cube = export_binary(x, TENSOR_POW, inner, input, export_real(x, 3));
    cube = export_binary(x, TENSOR_MUL, inner, cube, export_real(x, 0.044715));
    Value sum = export_binary(x, TENSOR_ADD, inner, input, cube);
    Value scaled = export_binary(x, TENSOR_MUL, inner, sum, export_real(x, M_2_SQRTPI * M_SQRT1_2));
    return half_gated(x, name, input, export_unary(x, TENSOR_TANH, turn, scaled));
}

static Value activation(Exporter *x, const Node *node, Value input) {
    const char *name = node->names[0], *kind = node_text(node, "kind", "");
    if (strcmp(kind, "gelu") == 0 || strcmp(kind, "gelu_tanh") == 0)
        return gelu(x, name, input, strcmp(kind, "gelu_tanh") == 0);
    if (strcmp(kind, "none") == 0)
        return input;
    if (strcmp(kind, "relu") == 0)
        return export_unary(x, TENSOR_RELU, name, input);
    if (strcmp(kind, "tanh") == 0)
        return export_unary(x, TENSOR_TANH, name, input);
    if (strcmp(kind, "silu") == 0)
        return export_binary(x, TENSOR_MUL, name, input,
                             export_unary(x, TENSOR_SIGMOID, export_text(x, "%s.gate", name), input));
    export_fail(x,
                FAIL(x->err, ERR_UNSUPPORTED, "activation '%s' is of kind '%s', which has no form here", name, kind));
    return (Value){0};
}

static Value translate(Exporter *x, const Node *node, const Value *inputs) {
    switch (node->op) {
    case OP_INPUT: // of those that rows names: all are taken
        return (Value){0};
    case OP_EMBED:
        return embed(x, node, inputs[0]);
    case OP_ADD:
        return export_binary(x, TENSOR_ADD, node->names[0], inputs[0], inputs[1]);
    case OP_ACTIVATION:
        return activation(x, node, inputs[0]);
    case OP_LINEAR:
        return linear(x, node, inputs[0]);
    case OP_LAYER_NORM:
        return norm(x, node, inputs[0]);
    case OP_ROWS:
        return inputs[0];
    case OP_ATTENTION:
    case OP_ATTENTION_CACHED:
    case OP_ATTENTION_CROSS:
        return export_attention(x, node, inputs);
    default:
        export_fail(x,
                    FAIL(x->err, ERR_UNSUPPORTED, "operator %s has no form in an exported graph", op_name(node->op)));
        return (Value){0};
    }
}

static bool *marks(Exporter *x, const Graph *source, const Value *values, const Value *wanted, size_t wanted_count) {
    bool *needed = x->status == OK ? arena_array(x->graph->arena, source->node_count, sizeof *needed, x->err) : NULL;
    if (!needed) {
        export_fail(x, x->err->status);
        return NULL;
    }
    for (size_t i = 0; i < wanted_count; i++)
        if (wanted[i].node)
            needed[wanted[i].node->index] = true;
    for (size_t n = source->node_count; n-- > 0;) {
        const Node *node = source->nodes[n];
        if (!value_absent(values[n]))
            needed[n] = false;
        for (size_t i = 0; needed[n] && i < node->input_count; i++)
            if (node->inputs[i].node)
                needed[node->inputs[i].node->index] = true;
    }
    return needed;
}

void export_translate(Exporter *x, const Graph *source, Value *values, const Value *wanted, size_t wanted_count) {
    const bool *needed = marks(x, source, values, wanted, wanted_count);
    for (size_t n = 0; n < source->node_count && x->status == OK; n++) {
        const Node *node = source->nodes[n];
        Value inputs[5] = {0};
        if (!needed[n])
            continue;
        for (size_t i = 0; i < node->input_count && i < 5; i++)
            if (node->inputs[i].node)
                inputs[i] = values[node->inputs[i].node->index];
        values[n] = translate(x, node, inputs);
    }
}

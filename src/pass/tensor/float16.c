// SPDX-License-Identifier: Apache-2.0
#include "pass/tensor/float16.h"

#include <math.h>
#include <string.h>

#include "pass/rewrite.h"

// Elements of constants from which on they are weights and no frequencies of angles.
enum { LEAST_WEIGHTS = 513 };

// Below this, f32 numbers stand for minus infinity: exporters write -3.4e38.
#define MINUS_INFINITY (-1e30)
#define SMALLEST 5.9604645e-8 // of f16's subnormals

// Powers and sums, which leave f16's range; angles; what ONNX has in f32 only; bodies, whose values keep their types.
static const OpCode f32_operators[] = {
    TENSOR_POW,
    TENSOR_EXP,
    TENSOR_CUM_SUM,
    TENSOR_REDUCE_SUM,
    TENSOR_REDUCE_MEAN,
    TENSOR_REDUCE_PROD,
    TENSOR_REDUCE_L1,
    TENSOR_REDUCE_L2,
    TENSOR_REDUCE_SUM_SQUARE,
    TENSOR_REDUCE_LOG_SUM,
    TENSOR_REDUCE_LOG_SUM_EXP,
    TENSOR_MEAN_VARIANCE_NORMALIZATION,
    TENSOR_SIN,
    TENSOR_COS,
    TENSOR_TAN,
    TENSOR_RANGE,
    TENSOR_QUANTIZE_LINEAR,
    TENSOR_DEQUANTIZE_LINEAR,
    TENSOR_DYNAMIC_QUANTIZE_LINEAR,
    TENSOR_QLINEAR_MATMUL,
    TENSOR_MS_QATTENTION,
    TENSOR_MS_MATMUL_NBITS,
    TENSOR_MS_MATMUL_BNB4,
    TENSOR_MS_DYNAMIC_QUANTIZE_MATMUL,
    TENSOR_MS_MATMUL_INTEGER_TO_FLOAT,
    TENSOR_IF,
    TENSOR_LOOP,
};

bool float16_keeps_f32(OpCode op) {
    for (size_t i = 0; i < sizeof f32_operators / sizeof *f32_operators; i++)
        if (f32_operators[i] == op)
            return true;
    return false;
}

DType float16_dtype(const Float16Kinds *kinds, Value value, size_t place) {
    if (value.constant)
        return value.constant->dtype;
    return value.node ? kinds->dtypes[place][value.output] : DTYPE_BOOL;
}

bool float16_is_data(const Float16Kinds *kinds, Value value, size_t place) {
    size_t count;
    if (value.constant)
        return value.constant->dtype == DTYPE_F32 && shape_elements(&value.constant->shape, &count) && count > 1;
    return value.node && kinds->data[place][value.output];
}

// Of an input, before anything is changed.
static DType input_dtype(const Float16Kinds *kinds, const Node *node, size_t index) {
    Value value = rewrite_input(node, index);
    return float16_dtype(kinds, value, value.node ? value.node->index : 0);
}

// Of an output whose type is not known: most operators keep that of an input.
static DType dtype_guess(const Float16Kinds *kinds, const Node *node, size_t output) {
    int64_t to = node_int(node, "to", 1);
    DType kept = input_dtype(kinds, node, 0);
    switch (node->op) {
    case TENSOR_CAST:
        return to == 1 ? DTYPE_F32 : to == 10 ? DTYPE_F16 : DTYPE_I64; // any that is neither
    case TENSOR_SHAPE:
    case TENSOR_SIZE:
    case TENSOR_NON_ZERO:
    case TENSOR_ARG_MAX:
    case TENSOR_ARG_MIN:
        return DTYPE_I64;
    case TENSOR_EQUAL:
    case TENSOR_LESS:
    case TENSOR_LESS_OR_EQUAL:
    case TENSOR_GREATER:
    case TENSOR_GREATER_OR_EQUAL:
    case TENSOR_AND:
    case TENSOR_OR:
    case TENSOR_XOR:
    case TENSOR_NOT:
    case TENSOR_ISNAN:
    case TENSOR_ISINF:
        return DTYPE_BOOL;
    case TENSOR_WHERE:
    case TENSOR_CONSTANT_OF_SHAPE:
    case TENSOR_CAST_LIKE:
    case TENSOR_DEQUANTIZE_LINEAR:
        return input_dtype(kinds, node, 1);
    case TENSOR_ONE_HOT:
        return input_dtype(kinds, node, 2);
    case TENSOR_MATMUL_INTEGER:
        return DTYPE_I32;
    case TENSOR_TOPK:
        return output ? DTYPE_I64 : kept;
    case TENSOR_DYNAMIC_QUANTIZE_LINEAR:
        return output == 1 ? DTYPE_F32 : DTYPE_U8;
    case TENSOR_MS_EMBED_LAYER_NORMALIZATION:
        return output == 1 ? DTYPE_I32 : input_dtype(kinds, node, 2);
    case TENSOR_MS_MATMUL_INTEGER_TO_FLOAT:
    case TENSOR_MS_QATTENTION:
        return DTYPE_F32;
    default:
        return kept;
    }
}

static bool makes_data(const Float16Kinds *kinds, const Node *node) {
    if (node->op == OP_INPUT || node->op == TENSOR_IF || node->op == TENSOR_LOOP ||
        node->op == TENSOR_DEQUANTIZE_LINEAR)
        return true;
    for (size_t i = 0; i < node->input_count; i++) {
        DType dtype = input_dtype(kinds, node, i);
        Value value = node->inputs[i];
        if ((dtype == DTYPE_F32 && float16_is_data(kinds, value, value.node ? value.node->index : 0)) ||
            dtype == DTYPE_F16 || dtype == DTYPE_BF16 || dtype == DTYPE_F64)
            return true;
    }
    return false;
}

static bool has_weights(const Node *node) {
    size_t count;
    for (size_t i = 0; i < node->input_count; i++) {
        const Constant *c = node->inputs[i].constant;
        if (c && (!shape_elements(&c->shape, &count) || count >= LEAST_WEIGHTS))
            return true;
    }
    return false;
}

// Sine and cosine, and what they alone are computed from.
static Status exact_find(const Graph *graph, Arena *scratch, bool *ret_exact, Error *err) {
    bool *others; // something that is not exact reads it
    TRY_NEW(others = arena_array(scratch, graph->node_count, sizeof *others, err));
    for (size_t i = 0; i < graph->return_count; i++)
        if (graph->returns[i].node)
            others[graph->returns[i].node->index] = true;
    for (size_t n = graph->node_count; n-- > 0;) {
        const Node *node = graph->nodes[n];
        bool angle = node->op == TENSOR_SIN || node->op == TENSOR_COS || node->op == TENSOR_TAN;
        ret_exact[n] = angle || (ret_exact[n] && !others[n] && !has_weights(node));
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i].node)
                (ret_exact[n] ? ret_exact : others)[node->inputs[i].node->index] = true;
    }
    return OK;
}

Status float16_kinds(const Graph *graph, Arena *scratch, Float16Kinds *ret, Error *err) {
    TRY_NEW(ret->dtypes = arena_array(scratch, graph->node_count, sizeof *ret->dtypes, err));
    TRY_NEW(ret->data = arena_array(scratch, graph->node_count, sizeof *ret->data, err));
    TRY_NEW(ret->exact = arena_array(scratch, graph->node_count, sizeof *ret->exact, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        TRY_NEW(ret->dtypes[n] = arena_array(scratch, node->output_count, sizeof **ret->dtypes, err));
        TRY_NEW(ret->data[n] = arena_array(scratch, node->output_count, sizeof **ret->data, err));
        bool data = makes_data(ret, node);
        for (size_t o = 0; o < node->output_count; o++) {
            ret->dtypes[n][o] = node->types[o].rank >= 0 ? node->types[o].dtype : dtype_guess(ret, node, o);
            ret->data[n][o] = data && ret->dtypes[n][o] == DTYPE_F32;
        }
    }
    return exact_find(graph, scratch, ret->exact, err);
}

static float limited(float value, double masked) {
    if (isnan(value) || isinf(value) || value == 0)
        return value;
    if (value < MINUS_INFINITY)
        return (float)masked;
    double size = fmin(fmax(fabs((double)value), SMALLEST), FLOAT16_MOST);
    return (float)copysign(size, (double)value);
}

static Status constant_add(Graph *graph, const Constant *from, DType dtype, const void *data, Value *ret, Error *err) {
    Constant constant = {.name = from->name, .dtype = dtype, .shape = from->shape, .data = data};
    const Constant *added;
    TRY(graph_add_constant(graph, &constant, &added, err));
    *ret = value_constant(added);
    return OK;
}

Status float16_constant(Graph *graph, const Constant *constant, double masked, Value *ret, Error *err) {
    size_t count;
    if (!shape_elements(&constant->shape, &count))
        return FAIL(err, ERR_INTERNAL, "constant '@%s' has more elements than any memory", constant->name);
    uint16_t *halves = arena_alloc(graph->arena, (count + 1) * sizeof *halves, 64, err);
    TRY_NEW(halves);
    for (size_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, (const char *)constant->data + i * sizeof value, sizeof value);
        halves[i] = f32_to_f16(limited(value, masked));
    }
    return constant_add(graph, constant, DTYPE_F16, halves, ret, err);
}

Status float16_masks(Graph *graph, const Constant *constant, Value *ret, Error *err) {
    size_t count;
    bool masks = false;
    *ret = value_constant(constant);
    if (!constant_is_plain(constant) || constant->dtype != DTYPE_F32 || !shape_elements(&constant->shape, &count))
        return OK;
    const char *data = constant->data;
    float value;
    for (size_t i = 0; i < count; i++) {
        memcpy(&value, data + i * sizeof value, sizeof value);
        masks |= value < MINUS_INFINITY && !isinf(value);
    }
    if (!masks)
        return OK;
    float *copy = arena_alloc(graph->arena, count * sizeof *copy, 64, err);
    TRY_NEW(copy);
    memcpy(copy, data, count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = copy[i] < MINUS_INFINITY && !isinf(copy[i]) ? FLOAT16_MASKED : copy[i];
    return constant_add(graph, constant, DTYPE_F32, copy, ret, err);
}

// SPDX-License-Identifier: Apache-2.0
// linear: out = activation(x W' + bias) + residual. Weights [n, k] are packed once, in parallel, for the kernel of
// their kind. INT8 weights take quantized activations: each token by its own largest value, or, under {input_scale},
// all by that one scale, columns times the factors of input 4 where there is one. Tiles are as tiling.h chooses them.
#include <float.h>
#include <math.h>

#include "op/packed.h"
#include "op/rules.h"

typedef struct LinearState {
    PackedWeights weights;
    Activation activation;
    const float *bias;
    float input_scale;          // of all activations; 0: each row has its own
    const float *input_factors; // [k] what they are multiplied with to become s8, under an input_scale
} LinearState;

// Scales are as far from the ends of f32 as quantize_row_s8's.
#define SCALE_LEAST 0x1p-100
#define SCALE_MOST 0x1p100

static Status infer_static(const Node *node, const Constant *weight, Error *err) {
    bool factors = node->input_count > 4 && !value_absent(node->inputs[4]);
    const Attribute *scale = node_attribute(node, "input_scale");
    if (!scale && !factors)
        return OK;
    double value = node_real(node, "input_scale", 0);
    if (!scale || weight->scheme != SCHEME_INT8_ROW)
        return FAIL(err, ERR_FORMAT, "linear '%s': %s", rule_name(node),
                    scale ? "an input_scale needs int8 weights" : "input factors need an input_scale");
    if (!(value >= SCALE_LEAST && value <= SCALE_MOST))
        return FAIL(err, ERR_FORMAT, "linear '%s': its input_scale is %g, expected a number from 2^-100 to 2^100",
                    rule_name(node), value);
    return rule_vector(node, 4, weight->shape.dims[1], true, err);
}

// Inputs: x, weight constant [n, k], bias constant or absent, residual or absent, input factors [k] or absent.
static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    ValueType x;
    TRY(rule_matrix(node, 0, &x, err));
    const Constant *weight = node->inputs[1].constant;
    if (!weight || weight->shape.rank != 2)
        return FAIL(err, ERR_FORMAT, "linear '%s': its weight must be a constant [outputs, inputs]", rule_name(node));
    if (weight->shape.dims[1] != x.dims[1].value)
        return FAIL(err, ERR_FORMAT, "linear '%s': weight '%s' takes %lld inputs, x has %lld columns", rule_name(node),
                    weight->name, (long long)weight->shape.dims[1], (long long)x.dims[1].value);
    Activation activation;
    if (!activation_from_name(node_text(node, "activation", "none"), &activation))
        return FAIL(err, ERR_FORMAT, "linear '%s': unknown activation '%s'", rule_name(node),
                    node_text(node, "activation", ""));
    TRY(rule_vector(node, 2, weight->shape.dims[0], true, err));
    TRY(infer_static(node, weight, err));
    ret_types[0] = x;
    ret_types[0].dims[1].value = weight->shape.dims[0];
    if (node->input_count > 3 && !value_absent(node->inputs[3])) {
        ValueType residual;
        TRY(rule_matrix(node, 3, &residual, err));
        if (!type_equal(&residual, &ret_types[0]))
            return FAIL(err, ERR_FORMAT, "linear '%s': its residual must have the output's type", rule_name(node));
    }
    return OK;
}

// One multiplication does both: by the column's factor and by 1 / scale. Products that f32 cannot hold end at its
// largest, so that zeros stay zeros.
static Status prepare_static(const OpPrepare *args, LinearState *state, Error *err) {
    size_t k = (size_t)args->node->inputs[1].constant->shape.dims[1];
    const float *columns;
    TRY(prepare_vector(args, 4, &columns, err));
    float *factors = arena_alloc(args->arena, k * sizeof *factors, 64, err);
    TRY_NEW(factors);
    state->input_scale = (float)node_real(args->node, "input_scale", 0);
    for (size_t i = 0; i < k; i++) {
        factors[i] = (columns ? columns[i] : 1.0f) * (1.0f / state->input_scale);
        factors[i] = fmaxf(-FLT_MAX, fminf(factors[i], FLT_MAX));
    }
    state->input_factors = factors;
    return OK;
}

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    const Constant *weight = args->node->inputs[1].constant;
    LinearState *state = arena_array(args->arena, 1, sizeof *state, err);
    TRY_NEW(state);
    activation_from_name(node_text(args->node, "activation", "none"), &state->activation);
    TRY(prepare_vector(args, 2, &state->bias, err));
    TRY(packed_make(args, weight, &state->weights, err));
    if (node_attribute(args->node, "input_scale"))
        TRY(prepare_static(args, state, err));
    *ret_state = state;
    return OK;
}

static const char *kernel_name(const void *state) {
    return ((const LinearState *)state)->weights.gemm->name;
}

// Quantized activations: s8 [rows, padded k], then their scales, then their sums.
static size_t scratch_bytes(const Node *node, size_t rows, int threads, size_t most_keys) {
    (void)threads;
    (void)most_keys;
    const Constant *weight = node->inputs[1].constant;
    if (weight->scheme == SCHEME_DENSE)
        return 0;
    return rows * (gemm_s8_stride((size_t)weight->shape.dims[1]) + sizeof(float) + sizeof(int32_t));
}

static void quantize_rows(const OpRun *args, size_t first, size_t last) {
    const LinearState *state = args->state;
    const PackedWeights *weights = &state->weights;
    size_t stride = gemm_s8_stride(weights->k);
    int8_t *q = args->scratch;
    float *scales = (float *)(void *)(q + args->inputs[0].rows * stride);
    int32_t *sums = (int32_t *)(void *)(scales + args->inputs[0].rows);
    for (size_t r = first; r < last; r++) {
        const float *x = slab_row(&args->inputs[0], r);
        scales[r] = state->input_scale;
        if (state->input_factors)
            args->kernels->quantize_row_s8_by(x, state->input_factors, weights->k, q + r * stride);
        else
            args->kernels->quantize_row_s8(x, weights->k, q + r * stride, &scales[r]);
        if (weights->gemm->row_sum)
            sums[r] = weights->gemm->row_sum(q + r * stride, weights->k);
    }
}

static void run(const OpRun *args) {
    const LinearState *state = args->state;
    const PackedWeights *weights = &state->weights;
    const Slab *x = &args->inputs[0], *y = &args->outputs[0];
    if (!y->rows)
        return;
    GemmTile whole = {.rows = y->rows,
                      .columns = weights->n,
                      .k = weights->k,
                      .x = x->data,
                      .x_stride = x->row_stride,
                      .bias = state->bias,
                      .y = y->data,
                      .y_stride = y->row_stride,
                      .activation = state->activation};
    if (packed_takes_s8(weights->kind)) {
        run_by_rows(args, y->rows, y->rows * weights->k, quantize_rows);
        whole.x = args->scratch;
        whole.x_stride = gemm_s8_stride(weights->k);
        whole.x_scales =
            (const float *)(const void *)((const int8_t *)args->scratch + y->rows * gemm_s8_stride(weights->k));
        whole.x_sums = weights->gemm->row_sum ? (const int32_t *)(const void *)(whole.x_scales + y->rows) : NULL;
    }
    if (args->node->input_count > 3 && !value_absent(args->node->inputs[3])) {
        whole.residual = args->inputs[3].data;
        whole.residual_stride = args->inputs[3].row_stride;
    }
    tiling_run(weights, whole, tiling_choose(weights, y->rows, (size_t)pool_threads(args->pool)), args->pool);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    const Constant *weight = node->inputs[1].constant;
    double n = (double)weight->shape.dims[0], k = (double)weight->shape.dims[1];
    return (OpCost){.operations = 2 * n * k * (double)rows,
                    .weight_bytes = n * packed_row_bytes(weight),
                    .other_bytes = 4 * (n + k) * (double)rows};
}

const OpDef op_linear = {.infer = infer,
                         .prepare = prepare,
                         .kernel_name = kernel_name,
                         .scratch_bytes = scratch_bytes,
                         .run = run,
                         .cost = cost};

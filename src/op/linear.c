// SPDX-License-Identifier: Apache-2.0
// linear: out = activation(x W' + bias) + residual. Weights [n, k] are packed once, in parallel, for the kernel of
// their kind; INT8 weights take activations quantized per token here. Tiles are (block of rows) x (group of panels).
#include "op/packed.h"
#include "op/rules.h"

// Rows of a tile at most: what the kernels take in one go. Panels of a tile at most where rows are many: small enough
// that threads end together, large enough that the first panel, which no predecessor fetched, does not count.
enum { TILE_ROWS = 240, TILE_PANELS = 8, FEW_ROWS = 16 };

typedef struct LinearState {
    PackedWeights weights;
    Activation activation;
    const float *bias;
} LinearState;

// Inputs: x, weight constant [n, k], bias constant or absent, residual or absent.
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

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    const Constant *weight = args->node->inputs[1].constant;
    LinearState *state = arena_array(args->arena, 1, sizeof *state, err);
    TRY_NEW(state);
    activation_from_name(node_text(args->node, "activation", "none"), &state->activation);
    TRY(prepare_vector(args, 2, &state->bias, err));
    TRY(packed_make(args, weight, &state->weights, err));
    *ret_state = state;
    return OK;
}

static const char *kernel_name(const void *state) {
    return ((const LinearState *)state)->weights.gemm->name;
}

static size_t padded(size_t k) {
    return (k + GEMM_S8_K_STEP - 1) / GEMM_S8_K_STEP * GEMM_S8_K_STEP;
}

// Quantized activations: s8 [rows, padded k], then their scales.
static size_t scratch_bytes(const Node *node, size_t rows, int threads, size_t most_keys) {
    (void)threads;
    (void)most_keys;
    const Constant *weight = node->inputs[1].constant;
    if (weight->scheme == SCHEME_DENSE)
        return 0;
    return rows * (padded((size_t)weight->shape.dims[1]) + sizeof(float));
}

static void quantize_rows(const OpRun *args, size_t first, size_t last) {
    const PackedWeights *weights = &((const LinearState *)args->state)->weights;
    size_t stride = padded(weights->k);
    int8_t *q = args->scratch;
    float *scales = (float *)(void *)(q + args->inputs[0].rows * stride);
    for (size_t r = first; r < last; r++)
        args->kernels->quantize_row_s8(slab_row(&args->inputs[0], r), weights->k, q + r * stride, &scales[r]);
}

typedef struct GemmJob {
    const OpRun *run;
    GemmTile whole;
    size_t row_blocks, rows_each, panels_each, x_bytes;
} GemmJob;

// Tiles next to each other in index share their panels, so that a group of panels is in the cache for all row blocks.
static void gemm_tile(void *context, size_t index) {
    const GemmJob *job = context;
    const PackedWeights *weights = &((const LinearState *)job->run->state)->weights;
    size_t group = index / job->row_blocks, row = index % job->row_blocks * job->rows_each;
    size_t panel = group * job->panels_each, column = panel * weights->gemm->nr;
    GemmTile tile = job->whole;
    size_t columns = job->panels_each * weights->gemm->nr;
    tile.rows = tile.rows - row < job->rows_each ? tile.rows - row : job->rows_each;
    tile.columns = tile.columns - column < columns ? tile.columns - column : columns;
    tile.x = (const unsigned char *)tile.x + row * tile.x_stride * job->x_bytes;
    tile.x_scales = tile.x_scales ? tile.x_scales + row : NULL;
    tile.panels = (const unsigned char *)tile.panels + panel * weights->panel_bytes;
    tile.bias = tile.bias ? tile.bias + column : NULL;
    tile.residual = tile.residual ? tile.residual + row * tile.residual_stride + column : NULL;
    tile.y += row * tile.y_stride + column;
    weights->gemm->run(&tile);
}

// Rows in equal blocks of whole micro-tiles. Few rows: panels are split evenly, each thread streaming its own stretch
// of memory, in halves so that a thread that comes late costs less. Many rows: as many panels to a tile as leave the
// threads with equal work.
static void share_out(const PackedWeights *weights, size_t rows, size_t threads, GemmJob *job) {
    size_t mr = weights->gemm->mr, blocks = (rows + TILE_ROWS - 1) / TILE_ROWS;
    job->rows_each = blocks == 1 ? rows : ((rows + blocks - 1) / blocks + mr - 1) / mr * mr;
    job->row_blocks = (rows + job->rows_each - 1) / job->rows_each;
    size_t halves = threads == 1 ? 1 : threads * 2;
    job->panels_each = (weights->panels + halves - 1) / halves;
    if (rows <= FEW_ROWS || job->panels_each < 2)
        return;
    size_t most = job->panels_each < TILE_PANELS ? job->panels_each : TILE_PANELS, least = SIZE_MAX;
    for (size_t each = most; each; each--) {
        size_t tiles = (weights->panels + each - 1) / each * job->row_blocks;
        size_t longest = (tiles + threads - 1) / threads * each; // panels times row blocks of the busiest thread
        if (longest < least) {
            least = longest;
            job->panels_each = each;
        }
    }
}

static void run(const OpRun *args) {
    const LinearState *state = args->state;
    const PackedWeights *weights = &state->weights;
    const Slab *x = &args->inputs[0], *y = &args->outputs[0];
    if (!y->rows)
        return;
    GemmJob job = {.run = args};
    job.whole = (GemmTile){.rows = y->rows,
                           .columns = weights->n,
                           .k = weights->k,
                           .x = x->data,
                           .x_stride = x->row_stride,
                           .panels = weights->data,
                           .group = weights->group,
                           .codes = weights->codes,
                           .bias = state->bias,
                           .y = y->data,
                           .y_stride = y->row_stride,
                           .activation = state->activation};
    job.x_bytes = sizeof(float);
    if (packed_takes_s8(weights->kind)) {
        run_by_rows(args, y->rows, y->rows * weights->k, quantize_rows);
        job.whole.x = args->scratch;
        job.whole.x_stride = padded(weights->k);
        job.whole.x_scales =
            (const float *)(const void *)((const int8_t *)args->scratch + y->rows * padded(weights->k));
        job.x_bytes = 1;
    }
    if (args->node->input_count > 3 && !value_absent(args->node->inputs[3])) {
        job.whole.residual = args->inputs[3].data;
        job.whole.residual_stride = args->inputs[3].row_stride;
    }
    share_out(weights, y->rows, (size_t)pool_threads(args->pool), &job);
    pool_run(args->pool, (weights->panels + job.panels_each - 1) / job.panels_each * job.row_blocks, gemm_tile, &job);
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

// SPDX-License-Identifier: Apache-2.0
// MatMul as numpy's: batches broadcast, a vector is a row on the left and a column on the right.
#include "op/tensor/product.h"

typedef struct State {
    const PackedWeights *packed;
    Epilogue epilogue;
} State;

// Constant matrices on the right are packed once.
static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    const Constant *b = args->node->inputs[1].constant;
    if (!b || b->shape.rank < 2)
        return OK;
    int rank = b->shape.rank;
    ProductWeights weights = {.count = shape_count_range(&b->shape, 0, rank - 2),
                              .n = (size_t)b->shape.dims[rank - 1],
                              .k = (size_t)b->shape.dims[rank - 2],
                              .k_step = (size_t)b->shape.dims[rank - 1],
                              .n_step = 1};
    State *state = arena_array(args->arena, 1, sizeof *state, err);
    TRY_NEW(state);
    TRY(product_prepare(args, b, &weights, &state->packed, err));
    if (state->packed && weights.count == 1 && b->dtype == DTYPE_F32)
        epilogue_take(args, weights.n, false, &state->epilogue);
    *ret_state = state;
    return OK;
}

Status matmul_evaluate(Evaluation *run, float factor, Error *err) {
    DTypeSet types = DTYPES_REAL | DTYPES_INDEX | DTYPE_BIT(DTYPE_U32) | DTYPE_BIT(DTYPE_U64);
    TRY(evaluate_type(run, 0, types, err));
    TRY(evaluate_same_type(run, 0, 1, err));
    MatmulPlan plan;
    TRY(matmul_plan(run, 0, 1, &plan, err));
    DType dtype = run->inputs[0].dtype;
    Product product = {.dtype = product_type(dtype), .batches = plan.batches, .m = plan.m};
    const State *state = run->state;
    if (state) {
        product.packed = state->packed;
        product.epilogue = state->epilogue;
    }
    product.weights = (ProductWeights){
        .dtype = product.dtype, .count = plan.b_matrices, .n = plan.n, .k = plan.k, .k_step = plan.n, .n_step = 1};
    void *y;
    TRY(evaluate_output(run, 0, dtype, &plan.output, &y, err));
    TRY(product_operand(run, 0, &product.x, err));
    if (!product.packed)
        TRY(product_operand(run, 1, &product.weights.data, err));
    TRY(product_room(run, dtype, y, shape_count(&plan.output), &product.y, err));
    product.x_row = plan.k;
    if (plan.b_matrices == 1) { // all rows of all batches meet one matrix
        product.m = plan.batches * plan.m;
        product.batches = 1;
    } else {
        for (size_t i = 0; i < plan.batches; i++)
            plan.a_index[i] *= plan.m * plan.k;
        product.x_at = plan.a_index;
        product.w_index = plan.b_index;
    }
    TRY(product_run(run, &product, err));
    if (factor != 1)
        run->kernels->scale(product.y, factor, shape_count(&plan.output), product.y);
    product_store(dtype, product.y, shape_count(&plan.output), y);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    return matmul_evaluate(run, 1, err);
}

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType a = infer_type(node, 0);
    ret_types[0] = matmul_infer(a, infer_type(node, 1), a.dtype);
    return OK;
}

const OpDef op_tensor_matmul = {.infer = infer, .prepare = prepare, .evaluate = evaluate};

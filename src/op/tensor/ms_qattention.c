// SPDX-License-Identifier: Apache-2.0
// QAttention: Attention whose x and weights are 8-bit. Inputs: x, weights [columns of x, 3 * hidden], bias, scale of x,
// scale of the weights, mask, zero point of x, zero points of the weights, past; the last four may be absent.
#include "op/tensor/filled.h"
#include "op/tensor/infer.h"
#include "op/tensor/self_attend.h"

enum { X, WEIGHTS, BIAS, X_SCALE, WEIGHT_SCALE, MASK, X_ZERO, WEIGHT_ZERO, PAST, NO_INPUT };

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType weights = infer_type(node, WEIGHTS);
    bool known = weights.rank == 2 && !weights.dims[1].variable;
    self_attend_infer(node, known ? dim_of(weights.dims[1].value / 3) : dim_unknown(), DTYPE_F32, ret_types);
    return OK;
}

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    return byte_weights_prepare(args, (ByteInputs){WEIGHTS, WEIGHT_ZERO, WEIGHT_SCALE}, ret_state, err);
}

static Status evaluate(Evaluation *run, Error *err) {
    SelfAttend args = {.dtype = DTYPE_F32, .mask = MASK, .past = PAST, .bias = NO_INPUT};
    BytesProduct product = {.b = WEIGHTS, .scale = WEIGHT_SCALE, .zero = WEIGHT_ZERO, .bias = BIAS};
    size_t k = 0, n = 0;
    char text[SHAPE_TEXT_BYTES];
    TRY(evaluate_type(run, X, DTYPE_BIT(DTYPE_U8) | DTYPE_BIT(DTYPE_I8), err));
    TRY(filled_bytes_sizes(run, WEIGHTS, &k, &n, err));
    TRY(filled_rows(run, X, k, &product.rows, err));
    const Shape *shape = &run->inputs[X].shape;
    if (shape->rank != 3)
        return FAIL(err, ERR_FORMAT, "%s: x is %s, expected 3 dimensions", evaluate_name(run), shape_text(shape, text));
    args.batches = (size_t)shape->dims[0];
    args.tokens = (size_t)shape->dims[1];
    TRY(self_attend_sizes(run, n, &args, err));
    TRY_NEW(product.y = arena_array(run->scratch, product.rows, n * sizeof *product.y, err));
    ByteRows x;
    TRY(byte_rows_read(run, X, X_ZERO, X_SCALE, k, &x, err));
    TRY(filled_bytes_rows(run, &product, &x, err));
    args.qkv = product.y;
    return self_attend(run, &args, err);
}

const OpDef op_tensor_ms_qattention = {.infer = infer, .prepare = prepare, .evaluate = evaluate};

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

static Status x_read(Evaluation *run, BytesProduct *product, Error *err) {
    double scale, zero = 0;
    size_t count = shape_count(&run->inputs[X].shape);
    TRY(evaluate_type(run, X_SCALE, DTYPE_BIT(DTYPE_F32), err));
    TRY(evaluate_number(run, X_SCALE, &scale, err));
    if (evaluate_has(run, X_ZERO)) {
        TRY(evaluate_same_type(run, X, X_ZERO, err));
        TRY(evaluate_number(run, X_ZERO, &zero, err));
    }
    float *x = arena_alloc(run->scratch, count * sizeof *x, 64, err);
    TRY_NEW(x);
    tensor_to_f32(&run->inputs[X], x);
    for (size_t i = 0; i < count; i++)
        x[i] -= (float)zero;
    product->x = x;
    product->factor = (float)scale;
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    SelfAttend args = {.dtype = DTYPE_F32, .mask = MASK, .past = PAST, .bias = NO_INPUT};
    BytesProduct product = {.b = WEIGHTS, .scale = WEIGHT_SCALE, .zero = WEIGHT_ZERO, .bias = BIAS};
    size_t k, n;
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
    TRY(x_read(run, &product, err));
    TRY_NEW(product.y = arena_array(run->scratch, product.rows, n * sizeof *product.y, err));
    TRY(filled_bytes(run, &product, err));
    args.qkv = product.y;
    return self_attend(run, &args, err);
}

const OpDef op_tensor_ms_qattention = {.infer = infer, .evaluate = evaluate};

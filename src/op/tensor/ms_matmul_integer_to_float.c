// SPDX-License-Identifier: Apache-2.0
// MatMulIntegerToFloat: (A - its zero point) (B - its zero points), scaled. Inputs: A, B [k, n], A's scale, B's scales,
// A's zero point, B's zero points, bias; the last three may be absent.
#include "op/tensor/filled.h"

enum { A, B, A_SCALE, B_SCALE, A_ZERO, B_ZERO, BIAS };

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType b = infer_type(node, B);
    ret_types[0] = infer_as(filled_type(infer_type(node, A), b.rank == 2 ? b.dims[1] : dim_unknown()), DTYPE_F32);
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    size_t k, n;
    double scale, zero = 0;
    BytesProduct args = {.b = B, .scale = B_SCALE, .zero = B_ZERO, .bias = BIAS};
    TRY(evaluate_type(run, A, DTYPE_BIT(DTYPE_U8) | DTYPE_BIT(DTYPE_I8), err));
    TRY(evaluate_type(run, A_SCALE, DTYPE_BIT(DTYPE_F32), err));
    TRY(filled_bytes_sizes(run, B, &k, &n, err));
    TRY(filled_rows(run, A, k, &args.rows, err));
    TRY(evaluate_number(run, A_SCALE, &scale, err));
    if (evaluate_has(run, A_ZERO)) {
        TRY(evaluate_same_type(run, A, A_ZERO, err));
        TRY(evaluate_number(run, A_ZERO, &zero, err));
    }
    size_t count = shape_count(&run->inputs[A].shape);
    float *x = arena_alloc(run->scratch, count * sizeof *x, 64, err);
    TRY_NEW(x);
    tensor_to_f32(&run->inputs[A], x);
    for (size_t i = 0; i < count; i++)
        x[i] -= (float)zero;
    args.x = x;
    args.factor = (float)scale;
    Shape shape = filled_shape(run, A, n);
    TRY(evaluate_output(run, 0, DTYPE_F32, &shape, &args.y, err));
    return filled_bytes(run, &args, err);
}

const OpDef op_tensor_ms_matmul_integer_to_float = {.infer = infer, .evaluate = evaluate};

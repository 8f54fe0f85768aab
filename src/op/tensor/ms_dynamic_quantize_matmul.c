// SPDX-License-Identifier: Apache-2.0
// DynamicQuantizeMatMul: A, rounded to u8 by its own range, times an 8-bit B. Inputs: A, B [k, n], B's scale, zero
// point or absent, bias or absent.
#include "op/tensor/filled.h"

enum { A, B, B_SCALE, B_ZERO, BIAS };

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType b = infer_type(node, B);
    ret_types[0] = filled_type(infer_type(node, A), b.rank == 2 ? b.dims[1] : dim_unknown());
    return OK;
}

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    return byte_weights_prepare_real(args, (ByteInputs){B, B_ZERO, B_SCALE}, BIAS, ret_state, err);
}

static Status evaluate(Evaluation *run, Error *err) {
    size_t k = 0, n = 0;
    BytesProduct args = {.b = B, .scale = B_SCALE, .zero = B_ZERO, .bias = BIAS};
    TRY(evaluate_type(run, A, DTYPE_BIT(DTYPE_F32), err));
    TRY(filled_bytes_sizes(run, B, &k, &n, err));
    TRY(filled_rows(run, A, k, &args.rows, err));
    Shape shape = filled_shape(run, A, n);
    TRY(evaluate_output(run, 0, DTYPE_F32, &shape, &args.y, err));
    ByteRows x;
    TRY(byte_rows_quantize(run, run->inputs[A].data, args.rows, k, &x, err));
    return filled_bytes_rows(run, &args, &x, err);
}

const OpDef op_tensor_ms_dynamic_quantize_matmul = {.infer = infer, .prepare = prepare, .evaluate = evaluate};

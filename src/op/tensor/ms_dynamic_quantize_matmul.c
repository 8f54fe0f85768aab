// SPDX-License-Identifier: Apache-2.0
// DynamicQuantizeMatMul: A, rounded to u8 by its own range, times an 8-bit B. Inputs: A, B [k, n], B's scale, zero
// point or absent, bias or absent.
#include <math.h>

#include "op/tensor/filled.h"

enum { A, B, B_SCALE, B_ZERO, BIAS };

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType b = infer_type(node, B);
    ret_types[0] = filled_type(infer_type(node, A), b.rank == 2 ? b.dims[1] : dim_unknown());
    return OK;
}

// What quantizing leaves of A: whole numbers around the zero point, to be multiplied with the scale.
static float round_by_range(const float *a, size_t count, float *ret_values) {
    float low = 0, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = a[i] < low ? a[i] : low;
        high = a[i] > high ? a[i] : high;
    }
    float scale = high > low ? (high - low) / 255 : 1, zero = rintf(fminf(fmaxf(-low / scale, 0), 255));
    for (size_t i = 0; i < count; i++)
        ret_values[i] = fminf(fmaxf(rintf(a[i] / scale) + zero, 0), 255) - zero;
    return scale;
}

static Status evaluate(Evaluation *run, Error *err) {
    size_t k, n;
    BytesProduct args = {.b = B, .scale = B_SCALE, .zero = B_ZERO, .bias = BIAS};
    TRY(evaluate_type(run, A, DTYPE_BIT(DTYPE_F32), err));
    TRY(filled_bytes_sizes(run, B, &k, &n, err));
    TRY(filled_rows(run, A, k, &args.rows, err));
    size_t count = shape_count(&run->inputs[A].shape);
    float *x = arena_alloc(run->scratch, count * sizeof *x, 64, err);
    TRY_NEW(x);
    args.factor = round_by_range(run->inputs[A].data, count, x);
    args.x = x;
    Shape shape = filled_shape(run, A, n);
    TRY(evaluate_output(run, 0, DTYPE_F32, &shape, &args.y, err));
    return filled_bytes(run, &args, err);
}

const OpDef op_tensor_ms_dynamic_quantize_matmul = {.infer = infer, .evaluate = evaluate};

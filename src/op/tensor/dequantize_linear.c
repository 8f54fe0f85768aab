// SPDX-License-Identifier: Apache-2.0
// DequantizeLinear: (x - zero point) * scale, in the scale's type. {axis=1, block_size=0, output_dtype}
#include "op/tensor/quantization.h"

typedef struct Job {
    DType from, to;
    const unsigned char *x;
    unsigned char *y;
} Job;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType scale = infer_type(node, 1);
    DType dtype = scale.dtype;
    bool known = infer_dtype(node, "output_dtype", &dtype) || scale.rank >= 0;
    ret_types[0] = known ? infer_as(infer_type(node, 0), dtype) : type_unknown();
    return OK;
}

static void work(void *context, GridRow row) {
    const Job *job = context;
    Tensor piece = {.dtype = job->from,
                    .data = job->x + row.first * dtype_bytes(job->from),
                    .bytes = row.count * dtype_bytes(job->from)};
    unsigned char *to = job->y + row.first * dtype_bytes(job->to);
    float room[GRID_MOST_ROW], *values = job->to == DTYPE_F32 ? (float *)(void *)to : room;
    tensor_to_f32(&piece, values);
    if (row.step == 0) {
        float scale = *row.scale, zero = *row.zero;
        for (size_t i = 0; i < row.count; i++)
            values[i] = (values[i] - zero) * scale;
    } else {
        for (size_t i = 0; i < row.count; i++)
            values[i] = (values[i] - row.zero[i]) * row.scale[i];
    }
    if (values == room)
        real_store(job->to, room, row.count, to);
}

static Status evaluate(Evaluation *run, Error *err) {
    Grid grid;
    Job job = {0};
    TRY(evaluate_type(run, 0, DTYPES_QUANTIZED | DTYPE_BIT(DTYPE_I32), err));
    TRY(evaluate_type(run, 1, DTYPES_REAL | DTYPE_BIT(DTYPE_F8E8M0), err));
    if (evaluate_has(run, 2))
        TRY(evaluate_same_type(run, 0, 2, err));
    DType missing = run->inputs[1].dtype;
    TRY(evaluate_dtype(run, "output_dtype", missing == DTYPE_F8E8M0 ? DTYPE_F32 : missing, &job.to, err));
    if (!dtype_is_real(job.to))
        return FAIL(err, ERR_UNSUPPORTED, "%s: output_dtype %s, expected reals", evaluate_name(run),
                    dtype_name(job.to));
    TRY(grid_find(run, &grid, err));
    const Tensor *x = &run->inputs[0];
    // f32 holds every other type's elements, so that the difference is exact.
    for (size_t i = 0; x->dtype == DTYPE_I32 && evaluate_has(run, 2) && i < shape_count(&run->inputs[2].shape); i++)
        if (grid.zeros[i] != 0)
            return FAIL(err, ERR_FORMAT, "%s: zero point %zu of i32 is %g, expected 0", evaluate_name(run), i,
                        (double)grid.zeros[i]);
    job.from = x->dtype;
    job.x = x->data;
    TRY(evaluate_output(run, 0, job.to, &x->shape, &job.y, err));
    grid_run(run, &grid, work, &job);
    return OK;
}

const OpDef op_tensor_dequantize_linear = {.infer = infer, .evaluate = evaluate};

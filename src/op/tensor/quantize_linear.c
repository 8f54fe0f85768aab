// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear: x / scale, rounded to nearest, ties to even, plus the zero point, in the range of the zero point's
// type. {axis=1, block_size=0, output_dtype, precision: of the division, the scale's; saturate=1}
#include "op/tensor/quantization.h"

typedef struct Job {
    DType from, to, precision;
    const unsigned char *x;
    unsigned char *y;
    float least, most; // of integers
    bool saturate;
} Job;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType zero = infer_type(node, 2);
    DType dtype = zero.rank >= 0 ? zero.dtype : DTYPE_U8;
    bool known = infer_dtype(node, "output_dtype", &dtype) || zero.rank >= 0 || node->input_count < 3 ||
                 value_absent(node->inputs[2]);
    ret_types[0] = known ? infer_as(infer_type(node, 0), dtype) : type_unknown();
    return OK;
}

static float in_precision(DType precision, float value) {
    return precision == DTYPE_F16    ? f16_to_f32(f32_to_f16(value))
           : precision == DTYPE_BF16 ? bf16_to_f32(f32_to_bf16(value))
                                     : value;
}

// Quotients of a row, in the precision asked for.
static void row_divide(const Job *job, GridRow row, float *values) {
    Tensor piece = {.dtype = job->from,
                    .data = job->x + row.first * dtype_bytes(job->from),
                    .bytes = row.count * dtype_bytes(job->from)};
    tensor_to_f32(&piece, values);
    if (job->precision != DTYPE_F32) {
        for (size_t i = 0; i < row.count; i++)
            values[i] = in_precision(job->precision, in_precision(job->precision, values[i]) /
                                                         in_precision(job->precision, row.scale[i * row.step]));
    } else if (row.step == 0) {
        float scale = *row.scale;
        for (size_t i = 0; i < row.count; i++)
            values[i] /= scale;
    } else {
        for (size_t i = 0; i < row.count; i++)
            values[i] /= row.scale[i];
    }
}

static void work(void *context, GridRow row) {
    const Job *job = context;
    size_t width = dtype_bytes(job->to);
    unsigned char *to = job->y + row.first * width;
    float values[GRID_MOST_ROW], least = job->least, most = job->most, zero = *row.zero;
    row_divide(job, row, values);
    if (most == 0) {
        for (size_t i = 0; i < row.count; i++)
            to[i] = f32_to_small_float(job->to, values[i] + row.zero[i * row.step], job->saturate);
        return;
    }
    if (row.step == 0)
        for (size_t i = 0; i < row.count; i++)
            values[i] = round_within(values[i], zero, least, most);
    else
        for (size_t i = 0; i < row.count; i++)
            values[i] = round_within(values[i], row.zero[i], least, most);
    if (width == 1)
        for (size_t i = 0; i < row.count; i++)
            to[i] = (unsigned char)(int)values[i];
    else
        for (size_t i = 0; i < row.count; i++)
            ((uint16_t *)(void *)to)[i] = (uint16_t)(int)values[i];
}

static Status evaluate(Evaluation *run, Error *err) {
    Grid grid;
    Job job = {.saturate = node_int(run->node, "saturate", 1) != 0};
    TRY(evaluate_type(run, 0, DTYPES_REAL | DTYPE_BIT(DTYPE_I32), err));
    TRY(evaluate_type(run, 1, DTYPES_REAL | DTYPE_BIT(DTYPE_I32) | DTYPE_BIT(DTYPE_F8E8M0), err));
    if (evaluate_has(run, 2))
        TRY(evaluate_type(run, 2, DTYPES_QUANTIZED, err));
    TRY(evaluate_dtype(run, "output_dtype", evaluate_has(run, 2) ? run->inputs[2].dtype : DTYPE_U8, &job.to, err));
    TRY(evaluate_dtype(run, "precision", run->inputs[1].dtype, &job.precision, err));
    if (!(DTYPES_QUANTIZED & DTYPE_BIT(job.to)) || (evaluate_has(run, 2) && run->inputs[2].dtype != job.to))
        return FAIL(err, ERR_FORMAT, "%s: output_dtype %s, expected a quantized type, the zero point's",
                    evaluate_name(run), dtype_name(job.to));
    if (job.precision != DTYPE_F16 && job.precision != DTYPE_BF16)
        job.precision = DTYPE_F32;
    TRY(grid_find(run, &grid, err));
    const Tensor *x = &run->inputs[0];
    int64_t least, most;
    job.from = x->dtype;
    job.x = x->data;
    if (dtype_integer_range(job.to, &least, &most)) {
        job.least = (float)least;
        job.most = (float)most;
    }
    TRY(evaluate_output(run, 0, job.to, &x->shape, &job.y, err));
    grid_run(run, &grid, work, &job);
    return OK;
}

const OpDef op_tensor_quantize_linear = {.infer = infer, .evaluate = evaluate};

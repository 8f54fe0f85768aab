// SPDX-License-Identifier: Apache-2.0
// Products with 8-bit matrices in f32: as exact as their result, which is f32 too.
#include <string.h>

#include "op/tensor/filled.h"
#include "op/tensor/wide.h"

typedef struct Bytes8 {
    const unsigned char *data;
    bool is_signed;
    size_t n, k;
    const float *zeros; // [n], or NULL
} Bytes8;

static void fill(const void *context, size_t first, size_t count, float *ret_rows) {
    const Bytes8 *b = context;
    for (size_t k = 0; k < b->k; k++) {
        const unsigned char *row = b->data + k * b->n + first;
        for (size_t c = 0; c < count; c++) {
            float value = b->is_signed ? (float)(int8_t)row[c] : (float)row[c];
            ret_rows[c * b->k + k] = b->zeros ? value - b->zeros[first + c] : value;
        }
    }
}

// Input `index`, one element or n, as n f32.
static Status columns_read(Evaluation *run, size_t index, size_t n, DTypeSet types, float **ret, Error *err) {
    const float *values;
    TRY(evaluate_type(run, index, types, err));
    size_t count = shape_count(&run->inputs[index].shape);
    if (count != 1 && count != n)
        return FAIL(err, ERR_FORMAT, "%s: input %zu has %zu elements, expected 1 or %zu", evaluate_name(run), index,
                    count, n);
    TRY(evaluate_as_f32(run, index, &values, err));
    TRY_NEW(*ret = arena_array(run->scratch, n, sizeof **ret, err));
    for (size_t i = 0; i < n; i++)
        (*ret)[i] = values[count == 1 ? 0 : i];
    return OK;
}

Status filled_bytes_sizes(const Evaluation *run, size_t b, size_t *ret_k, size_t *ret_n, Error *err) {
    char text[SHAPE_TEXT_BYTES];
    TRY(evaluate_type(run, b, DTYPE_BIT(DTYPE_U8) | DTYPE_BIT(DTYPE_I8), err));
    const Shape *shape = &run->inputs[b].shape;
    if (shape->rank != 2)
        return FAIL(err, ERR_UNSUPPORTED, "%s: input %zu is %s, expected 2 dimensions", evaluate_name(run), b,
                    shape_text(shape, text));
    *ret_k = (size_t)shape->dims[0];
    *ret_n = (size_t)shape->dims[1];
    return OK;
}

Status filled_bytes(Evaluation *run, const BytesProduct *args, Error *err) {
    Bytes8 b = {.data = run->inputs[args->b].data, .is_signed = run->inputs[args->b].dtype == DTYPE_I8};
    float *scales, *zeros;
    TRY(filled_bytes_sizes(run, args->b, &b.k, &b.n, err));
    TRY(columns_read(run, args->scale, b.n, DTYPE_BIT(DTYPE_F32), &scales, err));
    for (size_t i = 0; i < b.n; i++)
        scales[i] *= args->factor;
    if (evaluate_has(run, args->zero)) {
        TRY(evaluate_same_type(run, args->b, args->zero, err));
        TRY(columns_read(run, args->zero, b.n, DTYPE_BIT(DTYPE_U8) | DTYPE_BIT(DTYPE_I8), &zeros, err));
        b.zeros = zeros;
    }
    FilledProduct product = {.rows = args->rows,
                             .n = b.n,
                             .k = b.k,
                             .x = args->x,
                             .fill = fill,
                             .context = &b,
                             .scales = scales,
                             .y = args->y};
    TRY(wide_vector(run, args->bias, b.n, &product.bias, err));
    return filled_run(run, &product, err);
}

Status filled_bytes_rows(Evaluation *run, BytesProduct *args, const ByteRows *x, Error *err) {
    ByteProduct product = {.weights = run->state, .x = *x, .y = args->y};
    if (product.weights) {
        TRY(wide_vector(run, args->bias, product.weights->n, &product.bias, err));
        return byte_product_run(run, &product, err);
    }
    float *wide = arena_array(run->scratch, x->rows, x->k * sizeof *wide, err);
    TRY_NEW(wide);
    for (size_t r = 0; r < x->rows; r++)
        for (size_t i = 0; i < x->k; i++)
            wide[r * x->k + i] = (float)(x->values[r * x->stride + i] - x->zero);
    args->x = wide;
    args->factor = x->scale;
    return filled_bytes(run, args, err);
}

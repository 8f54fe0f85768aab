// SPDX-License-Identifier: Apache-2.0
// Torch's and bitsandbytes' quantized tensors under hone's one convention, GPTQ's layout turned over, and alignment.
#include "model/canonical.h"

#include <math.h>
#include <string.h>

#include "model/gptq_layout.h"

// X of "X.scales" and "X.zero_points" when both and X itself are there.
static bool is_companion(const Bundle *bundle, const char *name, const char *ending) {
    size_t length = strlen(name), tail = strlen(ending);
    char base[600];
    if (length <= tail || length - tail >= sizeof base || strcmp(name + length - tail, ending) != 0)
        return false;
    memcpy(base, name, length - tail);
    base[length - tail] = '\0';
    return bundle_find(bundle, base) != NULL;
}

static const Tensor *companion(const Bundle *bundle, const Tensor *tensor, const char *ending) {
    char name[600];
    snprintf(name, sizeof name, "%s%s", tensor->name, ending);
    return bundle_find(bundle, name);
}

// Element of any numeric type torch keeps scales and zero points in.
static double element(const Tensor *tensor, size_t index) {
    const unsigned char *at = (const unsigned char *)tensor->data + index * dtype_bytes(tensor->dtype);
    if (tensor->dtype == DTYPE_F64) {
        double value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    Tensor one = {.dtype = tensor->dtype, .data = at, .bytes = dtype_bytes(tensor->dtype)};
    float value;
    tensor_to_f32(&one, &value);
    return value;
}

typedef struct Quantized {
    const Tensor *values, *scales, *zero_points;
    size_t rows, columns, scale_count;
} Quantized;

static Status quantized_read(const Bundle *bundle, const Tensor *tensor, Quantized *ret, Error *err) {
    Quantized q = {tensor, companion(bundle, tensor, ".scales"), companion(bundle, tensor, ".zero_points"), 1, 0, 0};
    size_t elements, zeros;
    bool sized = shape_elements(&tensor->shape, &elements) && shape_elements(&q.scales->shape, &q.scale_count) &&
                 shape_elements(&q.zero_points->shape, &zeros);
    if (tensor->shape.rank)
        q.rows = (size_t)tensor->shape.dims[0];
    if (!sized || zeros != q.scale_count || (q.scale_count != 1 && q.scale_count != q.rows))
        return FAIL(err, ERR_FORMAT, "quantized tensor '%s' has %zu scales and %zu rows", tensor->name, q.scale_count,
                    q.rows);
    q.columns = q.rows ? elements / q.rows : 0;
    *ret = q;
    return OK;
}

static bool is_symmetric(const Quantized *q) {
    bool symmetric = q->values->dtype == DTYPE_I8 && q->values->shape.rank == 2;
    for (size_t i = 0; i < q->scale_count; i++)
        symmetric &= element(q->zero_points, i) == 0;
    return symmetric;
}

static Status scales_add(Arena *arena, const Quantized *q, Tensor *ret, Error *err) {
    float *scales = arena_array(arena, q->rows, sizeof *scales, err);
    TRY_NEW(scales);
    for (size_t r = 0; r < q->rows; r++)
        scales[r] = (float)element(q->scales, q->scale_count == 1 ? 0 : r);
    Tensor tensor = {
        .dtype = DTYPE_F32, .shape = {1, {(int64_t)q->rows}}, .data = scales, .bytes = q->rows * sizeof *scales};
    TRY_NEW(tensor.name = arena_format(arena, err, "%s_scale", q->values->name));
    *ret = tensor;
    return OK;
}

static Status dequantized(Arena *arena, const Quantized *q, Tensor *ret, Error *err) {
    size_t elements = q->rows * q->columns;
    float *values = arena_array(arena, elements, sizeof *values, err);
    TRY_NEW(values);
    for (size_t i = 0; i < elements; i++) {
        size_t s = q->scale_count == 1 ? 0 : i / q->columns;
        values[i] = (float)((element(q->values, i) - element(q->zero_points, s)) * element(q->scales, s));
    }
    *ret = *q->values;
    ret->dtype = DTYPE_F32;
    ret->data = values;
    ret->bytes = elements * sizeof *values;
    return OK;
}

static Status aligned(Arena *arena, Tensor *tensor, Error *err) {
    size_t alignment = dtype_bytes(tensor->dtype);
    if ((uintptr_t)tensor->data % alignment == 0)
        return OK;
    void *copy = arena_alloc(arena, tensor->bytes, 64, err);
    TRY_NEW(copy);
    memcpy(copy, tensor->data, tensor->bytes);
    tensor->data = copy;
    return OK;
}

// bitsandbytes' scales beside an I8 "M.weight": the tensor "M" + ending.
static const Tensor *module_side(const Bundle *bundle, const Tensor *tensor, const char *ending) {
    static const char weight[] = ".weight";
    char name[600];
    size_t length = strlen(tensor->name), tail = sizeof weight - 1;
    if (length <= tail || strcmp(tensor->name + length - tail, weight) != 0 || tensor->dtype != DTYPE_I8)
        return NULL;
    snprintf(name, sizeof name, "%.*s%s", (int)(length - tail), tensor->name, ending);
    return bundle_find(bundle, name);
}

// Whether the tensor stands beside an I8 weight in bitsandbytes' way.
static bool is_module_side(const Bundle *bundle, const Tensor *tensor, const char *ending) {
    char name[600];
    size_t length = strlen(tensor->name), tail = strlen(ending);
    if (length <= tail || strcmp(tensor->name + length - tail, ending) != 0)
        return false;
    snprintf(name, sizeof name, "%.*s.weight", (int)(length - tail), tensor->name);
    const Tensor *weight = bundle_find(bundle, name);
    return weight && module_side(bundle, weight, ".SCB");
}

// SCB is the rows' absmax; codes are up to 127.
static Status absmax_add(Arena *arena, const Bundle *bundle, const Tensor *tensor, Tensor *ret, Error *err) {
    const Tensor *absmax = module_side(bundle, tensor, ".SCB"), *form = module_side(bundle, tensor, ".weight_format");
    size_t rows = tensor->shape.rank == 2 ? (size_t)tensor->shape.dims[0] : 0, count;
    if (form && form->bytes && element(form, 0) != 0)
        return FAIL(err, ERR_UNSUPPORTED,
                    "tensor '%s' is %g: weights laid out for a GPU are not supported; 0 (row by row) is", form->name,
                    element(form, 0));
    if (!rows || !shape_elements(&absmax->shape, &count) || count != rows)
        return FAIL(err, ERR_FORMAT, "tensor '%s' does not hold one scale for each row of '%s'", absmax->name,
                    tensor->name);
    float *scales = arena_array(arena, rows, sizeof *scales, err);
    TRY_NEW(scales);
    for (size_t r = 0; r < rows; r++) {
        scales[r] = (float)element(absmax, r) / 127;
        if (!isfinite(scales[r]))
            return FAIL(err, ERR_FORMAT, "tensor '%s' is %g for row %zu, and scales are finite", absmax->name,
                        element(absmax, r), r);
    }
    *ret = (Tensor){.dtype = DTYPE_F32, .shape = {1, {(int64_t)rows}}, .data = scales, .bytes = rows * sizeof *scales};
    TRY_NEW(ret->name = arena_format(arena, err, "%s_scale", tensor->name));
    return OK;
}

static bool stands_beside(const Bundle *bundle, const Tensor *tensor) {
    return is_companion(bundle, tensor->name, ".scales") || is_companion(bundle, tensor->name, ".zero_points") ||
           is_module_side(bundle, tensor, ".SCB") || is_module_side(bundle, tensor, ".weight_format") ||
           gptq_is_beside(bundle, tensor->name);
}

Status bundle_canonical(Arena *arena, const Bundle *bundle, int zero_shift, Bundle *ret_bundle, Error *err) {
    Bundle out = {0};
    TRY_NEW(out.tensors = arena_array(arena, GPTQ_MOST_TENSORS * bundle->count, sizeof *out.tensors, err));
    for (size_t i = 0; i < bundle->count; i++) {
        const Tensor *tensor = &bundle->tensors[i];
        if (stands_beside(bundle, tensor))
            continue;
        if (gptq_is_codes(bundle, tensor->name)) {
            size_t count;
            TRY(gptq_turn(arena, bundle, tensor, zero_shift, out.tensors + out.count, &count, err));
            out.count += count;
            continue;
        }
        if (module_side(bundle, tensor, ".SCB"))
            TRY(absmax_add(arena, bundle, tensor, &out.tensors[out.count++], err));
        Tensor *to = &out.tensors[out.count++];
        *to = *tensor;
        if (companion(bundle, tensor, ".scales") && companion(bundle, tensor, ".zero_points")) {
            Quantized q = {0};
            TRY(quantized_read(bundle, tensor, &q, err));
            if (is_symmetric(&q))
                TRY(scales_add(arena, &q, &out.tensors[out.count++], err));
            else
                TRY(dequantized(arena, &q, to, err));
        }
        TRY(aligned(arena, to, err));
    }
    TRY(bundle_seal(&out, err));
    *ret_bundle = out;
    return OK;
}

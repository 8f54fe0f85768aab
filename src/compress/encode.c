// SPDX-License-Identifier: Apache-2.0
// Codes piece by piece, and the tensors that stand beside them.
#include "compress/encode.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/quantize.h"
#include "tensor/quantize4.h"
#include "tensor/sparse.h"

#define PACKED "_packed"

size_t encode_step(const Weight *weight, size_t room) {
    if (!weight->packed)
        return room;
    size_t unit = weight->packed == STORE_NF4 ? NF4_BLOCK : weight->columns;
    return room / unit * unit;
}

size_t encode_scales(const Weight *weight) {
    return (weight->rows * weight->columns + weight->group - 1) / weight->group;
}

Status encode_piece(const Weight *weight, const float *values, size_t first, size_t count, void *ret_codes,
                    size_t *ret_bytes, Error *err) {
    const char *name = weight->name;
    float *scales = weight->scales + first / weight->group;
    size_t columns = weight->columns;
    *ret_bytes = weight->packed == STORE_INT8 ? count : (count + 1) / 2;
    if (weight->packed == STORE_INT8)
        return quantize_int8_rows(name, DTYPE_F32, values, count / columns, columns, ret_codes, scales, err);
    if (weight->packed == STORE_INT4)
        return quantize_int4_rows(name, DTYPE_F32, values, count / columns, columns, weight->group, weight->rule,
                                  DTYPE_F16, ret_codes, scales, err);
    return quantize_nf4_blocks(name, DTYPE_F32, values, count, columns, ret_codes, scales, err);
}

static Status side_named(Weight *weight, const char *name, DType dtype, Shape shape, const void *data, Error *err) {
    Tensor *side = &weight->sides[weight->side_count++];
    *side = (Tensor){.name = name, .dtype = dtype, .shape = shape, .data = data};
    if (!shape_bytes(&shape, dtype, &side->bytes))
        return FAIL(err, ERR_LIMIT, "tensor '%s' is more than this machine can address", side->name);
    weight->bytes += side->bytes;
    return OK;
}

static Status side_add(Arena *arena, Weight *weight, const char *ending, DType dtype, Shape shape, const void *data,
                       Error *err) {
    char *name = arena_format(arena, err, "%s%s", weight->name, ending);
    TRY_NEW(name);
    return side_named(weight, name, dtype, shape, data, err);
}

static Shape vector(size_t elements) {
    return (Shape){1, {(int64_t)elements}};
}

static Shape matrix(size_t rows, size_t columns) {
    return (Shape){2, {(int64_t)rows, (int64_t)columns}};
}

static Status sides_int8(Arena *arena, Weight *weight, Error *err) {
    TRY(side_add(arena, weight, "_scale", DTYPE_F32, matrix(weight->rows, 1), weight->scales, err));
    if (!weight->static_input)
        return OK;
    char *module = module_name(arena, weight->name, err), *name;
    TRY_NEW(module);
    TRY_NEW(name = arena_format(arena, err, "%s.input_scale", module));
    TRY(side_named(weight, name, DTYPE_F32, vector(1), &weight->input_scale, err));
    if (!weight->input_factors)
        return OK;
    TRY_NEW(name = arena_format(arena, err, "%s.input_factors", module));
    return side_named(weight, name, DTYPE_F32, vector(weight->columns), weight->input_factors, err);
}

static Status sides_int4(Arena *arena, Weight *weight, Error *err) {
    size_t count = encode_scales(weight);
    uint16_t *scales = arena_array(arena, count, sizeof *scales, err);
    TRY_NEW(scales);
    int64_t *shape = arena_array(arena, 2, sizeof *shape, err);
    TRY_NEW(shape);
    for (size_t i = 0; i < count; i++)
        scales[i] = f32_to_f16(weight->scales[i]); // exact: they were rounded before the codes were
    shape[0] = (int64_t)weight->rows;
    shape[1] = (int64_t)weight->columns;
    TRY(side_add(arena, weight, "_scale", DTYPE_F16, matrix(weight->rows, weight->columns / weight->group), scales,
                 err));
    return side_add(arena, weight, "_shape", DTYPE_I64, vector(2), shape, err);
}

// The fewest digits that read back, as Python writes a float.
static void real_text(double value, char ret_text[32]) {
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(ret_text, 32, "%.*g", digits, value);
        if (strtod(ret_text, NULL) == value)
            break;
    }
    if (!strpbrk(ret_text, ".e"))
        snprintf(ret_text + strlen(ret_text), 3, ".0");
}

static Status sides_state(Arena *arena, Weight *weight, float offset, Error *err) {
    char number[32];
    real_text((double)offset, number);
    char *nested =
        arena_format(arena, err, ", \"nested_blocksize\": %d, \"nested_dtype\": \"float32\", \"nested_offset\": %s",
                     NESTED_BLOCK, number);
    TRY_NEW(nested);
    char *text = arena_format(
        arena, err, "{\"quant_type\": \"nf4\", \"blocksize\": %d, \"dtype\": \"float16\", \"shape\": [%zu, %zu]%s}",
        NF4_BLOCK, weight->rows, weight->columns, weight->nested ? nested : "");
    TRY_NEW(text);
    return side_add(arena, weight, ".quant_state.bitsandbytes__nf4", DTYPE_U8, vector(strlen(text)), text, err);
}

static Status sides_nf4(Arena *arena, Weight *weight, Error *err) {
    size_t blocks = encode_scales(weight), tops = (blocks + NESTED_BLOCK - 1) / NESTED_BLOCK;
    float offset = 0;
    TRY(side_add(arena, weight, ".quant_map", DTYPE_F32, vector(CODEBOOK), nf4_map, err));
    if (!weight->nested) {
        TRY(side_add(arena, weight, ".absmax", DTYPE_F32, vector(blocks), weight->scales, err));
        return sides_state(arena, weight, offset, err);
    }
    uint8_t *codes = arena_array(arena, blocks, 1, err);
    TRY_NEW(codes);
    float *nested = arena_array(arena, tops, sizeof *nested, err), *map;
    TRY_NEW(nested);
    TRY_NEW(map = arena_array(arena, 256, sizeof *map, err));
    quantize_absmax(weight->scales, blocks, codes, nested, &offset);
    dynamic_map(map);
    TRY(side_add(arena, weight, ".absmax", DTYPE_U8, vector(blocks), codes, err));
    TRY(side_add(arena, weight, ".nested_absmax", DTYPE_F32, vector(tops), nested, err));
    TRY(side_add(arena, weight, ".nested_quant_map", DTYPE_F32, vector(256), map, err));
    return sides_state(arena, weight, offset, err);
}

// Where that is no smaller, the weight is dense after all.
static Status sides_sparse(Arena *arena, Weight *weight, Error *err) {
    size_t elements = weight->rows * weight->columns, bits = (elements + 7) / 8, size = dtype_bytes(weight->dtype);
    size_t rank = (size_t)weight->shape.rank, values = weight->ones * size;
    weight->sparse = values + bits + rank * sizeof(int64_t) < elements * size;
    weight->bytes = weight->sparse ? values : elements * size;
    if (!weight->sparse)
        return OK;
    TRY(side_add(arena, weight, SPARSE_BITMAP, DTYPE_U8, vector(bits), weight->bitmap, err));
    return side_add(arena, weight, SPARSE_SHAPE, DTYPE_I64, vector(rank), weight->shape.dims, err);
}

Status encode_sides(Arena *arena, Weight *weight, Error *err) {
    size_t elements = weight->rows * weight->columns;
    weight->bytes = weight->packed == STORE_INT8 ? elements : (elements + 1) / 2;
    weight->side_count = 0;
    TRY_NEW(weight->sides = arena_array(arena, ENCODE_MOST_SIDES, sizeof *weight->sides, err));
    if (!weight->packed)
        return sides_sparse(arena, weight, err);
    if (weight->packed == STORE_INT8)
        return sides_int8(arena, weight, err);
    return weight->packed == STORE_INT4 ? sides_int4(arena, weight, err) : sides_nf4(arena, weight, err);
}

Status encode_tensor(Arena *arena, const Weight *weight, Tensor *ret_tensor, Error *err) {
    Tensor tensor = {.name = weight->name, .dtype = weight->dtype, .shape = weight->shape};
    if (weight->sparse) {
        tensor.shape = vector(weight->ones);
        TRY_NEW(tensor.name = arena_format(arena, err, "%s" SPARSE_VALUES, weight->name));
    }
    if (weight->packed == STORE_NF4)
        tensor.shape = matrix((weight->rows * weight->columns + 1) / 2, 1);
    if (weight->packed == STORE_INT4) {
        tensor.shape = matrix(weight->rows, weight->columns / 8);
        TRY_NEW(tensor.name = arena_format(arena, err, "%s" PACKED, weight->name));
    }
    *ret_tensor = tensor;
    return OK;
}

size_t encode_ending(const char *name) {
    static const char *const endings[] = {PACKED, SPARSE_VALUES};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t tail = strlen(endings[i]);
        if (length > tail && strcmp(name + length - tail, endings[i]) == 0)
            return tail;
    }
    return 0;
}

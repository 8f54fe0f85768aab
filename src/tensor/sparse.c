// SPDX-License-Identifier: Apache-2.0
// Bitmaps back to dense tensors.
#include "tensor/sparse.h"

#include <string.h>

typedef struct Sparse {
    const Tensor *bitmap, *values;
    Shape shape;
    size_t elements;
} Sparse;

// Whether `name` ends in `ending`; *ret_length: what comes before.
static bool ends_with(const char *name, const char *ending, size_t *ret_length) {
    size_t length = strlen(name), tail = strlen(ending);
    *ret_length = length - tail;
    return length > tail && strcmp(name + length - tail, ending) == 0;
}

static Status beside(Arena *arena, const Bundle *bundle, const Tensor *bitmap, const char *ending,
                     const Tensor **ret_tensor, Error *err) {
    size_t length = strlen(bitmap->name) - strlen(SPARSE_BITMAP);
    char *name = arena_format(arena, err, "%.*s%s", (int)length, bitmap->name, ending);
    TRY_NEW(name);
    const Tensor *tensor = bundle_find(bundle, name);
    if (!tensor)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has no '%s' beside it", bitmap->name, name);
    *ret_tensor = tensor;
    return OK;
}

static Status shape_read(const Tensor *tensor, Shape *ret_shape, size_t *ret_elements, Error *err) {
    size_t rank = tensor->bytes / sizeof(int64_t);
    if (tensor->dtype != DTYPE_I64 || tensor->shape.rank != 1 || rank < 1 || rank > SHAPE_MOST_DIMS)
        return FAIL(err, ERR_FORMAT, "tensor '%s' is no list of 1 to %d dimensions as I64", tensor->name,
                    SHAPE_MOST_DIMS);
    Shape shape = {.rank = (int)rank};
    memcpy(shape.dims, tensor->data, tensor->bytes);
    if (!shape_elements(&shape, ret_elements))
        return FAIL(err, ERR_FORMAT, "tensor '%s' holds dimensions that no tensor has", tensor->name);
    *ret_shape = shape;
    return OK;
}

static Status sparse_read(Arena *arena, const Bundle *bundle, const Tensor *bitmap, Sparse *ret_sparse, Error *err) {
    Sparse sparse = {.bitmap = bitmap};
    const Tensor *shape = NULL;
    TRY(beside(arena, bundle, bitmap, SPARSE_VALUES, &sparse.values, err));
    TRY(beside(arena, bundle, bitmap, SPARSE_SHAPE, &shape, err));
    TRY(shape_read(shape, &sparse.shape, &sparse.elements, err));
    if (bitmap->dtype != DTYPE_U8 || bitmap->bytes != sparse.elements / 8 + (sparse.elements % 8 != 0))
        return FAIL(err, ERR_FORMAT, "tensor '%s' has %zu bytes of %s, expected a bit for each of %zu elements as U8",
                    bitmap->name, bitmap->bytes, dtype_safetensors_name(bitmap->dtype), sparse.elements);
    const uint8_t *bits = bitmap->data;
    size_t ones = 0, values = sparse.values->bytes / dtype_bytes(sparse.values->dtype);
    for (size_t i = 0; i < bitmap->bytes; i++)
        ones += (size_t)__builtin_popcount(bits[i]);
    if (ones != values)
        return FAIL(err, ERR_FORMAT, "tensor '%s' has %zu values, and its bitmap asks for %zu", sparse.values->name,
                    values, ones);
    if (sparse.elements % 8 && bits[bitmap->bytes - 1] >> sparse.elements % 8)
        return FAIL(err, ERR_FORMAT, "tensor '%s' asks for values behind its %zu elements", bitmap->name,
                    sparse.elements);
    *ret_sparse = sparse;
    return OK;
}

static Status dense_make(Arena *arena, const Sparse *sparse, Tensor *ret_tensor, Error *err) {
    size_t size = dtype_bytes(sparse->values->dtype), length;
    ends_with(sparse->bitmap->name, SPARSE_BITMAP, &length);
    Tensor tensor = {.dtype = sparse->values->dtype, .shape = sparse->shape, .bytes = sparse->elements * size};
    TRY_NEW(tensor.name = arena_copy_text(arena, sparse->bitmap->name, length, err));
    unsigned char *to = arena_array(arena, sparse->elements, size, err);
    TRY_NEW(to);
    const unsigned char *from = sparse->values->data;
    const uint8_t *bits = sparse->bitmap->data;
    for (size_t i = 0; i < sparse->elements; i++)
        if (bits[i / 8] >> i % 8 & 1) {
            memcpy(to + i * size, from, size);
            from += size;
        }
    tensor.data = to;
    *ret_tensor = tensor;
    return OK;
}

// Whether a tensor stands beside a bitmap.
static bool is_side(const Bundle *bundle, const Tensor *tensor) {
    char name[600];
    size_t length;
    if (!ends_with(tensor->name, SPARSE_VALUES, &length) && !ends_with(tensor->name, SPARSE_SHAPE, &length))
        return false;
    return snprintf(name, sizeof name, "%.*s%s", (int)length, tensor->name, SPARSE_BITMAP) < (int)sizeof name &&
           bundle_find(bundle, name);
}

Status sparse_expand(Arena *arena, Bundle *bundle, size_t *ret_count, Error *err) {
    size_t count = 0, length;
    for (size_t i = 0; i < bundle->count; i++)
        count += ends_with(bundle->tensors[i].name, SPARSE_BITMAP, &length);
    *ret_count = count;
    if (!count)
        return OK;
    Bundle dense = {0};
    TRY_NEW(dense.tensors = arena_array(arena, bundle->count, sizeof *dense.tensors, err));
    for (size_t i = 0; i < bundle->count; i++) {
        const Tensor *tensor = &bundle->tensors[i];
        Sparse sparse = {0};
        if (is_side(bundle, tensor))
            continue;
        if (!ends_with(tensor->name, SPARSE_BITMAP, &length)) {
            dense.tensors[dense.count++] = *tensor;
            continue;
        }
        TRY(sparse_read(arena, bundle, tensor, &sparse, err));
        TRY(dense_make(arena, &sparse, &dense.tensors[dense.count++], err));
    }
    TRY(bundle_seal(&dense, err));
    *bundle = dense;
    return OK;
}

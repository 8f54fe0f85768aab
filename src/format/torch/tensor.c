// SPDX-License-Identifier: Apache-2.0
// From a pickled call of torch._utils._rebuild_* to a tensor: check the layout against the storage, then point into it,
// or copy where elements are not in order.
#include <string.h>

#include "base/memory.h"
#include "format/torch/file.h"

enum { MOST_WRAPPERS = 8, COPY_ALLOWANCE_BYTES = 64 << 20 };

static bool means_tensor(GlobalMeaning meaning) {
    return meaning == GLOBAL_TENSOR || meaning == GLOBAL_TENSOR_TYPED || meaning == GLOBAL_TENSOR_QUANTIZED;
}

// Takes parameters and subclasses off: the call that describes elements, its function and arguments. NULL function: no
// tensor.
static const PickleGlobal *unwrap(const PickleValue *value, const PickleValue **ret_arguments) {
    for (int i = 0; i < MOST_WRAPPERS; i++) {
        const PickleGlobal *function = pickle_callee(value);
        const PickleValue *arguments = pickle_arguments(value);
        if (function && function->meaning == GLOBAL_FROM_TYPE) {
            function = pickle_global(pickle_item(arguments, 0));
            arguments = pickle_item(arguments, 2);
        }
        if (!function)
            return NULL;
        if (means_tensor(function->meaning)) {
            *ret_arguments = arguments;
            return function;
        }
        if (function->meaning != GLOBAL_WRAPPER)
            return NULL;
        value = pickle_item(arguments, 0);
    }
    return NULL;
}

bool torch_is_tensor(const PickleValue *value, bool *ret_quantized) {
    const PickleValue *arguments;
    const PickleGlobal *function = unwrap(value, &arguments);
    if (function && ret_quantized)
        *ret_quantized = function->meaning == GLOBAL_TENSOR_QUANTIZED;
    return function != NULL;
}

typedef struct Layout {
    const unsigned char *first; // the element at index 0, ...
    DType dtype;
    Shape shape;
    int64_t strides[SHAPE_MOST_DIMS]; // in elements, never negative
} Layout;

// A tuple of integers of at least 0 (or torch.Size of one).
static Status integers_read(const PickleValue *value, const char *what, int64_t ret[SHAPE_MOST_DIMS], int *ret_count,
                            Error *err) {
    if (pickle_callee(value) && pickle_callee(value)->meaning == GLOBAL_PLAIN)
        value = pickle_item(pickle_arguments(value), 0);
    if (!value || (value->kind != PICKLE_TUPLE && value->kind != PICKLE_LIST))
        return FAIL(err, ERR_FORMAT, "its %s is %s, expected a tuple", what, pickle_kind_name(value));
    if (value->count > SHAPE_MOST_DIMS)
        return FAIL(err, ERR_UNSUPPORTED, "it has %zu dimensions, at most %d are read", value->count, SHAPE_MOST_DIMS);
    for (size_t i = 0; i < value->count; i++)
        if (!pickle_integer(value->items[i], &ret[i]) || ret[i] < 0)
            return FAIL(err, ERR_FORMAT, "its %s holds %s, expected integers of at least 0", what,
                        pickle_kind_name(value->items[i]));
    *ret_count = (int)value->count;
    return OK;
}

// The largest element index that a non-empty layout reaches from `offset` on; false on overflow.
static bool reach(const Layout *layout, int64_t offset, int64_t *ret) {
    for (int i = 0; i < layout->shape.rank; i++) {
        int64_t span;
        if (__builtin_mul_overflow(layout->shape.dims[i] - 1, layout->strides[i], &span) ||
            __builtin_add_overflow(offset, span, &offset))
            return false;
    }
    *ret = offset;
    return true;
}

static Status layout_read(const TorchFile *torch, const PickleGlobal *function, const PickleValue *arguments,
                          Layout *ret, Error *err) {
    Layout layout = {0};
    int64_t offset, last;
    int strides = 0;
    TorchStorage storage;
    TRY(torch_storage_find(torch, pickle_item(arguments, 0), &storage, err));
    if (!pickle_integer(pickle_item(arguments, 1), &offset) || offset < 0)
        return FAIL(err, ERR_FORMAT, "its offset is %s, expected an integer of at least 0",
                    pickle_kind_name(pickle_item(arguments, 1)));
    TRY(integers_read(pickle_item(arguments, 2), "shape", layout.shape.dims, &layout.shape.rank, err));
    TRY(integers_read(pickle_item(arguments, 3), "stride", layout.strides, &strides, err));
    if (strides != layout.shape.rank)
        return FAIL(err, ERR_FORMAT, "it has %d dimensions but %d strides", layout.shape.rank, strides);
    layout.dtype = storage.dtype;
    const PickleGlobal *dtype = pickle_global(pickle_item(arguments, 6));
    if (function->meaning == GLOBAL_TENSOR_TYPED) {
        if (!dtype || dtype->meaning != GLOBAL_DTYPE)
            return FAIL(err, ERR_UNSUPPORTED, "its elements are of '%s.%s', which hone does not read",
                        dtype ? dtype->module : "", dtype ? dtype->name : "?");
        layout.dtype = dtype->dtype;
    } else if (!storage.typed) {
        return FAIL(err, ERR_FORMAT, "its storage has no element type");
    }
    const PickleValue *flags = pickle_item(arguments, function->meaning == GLOBAL_TENSOR_TYPED ? 7 : 6);
    if (flags && flags->kind == PICKLE_DICT && flags->count && function->meaning != GLOBAL_TENSOR_QUANTIZED)
        return FAIL(err, ERR_UNSUPPORTED, "it is a view to be negated or conjugated, which hone does not read");
    char text[SHAPE_TEXT_BYTES];
    size_t elements, width = dtype_bytes(layout.dtype), stored = storage.data.size / width;
    if (!shape_elements(&layout.shape, &elements))
        return FAIL(err, ERR_FORMAT, "its shape %s is larger than any memory", shape_text(&layout.shape, text));
    if (elements && (!reach(&layout, offset, &last) || (uint64_t)last >= stored))
        return FAIL(err, ERR_FORMAT, "its shape %s from element %lld on reaches beyond its storage of %zu elements",
                    shape_text(&layout.shape, text), (long long)offset, stored);
    layout.first = storage.data.data + (elements ? (size_t)offset * width : 0);
    *ret = layout;
    return OK;
}

static bool contiguous(const Layout *layout) {
    int64_t expected = 1;
    for (int i = layout->shape.rank; i-- > 0;) {
        if (layout->shape.dims[i] != 1 && layout->strides[i] != expected)
            return false;
        expected *= layout->shape.dims[i];
    }
    return true;
}

// Copies dimension `dim` and those inside it in row-major order; returns where the next element goes.
static unsigned char *gather(const Layout *layout, int dim, const unsigned char *from, unsigned char *to) {
    size_t width = dtype_bytes(layout->dtype);
    size_t step =
        layout->shape.dims[dim] > 1 ? (size_t)layout->strides[dim] * width : 0; // a lone element's stride is any number
    bool inner = dim == layout->shape.rank - 1;
    for (int64_t i = 0; i < layout->shape.dims[dim]; i++, from += step) {
        if (!inner) {
            to = gather(layout, dim + 1, from, to);
            continue;
        }
        memcpy(to, from, width);
        to += width;
    }
    return to;
}

static Status values_make(TorchFile *torch, const Layout *layout, Tensor *ret, Error *err) {
    Tensor tensor = {.dtype = layout->dtype, .shape = layout->shape, .data = layout->first};
    char text[SHAPE_TEXT_BYTES];
    if (!shape_bytes(&layout->shape, layout->dtype, &tensor.bytes))
        return FAIL(err, ERR_FORMAT, "its shape %s is larger than any memory", shape_text(&layout->shape, text));
    if (tensor.bytes && !contiguous(layout)) {
        // Strided views of one storage could claim any size: in sum they get the file's size and a little more.
        size_t limit = torch->file.size + COPY_ALLOWANCE_BYTES;
        if (tensor.bytes > limit || torch->copied_bytes > limit - tensor.bytes)
            return FAIL(err, ERR_LIMIT, "its shape %s would bring the copies of strided views beyond %zu bytes",
                        shape_text(&layout->shape, text), limit);
        unsigned char *copy = arena_alloc(torch->arena, tensor.bytes, 64, err);
        TRY_NEW(copy);
        gather(layout, 0, layout->first, copy);
        torch->copied_bytes += tensor.bytes;
        tensor.data = copy;
    }
    *ret = tensor;
    return OK;
}

static Status plain_make(TorchFile *torch, const PickleValue *value, const char *what, Tensor *ret, Error *err) {
    const PickleValue *arguments;
    const PickleGlobal *function = unwrap(value, &arguments);
    if (!function || function->meaning == GLOBAL_TENSOR_QUANTIZED)
        return FAIL(err, ERR_FORMAT, "its %s are %s, expected a tensor", what, pickle_kind_name(value));
    Layout layout;
    TRY(layout_read(torch, function, arguments, &layout, err));
    return values_make(torch, &layout, ret, err);
}

// One number as a tensor of shape [1].
static Status number_make(TorchFile *torch, DType dtype, const void *number, Tensor *ret, Error *err) {
    void *copy = arena_array(torch->arena, 1, 8, err);
    TRY_NEW(copy);
    memcpy(copy, number, 8);
    *ret = (Tensor){.dtype = dtype, .shape = {1, {1}}, .data = copy, .bytes = 8};
    return OK;
}

// (per_tensor_affine, scale, zero_point) or (per_channel_affine, scales, zero_points, axis).
static Status quantizer_read(TorchFile *torch, const PickleValue *quantizer, TorchTensor *tensor, Error *err) {
    const PickleGlobal *scheme = pickle_global(pickle_item(quantizer, 0));
    const PickleValue *scale = pickle_item(quantizer, 1), *zero = pickle_item(quantizer, 2);
    int64_t axis, zero_point;
    if (scheme && scheme->meaning == GLOBAL_PER_TENSOR) {
        if (!scale || scale->kind != PICKLE_REAL || !pickle_integer(zero, &zero_point))
            return FAIL(err, ERR_FORMAT, "its scale is %s and its zero point %s, expected a float and an integer",
                        pickle_kind_name(scale), pickle_kind_name(zero));
        TRY(number_make(torch, DTYPE_F64, &scale->real, &tensor->scales, err));
        return number_make(torch, DTYPE_I64, &zero_point, &tensor->zero_points, err);
    }
    if (!scheme || scheme->meaning != GLOBAL_PER_CHANNEL)
        return FAIL(err, ERR_UNSUPPORTED,
                    "its quantizer is '%s', only per_tensor_affine and per_channel_affine are read",
                    scheme ? scheme->name : "unknown");
    TRY(plain_make(torch, scale, "scales", &tensor->scales, err));
    TRY(plain_make(torch, zero, "zero points", &tensor->zero_points, err));
    if (!pickle_integer(pickle_item(quantizer, 3), &axis) || axis != 0)
        return FAIL(err, ERR_UNSUPPORTED, "it is quantized along another dimension than the first");
    Shape rows = {1, {tensor->values.shape.rank ? tensor->values.shape.dims[0] : -1}};
    if (!shape_equal(&tensor->scales.shape, &rows) || !shape_equal(&tensor->zero_points.shape, &rows))
        return FAIL(err, ERR_FORMAT, "its scales or zero points are not one per row");
    return OK;
}

Status torch_tensor_make(TorchFile *torch, const PickleValue *value, TorchTensor *ret, Error *err) {
    TorchTensor tensor = {0};
    const PickleValue *arguments;
    const PickleGlobal *function = unwrap(value, &arguments);
    if (!function)
        return FAIL(err, ERR_FORMAT, "expected a tensor, found %s", pickle_kind_name(value));
    Layout layout;
    TRY(layout_read(torch, function, arguments, &layout, err));
    TRY(values_make(torch, &layout, &tensor.values, err));
    tensor.quantized = function->meaning == GLOBAL_TENSOR_QUANTIZED;
    if (tensor.quantized)
        TRY(quantizer_read(torch, pickle_item(arguments, 4), &tensor, err));
    *ret = tensor;
    return OK;
}

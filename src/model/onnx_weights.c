// SPDX-License-Identifier: Apache-2.0
// From the constants of an ONNX graph to named tensors.
#include "model/onnx_weights.h"

#include <string.h>

#include "arch/weights.h"
#include "pass/tensor/match.h"

static bool holds_integers(DType dtype) {
    return dtype == DTYPE_I8 || dtype == DTYPE_U8;
}

// Scales and zero points of a DequantizeLinear over whole rows, as far as they are constants.
static bool dequantized(const Node *node, bool turned, StoredWeight *ret) {
    const Constant *scales = node->inputs[1].constant;
    Value zeros = node->input_count > 2 ? node->inputs[2] : (Value){0};
    size_t count;
    if (ret->scales || !constant_is_plain(scales) || !shape_elements(&scales->shape, &count) ||
        scales->shape.rank > 1 || (!value_absent(zeros) && !constant_is_plain(zeros.constant)) ||
        node_int(node, "block_size", 0))
        return false;
    int64_t axis = node_int(node, "axis", 1);
    if (count != 1 && axis != (turned ? 1 : 0) && axis != (turned ? -1 : -2))
        return false;
    ret->scales = scales;
    ret->zeros = zeros.constant;
    return true;
}

// Reals that become reals of at least as many bits.
static bool widens(const Node *cast) {
    DType from = value_type(cast->inputs[0]).dtype, to = cast->types[0].dtype;
    return dtype_is_real(from) && dtype_is_real(to) && dtype_bits(to) > dtype_bits(from);
}

static const int64_t swap[] = {1, 0};

bool stored_integers(Value value, bool turned, StoredWeight *ret) {
    for (const Node *node; (node = match_node(value, TENSOR_TRANSPOSE)); turned = !turned) {
        if (!match_attribute_ints(node, "perm", swap, 2))
            return false;
        value = node->inputs[0];
    }
    *ret = (StoredWeight){.values = value.constant, .turned = turned, .factor = 1};
    return constant_is_plain(value.constant) && holds_integers(value.constant->dtype);
}

bool stored_weight(Value value, bool turned, StoredWeight *ret) {
    StoredWeight found = {.factor = 1};
    while (!value.constant) {
        const Node *node = value.node;
        if (!node || value.output || !node->input_count)
            return false;
        if (node->op == TENSOR_TRANSPOSE && match_attribute_ints(node, "perm", swap, 2))
            turned = !turned;
        else if (node->op == TENSOR_DEQUANTIZE_LINEAR && !dequantized(node, turned, &found))
            return false;
        else if (node->op != TENSOR_TRANSPOSE && node->op != TENSOR_DEQUANTIZE_LINEAR && node->op != TENSOR_IDENTITY &&
                 (node->op != TENSOR_CAST || !widens(node)))
            return false;
        value = node->inputs[0];
    }
    if (!constant_is_plain(value.constant) || (holds_integers(value.constant->dtype) && !found.scales) ||
        (!holds_integers(value.constant->dtype) && (found.scales || !dtype_is_real(value.constant->dtype))))
        return false;
    found.values = value.constant;
    found.turned = turned;
    *ret = found;
    return true;
}

// Element `index` (or the only one) of scales or zero points; `missing` where there are none.
static double element(const Constant *constant, size_t index, double missing) {
    size_t count;
    double value;
    if (!constant || !shape_elements(&constant->shape, &count) || !count)
        return missing;
    const char *data = constant->data;
    elements_to_f64(constant->dtype, data + (count == 1 ? 0 : index) * dtype_bytes(constant->dtype), 1, &value);
    return value;
}

// One, or one for each row in the last dimension.
static bool fits_rows(const Constant *constant, size_t rows) {
    size_t count;
    if (!constant)
        return true;
    if (!constant_is_plain(constant) || !shape_elements(&constant->shape, &count))
        return false;
    int rank = constant->shape.rank;
    return count == 1 || (count == rows && (size_t)constant->shape.dims[rank - 1] == rows);
}

static bool shape_fits(const StoredWeight *w, size_t rows, size_t columns) {
    const Shape *shape = &w->values->shape;
    size_t elements;
    if (!columns)
        return shape->rank > 0 && shape_elements(shape, &elements) && elements == rows &&
               (size_t)shape->dims[shape->rank - 1] == rows;
    return shape->rank == 2 && (size_t)shape->dims[w->turned ? 1 : 0] == rows &&
           (size_t)shape->dims[w->turned ? 0 : 1] == columns;
}

Status stored_check(const StoredWeight *weight, const char *name, size_t rows, size_t columns, Error *err) {
    const Constant *values = weight->values, *factors = weight->input_factors;
    Shape wanted = {columns ? 2 : 1, {(int64_t)rows, (int64_t)columns}};
    char texts[2][SHAPE_TEXT_BYTES];
    size_t count = columns;
    bool fits = shape_fits(weight, rows, columns) && fits_rows(weight->scales, rows) && fits_rows(weight->zeros, rows);
    if (!fits || (factors && (!shape_elements(&factors->shape, &count) || count != columns)))
        return FAIL(err, ERR_FORMAT, "weight '%s' is %s%s and stands where '%s' %s belongs%s", values->name,
                    shape_text(&values->shape, texts[0]), weight->turned ? ", turned," : "", name,
                    shape_text(&wanted, texts[1]), weight->scales ? ", with scales for it" : "");
    if (!holds_integers(values->dtype) && !dtype_is_real(values->dtype))
        return FAIL(err, ERR_UNSUPPORTED, "weight '%s' is %s; weights may be real numbers or 8-bit integers",
                    values->name, dtype_name(values->dtype));
    return OK;
}

// What is added to u8 or s8 to be s8 of zero point 0; false where rows differ in it or it does not fit.
static bool symmetric_shift(const StoredWeight *w, size_t rows, int *ret_shift) {
    double middle = w->values->dtype == DTYPE_U8 ? 128 : 0;
    for (size_t r = 0; r < rows; r++)
        if (element(w->zeros, r, 0) != middle)
            return false;
    *ret_shift = (int)-middle;
    return true;
}

static float weight_at(const StoredWeight *w, size_t rows, size_t columns, size_t row, size_t column) {
    size_t index = w->turned ? column * rows + row : row * columns + column;
    double value;
    elements_to_f64(w->values->dtype, (const char *)w->values->data + index * dtype_bytes(w->values->dtype), 1, &value);
    if (!w->scales && w->factor == 1)
        return (float)value;
    float scale = (float)(element(w->scales, row, 1) * w->factor);
    return (float)(value - element(w->zeros, row, 0)) * scale;
}

static Status tensor_add(FoundTensors *found, const char *name, const char *ending, DType dtype, Shape shape,
                         const void *data, Error *err) {
    if (found->count == found->room) {
        size_t room = found->room ? 2 * found->room : 256;
        Tensor *more = arena_array(found->arena, room, sizeof *more, err);
        TRY_NEW(more);
        if (found->count)
            memcpy(more, found->tensors, found->count * sizeof *more);
        found->tensors = more;
        found->room = room;
    }
    Tensor *tensor = &found->tensors[found->count];
    *tensor = (Tensor){.dtype = dtype, .shape = shape, .data = data};
    TRY_NEW(tensor->name = arena_format(found->arena, err, "%s%s", name, ending));
    if (!shape_bytes(&shape, dtype, &tensor->bytes))
        return FAIL(err, ERR_LIMIT, "weight '%s' is more than this machine can address", name);
    found->count++;
    return OK;
}

// Rows of a turned matrix that are read together: their elements lie side by side.
enum { PIECE = 16 };

// A matrix row by row, from `columns` stretches of `rows` elements.
static Status matrix_turn(Arena *arena, const void *data, size_t rows, size_t columns, size_t element,
                          const void **ret_data, Error *err) {
    unsigned char *turned = arena_alloc(arena, rows * columns * element, 64, err);
    const unsigned char *from = data;
    TRY_NEW(turned);
    for (size_t first = 0; first < rows; first += PIECE)
        for (size_t c = 0; c < columns; c++)
            for (size_t r = first; r < rows && r < first + PIECE; r++)
                memcpy(turned + (r * columns + c) * element, from + (c * rows + r) * element, element);
    *ret_data = turned;
    return OK;
}

// The elements of a matrix under its name, as they lie or in order.
static Status matrix_add(FoundTensors *found, const char *name, size_t rows, size_t columns, bool turned, DType dtype,
                         const void *data, Error *err) {
    bool stays = turned && !found->upright;
    Shape shape = {2, {(int64_t)(stays ? columns : rows), (int64_t)(stays ? rows : columns)}};
    if (turned && found->upright)
        TRY(matrix_turn(found->arena, data, rows, columns, dtype_bytes(dtype), &data, err));
    return tensor_add(found, name, stays ? WEIGHT_TURNED : "", dtype, shape, data, err);
}

static Status real_add(FoundTensors *found, const char *name, size_t rows, size_t columns, const StoredWeight *w,
                       Error *err) {
    size_t width = columns ? columns : 1;
    float *values = arena_array(found->arena, rows * width, sizeof *values, err);
    TRY_NEW(values);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < width; c++)
            values[r * width + c] = weight_at(w, rows, width, r, c);
    return tensor_add(found, name, "", DTYPE_F32, (Shape){columns ? 2 : 1, {(int64_t)rows, (int64_t)columns}}, values,
                      err);
}

// s8 rows, the elements where they lie unless they have to be shifted.
static Status rows_add(FoundTensors *found, const char *name, size_t rows, size_t columns, const StoredWeight *w,
                       int shift, Error *err) {
    float *scales = arena_array(found->arena, rows, sizeof *scales, err);
    TRY_NEW(scales);
    for (size_t r = 0; r < rows; r++)
        scales[r] = (float)(element(w->scales, r, 1) * w->factor);
    const void *data = w->values->data;
    if (shift) {
        int8_t *shifted = arena_array(found->arena, rows * columns, 1, err);
        TRY_NEW(shifted);
        for (size_t i = 0; i < rows * columns; i++)
            shifted[i] = (int8_t)(((const uint8_t *)data)[i] + shift);
        data = shifted;
    }
    TRY(matrix_add(found, name, rows, columns, w->turned, DTYPE_I8, data, err));
    return tensor_add(found, name, "_scale", DTYPE_F32, (Shape){1, {(int64_t)rows}}, scales, err);
}

// What stands beside a weight whose inputs are rounded.
static Status input_add(FoundTensors *found, const char *name, size_t columns, const StoredWeight *w, Error *err) {
    static const char ending[] = ".weight";
    size_t length = strlen(name), kept = sizeof ending - 1;
    float *scale = arena_array(found->arena, 1, sizeof *scale, err);
    TRY_NEW(scale);
    if (length < kept || strcmp(name + length - kept, ending) != 0)
        return FAIL(err, ERR_UNSUPPORTED, "what '%s' is multiplied with is rounded by a scale that it cannot have",
                    name);
    const char *base = arena_copy_text(found->arena, name, length - kept, err);
    TRY_NEW(base);
    *scale = (float)w->input_scale;
    TRY(tensor_add(found, base, ".input_scale", DTYPE_F32, (Shape){1, {1}}, scale, err));
    return w->input_factors ? tensor_add(found, base, ".input_factors", DTYPE_F32, (Shape){1, {(int64_t)columns}},
                                         w->input_factors->data, err)
                            : OK;
}

Status found_add(FoundTensors *found, const char *name, size_t rows, size_t columns, const StoredWeight *weight,
                 Error *err) {
    const Constant *values = weight->values;
    int shift;
    if (weight->input_scale > 0)
        TRY(input_add(found, name, columns, weight, err));
    if (!columns && dtype_is_real(values->dtype) && !weight->scales && weight->factor == 1)
        return tensor_add(found, name, "", values->dtype, (Shape){1, {(int64_t)rows}}, values->data, err);
    if (columns && dtype_is_real(values->dtype) && !weight->scales && weight->factor == 1)
        return matrix_add(found, name, rows, columns, weight->turned, values->dtype, values->data, err);
    if (columns && holds_integers(values->dtype) && symmetric_shift(weight, rows, &shift))
        return rows_add(found, name, rows, columns, weight, shift, err);
    return real_add(found, name, rows, columns, weight, err);
}

static inline __attribute__((always_inline)) bool pieces_equal(const char *upright, const char *turned, size_t rows,
                                                               size_t columns, size_t element) {
    for (size_t first = 0; first < rows; first += PIECE)
        for (size_t c = 0; c < columns; c++)
            for (size_t r = first; r < rows && r < first + PIECE; r++)
                if (memcmp(upright + (r * columns + c) * element, turned + (c * rows + r) * element, element) != 0)
                    return false;
    return true;
}

// [rows, columns] against the same [columns, rows]. A size that the compiler knows is compared without a call.
static bool turned_equal(const char *upright, const char *turned, size_t rows, size_t columns, size_t element) {
    switch (element) {
    case 1:
        return pieces_equal(upright, turned, rows, columns, 1);
    case 2:
        return pieces_equal(upright, turned, rows, columns, 2);
    case 4:
        return pieces_equal(upright, turned, rows, columns, 4);
    default:
        return pieces_equal(upright, turned, rows, columns, element);
    }
}

// Scales and zero points of both, row by row.
static bool same_scales(const StoredWeight *a, const StoredWeight *b, size_t rows) {
    for (size_t r = 0; r < rows; r++)
        if (element(a->scales, r, 1) != element(b->scales, r, 1) || element(a->zeros, r, 0) != element(b->zeros, r, 0))
            return false;
    return a->factor == b->factor;
}

bool stored_equal(const StoredWeight *a, const StoredWeight *b, size_t rows, size_t columns) {
    size_t bytes = rows * columns * dtype_bytes(a->values->dtype);
    if (a->values->dtype != b->values->dtype || a->input_scale != b->input_scale || !same_scales(a, b, rows))
        return false;
    if (a->turned == b->turned)
        return a->values->data == b->values->data || memcmp(a->values->data, b->values->data, bytes) == 0;
    return turned_equal(a->turned ? b->values->data : a->values->data, a->turned ? a->values->data : b->values->data,
                        rows, columns, dtype_bytes(a->values->dtype));
}

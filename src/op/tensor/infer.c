// SPDX-License-Identifier: Apache-2.0
// What shape rules of tensor operators share.
#include "op/tensor/infer.h"

#include <string.h>

ValueType type_unknown(void) {
    return (ValueType){.rank = -1};
}

Dim dim_of(int64_t value) {
    return (Dim){false, value};
}

Dim dim_unknown(void) {
    return (Dim){true, DIM_UNKNOWN};
}

bool dim_is(Dim dim, int64_t value) {
    return !dim.variable && dim.value == value;
}

bool dim_is_unknown(Dim dim) {
    return dim.variable && dim.value == DIM_UNKNOWN;
}

bool dim_equal(Dim a, Dim b) {
    return !dim_is_unknown(a) && a.variable == b.variable && a.value == b.value;
}

ValueType infer_type(const Node *node, size_t index) {
    return index < node->input_count ? value_type(node->inputs[index]) : type_unknown();
}

ValueType infer_as(ValueType type, DType dtype) {
    type.dtype = dtype;
    return type;
}

ValueType infer_rank(DType dtype, int rank) {
    ValueType type = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; i++)
        type.dims[i] = dim_unknown();
    return type;
}

// Of two dimensions that broadcast: the one that is no 1. Where neither is known to be 1, a constant wins, as the other
// must be it or 1.
static Dim dim_broadcast(Dim a, Dim b) {
    if (dim_is(a, 1) || dim_equal(a, b))
        return b;
    if (dim_is(b, 1))
        return a;
    if (!a.variable || !b.variable)
        return a.variable ? b : a;
    return dim_unknown();
}

ValueType infer_broadcast(ValueType a, ValueType b) {
    if (a.rank < 0 || b.rank < 0)
        return type_unknown();
    ValueType both = {.dtype = a.dtype, .rank = a.rank > b.rank ? a.rank : b.rank};
    for (int i = 1; i <= both.rank; i++) {
        Dim x = i <= a.rank ? a.dims[a.rank - i] : dim_of(1), y = i <= b.rank ? b.dims[b.rank - i] : dim_of(1);
        both.dims[both.rank - i] = dim_broadcast(x, y);
    }
    return both;
}

Status infer_first(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ret_types[0] = infer_type(node, 0);
    for (size_t i = 1; i < node->output_count; i++)
        ret_types[i] = type_unknown();
    return OK;
}

bool infer_ints(const Node *node, size_t index, size_t most, int64_t *ret_values, size_t *ret_count) {
    const Constant *c = index < node->input_count ? node->inputs[index].constant : NULL;
    size_t count;
    bool integers = constant_is_plain(c) && (c->dtype == DTYPE_I64 || c->dtype == DTYPE_I32) && c->shape.rank <= 1;
    if (!integers || !shape_elements(&c->shape, &count) || count > most)
        return false;
    for (size_t i = 0; i < count; i++) {
        int32_t narrow;
        if (c->dtype == DTYPE_I64) {
            memcpy(&ret_values[i], (const char *)c->data + i * 8, 8);
        } else {
            memcpy(&narrow, (const char *)c->data + i * 4, 4);
            ret_values[i] = narrow;
        }
    }
    *ret_count = count;
    return true;
}

bool infer_axis(int64_t axis, int rank, int *ret_axis) {
    if (axis < -(int64_t)rank || axis >= rank)
        return false;
    *ret_axis = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

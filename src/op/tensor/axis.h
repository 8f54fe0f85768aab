// SPDX-License-Identifier: Apache-2.0
// Axis: what operators along one axis share.
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"

// A tensor seen from an axis: element `at` of row (outer, inner) lies at (outer * count + at) * inners + inner.
typedef struct AxisView {
    size_t outers, count, inners;
} AxisView;

AxisView axis_view(const Shape *shape, int axis);
// Where row 0 .. outers * inners - 1 begins; its elements are `inners` apart.
size_t axis_row(const AxisView *view, size_t row);

// Where element `index` of a tensor of shape `to` lies in one that broadcasts to it (shape_broadcast_strides).
static inline size_t broadcast_index(const Shape *to, const int64_t strides[SHAPE_MOST_DIMS], size_t index) {
    size_t at = 0;
    for (int i = to->rank - 1; i >= 0; i--) {
        at += index % (size_t)to->dims[i] * (size_t)strides[i];
        index /= (size_t)to->dims[i];
    }
    return at;
}

// What becomes of a row; y may be x.
typedef struct AxisMap {
    void (*single)(const Kernels *kernels, const float *x, size_t n, float *y);
    void (*wide)(const double *x, size_t n, double *y);
} AxisMap;

// Input 0 of a real type, row by row along {axis=-1}, to output 0; halves in f32.
MUST_CHECK Status axis_map(Evaluation *run, const AxisMap *map, Error *err);

// ArgMax and ArgMin: {axis=0, keepdims=1, select_last_index=0}; a NaN wins over any number.
MUST_CHECK Status axis_arg(Evaluation *run, bool smallest, Error *err);
Status axis_arg_infer(const Node *node, ValueType *ret_types, Error *err);

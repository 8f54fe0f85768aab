// SPDX-License-Identifier: Apache-2.0
// Move: what operators share that put elements elsewhere without looking at them. They work on bytes, whatever the
// type.
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"

// A nest of loops over elements: one of `dims` at a time, each with a step (in elements; may be 0 or negative) through
// what is read and through what is written. Neighbouring loops that step alike are merged, and runs are copied whole.
enum { COPY_MOST_DIMS = 2 * SHAPE_MOST_DIMS };
typedef struct StridedCopy {
    const void *from;
    void *to;
    size_t width; // bytes of an element
    int rank;
    int64_t dims[COPY_MOST_DIMS], from_strides[COPY_MOST_DIMS], to_strides[COPY_MOST_DIMS];
} StridedCopy;
void strided_copy(const Evaluation *run, const StridedCopy *copy);

// Output 0 of input 0's type: element [i, j, ...] of `shape` is the input's element first + i * strides[0] + ...
MUST_CHECK Status strided_output(Evaluation *run, const Shape *shape, int64_t first, const int64_t *strides,
                                 Error *err);

// One element, or a few bytes.
void element_copy(void *to, const void *from, size_t bytes);
// `count` copies of one element.
void elements_fill(const void *value, size_t width, size_t count, void *ret_elements);

// Element i of a tensor of i64 or i32.
int64_t index_at(const Tensor *indices, size_t i);
// Input `input`, of i64 or i32, as indices into `size` elements: made positive, in the run's scratch. ERR_FORMAT naming
// one that lies outside.
MUST_CHECK Status indices_take(Evaluation *run, size_t input, int64_t size, int64_t **ret_indices, Error *err);
// One of them, which was element `place` of the input.
MUST_CHECK Status index_check(const Evaluation *run, size_t input, size_t place, int64_t index, int64_t size,
                              int64_t *ret_index, Error *err);

// A result of more dimensions than tensors have: ERR_UNSUPPORTED.
MUST_CHECK Status rank_check(const Evaluation *run, int rank, Error *err);
// Sizes in input `input` as a shape.
MUST_CHECK Status shape_take(const Evaluation *run, size_t input, Shape *ret_shape, Error *err);
// Input `input` as a list of axes among `rank`: ret_marks[axis] is its place in the list plus one, 0 where it is not
// named. ERR_FORMAT where one lies outside or comes twice.
MUST_CHECK Status axes_take(const Evaluation *run, size_t input, int rank, int ret_marks[SHAPE_MOST_DIMS], Error *err);

// The same for shape rules: false where they are not known or not right.
bool infer_axes(const Node *node, size_t input, int rank, int ret_marks[SHAPE_MOST_DIMS]);
bool infer_shape(const Node *node, size_t input, Shape *ret_shape);
ValueType infer_of_shape(DType dtype, const Shape *shape);
// Whether all dimensions are constants, and then the shape.
bool infer_known(ValueType type, Shape *ret_shape);

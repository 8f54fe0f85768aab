// SPDX-License-Identifier: Apache-2.0
// Convert: elements of any type to any other by the rules of ONNX's Cast. Reals become integers by cutting off the
// fraction; what is out of range, which ONNX leaves open, is taken to the nearest of 64 bits (of 32 for i32 and u32)
// and then, as of integers, its low bits. A NaN is 0.
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"
#include "tensor/small_floats.h"

typedef struct Conversion {
    DType from, to;
    bool saturate; // of small floats
    ScaleRounding rounding;
} Conversion;

void elements_convert(const Evaluation *run, Conversion conversion, const void *from, size_t count, void *ret_elements);
// Input `input` to output 0; a view where the type is the same.
MUST_CHECK Status convert_output(Evaluation *run, size_t input, DType to, Error *err);

// An attribute that is a number of ONNX's element types, or `missing`: ERR_UNSUPPORTED where hone has not that type.
MUST_CHECK Status evaluate_dtype(const Evaluation *run, const char *name, DType missing, DType *ret_dtype, Error *err);
// The same for shape rules: false where it is not there.
bool infer_dtype(const Node *node, const char *name, DType *ret_dtype);

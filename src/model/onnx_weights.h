// SPDX-License-Identifier: Apache-2.0
// Weights as ONNX graphs hold them, and the tensors that a checkpoint would have in their place.
#pragma once

#include "graph/graph.h"
#include "tensor/tensor.h"

// A matrix or a vector: elements, or integers with scales and zero points.
typedef struct StoredWeight {
    const Constant *values;
    bool turned;                    // values lie as [columns, rows]
    const Constant *scales, *zeros; // one, or one for each row; NULL: not quantized; no zero points
    double factor;                  // times all of it; 1 where values are not quantized
    double input_scale;             // by which what it is multiplied with is rounded to s8; 0: it is not
    const Constant *input_factors;  // [columns], times which it is before; NULL: none
} StoredWeight;

// What a value is that depends on constants alone, through Transpose, Cast and DequantizeLinear by row or as a whole.
// `turned`: the product reads it as [columns, rows]. False: something else.
bool stored_weight(Value value, bool turned, StoredWeight *ret);
// The same of integers whose scales stand elsewhere.
bool stored_integers(Value value, bool turned, StoredWeight *ret);

// ERR_FORMAT where a weight found for `name` [rows, columns] (columns 0: a vector) has another shape, or scales and
// zero points of another count than one or one for each row; ERR_UNSUPPORTED for types that no weight has.
MUST_CHECK Status stored_check(const StoredWeight *weight, const char *name, size_t rows, size_t columns, Error *err);

// Tensors under names, as they are found.
typedef struct FoundTensors {
    Arena *arena;
    bool upright; // turned matrices are put in order
    Tensor *tensors;
    size_t count, room;
} FoundTensors;

// Adds "name" [rows, columns] (columns 0: a vector), with `name`_scale [rows] for s8 rows, and for "X.weight" whose
// inputs are rounded "X.input_scale" [1] and, if there are any, "X.input_factors" [columns]: where the elements lie, if
// possible; `name`_turned (arch/weights.h) for a turned matrix that may stay so. What hone's rows cannot say (zero
// points, other integers) becomes f32. The weight was checked (stored_check).
MUST_CHECK Status found_add(FoundTensors *found, const char *name, size_t rows, size_t columns,
                            const StoredWeight *weight, Error *err);

// Whether two weights, checked as [rows, columns], hold the same numbers in the same form, one of them possibly turned.
bool stored_equal(const StoredWeight *a, const StoredWeight *b, size_t rows, size_t columns);

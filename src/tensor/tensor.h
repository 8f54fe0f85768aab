// SPDX-License-Identifier: Apache-2.0
// Tensors as data: element types, shapes, and bundles of named tensors as files hold them.
//
// A Tensor never owns its bytes: they lie in a file map or an arena that outlives it. Always row-major without gaps,
// little-endian.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef enum DType {
#define DTYPE(code, text, safetensors, bits, numpy, onnx) code,
#include "tensor/dtypes.def"
#undef DTYPE
    DTYPE_COUNT
} DType;

const char *dtype_name(DType dtype);             // "f32"
const char *dtype_safetensors_name(DType dtype); // "F32"; "" where safetensors has none
const char *dtype_numpy_name(DType dtype);       // "<f4"; "" where numpy has none
size_t dtype_bytes(DType dtype);                 // of an element in memory
unsigned dtype_bits(DType dtype);                // that an element needs: 4 and 2 where several share a byte in files
bool dtype_is_real(DType dtype); // F64, F32, F16 or BF16: reals to compute with, which small_floats.h are not
// What an integer type or BOOL can hold; false for reals and U64, which int64_t cannot tell of.
bool dtype_integer_range(DType dtype, int64_t *ret_least, int64_t *ret_most);

// False, and *ret untouched, for an unknown name.
bool dtype_from_name(const char *name, DType *ret);
bool dtype_from_safetensors_name(const char *name, DType *ret);
bool dtype_from_onnx(uint64_t number, DType *ret); // TensorProto.DataType
uint64_t dtype_onnx(DType dtype);

enum { SHAPE_MOST_DIMS = 8 };

// Rank 0 is a scalar with one element; a dimension may be 0.
typedef struct Shape {
    int rank;
    int64_t dims[SHAPE_MOST_DIMS];
} Shape;

// Elements, and bytes as `dtype`; false on overflow or a negative dimension.
bool shape_elements(const Shape *shape, size_t *ret_elements);
bool shape_bytes(const Shape *shape, DType dtype, size_t *ret_bytes);
bool shape_equal(const Shape *a, const Shape *b);

// "[2,3]" into ret_text; returns it.
enum { SHAPE_TEXT_BYTES = 8 * 22 + 3 };
char *shape_text(const Shape *shape, char ret_text[SHAPE_TEXT_BYTES]);

typedef struct Tensor {
    const char *name;
    DType dtype;
    Shape shape;
    const void *data;
    size_t bytes;
} Tensor;

// Named tensors, sorted by name (byte order), no name twice. Lives in one arena.
typedef struct Bundle {
    Tensor *tensors;
    size_t count;
} Bundle;

// Sorts a bundle by name. ERR_FORMAT naming a name that is there twice.
MUST_CHECK Status bundle_seal(Bundle *bundle, Error *err);

// NULL when there is no such name.
const Tensor *bundle_find(const Bundle *bundle, const char *name);

// Elements as f32 into `ret_values` (room for all elements), from any dtype; exact where f32 can hold the value, else
// rounded to nearest even. BOOL gives 0 or 1.
void tensor_to_f32(const Tensor *tensor, float *ret_values);

// `count` elements as f64, from any dtype; exact but for integers beyond 2^53.
void elements_to_f64(DType dtype, const void *data, size_t count, double *ret_values);

// IEEE 754 half precision and bfloat16 <-> f32, rounding to nearest even, NaN kept NaN.
float f16_to_f32(uint16_t half);
uint16_t f32_to_f16(float value);
float bf16_to_f32(uint16_t value);
uint16_t f32_to_bf16(float value);

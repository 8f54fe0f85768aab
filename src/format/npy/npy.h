// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files (format versions 1 to 3): one tensor with its dtype and shape.
//
// dtypes are those of dtypes.def, little-endian; bfloat16, which NumPy has not, is kept as 2-byte void ('V2'), as the
// ml_dtypes package writes it. Floats of 8 and 4 bits are written as 1-byte void, which says nothing of their kind and
// is not read; integers of 4 and 2 bits as those of 8. Format: numpy/lib/format.py.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "tensor/tensor.h"

bool npy_recognise(Bytes file);

// Row-major arrays point into `file`, column-major ("Fortran") ones are copied into the arena in row-major order. The
// tensor's name is `name`, which also begins every message. ERR_FORMAT for damage and a size that differs from shape
// and dtype; ERR_UNSUPPORTED naming any other dtype (big-endian, text, records, objects) and for more than
// SHAPE_MOST_DIMS dimensions.
MUST_CHECK Status npy_read(Arena *arena, const char *name, Bytes file, Tensor *ret_tensor, Error *err);

// Writes version 1.0, staged and renamed; the data begins at a multiple of 64 bytes, as numpy.save has it.
MUST_CHECK Status npy_write(const char *path, const Tensor *tensor, Error *err);

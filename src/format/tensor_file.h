// SPDX-License-Identifier: Apache-2.0
// Tensor files: one tensor given by name on a command line, an .npy or an ONNX TensorProto; content decides, not the
// ending.
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "tensor/tensor.h"

// Maps and reads the file; the tensor lives as long as the arena. Errors as npy_read and tensorproto_read have them.
MUST_CHECK Status tensor_file_read(Arena *arena, const char *path, Tensor *ret_tensor, Error *err);

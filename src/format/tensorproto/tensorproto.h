// SPDX-License-Identifier: Apache-2.0
// ONNX TensorProto: one tensor as a protocol buffer (.pb), as ONNX's test data has it.
//
// `raw_data` is used in place; the typed fields (float_data, int32_data, ...) are unpacked into the arena. Format: the
// message TensorProto of onnx.proto.
#pragma once

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "tensor/tensor.h"

// The tensor's name is the one in the message, or "". `name` begins every message. ERR_FORMAT for damage, for a size
// that differs from shape and type, and for integers out of the type's range; ERR_UNSUPPORTED naming element types hone
// has not (strings, complex, 8- and 4-bit floats, 4-bit integers), tensors in several segments and data in another
// file.
MUST_CHECK Status tensorproto_read(Arena *arena, const char *name, Bytes file, Tensor *ret_tensor, Error *err);

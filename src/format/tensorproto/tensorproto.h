// SPDX-License-Identifier: Apache-2.0
// ONNX TensorProto: one tensor as a protocol buffer (.pb), as ONNX's test data has it.
//
// `raw_data` is used in place; the typed fields (float_data, int32_data, ...) and elements of 4 and 2 bits, of which
// several share a byte there, are unpacked into the arena. Format: the message TensorProto of onnx.proto.
#pragma once

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "tensor/tensor.h"

// Where a tensor's data lies when it lies in another file.
typedef struct TensorExternal {
    Bytes location; // a path, relative to the model's folder
    uint64_t offset, bytes;
    bool has_bytes; // else as many as the shape needs
} TensorExternal;

// Finds those bytes.
typedef struct TensorFiles {
    Status (*find)(void *context, const TensorExternal *external, Bytes *ret_bytes, Error *err);
    void *context;
} TensorFiles;

// The tensor's name is the one in the message, or "". `name` begins every message. ERR_FORMAT for damage, for a size
// that differs from shape and type, and for integers out of the type's range; ERR_UNSUPPORTED naming element types hone
// has not (strings, complex), tensors in several segments and data in another file.
MUST_CHECK Status tensorproto_read(Arena *arena, const char *name, Bytes file, Tensor *ret_tensor, Error *err);

// The same for a message within another one, whose data may be in other files; the message of an error names no file.
MUST_CHECK Status tensorproto_read_in(Arena *arena, Bytes message, const TensorFiles *files, Tensor *ret_tensor,
                                      Error *err);

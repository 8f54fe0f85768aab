// SPDX-License-Identifier: Apache-2.0
// Skeleton: an ONNX model without its tensors' data and what is not read, small enough to unpack, whatever the file
// holds.
//
// protobuf-c copies every byte field and recurses without a limit. So the file is walked once before it is unpacked:
// what nests too deep or has too many messages is refused, and the message is written anew with each TensorProto
// replaced by one whose raw_data says where in the file the real one lies (skeleton_tensor). Weights are then read in
// place.
#pragma once

#include "base/arena.h"
#include "base/file.h"

enum {
    SKELETON_MOST_DEPTH = 64, // messages within messages
    SKELETON_MOST_MESSAGES = 1 << 20,
    SKELETON_MOST_BYTES = 64 << 20 // of the skeleton
};

// A ModelProto without its tensors, in the arena. ERR_FORMAT for damage, with the byte; ERR_UNSUPPORTED for what is
// beyond the limits above and for files of 2 GiB and more, which no protocol buffer may have.
MUST_CHECK Status skeleton_make(Arena *arena, Bytes file, Bytes *ret_skeleton, Error *err);

// The TensorProto that stands at the place that a skeleton's raw_data names. False for anything else.
bool skeleton_tensor(Bytes file, const void *raw_data, size_t raw_bytes, Bytes *ret_tensor);

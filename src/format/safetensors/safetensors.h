// SPDX-License-Identifier: Apache-2.0
// safetensors files: read in place out of a mapping, written aligned and reproducible.
//
//   +---------+----------------------------------------------+----------------------------------+
//   | N, u64  | N bytes of JSON: name -> dtype, shape, bytes | the tensors, back to back        |
//   +---------+----------------------------------------------+----------------------------------+
//
// Layout after the reference implementation (huggingface/safetensors, src/tensor.rs).
#pragma once

#include <stddef.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "tensor/tensor.h"

enum {
    SAFETENSORS_MOST_HEADER_BYTES = 100000000,
    SAFETENSORS_MOST_TENSORS = 250000,
};

// True when the file can be nothing else: eight bytes of a plausible length, then '{'.
bool safetensors_recognise(Bytes file);

// Reads a whole file without copying data: the tensors point into `file`, which must outlive the bundle. `name` begins
// every message. ERR_FORMAT unless the header is strict JSON without duplicate keys; each tensor's bytes are exactly
// its shape times its dtype; and the tensors fill the data from byte 0 to the file's end without holes or overlaps.
// Rank 0 and zero-size tensors are fine. ERR_UNSUPPORTED for the format's dtypes that hone has not (F8_*, F6_*, F4,
// C64) and for more than SHAPE_MOST_DIMS dimensions; ERR_LIMIT above the limits here.
MUST_CHECK Status safetensors_read(Arena *arena, const char *name, Bytes file, Bundle *ret_bundle, Error *err);

// Where a producer puts the bytes of one tensor.
typedef struct SafetensorsSink SafetensorsSink;
MUST_CHECK Status safetensors_put(SafetensorsSink *sink, const void *data, size_t bytes, Error *err);

// Writes all bytes of `tensor` with safetensors_put, in pieces of any size.
typedef Status SafetensorsProduce(void *context, const Tensor *tensor, SafetensorsSink *sink, Error *err);

// Writes a file, staged and renamed. The tensors may come in any order (`bytes` need not be filled in); the file has
// them in the reference writer's order: widest dtypes first, then by name, so that each is aligned to its elements and
// the same tensors always give the same bytes. A tensor whose `data` is NULL is asked of `produce` when its turn comes,
// so no model needs to be in memory as a whole. `__metadata__` is {"format":"pt"}, which transformers expects.
// ERR_FORMAT for a name that is there twice; ERR_IO; whatever `produce` fails with.
MUST_CHECK Status safetensors_write(const char *path, const Tensor *tensors, size_t count, SafetensorsProduce *produce,
                                    void *context, Error *err);

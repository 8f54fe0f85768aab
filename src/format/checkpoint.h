// SPDX-License-Identifier: Apache-2.0
// Checkpoint: what a MODEL path means as far as files go: every tensor of a folder or of one file, by name.
//
// A folder is searched in this order: model.safetensors; model.safetensors.index.json and its shards;
// pytorch_model.bin; pytorch_model.bin.index.json and its shards; one *.safetensors of another name. A file may be of
// any kind in formats.def: its content decides, not its ending.
//
// The tensors point into file maps that live as long as the arena.
#pragma once

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "format/notes.h"
#include "tensor/tensor.h"

typedef struct Checkpoint {
    Bundle bundle;
    const char *format; // "safetensors" or "pytorch", of the (first) file
    const char **files; // paths of the files that hold the tensors, and of the index first where there is one
    Bytes *contents;    // of those files, mapped
    size_t file_count;
    Notes notes; // what was skipped or looks odd, as sentences
} Checkpoint;

// ERR_IO when there is nothing at `path`; ERR_FORMAT for damaged files, for shards that differ from their index and for
// folders without a model, with a sentence for Git LFS pointers; ERR_UNSUPPORTED naming the format for files of other
// programs (GGUF, HDF5, TensorFlow, Flax, ONNX, TorchScript); ERR_LIMIT.
MUST_CHECK Status checkpoint_open(Arena *arena, const char *path, Checkpoint *ret_checkpoint, Error *err);

// One file of tensors that is already in memory; `name` begins every message. Used by checkpoint_open for each file.
MUST_CHECK Status checkpoint_read(Arena *arena, const char *name, Bytes file, Notes *notes, Bundle *ret_bundle,
                                  const char **ret_format, Error *err);

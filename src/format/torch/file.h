// SPDX-License-Identifier: Apache-2.0
// Inside of the torch reader: one file being read, and the three steps from pickled values to tensors (storage, tensor,
// state dict).
#pragma once

#include "format/notes.h"
#include "format/torch/pickle.h"
#include "format/torch/zip.h"
#include "tensor/tensor.h"

enum { TORCH_MOST_TENSORS = 250000 };

// What a persistent identifier says: ('storage', class, key, location, elements[, view]).
typedef struct TorchStorage {
    Bytes key;
    DType dtype;
    bool typed;                       // false: a storage of bytes, whose tensors bring their dtype
    size_t elements;                  // of the whole storage
    size_t view_begin, view_elements; // the part of it that is meant
    Bytes data;                       // of the whole storage; data NULL until found
} TorchStorage;

typedef struct TorchFile {
    Arena *arena; // of the results
    Arena *work;  // of what is dropped after reading
    Bytes file;
    Notes *notes;
    Pickle pickle;
    Zip zip; // zip form
    const char *folder;
    TorchStorage *storages; // legacy form, sorted by key
    size_t storage_count;
    size_t copied_bytes; // by strided tensors so far
} TorchFile;

// Understands a persistent identifier; `data` stays NULL.
MUST_CHECK Status torch_storage_parse(const PickleValue *persistent, TorchStorage *ret, Error *err);

// The same, with its data found in the file and cut to the view.
MUST_CHECK Status torch_storage_find(const TorchFile *torch, const PickleValue *persistent, TorchStorage *ret,
                                     Error *err);

// The order of a legacy file's `storages`.
int torch_storage_by_key(const void *a, const void *b);

// One tensor; scales and zero points only where `quantized`. Names are not set.
typedef struct TorchTensor {
    Tensor values, scales, zero_points;
    bool quantized;
} TorchTensor;

// True for a value that torch_tensor_make takes; `ret_quantized` (may be NULL) tells whether it is quantized.
bool torch_is_tensor(const PickleValue *value, bool *ret_quantized);

MUST_CHECK Status torch_tensor_make(TorchFile *torch, const PickleValue *value, TorchTensor *ret, Error *err);

// The state dict in `torch->pickle` as a sealed bundle; fills the notes.
MUST_CHECK Status torch_state_read(TorchFile *torch, Bundle *ret_bundle, Error *err);

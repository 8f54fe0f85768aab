// SPDX-License-Identifier: Apache-2.0
// PyTorch's .bin, .pt and .pth files: state dicts written by torch.save, in the zip form (since torch 1.6) and the
// legacy stream form, as named tensors.
//
//   zip:    archive/data.pkl (a pickle), archive/data/0, archive/data/1, ... (storages), archive/version, ...
//   legacy: pickles of magic, protocol, system, object, storage keys; then per key a count and the raw elements
//
// Contiguous tensors point into `file`, which must outlive the bundle; strided ones are copied into the arena.
// torch.save aligns the zip form's storages to 64 bytes, but the legacy form's lie at any address.
//
// What is taken: the dict of tensors itself, or the one under a known key ("state_dict", "model", ...) of a checkpoint
// that holds other things too. Those are skipped, and `notes` names what they were. Tied tensors keep all their names.
// A quantized tensor N becomes three: N (I8, U8 or I32), N.scales and N.zero_points (F64 and I64 of shape [1], or
// [rows] per channel of dimension 0), with value = (N - zero_point) * scale. A dynamically quantized torch linear layer
// X, saved as X._packed_params._packed_params, becomes X.weight so quantized and X.bias; its constant X.scale and
// X.zero_point of the activations, always 1 and 0, are dropped.
//
// ERR_FORMAT for damage, ERR_LIMIT, ERR_UNSUPPORTED naming the Python global for a tensor of another kind (sparse,
// complex, subclasses), whole pickled models, TorchScript and big-endian files. Nothing in a file is ever run.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"
#include "format/notes.h"
#include "tensor/tensor.h"

// True for a file that begins with the legacy form's magic number (the zip form: zip_recognise).
bool torch_legacy_recognise(Bytes file);

// `name` begins every message; notes live in `arena`.
MUST_CHECK Status torch_zip_read(Arena *arena, const char *name, Bytes file, Notes *notes, Bundle *ret_bundle,
                                 Error *err);
MUST_CHECK Status torch_legacy_read(Arena *arena, const char *name, Bytes file, Notes *notes, Bundle *ret_bundle,
                                    Error *err);

// SPDX-License-Identifier: Apache-2.0
// One way to name quantized tensors, whoever wrote them: I8 "X.weight" with F32 "X.weight_scale" [rows].
#pragma once

#include "format/notes.h"
#include "tensor/tensor.h"

// Rewrites what format/torch gives for torch's quantized tensors (N, N.scales, N.zero_points): symmetric I8 keeps its
// bytes and gets its scales as "N_scale", one for each row; any other becomes F32. Misaligned data is copied to where
// its elements are aligned. ERR_FORMAT naming a tensor whose scales do not fit.
MUST_CHECK Status bundle_canonical(Arena *arena, const Bundle *bundle, Bundle *ret_bundle, Error *err);

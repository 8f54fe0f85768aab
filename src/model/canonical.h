// SPDX-License-Identifier: Apache-2.0
// One way to name quantized tensors, whoever wrote them: I8 "X.weight" with F32 "X.weight_scale" [rows], and 4 bits as
// tensor/four_bits.h has them.
#pragma once

#include "format/notes.h"
#include "tensor/tensor.h"

// Rewrites
//     what format/torch gives for torch's quantized tensors (N, N.scales, N.zero_points): symmetric I8 keeps its bytes
//     and gets its scales as "N_scale", one for each row; any other becomes F32
//     bitsandbytes' 8 bits (I8 M.weight, M.SCB [rows]: 127 times the scales, M.weight_format 0)
//     4 bits in GPTQ's layout (model/gptq_layout.h; `zero_shift` is added to its zero points)
// Misaligned data is copied to where its elements are aligned. ERR_FORMAT naming a tensor whose scales do not fit;
// ERR_UNSUPPORTED for bitsandbytes' layouts for certain GPUs.
MUST_CHECK Status bundle_canonical(Arena *arena, const Bundle *bundle, int zero_shift, Bundle *ret_bundle, Error *err);

// SPDX-License-Identifier: Apache-2.0
// Sizes layer by layer: as config.json says of all of them, unless hone.json says otherwise of each:
//
//     "shapes": {"encoder": [{"heads": 7, "ffn": 2048}...], "decoder": [{"heads": 12, "cross_heads": 5, "ffn":
//     512}...]}
#pragma once

#include "arch/arch.h"
#include "base/buffer.h"

// Fills model->shapes from the sizes that `model` has by now and from input->shapes. ERR_FORMAT names the layer that is
// missing, too much, or of a size that cannot be: heads from 1 to those of config.json, ffn from 1 to 2^20.
MUST_CHECK Status shapes_read(Arena *arena, const ArchInput *input, ArchModel *model, Error *err);

// Whether some layer differs from these sizes.
bool shapes_differ(const LayerShapes *shapes, size_t encoder_heads, size_t decoder_heads, size_t encoder_ffn,
                   size_t decoder_ffn);

// Adds the value of "shapes" as hone.json has it.
void shapes_print(const LayerShapes *shapes, Buffer *text);

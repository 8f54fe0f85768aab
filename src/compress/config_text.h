// SPDX-License-Identifier: Apache-2.0
// config.json of a compressed model: the source's text, byte for byte, but for the members that have to change.
#pragma once

#include "base/buffer.h"
#include "compress/loaders.h"
#include "compress/weights.h"

// Gives the object `text` (valid JSON) the top-level member `key`: its value is replaced where it is, or added at the
// end.
void config_text_set(Bytes text, const char *key, const char *value, Buffer *ret_text);

typedef struct ConfigEdit {
    const char *key, *value; // value: as JSON
} ConfigEdit;

// The same with *text in memory of the arena.
MUST_CHECK Status config_text_edit(Arena *arena, const ConfigEdit *edit, Bytes *text, Error *err);

// What of a list of weights decides its form, and who loads it.
WeightForm config_form(const WeightList *list);

// Adds the value of quantization_config for these weights; nothing where none is packed.
//   - linears in int8 or int4: compressed-tensors (int-quantized, pack-quantized, or mixed-precision with both);
//   - linears in nf4: bitsandbytes, with the modules it must leave alone;
//   - nf4 beside the others, and packed tables: hone's own. Their config is compressed-tensors' with a member that it
//     does not know, so that it refuses the model instead of taking codes for reals; nf4 tables beside nf4 linears stay
//     with bitsandbytes, for which their sizes are wrong;
//   - bitmaps: hone's own likewise.
MUST_CHECK Status quantization_config_add(Arena *arena, const WeightList *list, Buffer *text, Error *err);

// The config for these weights: `torch_dtype` or `dtype` where everything became fp16 or bf16 (float32 where only a
// part did), and quantization_config. `name` begins messages. ERR_FORMAT when the text is no object or spells a changed
// key in an unusual way.
MUST_CHECK Status config_text_make(Arena *arena, const char *name, Bytes text, const WeightList *list,
                                   WeightScheme scheme, Bytes *ret_text, Error *err);

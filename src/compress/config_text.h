// SPDX-License-Identifier: Apache-2.0
// config.json of a compressed model: the source's text, byte for byte, but for the members that have to change.
#pragma once

#include "base/buffer.h"
#include "compress/weights.h"

// Gives the object `text` (valid JSON) the top-level member `key`: its value is replaced where it is, or added at the
// end.
void config_text_set(Bytes text, const char *key, const char *value, Buffer *ret_text);

// The config for these weights: `torch_dtype` or `dtype` where everything became fp16 or bf16 (float32 where only a
// part did), and quantization_config in compressed-tensors' form where something is int8. With int8 tables the group
// also has a member that compressed-tensors does not know, so that it refuses the model instead of taking int8 for
// reals. `name` begins messages. ERR_FORMAT when the text is no object or spells a changed key in an unusual way.
MUST_CHECK Status config_text_make(Arena *arena, const char *name, Bytes text, const WeightList *list,
                                   WeightScheme scheme, Bytes *ret_text, Error *err);

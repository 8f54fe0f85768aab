// SPDX-License-Identifier: Apache-2.0
// The generation options as command-line options, for every command that generates.
#pragma once

#include "base/buffer.h"
#include "cli/command.h"
#include "engine/runtime.h"
#include "model/generation.h"

// Options not given are NULL; given ones are JSON scalars or arrays, read by generation_read like a request's members.
typedef struct GenerationFlags {
    const char *values[20];
    bool do_sample;
} GenerationFlags;

extern const Option generation_options[];
extern const Option generation_search_options[]; // those of greedy and beam search alone

// `options` (the model's own) overridden by what was given. ERR_USAGE names the option.
MUST_CHECK Status generation_flags_apply(Arena *arena, const GenerationFlags *flags, GenerationOptions *options,
                                         Error *err);

// What a command generates with: the model's own options, the command line's over them, checked. What is wrong with the
// model's own is ERR_FORMAT, with the command line's ERR_USAGE.
MUST_CHECK Status generation_choose(Arena *arena, const GenerationFlags *flags, const Runtime *runtime,
                                    GenerationOptions *ret, Error *err);

// Appends what was given as it would be typed: " --num-beams 4".
void generation_flags_print(const GenerationFlags *flags, Buffer *out);

// SPDX-License-Identifier: Apache-2.0
// A command's runtime: the common options applied, closed when the command ends.
#pragma once

#include "cli/command.h"
#include "engine/runtime.h"

// What commands that run models take besides the common options: an OPTION_TABLE of RuntimeFlags.
typedef struct RuntimeFlags {
    const char *kv_type;      // NULL: as the model's hone.json says, else f32
    const char *engine_cache; // folder; "none"; NULL: the user's
    bool lm_head_screen, lookup_decoding, plain_runtime;
    bool needs_scores; // no option: a command that shows scores has it among its defaults
} RuntimeFlags;

extern const Option runtime_options[];

// Where something is kept that can be made again: what was asked for, or `usual` in the user's cache. NULL for "none",
// and where this user has no cache, which is no failure.
const char *cache_choose(Arena *arena, const char *asked, const char *usual);

// The settings for `batch` requests in flight.
RuntimeSettings runtime_settings(const CommandRun *run, const RuntimeFlags *flags, size_t batch);

// Opens a model and an engine for `batch` requests in flight; nothing to free.
MUST_CHECK Status command_runtime(CommandRun *run, const RuntimeFlags *flags, const char *path, size_t batch,
                                  Runtime **ret_runtime, Error *err);
// The same with settings as they are.
MUST_CHECK Status command_runtime_open(CommandRun *run, const RuntimeSettings *settings, const char *path,
                                       Runtime **ret_runtime, Error *err);

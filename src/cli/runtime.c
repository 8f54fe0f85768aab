// SPDX-License-Identifier: Apache-2.0
// A command's runtime.
#include "cli/runtime.h"

#include <string.h>

#include "base/cache.h"

const Option runtime_options[] = {
    {"kv-type", 0, "TYPE", "keep keys and values as f32, f16 or int8 (default: as hone.json says, else f32)",
     OPTION_TEXT, offsetof(RuntimeFlags, kv_type), .choices = "f32|f16|int8"},
    {"lm-head-screen", 0, NULL, "choose greedy tokens by a 4-bit copy of the head, where that is proven right",
     OPTION_FLAG, offsetof(RuntimeFlags, lm_head_screen)},
    {"lookup-decoding", 0, NULL, "guess greedy tokens from the source, several in a step", OPTION_FLAG,
     offsetof(RuntimeFlags, lookup_decoding)},
    {"plain-runtime", 0, NULL, "do not use the settings that the model's hone.json recommends", OPTION_FLAG,
     offsetof(RuntimeFlags, plain_runtime)},
    {"engine-cache", 0, "DIR", "keep packed weights there, or 'none' (default: the user's cache)", OPTION_TEXT,
     offsetof(RuntimeFlags, engine_cache)},
    {0},
};

const char *cache_choose(Arena *arena, const char *asked, const char *usual) {
    char *path;
    Error ignored;
    if (asked)
        return strcmp(asked, "none") == 0 ? NULL : asked;
    return cache_path(arena, usual, &path, &ignored) == OK ? path : NULL;
}

RuntimeSettings runtime_settings(const CommandRun *run, const RuntimeFlags *flags, size_t batch) {
    RuntimeSettings settings = {.level = run->common.level,
                                .threads = run->common.threads,
                                .batch = batch,
                                .lm_head_screen = flags->lm_head_screen,
                                .lookup_decoding = flags->lookup_decoding,
                                .plain = flags->plain_runtime,
                                .skips_scores = !flags->needs_scores};
    settings.engine_cache = cache_choose(run->arena, flags->engine_cache, "engines");
    if (flags->kv_type)
        settings.kv_said = kv_kind_from_name(flags->kv_type, &settings.kv_kind);
    return settings;
}

static void runtime_done(void *object) {
    runtime_free(object);
}

Status command_runtime_open(CommandRun *run, const RuntimeSettings *settings, const char *path, Runtime **ret_runtime,
                            Error *err) {
    Runtime *runtime;
    TRY(runtime_new(path, settings, &runtime, err));
    TRY(arena_on_free(run->arena, runtime_done, runtime, err));
    *ret_runtime = runtime;
    return OK;
}

Status command_runtime(CommandRun *run, const RuntimeFlags *flags, const char *path, size_t batch,
                       Runtime **ret_runtime, Error *err) {
    RuntimeSettings settings = runtime_settings(run, flags, batch);
    return command_runtime_open(run, &settings, path, ret_runtime, err);
}

// SPDX-License-Identifier: Apache-2.0
// A command's runtime.
#include "cli/runtime.h"

static void runtime_done(void *object) {
    runtime_free(object);
}

Status command_runtime(CommandRun *run, const char *path, size_t batch, Runtime **ret_runtime, Error *err) {
    RuntimeSettings settings = {run->common.level, run->common.threads, batch};
    Runtime *runtime;
    TRY(runtime_new(path, &settings, &runtime, err));
    TRY(arena_on_free(run->arena, runtime_done, runtime, err));
    *ret_runtime = runtime;
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// A command's runtime: the common options applied, closed when the command ends.
#pragma once

#include "cli/command.h"
#include "engine/runtime.h"

// Opens a model and an engine for `batch` requests in flight; nothing to free.
MUST_CHECK Status command_runtime(CommandRun *run, const char *path, size_t batch, Runtime **ret_runtime, Error *err);

// SPDX-License-Identifier: Apache-2.0
// The user's cache folder of hone: what can be made or measured again.
#pragma once

#include "base/arena.h"

// The path of `name` in $XDG_CACHE_HOME/hone, or $HOME/.cache/hone, in the arena. The folders are made where they are
// missing. ERR_IO when neither variable holds an absolute path, or when a folder cannot be made.
MUST_CHECK Status cache_path(Arena *arena, const char *name, char **ret_path, Error *err);

// SPDX-License-Identifier: Apache-2.0
// A mark of a model: the same for the same files, so that measurements of one model are found again. Not a proof of
// equality: of a large file only its size, its beginning and its end are looked at, which takes milliseconds. A digest
// looks at everything.
#pragma once

#include "base/arena.h"
#include "base/hash.h"

enum { MODEL_MARK_BYTES = 17 };

// Sixteen hexadecimal digits for a model's folder (all regular files right in it) or file. ERR_IO. The arena is
// scratch.
MUST_CHECK Status model_mark(Arena *arena, const char *path, char ret_mark[MODEL_MARK_BYTES], Error *err);

// A proof: SHA-256 over all bytes of those files and their names, as 64 hexadecimal digits; a second for some
// gigabytes.
MUST_CHECK Status model_digest(Arena *arena, const char *path, char ret_digest[SHA256_TEXT_BYTES], Error *err);

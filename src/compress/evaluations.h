// SPDX-License-Identifier: Apache-2.0
// Evaluations: what was measured of models, kept in one SQLite file by the content of what was measured, so that a
// search that was ended goes on where it was, and one that is repeated is instant.
//
//     Evaluations evaluations = {path};
//     TRY(evaluations_find(&evaluations, arena, "quality", key, &value, err));
//     if (!value) { ... TRY(evaluations_put(&evaluations, "quality", key, value, err)); }
//
// A key is a text that names everything the value depends on by content (hashes of model and data, recipe, options,
// build), never by path or time. Each call opens the file, does one transaction and closes it: whoever forks in between
// has nothing open, an interrupt leaves whole entries, and several searches may share a file.
#pragma once

#include "base/arena.h"
#include "base/json.h"

#define EVALUATIONS_USUAL "evaluations.sqlite" // in the user's cache (base/cache.h)

typedef struct Evaluations {
    const char *path; // NULL: nothing is found, and nothing kept
} Evaluations;

// The value of (kind, key), in the arena; NULL where there is none. ERR_IO, ERR_FORMAT for a file that is no store of
// evaluations or damaged, ERR_UNSUPPORTED for one of a newer hone.
MUST_CHECK Status evaluations_find(const Evaluations *evaluations, Arena *arena, const char *kind, const char *key,
                                   json_t **ret_value, Error *err);

// Keeps a value, in place of an earlier one. ERR_IO also when others kept the file locked for five seconds.
MUST_CHECK Status evaluations_put(const Evaluations *evaluations, const char *kind, const char *key,
                                  const json_t *value, Error *err);

// SPDX-License-Identifier: Apache-2.0
// JSON through jansson, strictly: RFC 8259, no duplicate keys, limited depth. Values are jansson's `json_t`; the
// helpers here turn a missing or mistyped member into a sentence that names the file and the key.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/status.h"

// Parses one whole text; `name` (a file, "line 7") begins every message. The value belongs to the arena.
// ERR_FORMAT with line and column. Strings may hold U+0000 only where `allow_nul` is set (tokenizer files need it).
MUST_CHECK Status json_parse(Arena *arena, const char *name, Bytes text, bool allow_nul, json_t **ret_value,
                             Error *err);

// Maps and parses a file; `ret_value` is NULL when there is no such file and `optional` is set.
MUST_CHECK Status json_read(Arena *arena, const char *path, bool optional, json_t **ret_value, Error *err);

// Members of an object. Absent (or null): *ret keeps what it held, so the caller sets the default first. Another type,
// a number that is no integer, or one outside [low, high]: ERR_FORMAT "file 'x': 'key' is "three", expected an integer
// ...".
MUST_CHECK Status json_get_bool(const json_t *object, const char *name, const char *key, bool *ret, Error *err);
MUST_CHECK Status json_get_int(const json_t *object, const char *name, const char *key, int64_t low, int64_t high,
                               int64_t *ret, Error *err);
MUST_CHECK Status json_get_real(const json_t *object, const char *name, const char *key, double low, double high,
                                double *ret, Error *err);
// The text lives as long as `object`.
MUST_CHECK Status json_get_text(const json_t *object, const char *name, const char *key, const char **ret, Error *err);
// The value belongs to `object`.
MUST_CHECK Status json_get_object(const json_t *object, const char *name, const char *key, const json_t **ret,
                                  Error *err);
MUST_CHECK Status json_get_array(const json_t *object, const char *name, const char *key, const json_t **ret,
                                 Error *err);

// The failure that those end with: ERR_FORMAT "NAME: 'KEY' is VALUE, expected EXPECTED", a long value cut.
Status json_mistyped(const json_t *value, const char *name, const char *key, const char *expected, Error *err);

// Appends a value of any type, members in the order they were added; `flags` are jansson's (JSON_COMPACT, JSON_INDENT).
// Reals have nine digits. A value that is NULL, or one that there is no memory for, fails the buffer (ERR_MEMORY).
void json_print(const json_t *value, size_t flags, Buffer *out);

// SPDX-License-Identifier: Apache-2.0
// Strict JSON over jansson, with errors that name the file and the key.
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

static void value_free(void *object) {
    json_decref(object);
}

// At least as long as any token of the text: the longest stretch between two quotes.
static size_t longest_token(Bytes text) {
    size_t longest = 0, start = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"') {
            longest = i - start > longest ? i - start : longest;
            start = i;
        }
    }
    return text.size - start > longest ? text.size - start : longest;
}

static json_t *load(Bytes text, size_t flags, json_error_t *error) {
    const char *data = text.size ? (const char *)text.data : "";
    json_t *value = json_loadb(data, text.size, flags, error);
    // An integer beyond 64 bits (Hugging Face writes 1e30 for "no limit" that way) makes all numbers of the text reals.
    if (!value && json_error_code(error) == json_error_numeric_overflow)
        value = json_loadb(data, text.size, flags | JSON_DECODE_INT_AS_REAL, error);
    return value;
}

// jansson reports lack of memory as bad syntax, or not at all: a value may lack characters then.
static Status load_checked(const char *name, Bytes text, size_t flags, json_t **ret_value, json_error_t *error,
                           Error *err) {
    size_t bytes = 4 * longest_token(text) + 256;
    void *reserve = memory_new(bytes, 1, err);
    TRY_NEW(reserve);
    uint64_t failures = memory_failures();
    memory_json_reserve(reserve, bytes);
    json_t *value = load(text, flags, error);
    bool failed = memory_failures() != failures;
    if (failed)
        json_decref(value);
    memory_json_reserve(NULL, 0);
    memory_free(reserve);
    if (failed)
        return FAIL(err, ERR_MEMORY, "%s: no memory for a JSON text of %zu bytes", name, text.size);
    *ret_value = value;
    return OK;
}

Status json_parse(Arena *arena, const char *name, Bytes text, bool allow_nul, json_t **ret_value, Error *err) {
    json_error_t error;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | (allow_nul ? JSON_ALLOW_NUL : 0);
    json_t *value = NULL;
    TRY(load_checked(name, text, flags, &value, &error, err));
    if (!value && json_error_code(&error) == json_error_null_character)
        return FAIL(err, ERR_FORMAT, "%s: not valid JSON at line %d, column %d (byte %d): \\u0000 is not allowed here",
                    name, error.line, error.column, error.position);
    if (!value)
        return FAIL(err, ERR_FORMAT, "%s: not valid JSON at line %d, column %d (byte %d): %s", name, error.line,
                    error.column, error.position, error.text);
    TRY(arena_on_free(arena, value_free, value, err));
    *ret_value = value;
    return OK;
}

Status json_read(Arena *arena, const char *path, bool optional, json_t **ret_value, Error *err) {
    if (optional && path_kind(path) == PATH_NONE) {
        *ret_value = NULL;
        return OK;
    }
    Bytes text;
    TRY(file_map(arena, path, &text, err));
    char *name = arena_format(arena, err, "file '%s'", path);
    TRY_NEW(name);
    return json_parse(arena, name, text, true, ret_value, err);
}

// The member, or NULL when it is absent or null.
static const json_t *member(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

// The beginning of a value's text; stops the dump once it is full.
typedef struct Excerpt {
    size_t bytes;
    char text[60];
} Excerpt;

static int excerpt_add(const char *chunk, size_t bytes, void *context) {
    Excerpt *excerpt = context;
    size_t room = sizeof excerpt->text - excerpt->bytes;
    memcpy(excerpt->text + excerpt->bytes, chunk, bytes < room ? bytes : room);
    excerpt->bytes += bytes < room ? bytes : room;
    return bytes <= room ? 0 : -1;
}

Status json_mistyped(const json_t *value, const char *name, const char *key, const char *expected, Error *err) {
    Excerpt found = {0};
    bool whole =
        json_dump_callback(value, excerpt_add, &found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0;
    return FAIL(err, ERR_FORMAT, "%s: '%s' is %.*s%s, expected %s", name, key, (int)found.bytes, found.text,
                whole ? "" : "...", expected);
}

Status json_get_bool(const json_t *object, const char *name, const char *key, bool *ret, Error *err) {
    const json_t *value = member(object, key);
    if (!value)
        return OK;
    if (!json_is_boolean(value))
        return json_mistyped(value, name, key, "true or false", err);
    *ret = json_is_true(value);
    return OK;
}

Status json_get_int(const json_t *object, const char *name, const char *key, int64_t low, int64_t high, int64_t *ret,
                    Error *err) {
    const json_t *value = member(object, key);
    if (!value)
        return OK;
    char expected[96];
    snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)low, (long long)high);
    double real = json_number_value(value);
    bool whole = json_is_integer(value) || (json_is_real(value) && real == floor(real) && fabs(real) < 0x1p53);
    if (!whole)
        return json_mistyped(value, name, key, expected, err);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : (int64_t)real;
    if (number < low || number > high)
        return json_mistyped(value, name, key, expected, err);
    *ret = number;
    return OK;
}

Status json_get_real(const json_t *object, const char *name, const char *key, double low, double high, double *ret,
                     Error *err) {
    const json_t *value = member(object, key);
    if (!value)
        return OK;
    double number = json_number_value(value);
    char expected[96];
    snprintf(expected, sizeof expected, "a number from %g to %g", low, high);
    if (!json_is_number(value) || !(number >= low && number <= high))
        return json_mistyped(value, name, key, expected, err);
    *ret = number;
    return OK;
}

Status json_get_text(const json_t *object, const char *name, const char *key, const char **ret, Error *err) {
    const json_t *value = member(object, key);
    if (!value)
        return OK;
    if (!json_is_string(value))
        return json_mistyped(value, name, key, "a string", err);
    *ret = json_string_value(value);
    return OK;
}

Status json_get_object(const json_t *object, const char *name, const char *key, const json_t **ret, Error *err) {
    const json_t *value = member(object, key);
    if (value && !json_is_object(value))
        return json_mistyped(value, name, key, "an object", err);
    *ret = value ? value : *ret;
    return OK;
}

Status json_get_array(const json_t *object, const char *name, const char *key, const json_t **ret, Error *err) {
    const json_t *value = member(object, key);
    if (value && !json_is_array(value))
        return json_mistyped(value, name, key, "an array", err);
    *ret = value ? value : *ret;
    return OK;
}

static int chunk_add(const char *chunk, size_t bytes, void *out) {
    buffer_add(out, chunk, bytes);
    return 0;
}

void json_print(const json_t *value, size_t flags, Buffer *out) {
    if (json_dump_callback(value, chunk_add, out, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) != 0)
        out->failed = ERR_MEMORY;
}

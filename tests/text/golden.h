// SPDX-License-Identifier: Apache-2.0
// What the text tests share: reading goldens, and comparing ids with them.
#pragma once

#include "base/file.h"
#include "base/json.h"
#include "check.h"
#include "text/tokenizer.h"

// "tests/golden/text/NAME" in the source tree; `name` may begin with "/": then it is beside the source tree.
static inline char *source_path(Arena *arena, const char *name) {
    Error err;
    const char *source = getenv("HONE_SOURCE");
    char *path =
        arena_format(arena, &err, "%s/%s%s", source ? source : ".", name[0] == '/' ? ".." : "tests/golden/text/", name);
    ck_assert_ptr_nonnull(path);
    return path;
}

static inline json_t *cases_read(Arena *arena, const char *name) {
    Error err;
    json_t *value = NULL;
    CHECK_OK(json_read(arena, source_path(arena, name), false, &value, &err));
    return json_object_get(value, "cases");
}

static inline bool ids_equal(const json_t *want, Encoding got) {
    bool same = json_array_size(want) == got.count;
    for (size_t i = 0; i < got.count && same; i++)
        same = json_integer_value(json_array_get(want, i)) == got.ids[i];
    return same;
}

// Encodes texts[i] (a string or a pair) and compares with ids[i].
static inline void texts_compare(Encoder *encoder, const char *name, const json_t *texts, const json_t *ids,
                                 EncodeOptions options) {
    Error err;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *text = json_array_get(texts, i);
        const json_t *first = json_is_array(text) ? json_array_get(text, 0) : text, *pair = json_array_get(text, 1);
        Encoding encoding = {0};
        CHECK_OK(encoder_encode(encoder, json_string_value(first), json_string_length(first), json_string_value(pair),
                                json_string_length(pair), options, &encoding, &err));
        ck_assert_msg(ids_equal(json_array_get(ids, i), encoding), "%s: other ids for '%s', want %s", name,
                      json_string_value(first), json_dumps(json_array_get(ids, i), JSON_COMPACT));
    }
}

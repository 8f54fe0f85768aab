// SPDX-License-Identifier: Apache-2.0
// Golden files of requests and what becomes of them: lines "> METHOD PATH BODY" with what is said of each below it, and
// comments ("# ..."), which stay. HONE_BLESS=1 rewrites what is below the requests.
#pragma once

#include <stdio.h>

#include "base/file.h"
#include "base/utf8.h"
#include "check.h"
#include "serve/api_fields.h"

// Appends lines about one request. `body` may be "".
typedef void RequestTell(const char *method, const char *path, const char *body, Buffer *out);

static inline char *serve_golden(Arena *arena, const char *name) {
    Error err;
    const char *source = getenv("HONE_SOURCE");
    char *path = arena_format(arena, &err, "%s/tests/golden/serve/%s", source ? source : ".", name);
    ck_assert_ptr_nonnull(path);
    return path;
}

// Compares with a file of the source tree, or writes it with HONE_BLESS=1.
static inline void golden_compare(Arena *arena, const char *path, const Buffer *text) {
    Error err;
    const char *bless = getenv("HONE_BLESS");
    if (bless && strcmp(bless, "1") == 0) {
        CHECK_OK(file_replace(path, text->data, text->bytes, &err));
        return;
    }
    Bytes wanted;
    CHECK_OK(file_map(arena, path, &wanted, &err));
    size_t same = 0, line = 1;
    while (same < text->bytes && same < wanted.size && text->data[same] == (char)wanted.data[same])
        line += text->data[same++] == '\n';
    ck_assert_msg(same == text->bytes && same == wanted.size,
                  "%s: line %zu differs; got: ...%.300s (HONE_BLESS=1 writes it anew)", path, line,
                  text->data + (same > 40 ? same - 40 : 0));
}

static inline void golden_requests(const char *name, RequestTell *tell) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    char *path = serve_golden(&arena, name);
    Bytes file;
    CHECK_OK(file_map(&arena, path, &file, &err));
    Buffer out = {0};
    char *text = arena_copy_text(&arena, (const char *)file.data, file.size, &err), *next;
    for (char *line = text; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (*line == '#' || *line == '>')
            buffer_format(&out, "%s\n", line);
        if (*line != '>')
            continue;
        char *method = line + 2, *where = strchr(method, ' ');
        ck_assert_msg(where, "%s: '%s' has no path", name, line);
        *where++ = '\0';
        char *body = strchr(where, ' ');
        if (body)
            *body++ = '\0';
        tell(method, where, body ? body : "", &out);
    }
    CHECK_OK(buffer_status(&out, &err));
    golden_compare(&arena, path, &out);
    buffer_done(&out);
    arena_done(&arena);
}

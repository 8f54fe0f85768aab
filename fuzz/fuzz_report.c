// SPDX-License-Identifier: Apache-2.0
// Fuzz target: an evidence document as `hone report` takes it. Whatever page comes of it is valid UTF-8, has no script
// but its own, and no number that is none.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "compress/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const char *text, const char *part) {
    size_t found = 0;
    for (const char *p = text; (p = strstr(p, part)); p++)
        found++;
    return found;
}

static void check_page(const Buffer *page) {
    if (utf8_valid_prefix(page->data, page->bytes) != page->bytes || strlen(page->data) != page->bytes)
        abort();
    if (count(page->data, "<script") != 1 || count(page->data, "<style>") != count(page->data, "</style>"))
        abort();
    // texts cannot look like these: their quotes are escaped
    static const char *const none[] = {"=\"nan",      "=\"-nan",      "=\"inf",     "=\"-inf",
                                       "\"width:nan", "\"width:-nan", "\"width:inf"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (strstr(page->data, none[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 64 << 20);
    json_t *evidence;
    Buffer page = {.limit_bytes = 64 << 20};
    if (json_parse(&arena, "evidence", (Bytes){data, size}, true, &evidence, &err) == OK) {
        if (report_html(&arena, evidence, &page, &err) == OK)
            check_page(&page);
        else if (page.bytes || !err.message[0])
            abort();
    }
    buffer_done(&page);
    arena_done(&arena);
    return 0;
}

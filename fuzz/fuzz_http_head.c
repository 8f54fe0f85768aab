// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the guards of HTTP requests behind a parser as lenient as the one in front of them. Whatever passes must
// be exactly what its pieces say, written down again: then nobody can read it otherwise.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "serve/http_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 64 };

typedef struct Parsed {
    GuardHead head;
    GuardField fields[FIELDS];
} Parsed;

// The next line of [*at, end), cut off by NUL over its end, be it CR LF or LF. NULL: there is none.
static char *line_cut(char **at, char *end) {
    char *line = *at, *feed = memchr(line, '\n', (size_t)(end - line));
    if (!feed)
        return NULL;
    *at = feed + 1;
    *feed = '\0';
    if (feed > line && feed[-1] == '\r')
        feed[-1] = '\0';
    return line;
}

// As libmicrohttpd takes a request line and headers apart: by the first NUL, blank and colon of each line.
static bool parse(char *text, size_t size, Parsed *ret) {
    char *at = text, *end = text + size, *line = line_cut(&at, end);
    char *blank = line ? strchr(line, ' ') : NULL;
    if (!blank)
        return false;
    char *target = blank;
    while (*target == ' ')
        *target++ = '\0';
    char *version = strrchr(target, ' ');
    if (!version || strlen(version + 1) != 8)
        return false;
    *version++ = '\0';
    ret->head = (GuardHead){.method = line, .target = target, .version = version, .target_bytes = strlen(target)};
    ret->head.fields = ret->fields;
    while ((line = line_cut(&at, end)) && *line && ret->head.field_count < FIELDS) {
        char *colon = strchr(line, ':');
        if (!colon)
            return false;
        *colon++ = '\0';
        while (*colon == ' ' || *colon == '\t')
            colon++;
        ret->fields[ret->head.field_count++] = (GuardField){line, colon, strlen(line), strlen(colon)};
    }
    ret->head.bytes = (size_t)(at - text);
    return line && !*line;
}

// The head from its pieces, and from the bytes sent the blanks before values.
static void check_same(const GuardHead *head, const char *text, const uint8_t *data) {
    Buffer again = {0};
    buffer_format(&again, "%s %s %s\r\n", head->method, head->target, head->version);
    for (size_t i = 0; i < head->field_count; i++) {
        const GuardField *field = &head->fields[i];
        size_t from = (size_t)(field->name - text) + field->name_bytes + 1, to = (size_t)(field->value - text);
        buffer_format(&again, "%s:", field->name);
        buffer_add(&again, data + from, to - from);
        buffer_format(&again, "%s\r\n", field->value);
    }
    buffer_add_text(&again, "\r\n");
    // the one thing that pieces do not tell: whether a NUL among the bytes of a line end was sent as such
    bool same = again.bytes == head->bytes, nul = memchr(data, '\0', head->bytes) != NULL;
    for (size_t i = 0; same && i < head->bytes; i++) {
        bool ends = again.data[i] == '\r' || again.data[i] == '\n';
        same = again.data[i] == (char)data[i] || (nul && ends && (!data[i] || data[i] == '\r' || data[i] == '\n'));
    }
    if (!same)
        abort();
    buffer_done(&again);
}

static void check_target(const GuardHead *head) {
    char *text = malloc(head->target_bytes + 1);
    if (guard_path(head->target, head->target_bytes, text) != strlen(text) || text[0] != '/' || strstr(text, "//") ||
        strstr(text, "/../") || strstr(text, "/./") || strchr(text, '?') || strpbrk(text, "\r\n\t \\#"))
        abort();
    if (guard_query(head->target, head->target_bytes, "a", text) && strlen(text) > head->target_bytes)
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 20000)
        return 0;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    HttpLimits limits = {.most_header_bytes = 16384, .most_headers = 60, .most_body_bytes = 1 << 20};
    Parsed parsed = {0};
    GuardBody body = {0};
    if (parse(text, size, &parsed) && !guard_layout(&parsed.head).status &&
        !guard_head(&parsed.head, &limits, &body).status) {
        check_same(&parsed.head, text, data);
        check_target(&parsed.head);
        if (body.bytes > limits.most_body_bytes || (body.chunked && body.bytes))
            abort();
    }
    free(text);
    return 0;
}

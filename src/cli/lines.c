// SPDX-License-Identifier: Apache-2.0
// Reading a stream by lines, and answering each in its place.
#include "cli/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"

void lines_init(Lines *lines, int descriptor, const char *name, Output *out) {
    *lines = (Lines){.descriptor = descriptor, .name = name, .out = out, .limit_bytes = LINE_MOST_BYTES};
}

void lines_done(Lines *lines) {
    memory_free(lines->data);
    lines->data = NULL;
}

// Makes room behind `end`: moves what is left to the front, then grows.
static Status make_room(Lines *lines, Error *err) {
    if (lines->begin) {
        memmove(lines->data, lines->data + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->end < lines->capacity)
        return OK;
    size_t capacity = lines->capacity ? lines->capacity * 2 : 1 << 16;
    char *data = memory_resize(lines->data, capacity, 1, err);
    TRY_NEW(data);
    lines->data = data;
    lines->capacity = capacity;
    return OK;
}

static Status read_more(Lines *lines, Error *err) {
    TRY(make_room(lines, err));
    if (lines->out)
        TRY(output_flush(lines->out, err)); // whoever feeds us may be waiting for the answers
    for (;;) {
        errno = 0;
        ssize_t got = fault_strikes(FAULT_READ)
                          ? -1
                          : read(lines->descriptor, lines->data + lines->end, lines->capacity - lines->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return FAIL(err, ERR_IO, "%s cannot be read: %s", lines->name, strerror(errno ? errno : EIO));
        lines->exhausted = got == 0;
        lines->end += (size_t)got;
        return OK;
    }
}

Status lines_next(Lines *lines, Bytes *ret_line, bool *ret_there, Error *err) {
    size_t looked = 0; // bytes of the line known to hold no newline
    bool too_long = false;
    for (;;) {
        const char *line = lines->data + lines->begin;
        size_t there = lines->end - lines->begin;
        const char *newline = there > looked ? memchr(line + looked, '\n', there - looked) : NULL;
        size_t bytes = newline ? (size_t)(newline - line) : there;
        too_long |= bytes > lines->limit_bytes;
        if (newline || (lines->exhausted && (there || too_long))) {
            lines->begin += bytes + (newline != NULL);
            lines->number++;
            if (too_long)
                return FAIL(err, ERR_LIMIT, "line %zu of %s is longer than %zu bytes", lines->number, lines->name,
                            lines->limit_bytes);
            *ret_line = (Bytes){(const unsigned char *)line, bytes};
            *ret_there = true;
            return OK;
        }
        if (lines->exhausted) {
            *ret_there = false;
            return OK;
        }
        looked = there;
        if (too_long) { // only its end matters now
            lines->begin = lines->end;
            looked = 0;
        }
        TRY(read_more(lines, err));
    }
}

Status output_error(Output *out, const Error *error, Error *err) {
    output_drop_line(out);
    buffer_add_text(&out->text, "{\"error\":{\"message\":");
    buffer_add_json(&out->text, error->message, strlen(error->message));
    // What a line asks for is input, not how the command was called.
    Status status = error->status == ERR_USAGE ? ERR_FORMAT : error->status;
    buffer_format(&out->text, ",\"code\":%d}}", status_exit_code(status));
    return output_line(out, err);
}

Status lines_verdict(size_t bad, size_t lines, Error *err) {
    return bad ? FAIL(err, ERR_FORMAT, "%zu of %zu lines could not be served", bad, lines) : OK;
}

static Status serve_line(CommandRun *run, Arena *arena, const Lines *lines, Bytes line, LineAnswer *answer,
                         void *context, Error *err) {
    char name[32];
    snprintf(name, sizeof name, "line %zu", lines->number);
    json_t *value;
    TRY(json_parse(arena, name, line, true, &value, err));
    TRY(answer(context, arena, value, &run->out.text, err));
    return buffer_status(&run->out.text, err);
}

static Status serve_all(CommandRun *run, Lines *lines, Arena *arena, LineAnswer *answer, void *context, Error *err) {
    size_t bad = 0;
    for (;;) {
        Bytes line;
        bool there = true;
        Status status = lines_next(lines, &line, &there, err);
        if (status == ERR_IO || status == ERR_MEMORY)
            return status;
        if (!there)
            return lines_verdict(bad, lines->number, err);
        if (status == OK)
            status = serve_line(run, arena, lines, line, answer, context, err);
        if (status == OK) {
            TRY(output_line(&run->out, err));
        } else {
            Error refused = *err;
            TRY(output_error(&run->out, &refused, err));
            bad++;
        }
        arena_reset(arena);
    }
}

Status lines_serve(CommandRun *run, LineAnswer *answer, void *context, Error *err) {
    Arena arena;
    Lines lines;
    arena_init(&arena, 0);
    lines_init(&lines, STDIN_FILENO, "standard input", &run->out);
    Status status = serve_all(run, &lines, &arena, answer, context, err);
    lines_done(&lines);
    arena_done(&arena);
    return status;
}

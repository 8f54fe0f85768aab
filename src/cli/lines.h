// SPDX-License-Identifier: Apache-2.0
// Lines: JSON lines in, JSON lines out, for all commands that answer line by line.
//
// A line that cannot be served is answered by {"error":{"message":...,"code":...}} in its place (code: the exit code
// its failure would have), the command goes on, and ends with ERR_FORMAT (exit 3).
#pragma once

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"

// A stream read line by line, whatever its size; memory is bounded by the longest line, that by a limit.
typedef struct Lines {
    int descriptor;
    const char *name; // for messages: "standard input"
    Output *out;      // flushed before waiting for more input; may be NULL
    char *data;
    size_t begin, end, capacity, limit_bytes;
    size_t number;  // of the line last returned, from 1
    bool exhausted; // the stream has ended
} Lines;

enum { LINE_MOST_BYTES = 64 << 20 };

void lines_init(Lines *lines, int descriptor, const char *name, Output *out);
void lines_done(Lines *lines);

// The next line without its newline, valid until the next call; *ret_there is false at the end. ERR_LIMIT for a line of
// more than limit_bytes: it has been skipped, and the one after it can be read. ERR_IO, ERR_MEMORY: nothing more comes.
MUST_CHECK Status lines_next(Lines *lines, Bytes *ret_line, bool *ret_there, Error *err);

// Answers one line: `value` is its JSON; adds the answer's text, without newline, to `answer`. The arena is the line's.
typedef Status LineAnswer(void *context, Arena *arena, const json_t *value, Buffer *answer, Error *err);

// Serves standard input to its end, one line after the other.
MUST_CHECK Status lines_serve(CommandRun *run, LineAnswer *answer, void *context, Error *err);

// For commands that answer out of step: the error object for one line, and the end of a command with `bad` of `lines`
// lines answered by errors (OK when none was).
MUST_CHECK Status output_error(Output *out, const Error *error, Error *err);
MUST_CHECK Status lines_verdict(size_t bad, size_t lines, Error *err);

// SPDX-License-Identifier: Apache-2.0
// Output: standard output with every write checked, and progress on a terminal.
//
//     buffer_format(&run->out.text, "{\"ids\":[");       // build a line, or several
//     ...
//     return output_line(&run->out, err);                // ends it; written when enough has gathered
//
// A full disk or a closed pipe is ERR_IO (exit 5). A line that fails half-way is taken back with output_drop_line.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

typedef struct Output {
    int descriptor;
    size_t line_start; // bytes of `text` that are whole lines
    Buffer text;
} Output;

void output_init(Output *out, int descriptor);
void output_done(Output *out);

// Ends the line built in out->text. Writes everything once 64 KiB have gathered, or at once to a terminal.
MUST_CHECK Status output_line(Output *out, Error *err);

// Forgets what was added since the last whole line.
void output_drop_line(Output *out);

// Writes what is there.
MUST_CHECK Status output_flush(Output *out, Error *err);

// A JSON value as one compact line, members in the order they were added.
MUST_CHECK Status output_json(Output *out, const json_t *value, Error *err);

// The members of an object in the same form, without its braces, for a text that has been begun.
MUST_CHECK Status output_members(Output *out, const json_t *object, Error *err);

// Progress of work that may take more than two seconds: one line on standard error, repainted at most five times a
// second, only on a terminal and not with --quiet. progress_done wipes it.
typedef struct Progress {
    const char *what; // "quantizing"
    uint64_t total;   // 0: unknown
    uint64_t started_ns, painted_ns;
    bool enabled, visible;
} Progress;

void progress_init(Progress *progress, const char *what, uint64_t total, bool quiet);
void progress_step(Progress *progress, uint64_t done);
// progress_step as a WorkMeter (compress/weights.h) calls it.
void progress_tell(void *progress, uint64_t done, uint64_t total);
void progress_done(Progress *progress);

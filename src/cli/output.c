// SPDX-License-Identifier: Apache-2.0
// Checked writing to standard output, and the progress line on standard error.
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"

enum { FLUSH_BYTES = 1 << 16 };

void output_init(Output *out, int descriptor) {
    *out = (Output){.descriptor = descriptor};
}

void output_done(Output *out) {
    buffer_done(&out->text);
}

Status output_flush(Output *out, Error *err) {
    TRY(buffer_status(&out->text, err));
    const char *data = out->text.data;
    for (size_t left = out->text.bytes; left;) {
        errno = 0;
        ssize_t put = fault_strikes(FAULT_WRITE) ? -1 : write(out->descriptor, data, left);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return FAIL(err, ERR_IO, "standard output cannot be written: %s", strerror(errno ? errno : EIO));
        data += put;
        left -= (size_t)put;
    }
    buffer_clear(&out->text);
    out->line_start = 0;
    return OK;
}

Status output_line(Output *out, Error *err) {
    buffer_add_char(&out->text, '\n');
    TRY(buffer_status(&out->text, err));
    out->line_start = out->text.bytes;
    if (out->text.bytes >= FLUSH_BYTES || isatty(out->descriptor))
        return output_flush(out, err);
    return OK;
}

void output_drop_line(Output *out) {
    out->text.failed = OK;
    out->text.bytes = out->line_start;
    if (out->text.data)
        out->text.data[out->text.bytes] = '\0';
}

Status output_json(Output *out, const json_t *value, Error *err) {
    json_print(value, JSON_COMPACT, &out->text);
    return output_line(out, err);
}

Status output_members(Output *out, const json_t *object, Error *err) {
    json_print(object, JSON_COMPACT | JSON_EMBED, &out->text);
    return buffer_status(&out->text, err);
}

void progress_init(Progress *progress, const char *what, uint64_t total, bool quiet) {
    *progress =
        (Progress){.what = what, .total = total, .started_ns = clock_ns(), .enabled = !quiet && isatty(STDERR_FILENO)};
}

void progress_step(Progress *progress, uint64_t done) {
    uint64_t now = clock_ns();
    if (!progress->enabled || now - progress->started_ns < 2000000000u || now - progress->painted_ns < 200000000u)
        return;
    progress->painted_ns = now;
    progress->visible = true;
    double seconds = (double)(now - progress->started_ns) * 1e-9;
    if (progress->total)
        fprintf(stderr, "\r\033[K%s: %" PRIu64 " of %" PRIu64 ", %.0f s", progress->what, done, progress->total,
                seconds);
    else
        fprintf(stderr, "\r\033[K%s: %" PRIu64 ", %.0f s", progress->what, done, seconds);
    fflush(stderr);
}

void progress_tell(void *context, uint64_t done, uint64_t total) {
    Progress *progress = context;
    progress->total = total;
    progress_step(progress, done);
}

void progress_done(Progress *progress) {
    if (progress->visible)
        fputs("\r\033[K", stderr);
    progress->visible = false;
}

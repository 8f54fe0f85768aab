// SPDX-License-Identifier: Apache-2.0
// Status tables and the text of an Error.
#include "base/status.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_code;
    int http;
} statuses[STATUS_COUNT] = {
#define STATUS(code, name, exit_code, http) [code] = {name, exit_code, http},
#include "base/status.def"
#undef STATUS
};

const char *status_name(Status status) {
    return statuses[status].name;
}

int status_exit_code(Status status) {
    return statuses[status].exit_code;
}

int status_http(Status status) {
    return statuses[status].http;
}

// Messages quote names out of hostile files: what is not printable UTF-8 becomes '?', and a cut never splits a
// character.
static void message_clean(char *text) {
    unsigned char *p = (unsigned char *)text;
    while (*p) {
        size_t more = *p < 0x80                 ? 0
                      : *p >= 0xC2 && *p < 0xE0 ? 1
                      : *p >= 0xE0 && *p < 0xF0 ? 2
                      : *p >= 0xF0 && *p < 0xF5 ? 3
                                                : 9;
        size_t good = 0;
        while (more != 9 && good < more && (p[1 + good] & 0xC0) == 0x80)
            good++;
        if (good < more && more != 9 && !p[1 + good]) { // the message was cut inside this character
            *p = '\0';
            return;
        }
        int overlong = (*p == 0xE0 && p[1] < 0xA0) || (*p == 0xF0 && p[1] < 0x90);
        int surrogate_or_beyond = (*p == 0xED && p[1] >= 0xA0) || (*p == 0xF4 && p[1] >= 0x90);
        if (good != more || overlong || surrogate_or_beyond || *p < 0x20 || *p == 0x7F) {
            *p++ = '?';
            continue;
        }
        p += 1 + more;
    }
}

Status error_set(Error *err, Status status, const char *file, int line, const char *format, ...) {
    err->status = status;
    err->file = file;
    err->line = line;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    message_clean(err->message);
    return status;
}

Status error_context(Error *err, const char *format, ...) {
    char text[ERROR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (used > 0 && (size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, ": %s", err->message);
    memcpy(err->message, text, sizeof text);
    message_clean(err->message);
    return err->status;
}

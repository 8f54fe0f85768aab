// SPDX-License-Identifier: Apache-2.0
// Status and Error: how every fallible function of hone ends.
//
// A function that can fail returns Status and takes `Error *err` (never NULL) as its last parameter; a signature
// without `err` cannot fail. On failure it fills *err with one sentence (what was expected, what was found, where) and
// leaves its outputs untouched. Functions that return a pointer and take `err` return NULL after filling it.
//
//     if (end > file.size)
//         return FAIL(err, ERR_FORMAT, "tensor '%s' ends at byte %zu of %zu", name, end, file.size);
//     TRY(shape_parse(arena, value, &shape, err));
//     TRY_NEW(rows = arena_array(arena, count, sizeof *rows, err));
#pragma once

#include <stdarg.h>
#include <stddef.h>

typedef enum Status {
#define STATUS(code, name, exit_code, http) code,
#include "base/status.def"
#undef STATUS
    STATUS_COUNT
} Status;

enum { ERROR_MESSAGE_BYTES = 480 };

// Owned by the caller; `message` is a complete sentence without a final full stop, in valid UTF-8.
typedef struct Error {
    Status status;
    const char *file; // source location of the first FAIL, for traces
    int line;
    char message[ERROR_MESSAGE_BYTES];
} Error;

#define MUST_CHECK __attribute__((warn_unused_result))

// Fills *err and returns its status: `return FAIL(err, ERR_FORMAT, "...", ...)`. A long message is cut at a character.
#define FAIL(err, status, ...) error_set((err), (status), __FILE__, __LINE__, __VA_ARGS__)

// Passes a failure on. Needs nothing but a Status expression.
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        Status try_status_ = (call);                                                                                   \
        if (try_status_ != OK)                                                                                         \
            return try_status_;                                                                                        \
    } while (0)

// Passes the failure of a call that returns a pointer on; `err` must be in scope.
#define TRY_NEW(pointer_expression)                                                                                    \
    do {                                                                                                               \
        if (!(pointer_expression))                                                                                     \
            return err->status;                                                                                        \
    } while (0)

// Says that a failure is of no consequence; write the reason beside it.
#define IGNORE_STATUS(call)                                                                                            \
    do {                                                                                                               \
        if ((call) != OK) {                                                                                            \
        }                                                                                                              \
    } while (0)

Status error_set(Error *err, Status status, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6), cold));

// Puts `context: ` before the message of a failed call: `return error_context(err, "file '%s'", path)`. Returns its
// status.
Status error_context(Error *err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

// The short name, process exit code and HTTP status of a status.
const char *status_name(Status status);
int status_exit_code(Status status);
int status_http(Status status);

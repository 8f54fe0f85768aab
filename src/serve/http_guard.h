// SPDX-License-Identifier: Apache-2.0
// Guards of HTTP/1.1 requests: text in, verdict out, nothing kept. A request passes only if every other party that read
// the same bytes would have found the same request in them, ending at the same byte.
//
// The parser in front (libmicrohttpd) has cut the head into pieces where it lies: it put NUL over each colon behind a
// name, each line end, and the blanks of the request line. Where these pieces lie tells what stood between them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/http.h"

typedef struct GuardField {
    const char *name, *value;
    size_t name_bytes, value_bytes;
} GuardField;

// A request's head. All pieces are pieces of one block, in the order of the fields here.
typedef struct GuardHead {
    const char *method, *target, *version;
    size_t target_bytes;
    const GuardField *fields;
    size_t field_count;
    size_t bytes; // from the method to behind the empty line
} GuardHead;

// What follows the head.
typedef struct GuardBody {
    bool present; // some bytes, or chunks
    bool chunked;
    uint64_t bytes; // where it is not chunked
} GuardBody;

typedef struct GuardVerdict {
    int status;          // 0: nothing against it; else the answer's status
    bool framing;        // another party might have read it otherwise
    const char *message; // a sentence; static
} GuardVerdict;

// That nothing stands between the pieces but what belongs there: one blank each in the request line, CR LF at line
// ends, no folded lines, no NUL. Comes first: only after it may the pieces be read as they are.
GuardVerdict guard_layout(const GuardHead *head);

// Method, version, target, every field, and how the body is framed. ret_body is filled when the verdict is 0.
GuardVerdict guard_head(const GuardHead *head, const HttpLimits *limits, GuardBody *ret_body);

// Whether `more` bytes may come to a body that has `bytes`.
GuardVerdict guard_body(size_t bytes, size_t more, const HttpLimits *limits);

// The path of a target that guard_head has let pass, NUL-terminated, %XX of unreserved characters decoded. `ret_path`
// has room for target_bytes + 1. Returns the path's length.
size_t guard_path(const char *target, size_t target_bytes, char *ret_path);

// Finds `name` in the query of such a target and writes its value, decoded ("+" is a blank), to ret_value, which has
// room for target_bytes + 1. False where the query has no such name.
bool guard_query(const char *target, size_t target_bytes, const char *name, char *ret_value);

// A verdict as the JSON that clients get, and as a whole answer that ends the connection, head included. Both are cut
// where `bytes` are too few (GUARD_ANSWER_BYTES are enough); they return the length.
enum { GUARD_ANSWER_BYTES = 640 };
size_t guard_json(int status, const char *message, char *ret_text, size_t bytes);
size_t guard_answer(int status, const char *message, char *ret_text, size_t bytes);

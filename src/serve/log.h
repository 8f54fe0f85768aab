// SPDX-License-Identifier: Apache-2.0
// Log: one JSON object a line, to standard error or a file: a line for each request that ended, and one for each thing
// that happened to the server.
//
//     {"time":"2026-02-03T04:05:06.789Z","level":"info","event":"ready","message":"bart serves at
//     http://127.0.0.1:8080"}
//     {"time":"...","level":"info","event":"request","request_id":"0f3a","route":"/v1/summarize","status":200, ...}
//
// A line is one write(2) of at most LOG_LINE_BYTES and never waits for its reader: what a full pipe does not take is
// dropped and counted, and the next line that gets through says how many were. Any thread may log. Texts are JSON
// strings, cut when they are long; characters that end lines or steer terminals become U+FFFD, so that nothing a client
// sends can look like a line of ours.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct Log Log;
typedef enum LogLevel { LOG_INFO, LOG_WARNING, LOG_ERROR } LogLevel;

enum { LOG_LINE_BYTES = 4096 }; // PIPE_BUF: a pipe takes such a line whole or not at all

// `path` NULL: standard error. A file is appended to, and made for its owner and group alone. Lines below `least` are
// not written. ERR_IO names the path.
MUST_CHECK Status log_new(const char *path, LogLevel least, Log **ret_log, Error *err);
void log_free(Log *log); // NULL is fine

// Opens the file again, which a log rotation has renamed; on failure the old one stays. Nothing for standard error.
MUST_CHECK Status log_reopen(Log *log, Error *err);

// Lines that were not written since log_new.
uint64_t log_dropped(const Log *log);

// A request that has ended. Texts that are NULL and times that are NaN are left out.
typedef struct LogRequest {
    const char *request_id;
    const char *trace_id; // log_trace_id
    const char *client;   // its address
    const char *key;      // the name of its API key, never the key
    const char *route, *model;
    const char *finish; // "stop", "length", "cancelled"
    const char *error;  // what its client was told
    int status;         // of HTTP
    uint64_t source_tokens, new_tokens;
    double queue_ms, encode_ms, decode_ms, total_ms;
} LogRequest;
void log_request(Log *log, const LogRequest *request); // LOG_ERROR from status 500 on; NULL logs nothing, as below

// Something that happened: `event` is a word ("start", "ready", "reload", "drain", "stop"), the message a sentence;
// `model` may be NULL.
void log_event(Log *log, LogLevel level, const char *event, const char *model, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

// The trace id of a W3C traceparent header ("00-<32 digits>-<16 digits>-<2 digits>"); false for a header that is none,
// or NULL.
enum { TRACE_ID_BYTES = 33 };
bool log_trace_id(const char *traceparent, char ret_id[TRACE_ID_BYTES]);

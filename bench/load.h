// SPDX-License-Identifier: Apache-2.0
// hone-load: clients of a server, many at once, on one thread. What the parts of the program share.
#pragma once

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "bench/answer.h"
#include "bench/histogram.h"
#include "bench/plan.h"
#include "bench/threads.h"

typedef struct LoadSettings {
    Plan plan;
    struct sockaddr_storage address;
    socklen_t address_bytes;
    const char *workload, *key, *model, *lines;
    double rate;        // requests/s of a Poisson process; 0: closed loop
    size_t concurrency; // requests in progress at most; of the closed loop: always
    uint64_t requests;  // 0: any number
    double duration_s;  // of arrivals; 0: any
    double warmup_s;    // from the start, not measured
    double drain_s;     // how long what was begun may go on behind the last arrival
    double timeout_s;   // of one request
    size_t idle;        // connections that say nothing
    int beams;
    bool streams, plan_only;
    pid_t pid; // the server's; 0: not known
} LoadSettings;

// How requests that were not answered well ended.
typedef enum LoadFailure {
    FAILURE_CONNECT,    // no connection
    FAILURE_RESET,      // the connection ended before the answer's first byte
    FAILURE_CUT,        // .. within the answer
    FAILURE_EVENT,      // a stream told an error
    FAILURE_TIMEOUT,    // of this program
    FAILURE_UNFINISHED, // still in progress at the end
    FAILURE_OVERFLOW,   // not sent: as many as may be were in progress
    FAILURES
} LoadFailure;

typedef struct LoadFigures {
    uint64_t started, good, left, retries, accepted_bad; // `accepted_bad`: malformed, and answered with 200
    uint64_t statuses[600], bad_statuses[600];           // of whole answers
    uint64_t failures[FAILURES];
    uint64_t finished_in_window, tokens_in_window, source_tokens_in_window;
    uint64_t idle_closed; // idle connections that the server ended
    size_t most_open;
    Histogram first, per_token, gap, total;
    double window_s, duration_s, own_cpu_s;
    bool interrupted;
    ThreadTimes before, after; // of the server
} LoadFigures;

// Parses the command line. ERR_INTERRUPTED: help was printed.
MUST_CHECK Status load_options(Arena *arena, int count, char **words, LoadSettings *ret, Error *err);

// Runs the load; ERR_IO where no connection could be made at all. `stops` may become true in a signal handler.
MUST_CHECK Status load_run(const LoadSettings *settings, const volatile sig_atomic_t *stops, LoadFigures *ret,
                           Error *err);

// One JSON object.
void load_report(const LoadSettings *settings, const LoadFigures *figures, Buffer *out);

// SPDX-License-Identifier: Apache-2.0
// ThreadTimes: what the threads of another process have taken so far, by what they do.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"

typedef struct ThreadTimes {
    double engine_s; // hone-engine and hone-worker
    double watch_s;  // hone-watch
    double main_s;   // the first thread: loading, beats, signals
    double http_s;   // all others: the threads of the HTTP library
    double all_s;    // of the whole process, with threads that ended
    size_t threads, resident_bytes;
} ThreadTimes;

// ERR_IO where there is no such process.
MUST_CHECK Status threads_read(pid_t pid, ThreadTimes *ret, Error *err);

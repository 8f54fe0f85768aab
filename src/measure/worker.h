// SPDX-License-Identifier: Apache-2.0
// Worker: a forked process that answers over two pipes, so that what it measures has memory of its own.
//
//     static void serve(void *context, int in, int out) { ... worker_read(in, ...); worker_write(out, ...); }
//     TRY(worker_start(serve, &context, "model 'm'", &worker, err));
//     worker_write(worker_input(worker), ...); worker_read(worker_output(worker), ...);
//     worker_free(worker);
//
// The caller has no thread and no database open, since the process is forked.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct Worker Worker;

// `serve` runs in the new process, which ends when it returns or when worker_free says so. `what` is for messages.
MUST_CHECK Status worker_start(void (*serve)(void *context, int in, int out), void *context, const char *what,
                               Worker **ret_worker, Error *err);
int worker_input(const Worker *worker);  // where to write for it
int worker_output(const Worker *worker); // where to read what it wrote

// Ends the process if it still runs. NULL is fine.
void worker_free(Worker *worker);

// All bytes; false: the other side is gone.
bool worker_write(int descriptor, const void *data, size_t bytes);
bool worker_read(int descriptor, void *data, size_t bytes);

// Bytes of its own that a process has from its parent: to be asked before it does anything, and taken off what
// process_memory says later, in MB.
MUST_CHECK Status worker_inherited(size_t *ret_bytes, Error *err);
double worker_mb(size_t bytes, size_t inherited_bytes);

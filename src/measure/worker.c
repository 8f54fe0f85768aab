// SPDX-License-Identifier: Apache-2.0
#include "measure/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "measure/process.h"

// Of no file, what a process has that has done nothing yet: 0.3 MB as measured. What a fork has beyond is its parent's.
enum { BARE_BYTES = 512 << 10 };

struct Worker {
    pid_t process;
    int to_child, from_child;
};

bool worker_write(int descriptor, const void *data, size_t bytes) {
    for (const unsigned char *p = data; bytes;) {
        ssize_t moved = write(descriptor, p, bytes);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return false;
        p += moved;
        bytes -= (size_t)moved;
    }
    return true;
}

bool worker_read(int descriptor, void *data, size_t bytes) {
    for (unsigned char *p = data; bytes;) {
        ssize_t moved = read(descriptor, p, bytes);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved <= 0)
            return false;
        p += moved;
        bytes -= (size_t)moved;
    }
    return true;
}

// worker_free's signal. A handler of the parent's program might remove what the parent is writing.
static void on_end(int number) {
    (void)number;
    file_discard_all();
    _exit(0);
}

static void child_main(void (*serve)(void *context, int in, int out), void *context, int in, int out) {
    file_disown_all();
    struct sigaction action = {.sa_handler = on_end};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    serve(context, in, out);
    _exit(0);
}

static Status start(Worker *worker, void (*serve)(void *context, int in, int out), void *context, const char *what,
                    Error *err) {
    int down[2], up[2];
    if (pipe(down) != 0)
        return FAIL(err, ERR_IO, "no pipe to a process for %s: %s", what, strerror(errno));
    if (pipe(up) != 0) {
        close(down[0]);
        close(down[1]);
        return FAIL(err, ERR_IO, "no pipe from a process for %s: %s", what, strerror(errno));
    }
    memory_trim(); // or the new process would use, as its own, what this one has freed
    worker->process = fork();
    if (worker->process == 0) {
        close(down[1]);
        close(up[0]);
        child_main(serve, context, down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    worker->to_child = down[1];
    worker->from_child = up[0];
    if (worker->process < 0)
        return FAIL(err, ERR_IO, "no process for %s: %s", what, strerror(errno));
    return OK;
}

Status worker_start(void (*serve)(void *context, int in, int out), void *context, const char *what, Worker **ret_worker,
                    Error *err) {
    Worker *worker = memory_new(1, sizeof *worker, err);
    TRY_NEW(worker);
    *worker = (Worker){.process = -1, .to_child = -1, .from_child = -1};
    Status status = start(worker, serve, context, what, err);
    if (status == OK)
        *ret_worker = worker;
    else
        worker_free(worker);
    return status;
}

int worker_input(const Worker *worker) {
    return worker->to_child;
}

int worker_output(const Worker *worker) {
    return worker->from_child;
}

void worker_free(Worker *worker) {
    if (!worker)
        return;
    if (worker->to_child >= 0)
        close(worker->to_child);
    if (worker->from_child >= 0)
        close(worker->from_child);
    if (worker->process > 0) {
        kill(worker->process, SIGTERM);
        waitpid(worker->process, NULL, 0);
    }
    memory_free(worker);
}

Status worker_inherited(size_t *ret_bytes, Error *err) {
    ProcessMemory memory;
    TRY(process_memory(&memory, err));
    *ret_bytes = memory.own_bytes > BARE_BYTES ? memory.own_bytes - BARE_BYTES : 0;
    return OK;
}

// What was inherited may have been swapped out meanwhile.
double worker_mb(size_t bytes, size_t inherited_bytes) {
    return bytes > inherited_bytes ? (double)(bytes - inherited_bytes) / 1e6 : 0;
}

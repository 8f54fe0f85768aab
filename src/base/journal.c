// SPDX-License-Identifier: Apache-2.0
// Lines gather in a buffer, are written after a quarter of a second or 64 KiB, and flushed to disk every two seconds: a
// killed process loses at most that much work, and a kill of the machine no more.
#include "base/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"

enum { WRITE_BYTES = 1 << 16, WRITE_NS = 250000000, BLOCK_BYTES = 1 << 16 };
#define SYNC_NS 2000000000u

struct Journal {
    int descriptor;
    uint64_t written_ns, synced_ns;
    Buffer waiting;
    char path[]; // for messages
};

static Status failed(const Journal *journal, const char *what, Error *err) {
    return FAIL(err, ERR_IO, "file '%s' cannot be %s: %s", journal->path, what, strerror(errno ? errno : EIO));
}

// Where the last whole line ends.
static Status whole_lines(const Journal *journal, off_t size, off_t *ret_end, Error *err) {
    char *block = memory_new(BLOCK_BYTES, 1, err);
    TRY_NEW(block);
    for (off_t end = size; end > 0;) {
        off_t start = end > BLOCK_BYTES ? end - BLOCK_BYTES : 0;
        errno = 0;
        ssize_t got = fault_strikes(FAULT_READ) ? -1 : pread(journal->descriptor, block, (size_t)(end - start), start);
        if (got != end - start) {
            memory_free(block);
            return failed(journal, "read", err);
        }
        const char *newline = memrchr(block, '\n', (size_t)got);
        if (newline) {
            *ret_end = start + (newline - block) + 1;
            memory_free(block);
            return OK;
        }
        end = start;
    }
    memory_free(block);
    *ret_end = 0;
    return OK;
}

static Status open_file(Journal *journal, Error *err) {
    errno = 0;
    journal->descriptor =
        fault_strikes(FAULT_WRITE) ? -1 : open(journal->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (journal->descriptor < 0)
        return failed(journal, "created", err);
    struct stat info;
    if (fstat(journal->descriptor, &info) != 0 || !S_ISREG(info.st_mode))
        return FAIL(err, ERR_IO, "'%s' is not a regular file", journal->path);
    if (flock(journal->descriptor, LOCK_EX | LOCK_NB) != 0)
        return FAIL(err, ERR_IO, "another process is writing file '%s'", journal->path);
    off_t end = 0;
    TRY(whole_lines(journal, info.st_size, &end, err));
    errno = 0;
    if (end < info.st_size && (fault_strikes(FAULT_WRITE) || ftruncate(journal->descriptor, end) != 0))
        return failed(journal, "cut", err);
    return OK;
}

static void journal_free(Journal *journal) {
    if (journal->descriptor >= 0)
        close(journal->descriptor);
    buffer_done(&journal->waiting);
    memory_free(journal);
}

Status journal_open(const char *path, Journal **ret_journal, Error *err) {
    size_t bytes = strlen(path) + 1;
    Journal *journal = memory_new(1, sizeof *journal + bytes, err);
    TRY_NEW(journal);
    *journal = (Journal){.descriptor = -1, .written_ns = clock_ns(), .synced_ns = clock_ns()};
    memcpy(journal->path, path, bytes);
    Status status = open_file(journal, err);
    if (status != OK) {
        journal_free(journal);
        return status;
    }
    *ret_journal = journal;
    return OK;
}

static Status write_waiting(Journal *journal, Error *err) {
    const char *data = journal->waiting.data;
    for (size_t left = journal->waiting.bytes; left;) {
        errno = 0;
        ssize_t put = fault_strikes(FAULT_WRITE) ? -1 : write(journal->descriptor, data, left);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return failed(journal, "written", err);
        data += put;
        left -= (size_t)put;
    }
    buffer_clear(&journal->waiting);
    journal->written_ns = clock_ns();
    return OK;
}

static Status sync_written(Journal *journal, Error *err) {
    TRY(write_waiting(journal, err));
    errno = 0;
    if (fault_strikes(FAULT_WRITE) || fdatasync(journal->descriptor) != 0)
        return failed(journal, "flushed", err);
    journal->synced_ns = clock_ns();
    return OK;
}

Status journal_add(Journal *journal, const void *lines, size_t bytes, Error *err) {
    buffer_add(&journal->waiting, lines, bytes);
    TRY(buffer_status(&journal->waiting, err));
    uint64_t now = clock_ns();
    if (now - journal->synced_ns >= SYNC_NS)
        return sync_written(journal, err);
    if (journal->waiting.bytes >= WRITE_BYTES || now - journal->written_ns >= WRITE_NS)
        return write_waiting(journal, err);
    return OK;
}

// The new name is on disk once its folder is.
static void sync_folder(const char *path) {
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    if (length >= sizeof folder)
        return;
    snprintf(folder, sizeof folder, "%.*s.", (int)length, path);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    fsync(descriptor); // some file systems cannot; the rename stands all the same
    close(descriptor);
}

Status journal_commit(Journal *journal, const char *path, Error *err) {
    Status status = sync_written(journal, err);
    errno = 0;
    if (status == OK && (fault_strikes(FAULT_WRITE) || rename(journal->path, path) != 0))
        status = FAIL(err, ERR_IO, "file '%s' cannot be put in place: %s", path, strerror(errno ? errno : EIO));
    if (status == OK)
        sync_folder(path);
    journal_free(journal);
    return status;
}

void journal_close(Journal *journal) {
    Error err;
    if (!journal)
        return;
    IGNORE_STATUS(write_waiting(journal, &err)); // whoever closes early has a failure of his own to tell
    journal_free(journal);
}

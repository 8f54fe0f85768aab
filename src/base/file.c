// SPDX-License-Identifier: Apache-2.0
// Mapped reading, and writing beside the place with a rename at the end. Half-written files are listed in a table that
// file_discard_all can walk from a signal handler.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/staged.h"

typedef struct Mapping {
    void *data;
    size_t bytes;
} Mapping;

struct FileWriter {
    int descriptor;
    bool direct;   // a device or pipe: written as it is
    size_t staged; // slot in the table of staged paths
    size_t buffered;
    char *path;
    char *temporary;
    unsigned char buffer[1 << 16];
};

PathKind path_kind(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0)
        return PATH_NONE;
    return S_ISREG(info.st_mode) ? PATH_FILE : S_ISDIR(info.st_mode) ? PATH_FOLDER : PATH_OTHER;
}

char *path_join(Arena *arena, const char *folder, const char *name, Error *err) {
    size_t length = strlen(folder);
    return arena_format(arena, err, length && folder[length - 1] == '/' ? "%s%s" : "%s/%s", folder, name);
}

const char *path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void mapping_free(void *object) {
    Mapping *mapping = object;
    munmap(mapping->data, mapping->bytes);
}

static Status map_descriptor(Arena *arena, int descriptor, const char *path, Bytes *ret_bytes, Error *err) {
    struct stat info;
    if (fstat(descriptor, &info) != 0 || fault_strikes(FAULT_READ))
        return FAIL(err, ERR_IO, "file '%s' cannot be read: %s", path, strerror(errno ? errno : EIO));
    if (!S_ISREG(info.st_mode))
        return FAIL(err, ERR_IO, "'%s' is not a regular file", path);
    if (info.st_size == 0) {
        *ret_bytes = (Bytes){(const unsigned char *)"", 0};
        return OK;
    }
    Mapping *mapping = arena_array(arena, 1, sizeof *mapping, err);
    TRY_NEW(mapping);
    mapping->bytes = (size_t)info.st_size;
    mapping->data = mmap(NULL, mapping->bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapping->data == MAP_FAILED)
        return FAIL(err, ERR_IO, "file '%s' cannot be mapped: %s", path, strerror(errno));
    Bytes bytes = {mapping->data, mapping->bytes};
    TRY(arena_on_free(arena, mapping_free, mapping, err));
    *ret_bytes = bytes;
    return OK;
}

Status file_map(Arena *arena, const char *path, Bytes *ret_bytes, Error *err) {
    errno = 0;
    // O_NONBLOCK: opening a pipe must not wait for a writer; it is refused as no regular file.
    int descriptor = fault_strikes(FAULT_READ) ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return FAIL(err, ERR_IO, "file '%s' cannot be opened: %s", path, strerror(errno ? errno : EIO));
    Status status = map_descriptor(arena, descriptor, path, ret_bytes, err);
    close(descriptor);
    return status;
}

void file_forget(const void *data, size_t bytes) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)data + page - 1) / page * page, end = ((uintptr_t)data + bytes) / page * page;
    if (start < end)
        madvise((void *)start, end - start, MADV_DONTNEED);
}

Status file_read_all(Arena *arena, int descriptor, const char *name, size_t limit_bytes, Bytes *ret_bytes, Error *err) {
    size_t capacity = 1 << 16, used = 0;
    unsigned char *data = memory_new(capacity, 1, err);
    TRY_NEW(data);
    for (;;) {
        errno = 0;
        ssize_t got = fault_strikes(FAULT_READ) ? -1 : read(descriptor, data + used, capacity - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            memory_free(data);
            return FAIL(err, ERR_IO, "%s cannot be read: %s", name, strerror(errno ? errno : EIO));
        }
        used += (size_t)got;
        if (got == 0)
            break;
        if (used > limit_bytes) {
            memory_free(data);
            return FAIL(err, ERR_LIMIT, "%s holds more than %zu bytes", name, limit_bytes);
        }
        if (used == capacity) {
            unsigned char *grown = memory_resize(data, capacity *= 2, 1, err);
            if (!grown) {
                memory_free(data);
                return err->status;
            }
            data = grown;
        }
    }
    TRY(arena_on_free(arena, memory_free, data, err));
    *ret_bytes = (Bytes){data, used};
    return OK;
}

Status file_create(const char *path, FileWriter **ret_writer, Error *err) {
    size_t length = strlen(path);
    if (path_kind(path) == PATH_FOLDER) // the rename at the end would say so too, after all the work
        return FAIL(err, ERR_IO, "file '%s' cannot be created: it is a folder", path);
    FileWriter *writer = memory_new(1, sizeof *writer + 2 * length + 40, err);
    TRY_NEW(writer);
    writer->path = (char *)(writer + 1);
    memcpy(writer->path, path, length + 1);
    writer->temporary = writer->path + length + 1;
    // Two threads may be writing the same file: each has a temporary of its own.
    static _Atomic unsigned count;
    snprintf(writer->temporary, length + 39, "%s.%ld-%u.part", path, (long)getpid(), atomic_fetch_add(&count, 1));
    writer->buffered = 0;
    writer->direct = path_kind(path) == PATH_OTHER;
    writer->staged = STAGED_NONE;
    if (!writer->direct) {
        unlink(writer->temporary); // left by a process of the same number that was killed
        writer->staged = staged_add(writer->temporary);
    }
    const char *opened = writer->direct ? path : writer->temporary;
    int flags = O_WRONLY | O_CLOEXEC | (writer->direct ? 0 : O_CREAT | O_EXCL);
    errno = 0;
    writer->descriptor = fault_strikes(FAULT_WRITE) ? -1 : open(opened, flags, 0666);
    if (writer->descriptor < 0) {
        Status status = FAIL(err, ERR_IO, "file '%s' cannot be created: %s", path, strerror(errno ? errno : EIO));
        staged_remove(writer->staged);
        memory_free(writer);
        return status;
    }
    *ret_writer = writer;
    return OK;
}

static Status write_through(FileWriter *writer, const unsigned char *data, size_t bytes, Error *err) {
    while (bytes) {
        errno = 0;
        ssize_t put = fault_strikes(FAULT_WRITE) ? -1 : write(writer->descriptor, data, bytes);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return FAIL(err, ERR_IO, "file '%s' cannot be written: %s", writer->path, strerror(errno ? errno : EIO));
        data += put;
        bytes -= (size_t)put;
    }
    return OK;
}

Status file_write(FileWriter *writer, const void *data, size_t bytes, Error *err) {
    if (bytes > sizeof writer->buffer - writer->buffered) {
        size_t buffered = writer->buffered;
        writer->buffered = 0;
        TRY(write_through(writer, writer->buffer, buffered, err));
    }
    if (bytes >= sizeof writer->buffer)
        return write_through(writer, data, bytes, err);
    if (bytes)
        memcpy(writer->buffer + writer->buffered, data, bytes);
    writer->buffered += bytes;
    return OK;
}

static Status flush_and_rename(FileWriter *writer, bool durable, Error *err) {
    TRY(write_through(writer, writer->buffer, writer->buffered, err));
    if (writer->direct)
        return OK;
    errno = 0;
    if (durable && (fault_strikes(FAULT_WRITE) || fsync(writer->descriptor) != 0))
        return FAIL(err, ERR_IO, "file '%s' cannot be flushed: %s", writer->path, strerror(errno ? errno : EIO));
    if (fault_strikes(FAULT_WRITE) || rename(writer->temporary, writer->path) != 0)
        return FAIL(err, ERR_IO, "file '%s' cannot be put in place: %s", writer->path, strerror(errno ? errno : EIO));
    return OK;
}

static Status commit(FileWriter *writer, bool durable, Error *err) {
    Status status = flush_and_rename(writer, durable, err);
    if (status != OK) {
        file_discard(writer);
        return status;
    }
    staged_remove(writer->staged);
    close(writer->descriptor);
    memory_free(writer);
    return OK;
}

Status file_commit(FileWriter *writer, Error *err) {
    return commit(writer, true, err);
}

Status file_commit_soon(FileWriter *writer, Error *err) {
    return commit(writer, false, err);
}

void file_discard(FileWriter *writer) {
    if (!writer)
        return;
    close(writer->descriptor);
    if (!writer->direct)
        unlink(writer->temporary);
    staged_remove(writer->staged);
    memory_free(writer);
}

Status file_replace(const char *path, const void *data, size_t bytes, Error *err) {
    FileWriter *writer;
    TRY(file_create(path, &writer, err));
    Status status = file_write(writer, data, bytes, err);
    if (status != OK) {
        file_discard(writer);
        return status;
    }
    return file_commit(writer, err);
}

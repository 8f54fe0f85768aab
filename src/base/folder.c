// SPDX-License-Identifier: Apache-2.0
// Folders: listing, staging beside the place, and the table of staged paths.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/staged.h"

// A slot is free (0), being written (1) or holds a path (2); only whole paths are seen by file_discard_all.
static struct {
    _Atomic int state;
    char path[PATH_MAX];
} staged[STAGED_SLOTS];

size_t staged_add(const char *path) {
    for (size_t i = 0; i < STAGED_SLOTS && strlen(path) < PATH_MAX; i++) {
        int expected = 0;
        if (atomic_compare_exchange_strong(&staged[i].state, &expected, 1)) {
            memcpy(staged[i].path, path, strlen(path) + 1);
            atomic_store(&staged[i].state, 2);
            return i;
        }
    }
    return STAGED_NONE;
}

void staged_remove(size_t slot) {
    if (slot < STAGED_SLOTS)
        atomic_store(&staged[slot].state, 0);
}

static void staged_forget(const char *path) {
    for (size_t i = 0; i < STAGED_SLOTS; i++)
        if (atomic_load(&staged[i].state) == 2 && strcmp(staged[i].path, path) == 0)
            staged_remove(i);
}

enum { REMOVE_DEPTH = 4 }; // folders in folders; scratch folders hold models, which hold files

// Removes a folder and what it holds. Safe in a signal handler, where opendir may not be called because it allocates.
static void folder_remove_at(int parent, const char *name, int depth) {
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return;
    _Alignas(struct dirent64) char block[4096];
    for (long got; (got = syscall(SYS_getdents64, folder, block, sizeof block)) > 0;)
        for (long at = 0; at < got;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(block + at);
            bool dots =
                entry->d_name[0] == '.' && (!entry->d_name[1] || (entry->d_name[1] == '.' && !entry->d_name[2]));
            if (!dots && unlinkat(folder, entry->d_name, 0) != 0 && depth > 1)
                folder_remove_at(folder, entry->d_name, depth - 1);
            at += entry->d_reclen;
        }
    close(folder);
    unlinkat(parent, name, AT_REMOVEDIR);
}

static void folder_remove(const char *path) {
    folder_remove_at(AT_FDCWD, path, REMOVE_DEPTH);
}

void file_discard_all(void) {
    for (size_t pass = 0; pass < 2; pass++) // files first, then the folders that held them
        for (size_t i = 0; i < STAGED_SLOTS; i++)
            if (atomic_load(&staged[i].state) == 2 && unlink(staged[i].path) != 0)
                folder_remove(staged[i].path);
}

void file_disown_all(void) {
    for (size_t i = 0; i < STAGED_SLOTS; i++)
        staged_remove(i);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static Status list_open(Arena *arena, DIR *folder, char ***ret_names, size_t *ret_count, Error *err) {
    size_t count = 0, capacity = 32;
    char **names = arena_array(arena, capacity, sizeof *names, err);
    TRY_NEW(names);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (count == capacity) {
            char **grown = arena_array(arena, capacity *= 2, sizeof *names, err);
            TRY_NEW(grown);
            memcpy(grown, names, count * sizeof *names);
            names = grown;
        }
        TRY_NEW(names[count] = arena_copy_text(arena, entry->d_name, strlen(entry->d_name), err));
        count++;
    }
    qsort(names, count, sizeof *names, by_bytes);
    *ret_names = names;
    *ret_count = count;
    return OK;
}

Status folder_list(Arena *arena, const char *path, char ***ret_names, size_t *ret_count, Error *err) {
    errno = 0;
    DIR *folder = fault_strikes(FAULT_READ) ? NULL : opendir(path);
    if (!folder)
        return FAIL(err, ERR_IO, "folder '%s' cannot be read: %s", path, strerror(errno ? errno : EIO));
    Status status = list_open(arena, folder, ret_names, ret_count, err);
    closedir(folder);
    return status;
}

// What a folder written earlier may hold for us to replace it: nothing, or a hone.json that says we wrote it.
Status folder_stage_check(Arena *arena, const char *path, bool replace, Error *err) {
    PathKind kind = path_kind(path);
    if (kind == PATH_NONE)
        return OK;
    if (kind != PATH_FOLDER)
        return FAIL(err, ERR_USAGE, "'%s' exists and is not a folder: give the name of a new folder", path);
    char **names;
    size_t count;
    TRY(folder_list(arena, path, &names, &count, err));
    bool ours = false;
    for (size_t i = 0; i < count; i++)
        ours |= strcmp(names[i], "hone.json") == 0;
    if (count && !(ours && replace))
        return FAIL(err, ERR_USAGE, "folder '%s' exists and is not empty%s: give the name of a new folder", path,
                    ours ? "" : ", and hone did not write it");
    return OK;
}

// Without slashes at its end.
static size_t path_length(const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

// Makes a folder that file_discard_all removes.
static Status folder_make(const char *path, Error *err) {
    size_t slot = staged_add(path);
    errno = 0;
    if (fault_strikes(FAULT_WRITE) || mkdir(path, 0777) != 0) {
        staged_remove(slot);
        return FAIL(err, ERR_IO, "folder '%s' cannot be created: %s", path, strerror(errno ? errno : EIO));
    }
    return OK;
}

Status folder_stage(Arena *arena, const char *path, bool replace, char **ret_staging, Error *err) {
    TRY(folder_stage_check(arena, path, replace, err));
    char *staging = arena_format(arena, err, "%.*s.%ld.part", (int)path_length(path), path, (long)getpid());
    TRY_NEW(staging);
    TRY(folder_make(staging, err));
    *ret_staging = staging;
    return OK;
}

void folder_discard(const char *staging) {
    if (staging) {
        folder_remove(staging);
        staged_forget(staging);
    }
}

// The two change places in one step, so that whoever looks, and whatever ends this process, finds a whole folder at
// `path`. What was there lies at `staging` then, which is still known as staged. False where the file system cannot.
static bool folders_exchange(const char *staging, const char *path) {
    return !fault_strikes(FAULT_WRITE) && renameat2(AT_FDCWD, staging, AT_FDCWD, path, RENAME_EXCHANGE) == 0;
}

Status folder_commit(const char *staging, const char *path, Error *err) {
    char trimmed[PATH_MAX], old[PATH_MAX];
    size_t length = path_length(path);
    if (length + 32 > sizeof old)
        return FAIL(err, ERR_IO, "the path '%.40s...' is longer than %d bytes", path, PATH_MAX);
    snprintf(trimmed, sizeof trimmed, "%.*s", (int)length, path);
    snprintf(old, sizeof old, "%s.%ld.old", trimmed, (long)getpid());
    bool replaced = path_kind(trimmed) == PATH_FOLDER;
    if (replaced && folders_exchange(staging, trimmed)) {
        folder_discard(staging);
        return OK;
    }
    errno = 0;
    if (fault_strikes(FAULT_WRITE) || (replaced && rename(trimmed, old) != 0))
        return FAIL(err, ERR_IO, "folder '%s' cannot be replaced: %s", trimmed, strerror(errno ? errno : EIO));
    if (fault_strikes(FAULT_WRITE) || rename(staging, trimmed) != 0) {
        Status status =
            FAIL(err, ERR_IO, "folder '%s' cannot be put in place: %s", trimmed, strerror(errno ? errno : EIO));
        if (replaced)
            rename(old, trimmed);
        return status;
    }
    size_t slot = replaced ? staged_add(old) : STAGED_NONE;
    staged_forget(staging);
    if (replaced)
        folder_remove(old);
    staged_remove(slot);
    return OK;
}

#define SCRATCH_ENDING ".scratch"

// Folders of processes that were killed and could not remove them: "<name>.<process>.scratch" where no such process
// runs.
static void scratch_sweep(Arena *arena, const char *folder, const char *name) {
    Error ignored;
    char **names;
    size_t count, length = strlen(name);
    if (folder_list(arena, folder, &names, &count, &ignored) != OK)
        return;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], name, length) != 0 || names[i][length] != '.')
            continue;
        char *end;
        long process = strtol(names[i] + length + 1, &end, 10);
        bool dead = process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
        char *path = dead && strcmp(end, SCRATCH_ENDING) == 0 ? path_join(arena, folder, names[i], &ignored) : NULL;
        if (path)
            folder_remove(path);
    }
}

static void scratch_done(void *path) {
    folder_discard(path);
}

Status folder_scratch(Arena *arena, const char *beside, char **ret_path, Error *err) {
    char *place = arena_copy_text(arena, beside, path_length(beside), err), *path;
    TRY_NEW(place);
    const char *name = path_name(place);
    char *parent = arena_copy_text(arena, place, (size_t)(name - place), err);
    TRY_NEW(parent);
    scratch_sweep(arena, *parent ? parent : ".", name);
    TRY_NEW(path = arena_format(arena, err, "%s.%ld" SCRATCH_ENDING, place, (long)getpid()));
    TRY(folder_make(path, err));
    *ret_path = path;
    return arena_on_free(arena, scratch_done, path, err);
}

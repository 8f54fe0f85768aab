// SPDX-License-Identifier: Apache-2.0
#include "bench/threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

// Reads the beginning of a small file. False: it is not there, as its thread has ended.
static bool text_read(const char *path, char *ret, size_t bytes) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ret, bytes - 1);
    if (fd >= 0)
        close(fd);
    ret[got > 0 ? got : 0] = '\0';
    return got > 0;
}

// User and system time out of a `stat`: the fields 14 and 15, counted behind the name, which may hold anything.
static double stat_seconds(const char *stat) {
    unsigned long user = 0, system_ticks = 0;
    const char *behind = strrchr(stat, ')');
    if (!behind ||
        sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system_ticks) != 2)
        return 0;
    return (double)(user + system_ticks) / (double)sysconf(_SC_CLK_TCK);
}

// The scheduler's own sum has nanoseconds; where it keeps none, ticks have to do.
static double thread_seconds(const char *folder) {
    char path[96], text[1024];
    snprintf(path, sizeof path, "%s/schedstat", folder);
    double ns = text_read(path, text, sizeof text) ? strtod(text, NULL) : 0;
    if (ns > 0)
        return ns / 1e9;
    snprintf(path, sizeof path, "%s/stat", folder);
    return text_read(path, text, sizeof text) ? stat_seconds(text) : 0;
}

static void thread_add(pid_t pid, const char *id, ThreadTimes *times) {
    char folder[64], path[96], name[64];
    snprintf(folder, sizeof folder, "/proc/%d/task/%.20s", (int)pid, id);
    snprintf(path, sizeof path, "%s/comm", folder);
    if (!text_read(path, name, sizeof name))
        return;
    double seconds = thread_seconds(folder);
    times->threads++;
    if (strncmp(name, "hone-engine", 11) == 0 || strncmp(name, "hone-worker", 11) == 0)
        times->engine_s += seconds;
    else if (strncmp(name, "hone-watch", 10) == 0)
        times->watch_s += seconds;
    else if (strtol(id, NULL, 10) == pid)
        times->main_s += seconds;
    else
        times->http_s += seconds;
}

Status threads_read(pid_t pid, ThreadTimes *ret, Error *err) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return FAIL(err, ERR_IO, "there is no process %d to look at", (int)pid);
    ThreadTimes times = {0};
    for (struct dirent *entry; (entry = readdir(tasks));)
        if (entry->d_name[0] != '.')
            thread_add(pid, entry->d_name, &times);
    closedir(tasks);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (text_read(path, text, sizeof text))
        times.all_s = stat_seconds(text);
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    unsigned long pages = 0;
    if (text_read(path, text, sizeof text) && sscanf(text, "%*u %lu", &pages) == 1)
        times.resident_bytes = pages * (size_t)sysconf(_SC_PAGESIZE);
    *ret = times;
    return OK;
}

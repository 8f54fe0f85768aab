// SPDX-License-Identifier: Apache-2.0
// Resident memory out of /proc/self/status.
#include "measure/process.h"

Status process_memory(ProcessMemory *ret, Error *err) {
    FILE *file = fopen("/proc/self/status", "r");
    if (!file)
        return FAIL(err, ERR_IO, "file '/proc/self/status' cannot be opened");
    ProcessMemory memory = {0};
    char line[256];
    while (fgets(line, sizeof line, file)) {
        size_t kilobytes;
        if (sscanf(line, "VmHWM: %zu kB", &kilobytes) == 1)
            memory.peak_bytes = kilobytes * 1024;
        if (sscanf(line, "VmRSS: %zu kB", &kilobytes) == 1)
            memory.resident_bytes = kilobytes * 1024;
        if (sscanf(line, "RssAnon: %zu kB", &kilobytes) == 1)
            memory.own_bytes = kilobytes * 1024;
    }
    fclose(file);
    *ret = memory;
    return OK;
}

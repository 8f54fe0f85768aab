// SPDX-License-Identifier: Apache-2.0
// What the kernel says of this process's memory.
#pragma once

#include <stddef.h>

#include "base/status.h"

typedef struct ProcessMemory {
    size_t resident_bytes; // now
    size_t peak_bytes;     // the most so far
} ProcessMemory;

MUST_CHECK Status process_memory(ProcessMemory *ret, Error *err);

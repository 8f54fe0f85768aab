// SPDX-License-Identifier: Apache-2.0
// What the kernel says of this process's memory.
#pragma once

#include <stddef.h>

#include "base/status.h"

typedef struct ProcessMemory {
    size_t resident_bytes; // now
    size_t peak_bytes;     // the most so far
    size_t own_bytes;      // now, of no file: heap and stacks, all of which a fork inherits
} ProcessMemory;

MUST_CHECK Status process_memory(ProcessMemory *ret, Error *err);

// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most: reading memory, fused multiply-adds, int8 products. Measured, not looked up.
#pragma once

#include "base/cpu.h"
#include "base/pool.h"
#include "base/status.h"

// All threads of the pool together. A multiplication and an addition are two operations.
typedef struct MachineSpeed {
    double read_bytes_per_s; // from memory, in order, far more than the caches hold
    double f32_ops_per_s;    // fused multiply-adds of the level's widest registers
    double s8_ops_per_s;     // u8 x s8 products summed in s32, by the level's fastest instructions
} MachineSpeed;

// Many windows of about a millisecond, about a second in all: the best of arithmetic, the median of reading. NULL pool:
// this thread alone. Maps 64 to 256 MiB while it reads (measure peak memory before). ERR_MEMORY.
MUST_CHECK Status machine_measure(CpuLevel level, Pool *pool, MachineSpeed *ret_speed, Error *err);

// Bytes a second of reading `data` again and again with all threads, each its own stretch: what a loop over these very
// bytes reaches where they lie. On a virtual machine places differ (50 to 83 GB/s, AMD Zen 5), and part of what is
// little larger than the last cache stays in it. `bytes` at least 1 MiB; 300 walks over all of them.
double machine_read_speed(Pool *pool, const void *data, size_t bytes);

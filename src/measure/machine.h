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

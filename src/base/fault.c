// SPDX-License-Identifier: Apache-2.0
// Counters behind fault injection. An armed kind counts down to the operation that fails.
#include "base/fault.h"

#include <stdatomic.h>

static _Atomic uint64_t armed_at[FAULT_COUNT]; // 0: not armed
static _Atomic uint64_t seen[FAULT_COUNT];

void fault_arm(FaultKind kind, uint64_t nth) {
    atomic_store(&seen[kind], 0);
    atomic_store(&armed_at[kind], nth);
}

uint64_t fault_seen(FaultKind kind) {
    return atomic_load(&seen[kind]);
}

bool fault_strikes(FaultKind kind) {
    uint64_t nth = atomic_load_explicit(&armed_at[kind], memory_order_relaxed);
    if (!nth)
        return false;
    return atomic_fetch_add(&seen[kind], 1) + 1 == nth;
}

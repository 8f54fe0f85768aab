// SPDX-License-Identifier: Apache-2.0
// Faults on purpose: tests make the Nth allocation, read or write of this process fail, for every N.
//
// Every allocation of hone goes through base/memory.h and every file operation through base/file.h; both ask
// fault_strikes() first. Disarmed (always, outside tests), asking costs one relaxed atomic load.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum FaultKind { FAULT_ALLOCATION, FAULT_READ, FAULT_WRITE, FAULT_COUNT } FaultKind;

// From now on the `nth` operation of that kind (from 1) fails, once. 0 disarms the kind. Also restarts its count.
void fault_arm(FaultKind kind, uint64_t nth);

// Operations of that kind seen since fault_arm.
uint64_t fault_seen(FaultKind kind);

// True when this operation has to fail. Any thread.
bool fault_strikes(FaultKind kind);

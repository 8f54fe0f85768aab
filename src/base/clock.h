// SPDX-License-Identifier: Apache-2.0
// The monotonic clock.
#pragma once

#include <stdint.h>

// Nanoseconds since some fixed point; never goes back.
uint64_t clock_ns(void);

// SPDX-License-Identifier: Apache-2.0
// limit_ms: what this machine's read bandwidth and arithmetic peak allow at best, the roofline of Williams, Waterman
// and Patterson (CACM 2009), summed over the operators of the plans that really run.
#pragma once

#include "exec/session.h"

typedef struct LimitWork {
    const size_t *source_tokens; // [samples]
    size_t samples, batch, new_tokens, beams;
} LimitWork;

// Milliseconds per sample below which no engine with the same weights can go here: each operator takes at least the
// time to read its weights from memory, or to do its multiplications, whichever is longer. Measures the machine first
// (about a second).
MUST_CHECK Status limit_ms(const Session *session, const LimitWork *work, double *ret_ms, Error *err);

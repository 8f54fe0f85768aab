// SPDX-License-Identifier: Apache-2.0
// limit_ms: what this machine's read bandwidth and arithmetic peaks allow at best, after the roofline of Williams,
// Waterman and Patterson (CACM 2009), over the products and attentions of the plans that really run.
//
// A step (one encode, one decode with its head) takes at least the time to read its weights from memory, and at least
// the time of its multiplications; reading may hide behind multiplying, so the longer of the two counts. Products with
// INT8 and 4-bit weights multiply at the integer peak, all else at the peak of FP32 FMA. Keys and values are read once
// for all beams of a source, and only what exceeds the last cache. Left out, so that the bound stays below any run:
// norms, activations and choosing of tokens, and that beams differ in their first step. The levers that read less than
// the plan (a screen of the head, several tokens a step) may go below it, and so may weights that are only a little
// larger than the last cache: part of them stays there from step to step, and the bandwidth is memory's.
#pragma once

#include "exec/session.h"
#include "measure/machine.h"

typedef struct LimitWork {
    const size_t *source_tokens; // [samples]
    size_t samples, batch, new_tokens, beams;
    double kv_token_bytes; // K and V of one token, all layers
} LimitWork;

// Milliseconds per sample below which no engine with the same weights can go here. Measures the machine first (about a
// second).
MUST_CHECK Status limit_ms(const Session *session, const LimitWork *work, double *ret_ms, Error *err);

// The same on a machine that is as fast as `speed` says, with a last cache of `cache_bytes`.
double limit_ms_at(const Session *session, const LimitWork *work, const MachineSpeed *speed, size_t cache_bytes);

// SPDX-License-Identifier: Apache-2.0
// Teacher-forced loss: all samples' sources in one encode step, all tokens of their references in one decode step, and
// the negative log-likelihood of each. Steps can be run in parts between (exec/session.h).
//
//     TRY(forced_open(arena, session, samples, count, start, &forced, err));
//     TRY(forced_run(&forced, SESSION_ENCODE, err));
//     TRY(forced_run(&forced, SESSION_DECODE, err));
//     TRY(forced_sum(&forced, &nats, err));
//     forced_close(&forced);
#pragma once

#include "measure/token_samples.h"

typedef struct ForcedLoss {
    Session *session;
    EncodeItem *items;
    Source **sources;
    size_t sample_count;
    DecodeRow *rows; // of all samples; the decoder reads the reference moved by one behind the start token
    int32_t *labels;
    double *losses; // of the last forced_sum, nats
    size_t row_count;
} ForcedLoss;

// What a session needs for `count` samples at once, but for the engine's own needs.
typedef struct ForcedNeed {
    size_t source_tokens, rows, pages;
} ForcedNeed;
void forced_need_add(ForcedNeed *need, const TokenSample *sample);

// Opens a source for each sample; lists live in `arena`. ERR_LIMIT where the session is too small.
MUST_CHECK Status forced_open(Arena *arena, Session *session, const TokenSample *samples, size_t count, int32_t start,
                              ForcedLoss *ret_forced, Error *err);
void forced_close(ForcedLoss *forced); // also after forced_open failed, and twice

// Begins the encode or the decode step, and runs all of it. The decode step needs K and V of the encode step.
MUST_CHECK Status forced_begin(const ForcedLoss *forced, SessionStage stage, Error *err);
MUST_CHECK Status forced_run(const ForcedLoss *forced, SessionStage stage, Error *err);

// The head over the states of the last decode step; the sum of all tokens' losses in nats, added in their order: the
// same bits for any number of threads.
MUST_CHECK Status forced_sum(ForcedLoss *forced, double *ret_nats, Error *err);

// Logits of rows [first, first + count), count at most FORCED_HEAD_ROWS, of `states` [rows, width], valid until the
// next call that gives logits.
enum { FORCED_HEAD_ROWS = 128 };
MUST_CHECK Status forced_logits(const ForcedLoss *forced, const float *states, size_t first, size_t count,
                                float **ret_logits, Error *err);

// The states [rows, width] that the last decode step returned.
const float *forced_states(const ForcedLoss *forced);

// SPDX-License-Identifier: Apache-2.0
// Longest common subsequences of two token sequences, 64 cells of the table at a time.
//
// The table t[i][j] (LCS of the first i tokens of `a` and the first j of `b`) is kept by columns as one bit per cell:
// bit i of column j is 0 where t[i+1][j] = t[i][j] + 1. A column follows from the one before by an addition over the
// whole bit vector (M. Crochemore et al., "A fast and practical bit-vector algorithm for the longest common subsequence
// problem", IPL 80 (2001); H. Hyyro 2004). Time is a * b / 64. Memory is linear in a + b for the length; for positions
// it is a * sqrt(b) / 32 bytes, since only every sqrt(b)-th column is kept and the rest is computed again.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

// Working memory for many pairs, and the sequence `a` loaded into it. One thread at a time.
typedef struct LcsSpace LcsSpace;

// Room for sequences of up to `a_most` and `b_most` tokens whose ids are below `id_count`; `positions` is whether
// lcs_mark will be called. Lives in the arena.
LcsSpace *lcs_make(Arena *arena, size_t a_most, size_t b_most, size_t id_count, bool positions, Error *err);

// Takes `a` as the sequence that those below are compared with; it is borrowed until the next load returns.
void lcs_load(LcsSpace *space, const uint32_t *a, size_t a_count);

// The length of the longest common subsequence of the loaded `a` and `b`.
size_t lcs_length(LcsSpace *space, const uint32_t *b, size_t b_count);

// Sets ret_hits[i] (of a_count, never cleared) for the tokens of `a` on one longest common subsequence: of several the
// one that rouge_score reads out of its table from the end, going back in `b` only where that keeps the length and
// going back in `a` does not.
void lcs_mark(LcsSpace *space, const uint32_t *b, size_t b_count, bool *ret_hits);

// The work of one comparison in steps of about a nanosecond; lcs_mark takes up to twice that.
uint64_t lcs_steps(size_t a_count, size_t b_count);

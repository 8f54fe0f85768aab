// SPDX-License-Identifier: Apache-2.0
// Plan: which requests are sent. Request `i` depends on the seed and on `i` alone, not on when it is sent: two runs
// with one seed ask the same, whatever the server does.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/random.h"
#include "base/status.h"
#include "measure/lengths.h"

typedef struct PlanSource {
    const char *json; // as a body's "prompt" has it: a list of ids or a text in quotes
    size_t bytes;
    size_t tokens; // 0: not known, as it is a text
} PlanSource;

typedef struct Plan {
    uint64_t seed;
    Lengths lengths;
    double leave, bad; // shares of the requests that do so
    PlanSource *sources;
    size_t source_count;
} Plan;

typedef struct Planned {
    size_t source;
    uint32_t tokens;
    int bad;       // which way its body is malformed; -1: it is not
    bool leaves;   // its client does not wait for the end
    double moment; // when, 0 to 1
} Planned;

enum { PLAN_BAD_WAYS = 5 };

// Reads JSON lines with `input_ids` or `text`.
MUST_CHECK Status plan_read(Arena *arena, const char *path, Plan *ret_plan, Error *err);

Planned plan_request(const Plan *plan, uint64_t index);

// The gap before the next arrival of a Poisson process.
double plan_gap_s(Random *random, double rate);

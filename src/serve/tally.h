// SPDX-License-Identifier: Apache-2.0
// Tally: what the engine tells, counted into a model's metrics.
#pragma once

#include "engine/engine.h"
#include "serve/metrics.h"

// `count` new tokens of a request at `now`. *last_ns: when its last one came; 0 before the first. Several tokens of one
// step share the time since then.
void tally_tokens(Metrics *metrics, uint64_t *last_ns, uint64_t now, uint64_t submitted_ns, size_t count);

// A request that ended, however it did.
void tally_answer(Metrics *metrics, const Answer *answer, size_t source_tokens, bool streamed);

// The engine after a step; `before` is how it was after the last one. Of one that is retired only what it still does
// counts; how full it is, another one tells.
void tally_load(Metrics *metrics, const EngineLoad *before, const EngineLoad *load, bool retired);

// SPDX-License-Identifier: Apache-2.0
// Results: from the sequences that an engine gave for the parts of a source to what is answered.
#pragma once

#include "engine/engine.h"
#include "serve/sources.h"

// The engine's sequences for one part.
typedef struct PartAnswer {
    const Sequence *sequences;
    size_t count;
} PartAnswer;

// The result of one source, in the arena: texts decoded, cut before the call's stops, those of several parts joined by
// newlines. `answers`: as many as the source has parts. `encoder` NULL: no tokenizer, ids alone. Timings are not known
// yet.
MUST_CHECK Status result_make(Arena *arena, const Tokenizer *tokenizer, Encoder *encoder, const ApiCall *call,
                              const ApiSource *source, const PartAnswer *answers, ApiResult *ret, Error *err);

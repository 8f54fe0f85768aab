// SPDX-License-Identifier: Apache-2.0
// Sources: what the prompts of a call are as token ids, cut as the call says: its end or start dropped, or in parts
// that are answered one by one.
#pragma once

#include "serve/api.h"
#include "text/tokenizer.h"

enum { CHUNKS_MOST = 64 };

typedef struct SourcePart {
    const int32_t *ids;
    size_t count;
} SourcePart;

typedef struct ApiSource {
    SourcePart *parts; // one, or several with API_TRUNCATE_CHUNK
    size_t part_count;
    size_t tokens; // of all parts
    bool truncated;
} ApiSource;

// The source of a prompt for a model with so many positions; in the arena. `encoder` NULL: the model has no tokenizer.
// ERR_LIMIT: longer than the positions where the call says error, or more than CHUNKS_MOST parts; ERR_USAGE: no tokens;
// ERR_UNSUPPORTED: a text without a tokenizer.
MUST_CHECK Status source_make(Arena *arena, const Tokenizer *tokenizer, Encoder *encoder, const ApiCall *call,
                              const ApiPrompt *prompt, size_t positions, ApiSource *ret, Error *err);

// SPDX-License-Identifier: Apache-2.0
// Data rows as token ids that a model can be run on: sources, and references to be decoded by force.
#pragma once

#include "measure/data.h"
#include "model/model.h"

typedef struct TokenSample {
    const int32_t *ids, *labels; // labels: of the first reference; with special tokens, as the tokenizer adds them
    size_t id_count, label_count;
} TokenSample;

typedef struct TokenSamples {
    TokenSample *items;
    size_t count;
    size_t source_tokens, label_tokens; // of all
    size_t most_ids, most_labels;       // of one
} TokenSamples;

// The first `most` rows (0: all), cut to the model's positions, texts as its tokenizer cuts them. All live in `arena`,
// or as long as the data. Messages begin with `what` and `name`: "calibration data", "dev.jsonl". ERR_FORMAT for rows
// without tokens, ids outside the vocabulary, and texts that the tokenizer mostly does not know (they are in another
// language); ERR_UNSUPPORTED for texts without a tokenizer.
MUST_CHECK Status token_samples_make(Arena *arena, const Model *model, const DataSet *data, size_t most,
                                     const char *what, const char *name, TokenSamples *ret_samples, Error *err);

// The token that decoding begins with. ERR_FORMAT for a model that names none.
MUST_CHECK Status start_token_find(const Model *model, int32_t *ret_token, Error *err);

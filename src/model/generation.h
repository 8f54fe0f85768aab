// SPDX-License-Identifier: Apache-2.0
// GenerationOptions: every option of CLI.md's `generate`, with the meaning it has in Hugging Face's generate() (4.57).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

typedef enum EarlyStopping { EARLY_STOPPING_FALSE, EARLY_STOPPING_TRUE, EARLY_STOPPING_NEVER } EarlyStopping;

// Token id sequences that may not appear.
typedef struct BadWords {
    const int32_t *const *sequences;
    const size_t *lengths;
    size_t count;
} BadWords;

typedef struct GenerationOptions {
    int64_t max_new_tokens, min_new_tokens; // -1: not set
    int64_t max_length, min_length; // decoder start token included, as Hugging Face counts; see generation_defaults
    int64_t num_beams, num_return_sequences;
    double length_penalty;
    EarlyStopping early_stopping;
    int64_t no_repeat_ngram_size, encoder_no_repeat_ngram_size;
    double repetition_penalty;
    int32_t forced_bos_token_id, forced_eos_token_id; // -1: none
    int32_t decoder_start_token_id, bos_token_id, pad_token_id;
    int32_t eos_token_ids[8]; // several may end a sequence
    size_t eos_token_count;
    BadWords bad_words;
    bool do_sample;
    double temperature, top_p;
    int64_t top_k;
    uint64_t seed;
} GenerationOptions;

// Hugging Face's own defaults. Its max_length of 20, where nobody asked for it, means 20 new tokens, so it is 21 here.
GenerationOptions generation_defaults(void);

// Overrides options by the members of a JSON object that have their names (a request line); null sets what means
// "none"; unknown members are left alone. ERR_FORMAT names a member of a wrong type or range, ERR_UNSUPPORTED a setting
// that Hugging Face has, hone has not, and that would change the output. `arena` keeps bad words.
MUST_CHECK Status generation_read(Arena *arena, const json_t *object, const char *name, GenerationOptions *options,
                                  Error *err);

// The same for config.json and generation_config.json, where a max_length of 20 is Hugging Face's default of 20 new
// tokens; in a request it is what it says.
MUST_CHECK Status generation_read_config(Arena *arena, const json_t *object, const char *name,
                                         GenerationOptions *options, Error *err);

// Whether the options fit together and the model's vocabulary; sentences as Hugging Face's validation, ERR_USAGE.
MUST_CHECK Status generation_check(const GenerationOptions *options, size_t vocabulary, Error *err);

// The lengths that hold, decoder start token included: max_new_tokens and min_new_tokens go before max_length and
// min_length.
int64_t generation_max_length(const GenerationOptions *options);
int64_t generation_min_length(const GenerationOptions *options);

// `words` points to copies in the arena afterwards.
MUST_CHECK Status bad_words_copy(Arena *arena, BadWords *words, Error *err);

// decoder_start_token_id, else bos_token_id; -1: neither is set.
int32_t generation_start_token(const GenerationOptions *options);

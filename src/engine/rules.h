// SPDX-License-Identifier: Apache-2.0
// Rules: what one request's options do to a row of scores before a token is chosen, in the order and the f32 arithmetic
// of Hugging Face's logits processors (transformers 4.57, generation/logits_process.py). Pure functions: greedy and
// sampling give them logits, beam search gives them log-probabilities, as there.
#pragma once

#include "engine/engine.h"

typedef struct Rules {
    GenerationOptions options;
    const int32_t *source; // encoder ids, for encoder_no_repeat_ngram_size
    size_t source_count;
    size_t vocabulary;
    size_t max_length, min_length; // effective, start token included
    size_t least_kept;             // tokens that top-k and top-p leave at least
} Rules;

// `options` must have passed generation_check. The source is not copied.
void rules_init(Rules *rules, const GenerationOptions *options, const int32_t *source, size_t source_count,
                size_t vocabulary);

bool rules_is_eos(const Rules *rules, int32_t token);

// Whether a sequence of `length` tokens (start token included) that ends in `token` is complete; if so, why.
bool rules_ends(const Rules *rules, int32_t token, size_t length, Finish *ret_finish);

// Repetition penalty, n-gram bans, bad words, minimum lengths, forced first and last token on row [vocabulary].
// `history` [count] begins with the start token. `scratch` [count] is used by the repetition penalty alone and may be
// NULL without one.
void rules_process(const Rules *rules, const int32_t *history, size_t count, float *scratch, float *row);

// Whether all that rules_process does after a history of `count` tokens is to set elements to -infinity: then it may
// run on logits where log-probabilities are meant.
bool rules_only_ban(const Rules *rules, size_t count);

// Temperature, top-k, top-p: for sampling only, after rules_process. What is cut becomes -infinity.
void rules_warp(const Rules *rules, float *row);

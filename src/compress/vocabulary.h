// SPDX-License-Identifier: Apache-2.0
// Trimming a model's vocabulary to what its data uses: rows of the word table and the head go, the tokenizer's files
// and the ids in the settings are rewritten (text/trim.h says which tokens have to stay, and why texts keep theirs).
//
//     data -> how often each token occurs -> what stays -> weights cut, files rewritten -> read back: every text of the
//                                                          data encoded by the old tokenizer and by the new one
//
// Greedy summaries that use kept tokens only stay the same, token for token; a beam's scores move a little, since the
// probability of what was dropped goes to what stayed.
#pragma once

#include "compress/mask.h"
#include "compress/rewrite.h"
#include "engine/runtime.h"

enum { VOCABULARY_STEP = 64 }; // kept rows are a multiple of this: panels of every kernel set

typedef struct VocabularyOptions {
    const char *data;          // rows of measure/data.h: sources and references count, and so do ids and labels
    const char *held_out;      // other texts, to be encoded by both tokenizers; NULL: none
    size_t min_count;          // a token that the data has less often is not kept for it
    Runtime *runtime;          // of the same model: what it writes for the data's sources counts too; NULL: does not
    const PruneAmount *amount; // of the rows, to be removed; NULL: those that the data does not use
    WorkMeter meter;
} VocabularyOptions;

// Texts by both tokenizers, special tokens included.
typedef struct VocabularyTexts {
    size_t texts, changed; // changed: cut into other tokens than before
    uint64_t tokens, tokens_now;
} VocabularyTexts;

typedef struct VocabularyReport {
    RewriteReport files;
    size_t rows, kept, by_reason[KEEP_REASONS];
    uint64_t data_tokens, covered_tokens; // covered: those whose token was kept
    uint64_t generated_tokens;            // among the data's
    VocabularyTexts data, held_out;
} VocabularyReport;

// Reads the MODEL `path` and writes `output`, as rewrite_model does. ERR_UNSUPPORTED for a model without a tokenizer or
// that is quantized already, ERR_USAGE for an amount that special tokens and the alphabet do not leave room for, ERR_NO
// where every row is needed. The report lives in `arena`.
MUST_CHECK Status vocabulary_trim(Arena *arena, const char *path, const char *output, const VocabularyOptions *options,
                                  VocabularyReport *ret_report, Error *err);

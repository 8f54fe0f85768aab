// SPDX-License-Identifier: Apache-2.0
// hone prune --method vocab: the model with the tokens its data uses.
#pragma once

#include "cli/command.h"

typedef struct PruneVocabulary {
    const char *output, *data, *held_out, *amount; // amount as the command line has it; NULL: none
    int64_t min_count, samples;                    // samples: rows that are measured at most; 0: the usual number
    bool generate, no_measure;
} PruneVocabulary;

// Trims run->arguments[0], prints the report, and measures the result on the held-out rows or, without them, the data.
// ERR_USAGE without data.
MUST_CHECK Status prune_vocabulary(CommandRun *run, const PruneVocabulary *wanted, Error *err);

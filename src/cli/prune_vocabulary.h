// SPDX-License-Identifier: Apache-2.0
// hone prune --method vocab: the model with the tokens its data uses.
#pragma once

#include "cli/command.h"

typedef struct PruneVocabulary {
    const char *output, *data, *held_out, *amount; // amount as the command line has it; NULL: none
    int64_t min_count;
    bool generate;
} PruneVocabulary;

// Trims run->arguments[0] and prints the report. ERR_USAGE without data.
MUST_CHECK Status prune_vocabulary(CommandRun *run, const PruneVocabulary *wanted, Error *err);

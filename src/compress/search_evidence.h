// SPDX-License-Identifier: Apache-2.0
// What a search found, as the document that the report draws (compress/report.h).
#pragma once

#include "compress/search_work.h"

enum { FINAL_STAGES = 8 };

// A row of the final table, or a stage of the waterfall (of which only `one` is measured).
typedef struct FinalRow {
    const char *name;
    Recipe recipe;
    bool chosen;
    const char *folder;
    Quality quality; // on the final rows
    TrialLoss loss;  // against the first row
    Speed one, many; // batch 1, and batches of SEARCH_BATCH
    Interval faster; // than the first row, by the goal's batch
} FinalRow;

// {"rows", "waterfall", "samples"} of the document; the value lives in the search's arena.
MUST_CHECK Status evidence_measured(Search *search, const FinalRow *rows, size_t count, const FinalRow *stages,
                                    size_t stage_count, size_t shown, json_t **ret_measured, Error *err);

// The whole document from what was measured, and the answer. `folder` is the chosen one.
MUST_CHECK Status evidence_make(Search *search, const FinalRow *chosen, const char *folder, json_t *measured,
                                SearchAnswer *ret_answer, Error *err);

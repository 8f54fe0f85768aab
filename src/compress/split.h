// SPDX-License-Identifier: Apache-2.0
// Split: the rows of a data file dealt out once, by chance from a seed, so that nothing is tuned, chosen and judged on
// the same rows.
//
//     tuning     calibration, scores of units, sensitivity, times    a quarter, 128 rows at most
//     selection  which recipe is taken                               half of the rest
//     final      the figures that are told; looked at once           the other half
#pragma once

#include "base/hash.h"
#include "measure/data.h"

typedef enum SplitPart { SPLIT_TUNING, SPLIT_SELECTION, SPLIT_FINAL, SPLIT_PARTS } SplitPart;

enum { SPLIT_LEAST_ROWS = 12, SPLIT_MOST_TUNING = 128 };

typedef struct Split {
    DataSet parts[SPLIT_PARTS];
    const char *files[SPLIT_PARTS]; // JSON lines, the data's own bytes, in the folder
    char sha256[SPLIT_PARTS][SHA256_TEXT_BYTES];
    char data_sha256[SHA256_TEXT_BYTES]; // of the whole file
    size_t rows;
} Split;

// "tuning", "selection", "final".
const char *split_part_name(SplitPart part);

// Deals out the rows of `data` into files in `folder`. Fails as data_read does (each row needs a reference or labels),
// and with ERR_FORMAT for fewer than SPLIT_LEAST_ROWS rows. All lives in `arena`.
MUST_CHECK Status split_make(Arena *arena, const char *data, const char *folder, uint64_t seed, Split *ret_split,
                             Error *err);

// SPDX-License-Identifier: Apache-2.0
// Reading back what was written: does the model open, are its files those that hone.json tells of, are its numbers
// sane, and who loads it.
#pragma once

#include "compress/evidence_summary.h"
#include "compress/loaders.h"
#include "compress/manifest.h"
#include "compress/weights.h"

typedef struct VerifyReport {
    const ModelInfo *info;
    Notes problems;     // sentences; none: verified
    Manifest manifest;  // what its hone.json tells, if there is one
    bool evidence_read; // there is evidence, and it is sound
    EvidenceSummary evidence;
    size_t files;            // hashed and compared
    size_t real_tensors;     // with every value looked at
    size_t int8_tensors;     // with every value and scale looked at
    size_t four_bit_tensors; // with every scale looked at; any code is a value
    Loader loaders[LOADER_COUNT];
} VerifyReport;

// Opens and checks the MODEL `path`. What is wrong with its contents is a problem in the report; fails as model_open
// does when it cannot be opened, and with ERR_FORMAT for a damaged hone.json; damaged evidence is a problem. The report
// lives in `arena`.
MUST_CHECK Status verify_model(Arena *arena, const char *path, WorkMeter *meter, VerifyReport *ret_report, Error *err);

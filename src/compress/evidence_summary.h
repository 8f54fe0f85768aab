// SPDX-License-Identifier: Apache-2.0
// What the member "evidence" of a hone.json comes down to: what was chosen, what that loses, on how many rows.
#pragma once

#include "base/buffer.h"
#include "base/json.h"

// Every part may be missing: texts are NULL then, numbers NAN, counts -1.
typedef struct EvidenceSummary {
    const char *choice;         // as a recipe's text: "int8; ffn -30 %"; "": the model as it was
    double loss, low, high;     // mean relative loss of the metrics, with its 95 % interval
    double budget;              // that it had to keep to
    int64_t rows;               // that judged it: those of the last part of the data, or all
    bool missed;                // nothing kept to it
    const char *weights_sha256; // of the model.safetensors that was measured
} EvidenceSummary;

// Texts live as long as `evidence` (not NULL). ERR_FORMAT where a member that is read here has another type.
MUST_CHECK Status evidence_summarize(const json_t *evidence, EvidenceSummary *ret_summary, Error *err);

// One line: "int8; ffn -30 %" loses 0.42 % [-0.10, 0.91], budget 1 %, on 500 rows. The choice is a JSON string,
// for the file may hold any.
void evidence_print(const EvidenceSummary *summary, Buffer *text);

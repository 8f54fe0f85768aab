// SPDX-License-Identifier: Apache-2.0
// One request of `hone rouge`: {"target": string or [strings], "prediction": string} in, scores as JSON out.
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/status.h"
#include "measure/rouge.h"

// Scores one request into ret_scores[type_count of the scorer]. Other keys are ignored. ERR_FORMAT says what was
// expected where; ERR_LIMIT as rouge_score. The arena is scratch for a list of targets.
MUST_CHECK Status rouge_request_score(RougeScorer *scorer, Arena *arena, const json_t *request, RougeScore *ret_scores,
                                      Error *err);

// Appends {"rouge1":{"precision":…,"recall":…,"fmeasure":…},…} without a newline; numbers read back exactly. A failure
// to grow is the buffer's.
void rouge_scores_print(const RougeOptions *options, const RougeScore *scores, Buffer *text);

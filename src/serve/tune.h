// SPDX-License-Identifier: Apache-2.0
// Tune: how many requests at once a model on this machine does best with, measured before it serves.
#pragma once

#include "measure/find_batch.h"

// Sources of random ids and outputs of 10 to 80 tokens, as summaries of dialogues have them; 1 to `most` at once, with
// the p99 of the time per token below `target_ms` (0: any). The engine has to be made for `most`.
MUST_CHECK Status tune_batch(Runtime *runtime, size_t most, double target_ms, BatchCurve *ret_curve, Error *err);

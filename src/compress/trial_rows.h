// SPDX-License-Identifier: Apache-2.0
// The rows of a trial as the ids of one model.
#pragma once

#include "compress/trial.h"
#include "model/model.h"

// The first `count` rows as ids in `arena`, cut where they are too long: vocabularies differ where one has been
// trimmed. Labelled rows stay as they are. Failures name model, data and sample.
MUST_CHECK Status trial_rows(Arena *arena, const Model *model, const TrialOptions *options, size_t count,
                             DataSet *ret_set, Error *err);

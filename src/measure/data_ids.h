// SPDX-License-Identifier: Apache-2.0
// Data rows as the ids of one model, for those who time a model from ids to ids: vocabularies differ from model to
// model.
#pragma once

#include "measure/data.h"
#include "model/model.h"

// Makes ids of all sources, by the model's tokenizer, cut where they are too long; rows that have ids stay as they are.
// The new rows live in `arena`, without references. `name` is the data's. ERR_UNSUPPORTED for texts without a
// tokenizer; failures name model, data and sample.
MUST_CHECK Status data_ids(Arena *arena, const Model *model, const char *name, DataSet *set, Error *err);

// The same for the MODEL at `path`, which is opened where there are texts.
MUST_CHECK Status data_ids_of(Arena *arena, const char *path, const char *name, DataSet *set, Error *err);

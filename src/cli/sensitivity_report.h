// SPDX-License-Identifier: Apache-2.0
// What `hone sensitivity` tells: as JSON, as tables for people, as a picture.
#pragma once

#include "cli/command.h"
#include "compress/sensitivity.h"

// Appends one JSON object.
void sensitivity_report_json(const char *model, const char *data, const Sensitivity *sensitivity, Buffer *out);

// Appends a table of losses, a line a layer and a column a change, one of what is lost of ROUGE where that was
// measured, two of what is saved, and a sentence that names the most sensitive layers. `options` are those it was
// measured by.
MUST_CHECK Status sensitivity_report_people(Arena *arena, const SensitivityOptions *options,
                                            const Sensitivity *sensitivity, Buffer *out, Error *err);

// Appends an SVG heat map of losses. ERR_LIMIT beyond measure/plot.h's limits.
MUST_CHECK Status sensitivity_report_svg(Arena *arena, const SensitivityOptions *options,
                                         const Sensitivity *sensitivity, Buffer *out, Error *err);

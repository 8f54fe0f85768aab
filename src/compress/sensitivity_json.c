// SPDX-License-Identifier: Apache-2.0
// Sensitivity as JSON.
#include <math.h>

#include "compress/sensitivity.h"

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *row_json(const SensitivityRow *row) {
    static const char *const kinds[CHANGE_KINDS] = {"scheme", "zeros", "units", "layer"};
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"output_error", row->output_error},
                   {"loss_change", row->loss_change},
                   {"rouge_change", row->rouge_change},
                   {"bytes_saved", row->bytes_saved},
                   {"ms_saved", row->ms_saved}};
    json_t *object = json_pack("{s:s, s:s, s:s}", "layer", row->layer, "change", row->change, "kind", kinds[row->kind]);
    if (row->kind == CHANGE_SCHEME)
        json_object_set_new(object, "scheme", json_string(weight_scheme_name(row->scheme)));
    else if (row->kind != CHANGE_LAYER)
        json_object_set_new(object, "amount", number(row->amount));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(object, numbers[i].key, number(numbers[i].value));
    return object;
}

json_t *sensitivity_json(const Sensitivity *sensitivity) {
    json_t *rows = json_array();
    for (size_t i = 0; i < sensitivity->count; i++)
        json_array_append_new(rows, row_json(&sensitivity->rows[i]));
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "samples", (json_int_t)sensitivity->samples,
                     "rouge_samples", (json_int_t)sensitivity->rouge_samples, "tokens", (json_int_t)sensitivity->tokens,
                     "base_loss", number(sensitivity->base_loss), "base_rouge", number(sensitivity->base_rouge),
                     "base_ms", number(sensitivity->base_ms), "rows", rows);
}

// SPDX-License-Identifier: Apache-2.0
// ROUGE requests: reading the pair, writing the scores.
#include "measure/rouge_request.h"

static Bytes text_of(const json_t *value) {
    return (Bytes){(const unsigned char *)json_string_value(value), json_string_length(value)};
}

// The targets as texts that live as long as `value`, a string or an array of strings.
static Status targets_read(Arena *arena, const json_t *value, Bytes **ret_targets, size_t *ret_count, Error *err) {
    bool one = json_is_string(value);
    size_t count = one ? 1 : json_array_size(value);
    if (!count)
        return FAIL(err, ERR_FORMAT, "'target' is %s, expected a string or an array of at least one string",
                    !value                 ? "missing"
                    : json_is_array(value) ? "an empty array"
                                           : "neither");
    Bytes *targets = arena_array(arena, count, sizeof *targets, err);
    TRY_NEW(targets);
    for (size_t i = 0; i < count; i++) {
        const json_t *text = one ? value : json_array_get(value, i);
        if (!json_is_string(text))
            return FAIL(err, ERR_FORMAT, "'target' holds something else at place %zu, expected strings", i);
        targets[i] = text_of(text);
    }
    *ret_targets = targets;
    *ret_count = count;
    return OK;
}

Status rouge_request_score(RougeScorer *scorer, Arena *arena, const json_t *request, RougeScore *ret_scores,
                           Error *err) {
    if (!json_is_object(request))
        return FAIL(err, ERR_FORMAT, "expected an object with 'target' and 'prediction'");
    Bytes *targets = NULL;
    size_t count = 0;
    TRY(targets_read(arena, json_object_get(request, "target"), &targets, &count, err));
    const json_t *prediction = json_object_get(request, "prediction");
    if (!json_is_string(prediction))
        return FAIL(err, ERR_FORMAT, "'prediction' is %s, expected a string",
                    prediction ? "something else" : "missing");
    return rouge_score(scorer, targets, count, text_of(prediction), ret_scores, err);
}

void rouge_scores_print(const RougeOptions *options, const RougeScore *scores, Buffer *text) {
    for (size_t k = 0; k < options->type_count; k++)
        buffer_format(text, "%s\"%s\":{\"precision\":%.17g,\"recall\":%.17g,\"fmeasure\":%.17g}", k ? "," : "{",
                      rouge_type_name(options->types[k]), scores[k].precision, scores[k].recall, scores[k].fmeasure);
    buffer_add_text(text, "}");
}

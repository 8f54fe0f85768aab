// SPDX-License-Identifier: Apache-2.0
// From an evidence document to its summary, type by type.
#include "compress/evidence_summary.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

static const char document[] = "hone.json, 'evidence'";

// The member, which has to be an object where it is there; NULL otherwise.
static Status object_get(const json_t *parent, const char *key, const json_t **ret, Error *err) {
    const json_t *value = json_object_get(parent, key);
    if (value && !json_is_null(value) && !json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: '%s' is no object", document, key);
    *ret = json_is_object(value) ? value : NULL;
    return OK;
}

// The element of a list of objects under `parent` whose member `flag` is true, or whose `name` is `name`; NULL: none.
static Status element_find(const json_t *parent, const char *key, const char *flag, const char *name,
                           const json_t **ret, Error *err) {
    const json_t *list = json_object_get(parent, key), *row;
    size_t i;
    *ret = NULL;
    if (!list || json_is_null(list))
        return OK;
    if (!json_is_array(list))
        return FAIL(err, ERR_FORMAT, "%s: '%s' is no list", document, key);
    json_array_foreach(list, i, row) {
        const char *called = NULL;
        bool flagged = false;
        if (!json_is_object(row))
            return FAIL(err, ERR_FORMAT, "%s: '%s' holds something that is no object", document, key);
        if (flag)
            TRY(json_get_bool(row, document, flag, &flagged, err));
        if (name)
            TRY(json_get_text(row, document, "name", &called, err));
        if (flagged || (name && called && strcmp(called, name) == 0))
            *ret = row;
    }
    return OK;
}

static Status loss_read(const json_t *evidence, EvidenceSummary *summary, Error *err) {
    const json_t *row = NULL, *losses = NULL, *mean = NULL;
    TRY(element_find(evidence, "rows", "chosen", NULL, &row, err));
    TRY(json_get_text(row, document, "recipe_text", &summary->choice, err));
    TRY(object_get(row, "loss", &losses, err));
    TRY(object_get(losses, "mean", &mean, err));
    TRY(json_get_real(mean, document, "relative", -1e9, 1e9, &summary->loss, err));
    TRY(json_get_real(mean, document, "low", -1e9, 1e9, &summary->low, err));
    return json_get_real(mean, document, "high", -1e9, 1e9, &summary->high, err);
}

static Status rows_read(const json_t *evidence, EvidenceSummary *summary, Error *err) {
    const json_t *data = NULL, *last = NULL;
    TRY(object_get(evidence, "data", &data, err));
    TRY(json_get_int(data, document, "rows", 0, INT64_MAX, &summary->rows, err));
    TRY(element_find(data, "split", NULL, "final", &last, err));
    return json_get_int(last, document, "rows", 0, INT64_MAX, &summary->rows, err);
}

Status evidence_summarize(const json_t *evidence, EvidenceSummary *ret_summary, Error *err) {
    EvidenceSummary summary = {.loss = NAN, .low = NAN, .high = NAN, .budget = NAN, .rows = -1};
    const json_t *answer = NULL;
    bool met = true;
    if (!json_is_object(evidence))
        return FAIL(err, ERR_FORMAT, "%s is no object", document);
    TRY(loss_read(evidence, &summary, err));
    TRY(rows_read(evidence, &summary, err));
    TRY(object_get(evidence, "answer", &answer, err));
    TRY(json_get_text(answer, document, "recipe_text", &summary.choice, err));
    TRY(json_get_bool(answer, document, "met", &met, err));
    TRY(json_get_real(evidence, document, "budget", 0, 1e9, &summary.budget, err));
    TRY(json_get_text(evidence, document, "weights_sha256", &summary.weights_sha256, err));
    const char *sha256 = summary.weights_sha256;
    if (sha256 && (strlen(sha256) + 1 != SHA256_TEXT_BYTES || sha256[strspn(sha256, "0123456789abcdef")]))
        return FAIL(err, ERR_FORMAT, "%s: 'weights_sha256' is no SHA-256 of 64 lower-case digits", document);
    summary.missed = !met;
    *ret_summary = summary;
    return OK;
}

void evidence_print(const EvidenceSummary *summary, Buffer *text) {
    if (!summary->choice)
        buffer_add_text(text, "a choice it does not name");
    else if (*summary->choice)
        buffer_add_json(text, summary->choice, strlen(summary->choice));
    else
        buffer_add_text(text, "the model as it was");
    if (isnan(summary->loss))
        buffer_add_text(text, ", loss not measured");
    else
        buffer_format(text, " loses %.2f %%", 100 * summary->loss);
    if (!isnan(summary->low) && !isnan(summary->high))
        buffer_format(text, " [%.2f, %.2f]", 100 * summary->low, 100 * summary->high);
    if (!isnan(summary->budget))
        buffer_format(text, ", budget %g %%", 100 * summary->budget);
    if (summary->rows >= 0)
        buffer_format(text, ", on %lld rows", (long long)summary->rows);
    if (summary->missed)
        buffer_add_text(text, "; the goal was not met");
}

// SPDX-License-Identifier: Apache-2.0
// Post-processors, as two templates: what stands around one text, and around a pair. And the truncation block.
#include <string.h>

#include "text/build.h"

enum { TEMPLATE_MAX = 4096 };

static Status id_check(Load *load, const json_t *id, const char *where, int32_t *ret, Error *err) {
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= ID_BOUND_MAX)
        return FAIL(err, ERR_FORMAT, "%s: '%s' needs ids from 0 to %d", load->name, where, ID_BOUND_MAX - 1);
    *ret = (int32_t)json_integer_value(id);
    return OK;
}

static Status template_make(Load *load, const TemplatePiece *pieces, size_t count, PostTemplate *ret, Error *err) {
    PostTemplate made = {NULL, count, 0};
    TemplatePiece *copy;
    TRY_NEW(copy = arena_array(load->arena, count, sizeof *copy, err));
    for (size_t i = 0; i < count; i++) {
        copy[i] = pieces[i];
        made.added += pieces[i].sequence < 0 ? pieces[i].count : 0;
    }
    made.pieces = copy;
    *ret = made;
    return OK;
}

Status post_around(Load *load, Around around, Error *err) {
    const int64_t ids[] = {around.before, around.behind, around.middle[0], around.middle[1], around.pair_behind};
    int32_t *kept;
    TRY_NEW(kept = arena_array(load->arena, 5, sizeof *kept, err));
    TemplatePiece special[5];
    for (int i = 0; i < 5; i++) {
        kept[i] = (int32_t)ids[i];
        special[i] = (TemplatePiece){-1, &kept[i], ids[i] >= 0};
    }
    const TemplatePiece single[] = {special[0], {0, NULL, 0}, special[1]};
    const TemplatePiece pair[] = {special[0], {0, NULL, 0}, special[2], special[3], {1, NULL, 0}, special[4]};
    TRY(template_make(load, single, 3, &load->tokenizer->post.single, err));
    return template_make(load, pair, 6, &load->tokenizer->post.pair, err);
}

// "sep": ["</s>", 2]
static Status pair_read(Load *load, const json_t *value, const char *key, int64_t *ret, Error *err) {
    const json_t *pair = json_object_get(value, key);
    if (json_array_size(pair) != 2 || !json_is_string(json_array_get(pair, 0)))
        return FAIL(err, ERR_FORMAT, "%s: the post_processor needs '%s' to be [\"token\", id]", load->name, key);
    int32_t id = 0;
    TRY(id_check(load, json_array_get(pair, 1), key, &id, err));
    *ret = id;
    return OK;
}

// {"SpecialToken": {"id": "[CLS]", ...}} or {"Sequence": {"id": "A", ...}}
static Status piece_read(Load *load, const json_t *value, const json_t *specials, bool pair, TemplatePiece *ret,
                         Error *err) {
    const char *token = json_string_value(json_object_get(json_object_get(value, "SpecialToken"), "id"));
    const char *sequence = json_string_value(json_object_get(json_object_get(value, "Sequence"), "id"));
    if (sequence && (!strcmp(sequence, "A") || (!strcmp(sequence, "B") && pair))) {
        *ret = (TemplatePiece){sequence[0] == 'B', NULL, 0};
        return OK;
    }
    if (!token)
        return FAIL(err, ERR_FORMAT,
                    "%s: a piece of TemplateProcessing's '%s' is neither a SpecialToken nor a Sequence %s", load->name,
                    pair ? "pair" : "single", pair ? "A or B" : "A");
    const json_t *ids = json_object_get(json_object_get(specials, token), "ids");
    if (!json_is_array(ids) || json_array_size(ids) > TEMPLATE_MAX)
        return FAIL(err, ERR_FORMAT, "%s: TemplateProcessing names '%.40s', which its 'special_tokens' do not give ids",
                    load->name, token);
    int32_t *kept;
    TRY_NEW(kept = arena_array(load->arena, json_array_size(ids), sizeof *kept, err));
    for (size_t i = 0; i < json_array_size(ids); i++)
        TRY(id_check(load, json_array_get(ids, i), "ids", &kept[i], err));
    *ret = (TemplatePiece){-1, kept, json_array_size(ids)};
    return OK;
}

static Status template_read(Load *load, const json_t *value, const char *key, bool pair, PostTemplate *ret,
                            Error *err) {
    const json_t *pieces = json_object_get(value, key), *specials = json_object_get(value, "special_tokens");
    size_t count = json_array_size(pieces);
    if (!json_is_array(pieces) || count > TEMPLATE_MAX || !json_is_object(specials))
        return FAIL(
            err, ERR_FORMAT,
            "%s: TemplateProcessing needs '%s' to be an array of at most %d pieces and 'special_tokens' an object",
            load->name, key, TEMPLATE_MAX);
    TemplatePiece *made;
    TRY_NEW(made = arena_array(load->scratch, count, sizeof *made, err));
    for (size_t i = 0; i < count; i++)
        TRY(piece_read(load, json_array_get(pieces, i), specials, pair, &made[i], err));
    return template_make(load, made, count, ret, err);
}

static Status processor_read(Load *load, const json_t *value, int depth, bool *laid_out, Error *err) {
    static const char *const types[] = {
#define POST_PROCESSOR(name, type) type,
#include "text/components.def"
    };
    const char *type = json_string_value(json_object_get(value, "type"));
    size_t found = 0;
    while (type && found < POST_PROCESSOR_COUNT && strcmp(type, types[found]))
        found++;
    if (!type)
        return FAIL(err, ERR_FORMAT, "%s: a post_processor has no 'type'", load->name);
    if (found == POST_PROCESSOR_COUNT)
        return FAIL(err, ERR_UNSUPPORTED, "%s: the post_processor type '%.60s' is not supported", load->name, type);
    if (found == POST_PROCESSOR_BYTE_LEVEL)
        return OK; // moves offsets only
    if (found == POST_PROCESSOR_SEQUENCE) {
        const json_t *members = json_object_get(value, "processors");
        if (!json_is_array(members))
            return FAIL(err, ERR_FORMAT, "%s: 'Sequence' needs 'processors' to be an array", load->name);
        if (depth >= NESTING_MAX)
            return FAIL(err, ERR_LIMIT, "%s: 'processors' nest deeper than %d", load->name, NESTING_MAX);
        for (size_t i = 0; i < json_array_size(members); i++)
            TRY(processor_read(load, json_array_get(members, i), depth + 1, laid_out, err));
        return OK;
    }
    if (*laid_out)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: two post_processors that add tokens, one after the other, are not supported", load->name);
    *laid_out = true;
    if (found == POST_PROCESSOR_TEMPLATE) {
        TRY(template_read(load, value, "single", false, &load->tokenizer->post.single, err));
        return template_read(load, value, "pair", true, &load->tokenizer->post.pair, err);
    }
    int64_t cls, sep;
    TRY(pair_read(load, value, "cls", &cls, err));
    TRY(pair_read(load, value, "sep", &sep, err));
    return post_around(load, (Around){cls, sep, {sep, found == POST_PROCESSOR_ROBERTA ? sep : -1}, sep}, err);
}

Status read_post_processor(Load *load, const json_t *value, Error *err) {
    bool laid_out = false;
    if (value && !json_is_null(value))
        TRY(processor_read(load, value, 0, &laid_out, err));
    return laid_out ? OK : post_around(load, (Around){-1, -1, {-1, -1}, -1}, err);
}

Status read_truncation(Load *load, const json_t *value, Error *err) {
    if (!value || json_is_null(value))
        return OK;
    static const char *const strategies[] = {"LongestFirst", "OnlyFirst", "OnlySecond"};
    static const char *const sides[] = {"Right", "Left"};
    const char *strategy = NULL, *side = "Right";
    int64_t most = -1;
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: 'truncation' must be an object", load->name);
    TRY(json_get_int(value, load->name, "max_length", 0, INT64_MAX, &most, err));
    TRY(json_get_text(value, load->name, "strategy", &strategy, err));
    TRY(json_get_text(value, load->name, "direction", &side, err));
    if (most < 0 || !strategy)
        return FAIL(err, ERR_FORMAT, "%s: 'truncation' needs 'max_length' and 'strategy'", load->name);
    Truncation made = {.max_tokens = (size_t)most};
    size_t i = 0, j = 0;
    while (i < 3 && strcmp(strategy, strategies[i]))
        i++;
    while (j < 2 && strcmp(side, sides[j]))
        j++;
    if (i == 3 || j == 2)
        return FAIL(err, ERR_UNSUPPORTED, "%s: truncation by strategy '%.30s' on side '%.30s' is not supported",
                    load->name, strategy, side);
    made.strategy = (TruncationStrategy)i;
    made.side = (TruncationSide)j;
    load->tokenizer->truncation = made;
    load->tokenizer->truncates = true;
    return OK;
}

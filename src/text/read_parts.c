// SPDX-License-Identifier: Apache-2.0
// Normalizers, pre-tokenizers and decoders of a tokenizer.json, by type. Sequences are flattened.
#include <string.h>

#include "text/build.h"

static const char *const normalizer_types[] = {
#define NORMALIZER(name, type) type,
#include "text/components.def"
};
static const char *const pre_tokenizer_types[] = {
#define PRE_TOKENIZER(name, type) type,
#include "text/components.def"
};
static const char *const decoder_types[] = {
#define DECODER(name, type) type,
#include "text/components.def"
};

static Status wrong(Load *load, const char *where, const char *key, const char *expected, Error *err) {
    return FAIL(err, ERR_FORMAT, "%s: '%s' needs '%s' to be %s", load->name, where, key, expected);
}

Status need_text(Load *load, const json_t *object, const char *where, const char *key, Text *ret, Error *err) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return wrong(load, where, key, "a string", err);
    Text text = {NULL, json_string_length(value)};
    TRY_NEW(text.data = arena_copy_text(load->arena, json_string_value(value), text.bytes, err));
    *ret = text;
    return OK;
}

Status need_character(Load *load, const json_t *object, const char *where, const char *key, uint32_t *ret, Error *err) {
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    size_t at = 0;
    if (!text || !json_string_length(value) || char_bytes(text[0]) != json_string_length(value))
        return wrong(load, where, key, "a string of one character", err);
    *ret = char_next(text, &at);
    return OK;
}

Status need_bool(Load *load, const json_t *object, const char *where, const char *key, bool *ret, Error *err) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_boolean(value))
        return wrong(load, where, key, "true or false", err);
    *ret = json_is_true(value);
    return OK;
}

static Status need_size(Load *load, const json_t *object, const char *where, const char *key, size_t *ret, Error *err) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return wrong(load, where, key, "an integer that is not negative", err);
    *ret = (size_t)json_integer_value(value);
    return OK;
}

static Status need_pattern(Load *load, const json_t *object, const char *where, Pattern *ret, Error *err) {
    const json_t *value = json_object_get(object, "pattern");
    const json_t *literal = json_object_get(value, "String"), *regex = json_object_get(value, "Regex");
    if (json_is_string(literal))
        return pattern_make_literal(load->arena, json_string_value(literal), json_string_length(literal), ret, err);
    if (json_is_string(regex))
        return pattern_make_regex(load->arena, load->name, json_string_value(regex), json_string_length(regex), ret,
                                  err);
    return wrong(load, where, "pattern", "an object with 'String' or 'Regex'", err);
}

static Status need_behavior(Load *load, const json_t *object, const char *where, SplitBehavior *ret, Error *err) {
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const char *name = json_string_value(json_object_get(object, "behavior"));
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) {
            *ret = (SplitBehavior)i;
            return OK;
        }
    return wrong(load, where, "behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous", err);
}

// The index of a component's type in its family's names.
static Status type_find(Load *load, const json_t *value, const char *family, const char *const *names, size_t count,
                        size_t *ret, Error *err) {
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: a %s must be an object with a 'type'", load->name, family);
    const char *type = json_string_value(json_object_get(value, "type"));
    if (!type)
        return FAIL(err, ERR_FORMAT, "%s: a %s has no 'type'", load->name, family);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(type, names[i])) {
            *ret = i;
            return OK;
        }
    return FAIL(err, ERR_UNSUPPORTED, "%s: the %s type '%.60s' is not supported", load->name, family, type);
}

// Calls `read` for every member of a Sequence.
typedef Status PartReader(Load *load, const json_t *value, int depth, Error *err);

static Status members_read(Load *load, const json_t *value, const char *key, int depth, PartReader *read, Error *err) {
    const json_t *members = json_object_get(value, key);
    if (!json_is_array(members))
        return wrong(load, "Sequence", key, "an array", err);
    if (depth >= NESTING_MAX)
        return FAIL(err, ERR_LIMIT, "%s: '%s' nest deeper than %d", load->name, key, NESTING_MAX);
    for (size_t i = 0; i < json_array_size(members); i++)
        TRY(read(load, json_array_get(members, i), depth + 1, err));
    return OK;
}

// Room for one more component in an arena array whose capacity is the next power of two.
static void *part_slot(Load *load, void **parts, size_t *count, size_t size, Error *err) {
    if (*count >= COMPONENTS_MAX) {
        IGNORE_STATUS(FAIL(err, ERR_LIMIT, "%s: more than %d components", load->name, COMPONENTS_MAX)); // err tells
        return NULL;
    }
    if (!(*count & (*count - 1))) {
        char *grown = arena_array(load->arena, *count ? *count * 2 : 1, size, err);
        if (!grown)
            return NULL;
        if (*count)
            memcpy(grown, *parts, *count * size);
        *parts = grown;
    }
    return (char *)*parts + (*count)++ * size;
}

#define DEFINE_ADD(Type, noun, array, array_count, TypeEnum)                                                           \
    Type *noun##_add(Load *load, TypeEnum type, Error *err) {                                                          \
        void *parts = load->tokenizer->array;                                                                          \
        Type *part = part_slot(load, &parts, &load->tokenizer->array_count, sizeof *part, err);                        \
        load->tokenizer->array = parts;                                                                                \
        if (part)                                                                                                      \
            part->type = type;                                                                                         \
        return part;                                                                                                   \
    }
DEFINE_ADD(Normalizer, normalizer, normalizers, normalizer_count, NormalizerType)
DEFINE_ADD(PreTokenizer, pre_tokenizer, pre_tokenizers, pre_tokenizer_count, PreTokenizerType)
DEFINE_ADD(Decoder, decoder, decoders, decoder_count, DecoderType)

static Status normalizer_bert(Load *load, const json_t *value, Normalizer *n, Error *err) {
    TRY(need_bool(load, value, "BertNormalizer", "clean_text", &n->clean_text, err));
    TRY(need_bool(load, value, "BertNormalizer", "handle_chinese_chars", &n->chinese, err));
    TRY(need_bool(load, value, "BertNormalizer", "lowercase", &n->lowercase, err));
    n->strip_accents = n->lowercase; // unless the file says
    return json_get_bool(value, load->name, "strip_accents", &n->strip_accents, err);
}

static Status normalizer_precompiled(Load *load, const json_t *value, Normalizer *n, Error *err) {
    const json_t *map = json_object_get(value, "precompiled_charsmap");
    if (!json_is_string(map))
        return wrong(load, "Precompiled", "precompiled_charsmap", "a string in base64", err);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *text = json_string_value(map);
    size_t bytes = json_string_length(map), made = 0;
    unsigned char *data;
    TRY_NEW(data = arena_alloc(load->scratch, bytes + 4, 16, err));
    while (bytes && text[bytes - 1] == '=')
        bytes--;
    uint32_t bits = 0;
    for (size_t i = 0; i < bytes; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit)
            return FAIL(err, ERR_FORMAT, "%s: 'precompiled_charsmap' is not base64 at character %zu", load->name, i);
        bits = bits << 6 | (uint32_t)(digit - digits);
        if (i % 4)
            data[made++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    return charsmap_read(load, data, made, n, err);
}

static Status normalizer_read(Load *load, const json_t *value, int depth, Error *err) {
    size_t type = 0;
    TRY(type_find(load, value, "normalizer", normalizer_types, NORMALIZER_COUNT, &type, err));
    if (type == NORMALIZER_SEQUENCE)
        return members_read(load, value, "normalizers", depth, normalizer_read, err);
    Normalizer *n;
    TRY_NEW(n = normalizer_add(load, (NormalizerType)type, err));
    switch (n->type) {
    case NORMALIZER_BERT:
        return normalizer_bert(load, value, n, err);
    case NORMALIZER_STRIP:
        TRY(need_bool(load, value, "Strip", "strip_left", &n->left, err));
        return need_bool(load, value, "Strip", "strip_right", &n->right, err);
    case NORMALIZER_PRECOMPILED:
        return normalizer_precompiled(load, value, n, err);
    case NORMALIZER_PREPEND:
        return need_text(load, value, "Prepend", "prepend", &n->content, err);
    case NORMALIZER_REPLACE:
        TRY(need_text(load, value, "Replace", "content", &n->content, err));
        return need_pattern(load, value, "Replace", &n->pattern, err);
    default:
        return OK;
    }
}

Status read_normalizers(Load *load, const json_t *value, Error *err) {
    return !value || json_is_null(value) ? OK : normalizer_read(load, value, 0, err);
}

// `prepend_scheme`, or the older `add_prefix_space`.
static Status prepend_read(Load *load, const json_t *value, PrependScheme *ret, Error *err) {
    const char *scheme = NULL;
    bool add = true;
    TRY(json_get_bool(value, load->name, "add_prefix_space", &add, err));
    TRY(json_get_text(value, load->name, "prepend_scheme", &scheme, err));
    if (!scheme)
        *ret = add ? PREPEND_ALWAYS : PREPEND_NEVER;
    else if (!strcmp(scheme, "always") && add)
        *ret = PREPEND_ALWAYS;
    else if (!strcmp(scheme, "first") && add)
        *ret = PREPEND_FIRST;
    else if (!strcmp(scheme, "never"))
        *ret = PREPEND_NEVER;
    else
        return FAIL(err, ERR_FORMAT, "%s: 'Metaspace' has prepend_scheme '%.20s'%s, expected always, first or never",
                    load->name, scheme, add ? "" : " against add_prefix_space false");
    return OK;
}

static Status pre_tokenizer_read(Load *load, const json_t *value, int depth, Error *err) {
    size_t type = 0;
    TRY(type_find(load, value, "pre_tokenizer", pre_tokenizer_types, PRE_TOKENIZER_COUNT, &type, err));
    if (type == PRE_TOKENIZER_SEQUENCE)
        return members_read(load, value, "pretokenizers", depth, pre_tokenizer_read, err);
    PreTokenizer *p;
    TRY_NEW(p = pre_tokenizer_add(load, (PreTokenizerType)type, err));
    switch (p->type) {
    case PRE_TOKENIZER_BYTE_LEVEL:
        p->gpt2_split = true;
        TRY(json_get_bool(value, load->name, "use_regex", &p->gpt2_split, err));
        return need_bool(load, value, "ByteLevel", "add_prefix_space", &p->add_prefix_space, err);
    case PRE_TOKENIZER_DELIMITER:
        return need_character(load, value, "CharDelimiterSplit", "delimiter", &p->character, err);
    case PRE_TOKENIZER_DIGITS:
        return need_bool(load, value, "Digits", "individual_digits", &p->individual, err);
    case PRE_TOKENIZER_FIXED_LENGTH:
        p->length = 5;
        if (json_object_get(value, "length"))
            TRY(need_size(load, value, "FixedLength", "length", &p->length, err));
        return p->length ? OK : wrong(load, "FixedLength", "length", "at least 1", err);
    case PRE_TOKENIZER_METASPACE:
        p->split = true;
        TRY(json_get_bool(value, load->name, "split", &p->split, err));
        TRY(need_character(load, value, "Metaspace", "replacement", &p->character, err));
        return prepend_read(load, value, &p->prepend, err);
    case PRE_TOKENIZER_PUNCTUATION:
        p->behavior = SPLIT_ISOLATED;
        return json_object_get(value, "behavior") ? need_behavior(load, value, "Punctuation", &p->behavior, err) : OK;
    case PRE_TOKENIZER_SPLIT:
        TRY(need_bool(load, value, "Split", "invert", &p->invert, err));
        TRY(need_behavior(load, value, "Split", &p->behavior, err));
        return need_pattern(load, value, "Split", &p->pattern, err);
    default:
        return OK;
    }
}

Status read_pre_tokenizers(Load *load, const json_t *value, Error *err) {
    return !value || json_is_null(value) ? OK : pre_tokenizer_read(load, value, 0, err);
}

static Status decoder_read(Load *load, const json_t *value, int depth, Error *err) {
    size_t type = 0;
    TRY(type_find(load, value, "decoder", decoder_types, DECODER_COUNT, &type, err));
    if (type == DECODER_SEQUENCE)
        return members_read(load, value, "decoders", depth, decoder_read, err);
    Decoder *d;
    TRY_NEW(d = decoder_add(load, (DecoderType)type, err));
    PrependScheme scheme = PREPEND_ALWAYS;
    switch (d->type) {
    case DECODER_BPE:
        return need_text(load, value, "BPEDecoder", "suffix", &d->prefix, err);
    case DECODER_CTC:
        TRY(need_text(load, value, "CTC", "pad_token", &d->pad, err));
        TRY(need_text(load, value, "CTC", "word_delimiter_token", &d->delimiter, err));
        return need_bool(load, value, "CTC", "cleanup", &d->cleanup, err);
    case DECODER_METASPACE:
        TRY(need_character(load, value, "Metaspace", "replacement", &d->character, err));
        TRY(prepend_read(load, value, &scheme, err));
        d->prefixed = scheme != PREPEND_NEVER;
        return OK;
    case DECODER_REPLACE:
        TRY(need_text(load, value, "Replace", "content", &d->content, err));
        return need_pattern(load, value, "Replace", &d->pattern, err);
    case DECODER_STRIP:
        TRY(need_character(load, value, "Strip", "content", &d->character, err));
        TRY(need_size(load, value, "Strip", "start", &d->start, err));
        return need_size(load, value, "Strip", "stop", &d->stop, err);
    case DECODER_WORD_PIECE:
        TRY(need_text(load, value, "WordPiece", "prefix", &d->prefix, err));
        return need_bool(load, value, "WordPiece", "cleanup", &d->cleanup, err);
    default:
        return OK;
    }
}

Status read_decoders(Load *load, const json_t *value, Error *err) {
    return !value || json_is_null(value) ? OK : decoder_read(load, value, 0, err);
}

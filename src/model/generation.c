// SPDX-License-Identifier: Apache-2.0
// Generation options from JSON: one table of numbers, a few members of their own, and a table of settings that Hugging
// Face has and hone refuses to ignore. What the options do is the engine's business.
#include "model/generation.h"

#include <math.h>
#include <string.h>

GenerationOptions generation_defaults(void) {
    return (GenerationOptions){
        .max_new_tokens = -1,
        .min_new_tokens = -1,
        .max_length = 21, // its 20, when nobody asked for it, are 20 new tokens beside the start token
        .num_beams = 1,
        .num_return_sequences = 1,
        .length_penalty = 1.0,
        .repetition_penalty = 1.0,
        .forced_bos_token_id = -1,
        .forced_eos_token_id = -1,
        .decoder_start_token_id = -1,
        .bos_token_id = -1,
        .pad_token_id = -1,
        .temperature = 1.0,
        .top_p = 1.0,
        .top_k = 50,
    };
}

// Members that are one number. `null` in JSON gives `none`.
typedef enum MemberKind { MEMBER_INT, MEMBER_ID, MEMBER_REAL } MemberKind;

typedef struct Member {
    const char *name;
    size_t offset;
    MemberKind kind;
    double low, high, none;
} Member;

#define MOST_TOKENS 2147483647.0
#define MEMBER(name, kind, low, high, none)                                                                            \
    { #name, offsetof(GenerationOptions, name), kind, low, high, none }

static const Member members[] = {
    MEMBER(max_new_tokens, MEMBER_INT, 1, MOST_TOKENS, -1),
    MEMBER(min_new_tokens, MEMBER_INT, 0, MOST_TOKENS, -1),
    MEMBER(max_length, MEMBER_INT, 1, MOST_TOKENS, 21),
    MEMBER(min_length, MEMBER_INT, 0, MOST_TOKENS, 0),
    MEMBER(num_beams, MEMBER_INT, 1, 65536, 1),
    MEMBER(num_return_sequences, MEMBER_INT, 1, 65536, 1),
    MEMBER(no_repeat_ngram_size, MEMBER_INT, 0, MOST_TOKENS, 0),
    MEMBER(encoder_no_repeat_ngram_size, MEMBER_INT, 0, MOST_TOKENS, 0),
    MEMBER(top_k, MEMBER_INT, 0, MOST_TOKENS, 0),
    MEMBER(forced_bos_token_id, MEMBER_ID, -1, MOST_TOKENS, -1),
    MEMBER(forced_eos_token_id, MEMBER_ID, -1, MOST_TOKENS, -1),
    MEMBER(decoder_start_token_id, MEMBER_ID, -1, MOST_TOKENS, -1),
    MEMBER(bos_token_id, MEMBER_ID, -1, MOST_TOKENS, -1),
    MEMBER(pad_token_id, MEMBER_ID, -1, MOST_TOKENS, -1),
    MEMBER(length_penalty, MEMBER_REAL, -1e6, 1e6, 1),
    MEMBER(repetition_penalty, MEMBER_REAL, 0, 1e6, 1),
    MEMBER(temperature, MEMBER_REAL, 0, 1e6, 1),
    MEMBER(top_p, MEMBER_REAL, 0, 1, 1),
};

// Settings that would change the output and that hone does not have: fine where they hold their neutral value.
static const struct {
    const char *name;
    double neutral;
} refused[] = {
    {"num_beam_groups", 1},
    {"diversity_penalty", 0},
    {"typical_p", 1},
    {"epsilon_cutoff", 0},
    {"eta_cutoff", 0},
    {"min_p", 0},
    {"encoder_repetition_penalty", 1},
    {"guidance_scale", 1},
    {"penalty_alpha", 0},
    {"renormalize_logits", 0},
    {"remove_invalid_values", 0},
    {"exponential_decay_length_penalty", 0},
    {"suppress_tokens", 0},
    {"begin_suppress_tokens", 0},
    {"sequence_bias", 0},
    {"watermarking_config", 0},
    {"stop_strings", 0},
    {"max_time", 0},
    {"dola_layers", 0},
    {"constraints", 0},
    {"force_words_ids", 0},
    {"prompt_lookup_num_tokens", 0},
    {"token_healing", 0},
};

static bool is_neutral(const json_t *value, double neutral) {
    if (!value || json_is_null(value) || json_is_false(value))
        return true;
    if (json_is_number(value))
        return json_number_value(value) == neutral;
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static Status check_refused(const json_t *object, const char *name, Error *err) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (!is_neutral(json_object_get(object, refused[i].name), refused[i].neutral))
            return FAIL(err, ERR_UNSUPPORTED, "%s: generation setting '%s' is not supported", name, refused[i].name);
    }
    return OK;
}

static Status read_member(const json_t *object, const char *name, const Member *member, GenerationOptions *options,
                          Error *err) {
    const json_t *value = json_object_get(object, member->name);
    if (!value)
        return OK;
    void *field = (char *)options + member->offset;
    if (member->kind == MEMBER_REAL) {
        double real = member->none;
        TRY(json_get_real(object, name, member->name, member->low, member->high, &real, err));
        memcpy(field, &real, sizeof real);
        return OK;
    }
    int64_t number = (int64_t)member->none;
    TRY(json_get_int(object, name, member->name, (int64_t)member->low, (int64_t)member->high, &number, err));
    int32_t id = (int32_t)number;
    if (member->kind == MEMBER_ID)
        memcpy(field, &id, sizeof id);
    else
        memcpy(field, &number, sizeof number);
    return OK;
}

static bool is_token_id(const json_t *value) {
    return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= INT32_MAX;
}

// A list of one forced id counts as that id; a longer one is refused.
static Status read_forced_eos(const json_t *object, const char *name, GenerationOptions *options, Error *err) {
    const json_t *value = json_object_get(object, "forced_eos_token_id");
    if (!json_is_array(value))
        return OK;
    if (json_array_size(value) != 1)
        return FAIL(err, ERR_UNSUPPORTED, "%s: 'forced_eos_token_id' lists %zu ids; one is supported", name,
                    json_array_size(value));
    if (!is_token_id(json_array_get(value, 0)))
        return FAIL(err, ERR_FORMAT, "%s: 'forced_eos_token_id' holds something other than a token id", name);
    options->forced_eos_token_id = (int32_t)json_integer_value(json_array_get(value, 0));
    return OK;
}

static Status read_eos(const json_t *object, const char *name, GenerationOptions *options, Error *err) {
    const json_t *value = json_object_get(object, "eos_token_id");
    if (!value)
        return OK;
    enum { MOST = sizeof options->eos_token_ids / sizeof *options->eos_token_ids };
    bool list = json_is_array(value);
    size_t count = list ? json_array_size(value) : json_is_null(value) ? 0 : 1;
    if (count > MOST)
        return FAIL(err, ERR_UNSUPPORTED, "%s: 'eos_token_id' lists %zu ids; at most %d are supported", name, count,
                    MOST);
    int32_t ids[MOST];
    for (size_t i = 0; i < count; i++) {
        const json_t *id = list ? json_array_get(value, i) : value;
        if (!is_token_id(id))
            return FAIL(err, ERR_FORMAT, "%s: 'eos_token_id' is neither a token id nor a list of them", name);
        ids[i] = (int32_t)json_integer_value(id);
    }
    memcpy(options->eos_token_ids, ids, count * sizeof *ids);
    options->eos_token_count = count;
    return OK;
}

static Status read_early_stopping(const json_t *object, const char *name, GenerationOptions *options, Error *err) {
    const json_t *value = json_object_get(object, "early_stopping");
    if (!value)
        return OK;
    if (json_is_boolean(value))
        options->early_stopping = json_is_true(value) ? EARLY_STOPPING_TRUE : EARLY_STOPPING_FALSE;
    else if (json_is_null(value))
        options->early_stopping = EARLY_STOPPING_FALSE;
    else if (json_is_string(value) && strcmp(json_string_value(value), "never") == 0)
        options->early_stopping = EARLY_STOPPING_NEVER;
    else
        return FAIL(err, ERR_FORMAT, "%s: `early_stopping` must be a boolean or 'never'", name);
    return OK;
}

static Status read_word(Arena *arena, const json_t *word, const char *name, const int32_t **ret_ids, Error *err) {
    size_t count = json_array_size(word);
    if (!json_is_array(word) || count == 0)
        return FAIL(err, ERR_FORMAT, "%s: `bad_words_ids` has to be a list of non-empty lists of token ids", name);
    int32_t *ids = arena_array(arena, count, sizeof *ids, err);
    TRY_NEW(ids);
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(word, i);
        if (!is_token_id(id))
            return FAIL(err, ERR_FORMAT,
                        "%s: each list in `bad_words_ids` has to be a list of non-negative integers below 2^31", name);
        ids[i] = (int32_t)json_integer_value(id);
    }
    *ret_ids = ids;
    return OK;
}

static Status read_bad_words(Arena *arena, const json_t *object, const char *name, BadWords *ret, Error *err) {
    const json_t *value = json_object_get(object, "bad_words_ids");
    if (!value)
        return OK;
    size_t count = json_array_size(value);
    if (json_is_null(value)) {
        *ret = (BadWords){0};
        return OK;
    }
    if (!json_is_array(value) || count == 0)
        return FAIL(err, ERR_FORMAT, "%s: `bad_words_ids` has to be a non-empty list of lists", name);
    const int32_t **sequences = arena_array(arena, count, sizeof *sequences, err);
    TRY_NEW(sequences);
    size_t *lengths = arena_array(arena, count, sizeof *lengths, err);
    TRY_NEW(lengths);
    for (size_t i = 0; i < count; i++) {
        TRY(read_word(arena, json_array_get(value, i), name, &sequences[i], err));
        lengths[i] = json_array_size(json_array_get(value, i));
    }
    *ret = (BadWords){.sequences = sequences, .lengths = lengths, .count = count};
    return OK;
}

Status generation_read(Arena *arena, const json_t *object, const char *name, GenerationOptions *options, Error *err) {
    GenerationOptions read = *options;
    TRY(check_refused(object, name, err));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        bool list = members[i].offset == offsetof(GenerationOptions, forced_eos_token_id) &&
                    json_is_array(json_object_get(object, members[i].name));
        if (!list)
            TRY(read_member(object, name, &members[i], &read, err));
    }
    TRY(read_forced_eos(object, name, &read, err));
    TRY(read_eos(object, name, &read, err));
    TRY(read_early_stopping(object, name, &read, err));
    TRY(read_bad_words(arena, object, name, &read.bad_words, err));
    TRY(json_get_bool(object, name, "do_sample", &read.do_sample, err));
    int64_t seed = (int64_t)read.seed;
    TRY(json_get_int(object, name, "seed", INT64_MIN, INT64_MAX, &seed, err));
    read.seed = (uint64_t)seed;
    *options = read;
    return OK;
}

Status generation_read_config(Arena *arena, const json_t *object, const char *name, GenerationOptions *options,
                              Error *err) {
    TRY(generation_read(arena, object, name, options, err));
    if (options->max_length == 20)
        options->max_length = 21;
    return OK;
}

int64_t generation_max_length(const GenerationOptions *options) {
    return options->max_new_tokens >= 0 ? options->max_new_tokens + 1 : options->max_length;
}

int64_t generation_min_length(const GenerationOptions *options) {
    return options->min_new_tokens >= 0 ? options->min_new_tokens + 1 : options->min_length;
}

int32_t generation_start_token(const GenerationOptions *options) {
    return options->decoder_start_token_id >= 0 ? options->decoder_start_token_id : options->bos_token_id;
}

static Status check_sequences(const GenerationOptions *options, Error *err) {
    if (options->num_beams < 1)
        return FAIL(err, ERR_USAGE, "`num_beams` has to be an integer greater than 0, but is %lld",
                    (long long)options->num_beams);
    if (options->num_return_sequences < 1)
        return FAIL(err, ERR_USAGE, "`num_return_sequences` has to be an integer greater than 0, but is %lld",
                    (long long)options->num_return_sequences);
    if (options->num_return_sequences > 1 && options->num_beams == 1 && !options->do_sample)
        return FAIL(err, ERR_USAGE,
                    "greedy methods without beam search do not support `num_return_sequences` different than 1 (got "
                    "%lld)",
                    (long long)options->num_return_sequences);
    if (options->num_beams > 1 && options->num_return_sequences > options->num_beams)
        return FAIL(err, ERR_USAGE, "`num_return_sequences` (%lld) has to be smaller or equal to `num_beams` (%lld)",
                    (long long)options->num_return_sequences, (long long)options->num_beams);
    return OK;
}

static Status check_lengths(const GenerationOptions *options, Error *err) {
    if (options->max_new_tokens == 0 || options->max_new_tokens < -1)
        return FAIL(err, ERR_USAGE, "`max_new_tokens` must be greater than 0, but is %lld",
                    (long long)options->max_new_tokens);
    if (generation_max_length(options) < 2)
        return FAIL(err, ERR_USAGE,
                    "the decoder starts with 1 token, but `max_length` is set to %lld; increase `max_length` or, "
                    "better, set `max_new_tokens`",
                    (long long)options->max_length);
    if (options->min_length < 0 || options->min_new_tokens < -1)
        return FAIL(err, ERR_USAGE, "`min_length` has to be a non-negative integer, but is %lld",
                    (long long)(options->min_length < 0 ? options->min_length : options->min_new_tokens));
    if (options->no_repeat_ngram_size < 0 || options->encoder_no_repeat_ngram_size < 0)
        return FAIL(err, ERR_USAGE, "`ngram_size` has to be a non-negative integer, but is %lld",
                    (long long)(options->no_repeat_ngram_size < 0 ? options->no_repeat_ngram_size
                                                                  : options->encoder_no_repeat_ngram_size));
    return OK;
}

static Status check_reals(const GenerationOptions *options, Error *err) {
    if (!(options->repetition_penalty > 0) || !isfinite(options->repetition_penalty))
        return FAIL(err, ERR_USAGE, "`repetition_penalty` has to be a strictly positive float, but is %g",
                    options->repetition_penalty);
    if (!isfinite(options->length_penalty))
        return FAIL(err, ERR_USAGE, "`length_penalty` has to be a finite number, but is %g", options->length_penalty);
    if (!options->do_sample)
        return OK;
    if (!(options->temperature > 0) || !isfinite(options->temperature))
        return FAIL(err, ERR_USAGE,
                    "`temperature` (=%g) has to be a strictly positive float; for greedy decoding set "
                    "`do_sample=False`",
                    options->temperature);
    if (!(options->top_p >= 0 && options->top_p <= 1))
        return FAIL(err, ERR_USAGE, "`top_p` has to be a float from 0 to 1, but is %g", options->top_p);
    if (options->top_k < 0)
        return FAIL(err, ERR_USAGE, "`top_k` has to be a positive integer or 0 for all, but is %lld",
                    (long long)options->top_k);
    return OK;
}

static Status check_id(const char *name, int64_t id, size_t vocabulary, Error *err) {
    if (id >= (int64_t)vocabulary || id < 0)
        return FAIL(err, ERR_USAGE, "`%s` is %lld, but the model's vocabulary has ids 0 to %zu", name, (long long)id,
                    vocabulary - 1);
    return OK;
}

Status generation_check(const GenerationOptions *options, size_t vocabulary, Error *err) {
    TRY(check_sequences(options, err));
    TRY(check_lengths(options, err));
    TRY(check_reals(options, err));
    if (generation_start_token(options) < 0)
        return FAIL(err, ERR_USAGE,
                    "`decoder_start_token_id` or `bos_token_id` has to be defined for encoder-decoder generation");
    TRY(check_id("decoder_start_token_id", generation_start_token(options), vocabulary, err));
    if (options->forced_bos_token_id != -1)
        TRY(check_id("forced_bos_token_id", options->forced_bos_token_id, vocabulary, err));
    if (options->forced_eos_token_id != -1)
        TRY(check_id("forced_eos_token_id", options->forced_eos_token_id, vocabulary, err));
    if (options->num_beams > 1 && (options->eos_token_count > 1 ? options->eos_token_count : 1) + 1 > vocabulary)
        return FAIL(err, ERR_USAGE, "beam search with %zu `eos_token_id`s needs a vocabulary larger than %zu",
                    options->eos_token_count, vocabulary);
    for (size_t i = 0; i < options->bad_words.count; i++) {
        for (size_t j = 0; j < options->bad_words.lengths[i]; j++)
            TRY(check_id("bad_words_ids", options->bad_words.sequences[i][j], vocabulary, err));
    }
    return OK;
}

Status bad_words_copy(Arena *arena, BadWords *words, Error *err) {
    if (!words->count)
        return OK;
    const int32_t **sequences = arena_array(arena, words->count, sizeof *sequences, err);
    TRY_NEW(sequences);
    size_t *lengths = arena_array(arena, words->count, sizeof *lengths, err);
    TRY_NEW(lengths);
    for (size_t i = 0; i < words->count; i++) {
        lengths[i] = words->lengths[i];
        int32_t *ids = arena_array(arena, lengths[i], sizeof *ids, err);
        TRY_NEW(ids);
        memcpy(ids, words->sequences[i], lengths[i] * sizeof *ids);
        sequences[i] = ids;
    }
    *words = (BadWords){sequences, lengths, words->count};
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// The logits processors that every search shares. Their order is that of Hugging Face's _get_logits_processor; it
// matters, since a forced token overrides a ban.
#include <math.h>

#include "engine/rules.h"

void rules_init(Rules *rules, const GenerationOptions *options, const int32_t *source, size_t source_count,
                size_t vocabulary) {
    *rules = (Rules){
        .options = *options,
        .source = source,
        .source_count = source_count,
        .vocabulary = vocabulary,
        .max_length = (size_t)generation_max_length(options),
        .min_length = (size_t)generation_min_length(options),
        .least_kept = 1,
    };
    if (options->num_beams > 1) // one token must remain to go on with, whatever ends the others
        rules->least_kept = options->eos_token_count > 0 ? options->eos_token_count + 1 : 2;
}

bool rules_is_eos(const Rules *rules, int32_t token) {
    for (size_t i = 0; i < rules->options.eos_token_count; i++) {
        if (rules->options.eos_token_ids[i] == token)
            return true;
    }
    return false;
}

bool rules_ends(const Rules *rules, int32_t token, size_t length, Finish *ret_finish) {
    bool limit = length >= rules->max_length;
    bool eos = rules_is_eos(rules, token);
    if (!limit && !eos)
        return false;
    bool forced = limit && rules->options.forced_eos_token_id >= 0;
    *ret_finish = eos && !forced ? FINISH_STOP : FINISH_LENGTH;
    return true;
}

// Every token seen becomes less likely, once however often it was seen: all are read before any is written.
static void penalize(const int32_t *history, size_t count, float penalty, float *scratch, float *row) {
    for (size_t i = 0; i < count; i++) {
        float score = row[history[i]];
        scratch[i] = score < 0 ? score * penalty : score / penalty;
    }
    for (size_t i = 0; i < count; i++)
        row[history[i]] = scratch[i];
}

// Bans what followed, anywhere in text [text_count], the `size - 1` tokens at the end of history.
static void ban_followers(const int32_t *text, size_t text_count, size_t size, const int32_t *history, size_t count,
                          float *row) {
    size_t prefix = size - 1;
    if (count < prefix)
        return;
    const int32_t *tail = history + (count - prefix);
    for (size_t i = 0; i + prefix < text_count; i++) {
        size_t same = 0;
        while (same < prefix && text[i + same] == tail[same])
            same++;
        if (same == prefix)
            row[text[i + prefix]] = -INFINITY;
    }
}

// A word that is one end token is no bad word; a longer word counts only once the history is as long as the word.
static void ban_words(const Rules *rules, const int32_t *history, size_t count, float *row) {
    const BadWords *words = &rules->options.bad_words;
    for (size_t i = 0; i < words->count; i++) {
        const int32_t *word = words->sequences[i];
        size_t length = words->lengths[i];
        if (length == 1 ? rules_is_eos(rules, word[0]) : length > count)
            continue;
        const int32_t *tail = history + (count - (length - 1));
        size_t same = 0;
        while (same < length - 1 && word[same] == tail[same])
            same++;
        if (same == length - 1)
            row[word[length - 1]] = -INFINITY;
    }
}

static void ban_eos(const Rules *rules, float *row) {
    for (size_t i = 0; i < rules->options.eos_token_count; i++) {
        if ((size_t)rules->options.eos_token_ids[i] < rules->vocabulary)
            row[rules->options.eos_token_ids[i]] = -INFINITY;
    }
}

static void force(const Rules *rules, int32_t token, float *row) {
    for (size_t i = 0; i < rules->vocabulary; i++)
        row[i] = -INFINITY;
    row[token] = 0;
}

static bool forces_first(const Rules *rules, size_t count) {
    return rules->options.forced_bos_token_id >= 0 && count == 1;
}

static bool forces_last(const Rules *rules, size_t count) {
    return rules->options.forced_eos_token_id >= 0 && count == rules->max_length - 1;
}

bool rules_only_ban(const Rules *rules, size_t count) {
    return rules->options.repetition_penalty == 1.0 && !forces_first(rules, count) && !forces_last(rules, count);
}

void rules_process(const Rules *rules, const int32_t *history, size_t count, float *scratch, float *row) {
    const GenerationOptions *options = &rules->options;
    if (options->repetition_penalty != 1.0)
        penalize(history, count, (float)options->repetition_penalty, scratch, row);
    if (options->no_repeat_ngram_size > 0)
        ban_followers(history, count, (size_t)options->no_repeat_ngram_size, history, count, row);
    if (options->encoder_no_repeat_ngram_size > 0)
        ban_followers(rules->source, rules->source_count, (size_t)options->encoder_no_repeat_ngram_size, history, count,
                      row);
    ban_words(rules, history, count, row);
    if (count < rules->min_length)
        ban_eos(rules, row);
    if (forces_first(rules, count))
        force(rules, options->forced_bos_token_id, row);
    if (forces_last(rules, count))
        force(rules, options->forced_eos_token_id, row);
}

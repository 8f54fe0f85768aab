// SPDX-License-Identifier: Apache-2.0
// Intervals of scores, and the proof that candidates stand in one order only.
#include "engine/beam_guess.h"

#include <math.h>
#include <string.h>

enum { MOST_REST = 16 };

Status beam_guess_make(Arena *arena, const Rules *rules, size_t width, BeamGuess **ret_guess, Error *err) {
    BeamGuess *guess = arena_array(arena, 1, sizeof *guess, err);
    TRY_NEW(guess);
    size_t beams = (size_t)rules->options.num_beams, tokens = beams * rules->max_length; // beam_make has checked it
    *guess = (BeamGuess){.rules = rules, .beams = beams, .width = width};
    TRY_NEW(guess->history = arena_array(arena, tokens, sizeof *guess->history, err));
    TRY_NEW(guess->next_history = arena_array(arena, tokens, sizeof *guess->next_history, err));
    TRY_NEW(guess->parents = arena_array(arena, beams, sizeof *guess->parents, err));
    TRY_NEW(guess->low = arena_array(arena, beams * 4, sizeof *guess->low, err));
    guess->high = guess->low + beams;
    guess->next_low = guess->high + beams;
    guess->next_high = guess->next_low + beams;
    TRY_NEW(guess->states = arena_array(arena, GUESS_MOST_STEPS * beams, width * sizeof *guess->states, err));
    *ret_guess = guess;
    return OK;
}

const int32_t *beam_guess_history(const BeamGuess *guess, size_t index) {
    return guess->history + index * guess->rules->max_length;
}

void beam_guess_reset(BeamGuess *guess) {
    guess->steps = 0;
}

bool beam_guess_ready(BeamGuess *guess, const Beam *beam) {
    bool open = false; // a sequence may still finish, so that the search goes on whatever the scores are
    for (size_t i = 0; i < guess->beams; i++)
        open |= !beam->finished[i].finished;
    if (!open || beam->length < 2)
        return false;
    if (guess->steps == 0) {
        if (guess->resting > 0)
            return guess->resting--, false;
        guess->length = beam->length;
        for (size_t b = 0; b < guess->beams; b++) {
            memcpy(guess->history + b * guess->rules->max_length, beam_history(beam, b),
                   beam->length * sizeof *guess->history);
            guess->low[b] = guess->high[b] = (double)beam->scores[b];
        }
    }
    return guess->steps < GUESS_MOST_STEPS && rules_only_ban(guess->rules, guess->length);
}

typedef struct Contender {
    size_t beam;
    const ScreenWord *word;
    double low, high; // of its score
} Contender;

// A continuation's score is fl(fl(fl(logit - max) - log_sum) + score): three roundings, each at most half an ulp of
// numbers no larger than all of them together, and log(words) for the max.
static Contender contender(const BeamGuess *guess, const GuessRow *row, size_t beam, const ScreenWord *word) {
    double logit = (double)word->logit, reach = fabs(logit) + fmax(fabs(row->low), fabs(row->high)) +
                                                fmax(fabs(guess->low[beam]), fabs(guess->high[beam])) +
                                                32; // max: no further from the normalizer
    double rounding = 16 * 0x1p-24 * reach;
    return (Contender){beam, word, logit - row->high + guess->low[beam] - rounding,
                       logit - row->low + guess->high[beam] + rounding};
}

// Whether `a` is surely before `b`. Continuations of one beam share its normalizer and score.
static bool surely_before(const Contender *a, const Contender *b) {
    if (a->low > b->high)
        return true;
    double reach = fabs((double)a->word->logit) + fabs((double)b->word->logit) + fabs(a->low) + fabs(a->high);
    return a->beam == b->beam && (double)a->word->logit - (double)b->word->logit > 64 * 0x1p-24 * reach;
}

// The contender with the highest middle of those not taken yet.
static bool next_contender(const BeamGuess *guess, const GuessRow *rows, const Contender *taken, size_t taken_count,
                           Contender *ret) {
    bool found = false;
    for (size_t b = 0; b < guess->beams; b++)
        for (size_t i = 0; i < rows[b].count; i++) {
            Contender c = contender(guess, &rows[b], b, &rows[b].words[i]);
            bool used = false;
            for (size_t t = 0; t < taken_count; t++)
                used |= taken[t].word == c.word;
            if (!used && (!found || c.low + c.high > ret->low + ret->high)) {
                *ret = c;
                found = true;
            }
        }
    return found;
}

// The best `beams` continuations in order; false where another order, or another choice, is possible.
static bool choose(const BeamGuess *guess, const GuessRow *rows, Contender *ret_best) {
    size_t beams = guess->beams;
    for (size_t i = 0; i < beams; i++) {
        Finish finish;
        if (!next_contender(guess, rows, ret_best, i, &ret_best[i]) || !(ret_best[i].low > -1e8) ||
            rules_ends(guess->rules, ret_best[i].word->word, guess->length + 1, &finish))
            return false;
        if (i > 0 && !surely_before(&ret_best[i - 1], &ret_best[i]))
            return false;
    }
    // Every other one comes surely after the last. Words that are no contenders come after beams + 1 of their own row.
    for (size_t b = 0; b < beams; b++)
        for (size_t i = 0; i < rows[b].count; i++) {
            Contender c = contender(guess, &rows[b], b, &rows[b].words[i]);
            bool chosen = false;
            for (size_t t = 0; t < beams; t++)
                chosen |= ret_best[t].word == c.word;
            if (!chosen && !surely_before(&ret_best[beams - 1], &c))
                return false;
        }
    return true;
}

static void swap_banks(BeamGuess *guess) {
    int32_t *history = guess->history;
    double *low = guess->low, *high = guess->high;
    guess->history = guess->next_history;
    guess->next_history = history;
    guess->low = guess->next_low;
    guess->next_low = low;
    guess->high = guess->next_high;
    guess->next_high = high;
}

bool beam_guess_advance(BeamGuess *guess, const GuessRow *rows) {
    enum { MOST_BEAMS = 64 };
    Contender best[MOST_BEAMS];
    if (!rows || guess->beams > MOST_BEAMS || !choose(guess, rows, best)) {
        guess->failures++;
        guess->resting = guess->failures < MOST_REST ? guess->failures : MOST_REST;
        return false;
    }
    size_t stride = guess->rules->max_length;
    for (size_t b = 0; b < guess->beams; b++) {
        int32_t *history = guess->next_history + b * stride;
        memcpy(history, beam_guess_history(guess, best[b].beam), guess->length * sizeof *history);
        history[guess->length] = best[b].word->word;
        guess->parents[b] = (int32_t)best[b].beam;
        guess->next_low[b] = best[b].low;
        guess->next_high[b] = best[b].high;
        memcpy(guess->states + (guess->steps * guess->beams + b) * guess->width, rows[b].state,
               guess->width * sizeof *guess->states);
    }
    swap_banks(guess);
    guess->failures = 0;
    guess->length++;
    guess->steps++;
    return true;
}

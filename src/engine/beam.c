// SPDX-License-Identifier: Apache-2.0
// Beam search. What stands for "not yet" and "not allowed" is a score of -1e9 or an addition of it, as in the
// reference: in f32 that swallows the score beside it, and comparisons then fall as there.
#include "engine/beam.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
static const float out_of_play = -1e9f;

static Status ranking_make(Arena *arena, size_t most, Ranking *ret, Error *err) {
    Candidate *items = arena_array(arena, most, sizeof *items, err);
    TRY_NEW(items);
    *ret = (Ranking){.items = items, .most = most};
    return OK;
}

static Status bank_make(Arena *arena, size_t beams, size_t max_length, Hypothesis **ret_bank, Error *err) {
    Hypothesis *bank = arena_array(arena, beams, sizeof *bank, err);
    TRY_NEW(bank);
    for (size_t i = 0; i < beams; i++) {
        TRY_NEW(bank[i].ids = arena_array(arena, max_length, sizeof *bank[i].ids, err));
        bank[i].score = out_of_play;
        bank[i].finish = FINISH_LENGTH;
    }
    *ret_bank = bank;
    return OK;
}

static Status beam_make_lists(Arena *arena, Beam *beam, Error *err) {
    TRY_NEW(beam->rated = arena_array(arena, beam->beams, sizeof *beam->rated, err));
    for (size_t i = 0; i < beam->beams; i++)
        TRY(ranking_make(arena, beam->keep, &beam->rated[i], err));
    TRY_NEW(beam->rated_values = arena_array(arena, beam->beams * beam->keep, sizeof *beam->rated_values, err));
    TRY_NEW(beam->rated_tokens = arena_array(arena, beam->beams * beam->keep, sizeof *beam->rated_tokens, err));
    TRY(ranking_make(arena, beam->keep, &beam->top, err));
    TRY(ranking_make(arena, beam->keep, &beam->pick, err));
    TRY_NEW(beam->ended = arena_array(arena, beam->keep, sizeof *beam->ended, err));
    TRY_NEW(beam->finishes = arena_array(arena, beam->keep, sizeof *beam->finishes, err));
    TRY_NEW(beam->scores = arena_array(arena, beam->beams, sizeof *beam->scores, err));
    TRY_NEW(beam->parents = arena_array(arena, beam->beams, sizeof *beam->parents, err));
    TRY(bank_make(arena, beam->beams, beam->rules->max_length, &beam->finished, err));
    return bank_make(arena, beam->beams, beam->rules->max_length, &beam->displaced, err);
}

Status beam_make(Arena *arena, const Rules *rules, Beam **ret_beam, Error *err) {
    Beam *beam = arena_array(arena, 1, sizeof *beam, err);
    TRY_NEW(beam);
    size_t eos = rules->options.eos_token_count;
    beam->rules = rules;
    beam->beams = (size_t)rules->options.num_beams;
    beam->keep = (eos > 1 ? eos + 1 : 2) * beam->beams;
    beam->length = 1;
    size_t tokens;
    if (!size_multiply(beam->beams, rules->max_length, &tokens))
        return FAIL(err, ERR_LIMIT, "%zu beams of %zu tokens are too many", beam->beams, rules->max_length);
    TRY_NEW(beam->history = arena_array(arena, tokens, sizeof *beam->history, err));
    TRY_NEW(beam->next_history = arena_array(arena, tokens, sizeof *beam->next_history, err));
    TRY(beam_make_lists(arena, beam, err));
    for (size_t i = 0; i < beam->beams; i++) {
        beam->history[i * rules->max_length] = generation_start_token(&rules->options);
        beam->scores[i] = i == 0 ? 0 : out_of_play; // or all beams would find the same sequences
    }
    *ret_beam = beam;
    return OK;
}

const int32_t *beam_history(const Beam *beam, size_t index) {
    return beam->history + index * beam->rules->max_length;
}

void beam_rate(Beam *beam, size_t index, const float *log_probabilities) {
    ranking_fill(&beam->rated[index], log_probabilities, beam->rules->vocabulary, beam->scores[index], (int32_t)index);
}

void beam_rate_logits(Beam *beam, size_t index, const Kernels *kernels, const float *logits, LogNormalizer normalizer) {
    Ranking *rated = &beam->rated[index];
    float *values = beam->rated_values + index * beam->keep;
    int32_t *tokens = beam->rated_tokens + index * beam->keep;
    rated->count = kernels->top_log_softmax(logits, beam->rules->vocabulary, normalizer, beam->scores[index],
                                            rated->most, values, tokens);
    for (size_t i = 0; i < rated->count; i++)
        rated->items[i] = (Candidate){values[i], (int32_t)index, tokens[i]};
}

bool beam_draw(Beam *beam, float *rows, bool one_row, Random *random) {
    size_t vocabulary = beam->rules->vocabulary;
    size_t row_count = one_row ? 1 : beam->beams;
    for (size_t b = 0; b < row_count; b++) {
        for (size_t i = 0; i < vocabulary; i++)
            rows[b * vocabulary + i] += beam->scores[b];
    }
    Draw draw;
    if (!draw_init(&draw, rows, row_count * vocabulary))
        return false;
    beam->top.count = 0;
    size_t unlikely = 0;
    while (beam->top.count < beam->keep) {
        size_t index;
        float value;
        if (!draw_out(&draw, random, &index, &value)) { // fewer likely tokens than candidates: fill up
            index = unlikely++ % (row_count * vocabulary);
            value = -INFINITY;
        }
        beam->top.items[beam->top.count++] =
            (Candidate){value, (int32_t)(index / vocabulary), (int32_t)(index % vocabulary)};
    }
    for (size_t b = 0; b < beam->beams; b++)
        beam->rated[b].count = 0;
    return true;
}

// The best of all beams, unless beam_draw has chosen already.
static void merge_rated(Beam *beam) {
    if (beam->rated[0].count == 0)
        return;
    beam->top.count = 0;
    for (size_t b = 0; b < beam->beams; b++) {
        for (size_t i = 0; i < beam->rated[b].count; i++)
            ranking_add(&beam->top, beam->rated[b].items[i]);
        beam->rated[b].count = 0;
    }
    assert(beam->top.count == beam->keep);
}

// The candidates that go on: those that do not end, best first. Their histories get the chosen token.
static void choose_running(Beam *beam) {
    size_t stride = beam->rules->max_length;
    beam->pick.count = 0;
    for (size_t i = 0; i < beam->keep; i++) {
        float score = beam->top.items[i].value + (beam->ended[i] ? out_of_play : 0.0f);
        ranking_add(&beam->pick, (Candidate){score, (int32_t)i, 0});
    }
    for (size_t b = 0; b < beam->beams; b++) {
        const Candidate *from = &beam->top.items[beam->pick.items[b].beam];
        int32_t *history = beam->next_history + b * stride;
        memcpy(history, beam_history(beam, (size_t)from->beam), beam->length * sizeof *history);
        history[beam->length] = from->token;
        beam->scores[b] = beam->pick.items[b].value;
        beam->parents[b] = from->beam;
    }
}

static void hypothesis_set(Hypothesis *hypothesis, const Beam *beam, size_t candidate, float score) {
    const Candidate *from = &beam->top.items[candidate];
    hypothesis->count = beam->length;
    memcpy(hypothesis->ids, beam_history(beam, (size_t)from->beam) + 1, (beam->length - 1) * sizeof *hypothesis->ids);
    hypothesis->ids[beam->length - 1] = from->token;
    hypothesis->score = score;
    hypothesis->finished = beam->ended[candidate] && candidate < beam->beams;
    hypothesis->finish = beam->finishes[candidate];
}

// The best of the sequences that had ended and those among the first `beams` candidates that end now.
static void update_finished(Beam *beam) {
    float divisor = (float)pow((double)beam->length, beam->rules->options.length_penalty);
    Ranking *pick = &beam->pick;
    pick->count = 0;
    size_t kept_places = pick->most;
    pick->most = beam->beams;
    for (size_t i = 0; i < beam->beams; i++)
        ranking_add(pick, (Candidate){beam->finished[i].score, (int32_t)i, 0});
    for (size_t i = 0; i < beam->keep; i++) {
        float score = beam->top.items[i].value / divisor;
        score += beam->ended[i] && i < beam->beams ? 0.0f : out_of_play;
        ranking_add(pick, (Candidate){score, (int32_t)(beam->beams + i), 0});
    }
    pick->most = kept_places;
    bool changed = false;
    for (size_t i = 0; i < beam->beams; i++)
        changed |= pick->items[i].beam != (int32_t)i;
    if (!changed)
        return;
    for (size_t i = 0; i < beam->beams; i++) {
        size_t from = (size_t)pick->items[i].beam;
        if (from < beam->beams) {
            Hypothesis place = beam->displaced[i];
            beam->displaced[i] = beam->finished[from]; // lends its ids; the place's own go there
            beam->finished[from] = place;
        } else {
            hypothesis_set(&beam->displaced[i], beam, from - beam->beams, pick->items[i].value);
        }
    }
    Hypothesis *bank = beam->finished;
    beam->finished = beam->displaced;
    beam->displaced = bank;
}

// Whether the best running beam could still beat the worst finished sequence, by the reference's estimate. `length` has
// been advanced.
static bool can_improve(const Beam *beam) {
    const GenerationOptions *options = &beam->rules->options;
    bool far = options->early_stopping == EARLY_STOPPING_NEVER && options->length_penalty > 0;
    size_t length = (far ? beam->rules->max_length : beam->length) - 1;
    float best = beam->scores[0] / (float)pow((double)length, options->length_penalty);
    float worst = beam->finished[0].score;
    for (size_t i = 1; i < beam->beams; i++)
        worst = beam->finished[i].score < worst ? beam->finished[i].score : worst;
    for (size_t i = 0; i < beam->beams; i++) {
        if (best > (beam->finished[i].finished ? worst : out_of_play))
            return true;
    }
    return false;
}

bool beam_advance(Beam *beam) {
    merge_rated(beam);
    bool all_ended = true;
    for (size_t i = 0; i < beam->keep; i++) {
        beam->finishes[i] = FINISH_LENGTH;
        beam->ended[i] = rules_ends(beam->rules, beam->top.items[i].token, beam->length + 1, &beam->finishes[i]);
        all_ended &= beam->ended[i];
    }
    choose_running(beam);
    update_finished(beam);
    int32_t *history = beam->history;
    beam->history = beam->next_history;
    beam->next_history = history;
    beam->length++;
    bool all_finished = true;
    for (size_t i = 0; i < beam->beams; i++)
        all_finished &= beam->finished[i].finished;
    bool full = all_finished && beam->rules->options.early_stopping == EARLY_STOPPING_TRUE;
    return !all_ended && !full && can_improve(beam);
}

const Hypothesis *beam_result(const Beam *beam, size_t index) {
    return &beam->finished[index];
}

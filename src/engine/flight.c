// SPDX-License-Identifier: Apache-2.0
// One request's way through the steps. In the first step all hypotheses have the same history, the start token, so they
// share one row and one slot.
#include "engine/flight.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
// Hugging Face masks padding inside given ids, unless it also ends sequences. A masked token changes nothing but the
// positions of those after it: so it is left out, and the others keep their positions.
static size_t count_padding(const Flight *flight) {
    const Request *request = &flight->request;
    int32_t pad = request->options.pad_token_id;
    size_t padding = 0;
    for (size_t i = 0; i < request->count; i++)
        padding += request->ids[i] == pad;
    bool masked = pad >= 0 && padding < request->count && !rules_is_eos(&flight->rules, pad);
    return masked ? padding : 0;
}

static Status drop_padding(Flight *flight, Error *err) {
    const Request *request = &flight->request;
    int32_t pad = request->options.pad_token_id;
    flight->ids = request->ids;
    flight->positions = NULL;
    if (!flight->padded)
        return OK;
    size_t count = 0;
    int32_t *ids = arena_array(&flight->arena, flight->tokens, sizeof *ids, err);
    TRY_NEW(ids);
    int32_t *positions = arena_array(&flight->arena, flight->tokens, sizeof *positions, err);
    TRY_NEW(positions);
    for (size_t i = 0; i < request->count; i++) {
        if (request->ids[i] == pad)
            continue;
        ids[count] = request->ids[i];
        positions[count++] = (int32_t)i;
    }
    flight->ids = ids;
    flight->positions = positions;
    return OK;
}

static size_t most_rows(const Flight *flight) {
    return flight->greedy && flight->settings.guesses ? 1 + LOOKUP_MOST : flight->hypotheses;
}

static Status make_lists(Flight *flight, Error *err) {
    Arena *arena = &flight->arena;
    size_t most;
    if (!size_multiply(flight->hypotheses, flight->rules.max_length, &most))
        return FAIL(err, ERR_LIMIT, "%zu sequences of %zu tokens are too many", flight->hypotheses,
                    flight->rules.max_length);
    TRY_NEW(flight->row_of = arena_array(arena, flight->hypotheses, sizeof *flight->row_of, err));
    TRY_NEW(flight->stuck = arena_array(arena, flight->hypotheses, sizeof *flight->stuck, err));
    TRY_NEW(flight->slots = arena_array(arena, most, sizeof *flight->slots, err));
    flight->next_slots = NULL;
    flight->scratch = NULL;
    flight->late = NULL;
    flight->late_states = NULL;
    if (flight->beam)
        TRY_NEW(flight->next_slots = arena_array(arena, most, sizeof *flight->next_slots, err));
    if (flight->rules.options.repetition_penalty != 1.0)
        TRY_NEW(flight->scratch =
                    arena_array(arena, most_rows(flight) * flight->rules.max_length, sizeof *flight->scratch, err));
    flight->guess = NULL;
    if (flight->beam && flight->settings.screens_beams && !flight->rules.options.do_sample)
        TRY(beam_guess_make(arena, &flight->rules, flight->settings.width, &flight->guess, err));
    if (flight->greedy && flight->settings.screens && !flight->settings.skips_scores) {
        TRY_NEW(flight->late = arena_array(arena, flight->rules.max_length, sizeof *flight->late, err));
        TRY_NEW(flight->late_states = arena_array(arena, flight->rules.max_length,
                                                  flight->settings.width * sizeof *flight->late_states, err));
    }
    size_t sequences = (size_t)flight->rules.options.num_return_sequences;
    TRY_NEW(flight->sequences = arena_array(arena, sequences, sizeof *flight->sequences, err));
    return OK;
}

void flight_measure(Flight *flight, const Request *request, const FlightSettings *settings) {
    const GenerationOptions *options = &request->options;
    flight->request = *request;
    flight->source = NULL;
    flight->times = (AnswerTimes){0};
    flight->cancelled = flight->prepared = false;
    flight->told = 0;
    flight->started = false;
    flight->beam = NULL;
    flight->chains = NULL;
    flight->settings = *settings;
    flight->greedy = options->num_beams == 1 && !options->do_sample;
    flight->guess_most = 2;
    flight->slots_taken = flight->guessed = flight->guessed_right = flight->late_count = 0;
    rules_init(&flight->rules, options, request->ids, request->count, settings->vocabulary);
    size_t padding = count_padding(flight);
    flight->padded = padding > 0;
    flight->tokens = request->count - padding;
    flight->hypotheses = (size_t)(options->num_beams > 1 ? options->num_beams : options->num_return_sequences);
    flight->most_slots = 1 + flight->hypotheses * (flight->rules.max_length - 2);
}

Status flight_prepare(Flight *flight, Error *err) {
    const GenerationOptions *options = &flight->request.options;
    TRY(drop_padding(flight, err));
    if (options->num_beams > 1) {
        Random seeds = {options->seed};
        flight->random.state = random_next(&seeds);
        TRY(beam_make(&flight->arena, &flight->rules, &flight->beam, err));
    } else {
        TRY(chains_make(&flight->arena, &flight->rules, flight->hypotheses, &flight->chains, err));
    }
    TRY(make_lists(flight, err));
    flight->prepared = true;
    return OK;
}

static const int32_t *history_of(const Flight *flight, size_t hypothesis, size_t *ret_count) {
    *ret_count = flight->beam ? flight->beam->length : flight->chains[hypothesis].count;
    return flight->beam ? beam_history(flight->beam, hypothesis) : flight->chains[hypothesis].history;
}

// With the tokens that were guessed ahead.
static const int32_t *history_ahead(const Flight *flight, size_t hypothesis, size_t *ret_count) {
    if (!flight->guess || !flight->guess->steps)
        return history_of(flight, hypothesis, ret_count);
    *ret_count = flight->guess->length;
    return beam_guess_history(flight->guess, hypothesis);
}

size_t flight_screens(Flight *flight) {
    if (flight->guess)
        return flight->started && beam_guess_ready(flight->guess, flight->beam) ? flight->guess->beams + 1 : 0;
    return flight->greedy && flight->settings.screens && flight->rules.options.repetition_penalty == 1.0;
}

// A greedy sequence's last token and guesses of what follows, each a row. Position p keeps one slot, right or wrong.
static size_t greedy_rows(Flight *flight, size_t spare, DecodeRow *rows) {
    Chain *chain = &flight->chains[0];
    size_t room = flight->rules.max_length - 1 - chain->count; // places that may still need a slot
    size_t most = flight->settings.guesses ? flight->guess_most : 0;
    most = most < spare ? most : spare;
    most = most < room ? most : room;
    size_t guesses = lookup_guess(flight->request.ids, flight->request.count, chain->history, chain->count, most,
                                  chain->history + chain->count);
    for (size_t r = 0; r <= guesses; r++) {
        size_t position = chain->count - 1 + r;
        for (; flight->slots_taken <= position; flight->slots_taken++)
            flight->slots[flight->slots_taken] = source_take_slot(flight->source);
        rows[r] = (DecodeRow){
            .source = flight->source,
            .token = chain->history[position],
            .position = (int32_t)position,
            .past_slots = flight->slots,
            .past_count = position + 1,
            .wants_logits = true,
        };
    }
    return flight->row_count = 1 + guesses;
}

size_t flight_rows(Flight *flight, size_t spare, DecodeRow *rows) {
    if (flight->greedy)
        return greedy_rows(flight, spare, rows);
    size_t stride = flight->rules.max_length;
    size_t rows_now = flight->started ? flight->hypotheses : 1;
    flight->row_count = 0;
    flight->guess_held = false;
    for (size_t h = 0; h < rows_now; h++) {
        if (flight->chains && flight->chains[h].done)
            continue;
        size_t count;
        const int32_t *history = history_ahead(flight, h, &count);
        int32_t *slots = flight->slots + h * stride;
        slots[count - 1] = source_take_slot(flight->source);
        rows[flight->row_count] = (DecodeRow){
            .source = flight->source,
            .token = history[count - 1],
            .position = (int32_t)(count - 1),
            .past_slots = slots,
            .past_count = count,
            .wants_logits = true,
        };
        flight->row_of[flight->row_count++] = (int32_t)h;
    }
    for (size_t h = 1; h < flight->hypotheses && !flight->started; h++)
        flight->slots[h * stride] = flight->slots[0];
    return flight->row_count;
}

// Rates continuations of a beam search that does not sample, where the rules only ban: the log-probabilities of most
// words are never written.
static void rate_logits(Flight *flight, size_t first, size_t together, const Kernels *kernels, float *logits) {
    const Rules *rules = &flight->rules;
    LogNormalizer normalizer;
    kernels->log_normalizer(logits, rules->vocabulary, &normalizer);
    rules_process(rules, beam_history(flight->beam, first), flight->beam->length, NULL, logits);
    for (size_t h = first; h < first + together; h++)
        beam_rate_logits(flight->beam, h, kernels, logits, normalizer);
}

static float *penalty_scratch(const Flight *flight, size_t row) {
    return flight->scratch ? flight->scratch + row * flight->rules.max_length : NULL;
}

// Processes the row that follows the history and its first `row` guesses.
static void greedy_process(const Flight *flight, size_t row, float *scores) {
    const Chain *chain = &flight->chains[0];
    rules_process(&flight->rules, chain->history, chain->count + row, penalty_scratch(flight, row), scores);
}

void flight_screen(Flight *flight, size_t row, float *scores) {
    if (flight->greedy) {
        greedy_process(flight, row, scores);
        return;
    }
    size_t count;
    const int32_t *history = history_ahead(flight, row, &count);
    rules_process(&flight->rules, history, count, NULL, scores);
}

void flight_take(Flight *flight, size_t row, int32_t token, const float *state) {
    flight->picks[row] = (Pick){token, NAN, state};
}

static void greedy_work(Flight *flight, size_t row, const Kernels *kernels, float *logits) {
    size_t vocabulary = flight->rules.vocabulary;
    greedy_process(flight, row, logits);
    size_t token = kernels->argmax(logits, vocabulary);
    double log_probability = NAN;
    if (!flight->settings.skips_scores) {
        LogNormalizer normalizer;
        kernels->log_normalizer(logits, vocabulary, &normalizer);
        log_probability = (double)(logits[token] - normalizer.max - normalizer.log_sum);
    }
    flight->picks[row] = (Pick){(int32_t)token, log_probability, NULL};
}

void flight_settle(Flight *flight, size_t index, const Kernels *kernels, float *logits) {
    Chain *chain = &flight->chains[0];
    size_t place = (size_t)flight->late[index];
    rules_process(&flight->rules, chain->history, place, NULL, logits);
    kernels->log_softmax(logits, flight->rules.vocabulary, logits);
    chain->log_probabilities[place] = (double)logits[chain->history[place]];
}

void flight_work(Flight *flight, size_t row, const Kernels *kernels, float *logits) {
    if (flight->greedy) {
        greedy_work(flight, row, kernels, logits);
        return;
    }
    const Rules *rules = &flight->rules;
    size_t first = (size_t)flight->row_of[row];
    size_t together = flight->started ? 1 : flight->hypotheses;
    size_t count;
    const int32_t *history = history_of(flight, first, &count);
    if (flight->beam && !rules->options.do_sample && rules_only_ban(rules, count)) {
        rate_logits(flight, first, together, kernels, logits);
        return;
    }
    if (flight->beam)
        kernels->log_softmax(logits, rules->vocabulary, logits);
    rules_process(rules, history, count, penalty_scratch(flight, first), logits);
    if (rules->options.do_sample)
        rules_warp(rules, logits);
    if (flight->chains)
        flight->stuck[first] = !chains_extend_drawn(flight->chains + first, together, rules, logits);
    else if (!rules->options.do_sample)
        for (size_t h = first; h < first + together; h++)
            beam_rate(flight->beam, h, logits);
}

// The running beams take over their parents' pasts.
static void follow_parents(Flight *flight, const int32_t *parents, size_t past) {
    size_t stride = flight->rules.max_length;
    for (size_t b = 0; b < flight->hypotheses; b++) {
        size_t parent = (size_t)parents[b];
        memcpy(flight->next_slots + b * stride, flight->slots + parent * stride, past * sizeof *flight->slots);
    }
    int32_t *slots = flight->slots;
    flight->slots = flight->next_slots;
    flight->next_slots = slots;
}

// The tokens found, up to the first that is not what the next row had guessed.
static bool greedy_advance(Flight *flight) {
    Chain *chain = &flight->chains[0];
    size_t row = 0;
    for (;; row++) {
        const Pick *pick = &flight->picks[row];
        int32_t guess = chain->history[chain->count]; // of the next row, if there is one
        if (pick->state && flight->late_states) {
            size_t width = flight->settings.width;
            memcpy(flight->late_states + flight->late_count * width, pick->state, width * sizeof *pick->state);
            flight->late[flight->late_count++] = (int32_t)chain->count;
        }
        chain_append(chain, &flight->rules, pick->token, pick->log_probability);
        if (chain->done || row + 1 == flight->row_count || pick->token != guess)
            break;
    }
    size_t guesses = flight->row_count - 1;
    flight->guessed += guesses;
    flight->guessed_right += row;
    flight->guess_most = lookup_next(flight->guess_most, guesses, row);
    return !chain->done;
}

bool flight_guess(Flight *flight, const GuessRow *rows) {
    flight->guess_held = beam_guess_advance(flight->guess, rows);
    if (flight->guess_held)
        follow_parents(flight, flight->guess->parents, flight->guess->length - 1);
    return flight->guess_held;
}

void flight_catch_up(Flight *flight) {
    bool alive = beam_advance(flight->beam);
    assert(alive);
    (void)alive;
}

bool flight_advance(Flight *flight, float *logits) {
    if (flight->greedy)
        return greedy_advance(flight);
    bool one_row = !flight->started;
    flight->started = true;
    if (flight->beam) {
        if (flight->guess_held)
            return true;
        if (flight->rules.options.do_sample && !beam_draw(flight->beam, logits, one_row, &flight->random)) {
            flight->stuck[0] = true;
            return false;
        }
        bool alive = beam_advance(flight->beam);
        if (alive)
            follow_parents(flight, flight->beam->parents, flight->beam->length - 1);
        return alive;
    }
    bool alive = false;
    for (size_t h = 0; h < flight->hypotheses; h++) {
        if (flight->stuck[h])
            return false;
        alive |= !flight->chains[h].done;
    }
    return alive;
}

const int32_t *flight_tokens(const Flight *flight, size_t *ret_count) {
    bool grows = flight->chains && flight->hypotheses == 1;
    *ret_count = grows ? flight->chains[0].count - 1 : 0;
    return grows ? flight->chains[0].history + 1 : NULL;
}

size_t flight_keys(const Flight *flight) {
    size_t past;
    history_of(flight, 0, &past);
    return flight->row_count * (flight->tokens + past);
}

Status flight_answer(Flight *flight, Error *err) {
    for (size_t h = 0; h < flight->hypotheses; h++) {
        if (flight->stuck[h])
            return FAIL(err, ERR_USAGE, "the options ban every token: nothing is left to sample from");
    }
    for (size_t i = 0; i < (size_t)flight->rules.options.num_return_sequences; i++) {
        Sequence *sequence = &flight->sequences[i];
        if (flight->beam) {
            const Hypothesis *best = beam_result(flight->beam, i);
            *sequence = (Sequence){best->ids, best->count, (double)best->score, best->finish};
        } else {
            const Chain *chain = &flight->chains[i];
            *sequence = (Sequence){chain->history + 1, chain->count - 1, chain_score(chain), chain->finish};
        }
    }
    return OK;
}

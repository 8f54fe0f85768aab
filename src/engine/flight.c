// SPDX-License-Identifier: Apache-2.0
// One request's way through the steps. In the first step all hypotheses have the same history, the start token, so they
// share one row and one slot.
#include "engine/flight.h"

#include <string.h>

#include "base/memory.h"
// Hugging Face masks padding inside given ids, unless it also ends sequences. A masked token changes nothing but the
// positions of those after it: so it is left out, and the others keep their positions.
static Status drop_padding(Flight *flight, Error *err) {
    const Request *request = &flight->request;
    int32_t pad = request->options.pad_token_id;
    flight->ids = request->ids;
    flight->positions = NULL;
    flight->tokens = request->count;
    size_t padding = 0;
    for (size_t i = 0; i < request->count; i++)
        padding += request->ids[i] == pad;
    if (pad < 0 || padding == 0 || padding == request->count || rules_is_eos(&flight->rules, pad))
        return OK;
    size_t count = 0;
    int32_t *ids = arena_array(&flight->arena, request->count - padding, sizeof *ids, err);
    TRY_NEW(ids);
    int32_t *positions = arena_array(&flight->arena, request->count - padding, sizeof *positions, err);
    TRY_NEW(positions);
    for (size_t i = 0; i < request->count; i++) {
        if (request->ids[i] == pad)
            continue;
        ids[count] = request->ids[i];
        positions[count++] = (int32_t)i;
    }
    flight->ids = ids;
    flight->positions = positions;
    flight->tokens = count;
    return OK;
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
    if (flight->beam)
        TRY_NEW(flight->next_slots = arena_array(arena, most, sizeof *flight->next_slots, err));
    if (flight->rules.options.repetition_penalty != 1.0)
        TRY_NEW(flight->scratch = arena_array(arena, most, sizeof *flight->scratch, err));
    size_t sequences = (size_t)flight->rules.options.num_return_sequences;
    TRY_NEW(flight->sequences = arena_array(arena, sequences, sizeof *flight->sequences, err));
    return OK;
}

Status flight_prepare(Flight *flight, const Request *request, size_t vocabulary, Error *err) {
    const GenerationOptions *options = &request->options;
    flight->request = *request;
    flight->source = NULL;
    flight->started = false;
    flight->beam = NULL;
    flight->chains = NULL;
    rules_init(&flight->rules, options, request->ids, request->count, vocabulary);
    TRY(drop_padding(flight, err));
    bool beams = options->num_beams > 1;
    flight->hypotheses = (size_t)(beams ? options->num_beams : options->num_return_sequences);
    flight->most_slots = 1 + flight->hypotheses * (flight->rules.max_length - 2);
    if (beams) {
        Random seeds = {options->seed};
        flight->random.state = random_next(&seeds);
        TRY(beam_make(&flight->arena, &flight->rules, &flight->beam, err));
    } else {
        TRY(chains_make(&flight->arena, &flight->rules, flight->hypotheses, &flight->chains, err));
    }
    return make_lists(flight, err);
}

static const int32_t *history_of(const Flight *flight, size_t hypothesis, size_t *ret_count) {
    *ret_count = flight->beam ? flight->beam->length : flight->chains[hypothesis].count;
    return flight->beam ? beam_history(flight->beam, hypothesis) : flight->chains[hypothesis].history;
}

size_t flight_rows(Flight *flight, DecodeRow *rows) {
    size_t stride = flight->rules.max_length;
    size_t rows_now = flight->started ? flight->hypotheses : 1;
    flight->row_count = 0;
    for (size_t h = 0; h < rows_now; h++) {
        if (flight->chains && flight->chains[h].done)
            continue;
        size_t count;
        const int32_t *history = history_of(flight, h, &count);
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

void flight_work(Flight *flight, size_t row, const Kernels *kernels, float *logits) {
    const Rules *rules = &flight->rules;
    size_t first = (size_t)flight->row_of[row];
    size_t together = flight->started ? 1 : flight->hypotheses;
    size_t count;
    const int32_t *history = history_of(flight, first, &count);
    if (flight->beam && !rules->options.do_sample && rules_only_ban(rules, count)) {
        rate_logits(flight, first, together, kernels, logits);
        return;
    }
    float *scratch = flight->scratch ? flight->scratch + first * rules->max_length : NULL;
    if (flight->beam)
        kernels->log_softmax(logits, rules->vocabulary, logits);
    rules_process(rules, history, count, scratch, logits);
    if (rules->options.do_sample)
        rules_warp(rules, logits);
    if (flight->chains && rules->options.do_sample)
        flight->stuck[first] = !chains_extend_drawn(flight->chains + first, together, rules, logits);
    else if (flight->chains)
        chains_extend_greedy(flight->chains + first, together, rules, kernels, logits);
    else if (!rules->options.do_sample)
        for (size_t h = first; h < first + together; h++)
            beam_rate(flight->beam, h, logits);
}

// The running beams take over their parents' pasts.
static void follow_parents(Flight *flight) {
    size_t stride = flight->rules.max_length;
    size_t past = flight->beam->length - 1;
    for (size_t b = 0; b < flight->hypotheses; b++) {
        size_t parent = (size_t)flight->beam->parents[b];
        memcpy(flight->next_slots + b * stride, flight->slots + parent * stride, past * sizeof *flight->slots);
    }
    int32_t *slots = flight->slots;
    flight->slots = flight->next_slots;
    flight->next_slots = slots;
}

bool flight_advance(Flight *flight, float *logits) {
    bool one_row = !flight->started;
    flight->started = true;
    if (flight->beam) {
        if (flight->rules.options.do_sample && !beam_draw(flight->beam, logits, one_row, &flight->random)) {
            flight->stuck[0] = true;
            return false;
        }
        bool alive = beam_advance(flight->beam);
        if (alive)
            follow_parents(flight);
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
            *sequence = (Sequence){chain->history + 1, chain->count - 1, chain->score, chain->finish};
        }
    }
    return OK;
}

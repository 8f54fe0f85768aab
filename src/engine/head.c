// SPDX-License-Identifier: Apache-2.0
// One step's logits, screened or whole.
#include "engine/head.h"

#include <string.h>

#include "base/clock.h"

enum { SETTLE_ROWS = 16 }; // late states of one pass over the head

Status head_make(Arena *arena, Head *head, Error *err) {
    TRY_NEW(head->whole = arena_array(arena, head->most_rows, sizeof *head->whole, err));
    TRY_NEW(head->screened = arena_array(arena, head->most_rows, sizeof *head->screened, err));
    TRY_NEW(head->best = arena_array(arena, head->most_rows, sizeof *head->best, err));
    TRY_NEW(head->proven = arena_array(arena, head->most_rows, sizeof *head->proven, err));
    TRY_NEW(head->guesses = arena_array(arena, head->most_rows, sizeof *head->guesses, err));
    if (head->screen)
        TRY_NEW(head->gathered = arena_array(arena, head->most_rows, head->width * sizeof *head->gathered, err));
    return OK;
}

static void select_words(void *context, size_t index) {
    Head *head = context;
    const RowWork *work = &head->work[head->screened[index]];
    if (!work->flight->greedy)
        screen_keep(head->screen, index);
    flight_screen(work->flight, work->row, screen_row(head->screen, index));
    head->proven[index] = screen_select(head->screen, index, head->best[index]);
}

// What a beam needs beside its words.
static void normalize(void *context, size_t index) {
    Head *head = context;
    const RowWork *work = &head->work[head->screened[index]];
    GuessRow *row = &head->guesses[index];
    if (work->flight->greedy || !head->proven[index])
        return;
    screen_normalizer(head->screen, index, &row->low, &row->high);
    row->words = screen_words(head->screen, index, &row->count);
    row->state = head->states + head->screened[index] * head->width;
}

// The largest logit of the candidates, of equal ones the first.
static int32_t best_word(const ScreenWord *words, size_t count) {
    const ScreenWord *best = words;
    for (size_t i = 1; i < count; i++)
        best = words[i].logit > best->logit ? &words[i] : best;
    return best->word;
}

static void work_on_kept(void *context, size_t index) {
    Head *head = context;
    flight_work(head->settling, index, head->kernels, head->logits + (head->settling_first + index) * head->vocabulary);
}

// Takes the steps that a search was ahead by, with all logits of the states it kept.
static Status catch_up(Head *head, Flight *flight, Error *err) {
    BeamGuess *guess = flight->guess;
    size_t each = head->most_rows / guess->beams; // steps of one pass over the head
    head->settling = flight;
    for (size_t first = 0; first < guess->steps; first += each) {
        size_t left = guess->steps - first, steps = left < each ? left : each;
        const float *states = guess->states + first * guess->beams * head->width;
        TRY(session_head(head->session, states, steps * guess->beams, &head->logits, err));
        for (size_t step = 0; step < steps; step++) {
            head->settling_first = step * guess->beams;
            pool_run(head->pool, guess->beams, work_on_kept, head);
            flight_catch_up(flight);
        }
    }
    beam_guess_reset(guess);
    return OK;
}

// Puts the rows of a flight, from `row` on, on the list of those that need all their logits.
static Status take_whole(Head *head, size_t row, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++)
        head->whole[head->whole_count++] = row + i;
    Flight *flight = head->work[row].flight;
    return flight->guess && flight->guess->steps ? catch_up(head, flight, err) : OK;
}

static Status sort_rows(Head *head, size_t count, Error *err) {
    head->screened_count = head->whole_count = 0;
    for (size_t row = 0; row < count;) {
        Flight *flight = head->work[row].flight;
        size_t rows = flight->row_count, best = head->screen ? flight_screens(flight) : 0;
        for (size_t i = 0; i < rows && best; i++) {
            head->best[head->screened_count] = best;
            head->screened[head->screened_count++] = row + i;
        }
        if (!best)
            TRY(take_whole(head, row, rows, err));
        row += rows;
    }
    return OK;
}

// What a screen found of a flight's rows, the first of which is the `index`-th screened.
static Status judge(Head *head, size_t index, Error *err) {
    size_t row = head->screened[index], words;
    Flight *flight = head->work[row].flight;
    bool proven = true;
    for (size_t i = 0; i < flight->row_count; i++) {
        const ScreenWord *found = screen_words(head->screen, index + i, &words);
        head->screen_words += words;
        proven &= head->proven[index + i];
        if (!flight->greedy)
            continue;
        if (head->proven[index + i]) {
            flight_take(flight, i, best_word(found, words), head->states + (row + i) * head->width);
        } else {
            head->screen_failures++;
            TRY(take_whole(head, row + i, 1, err));
        }
    }
    if (flight->greedy || flight_guess(flight, proven ? &head->guesses[index] : NULL))
        return OK;
    head->screen_failures += flight->row_count;
    return take_whole(head, row, flight->row_count, err);
}

// Decides the rows that can be screened; the others are put on the list of whole ones.
static Status screen_rows(Head *head, size_t count, Error *err) {
    TRY(sort_rows(head, count, err));
    if (!head->screened_count)
        return OK;
    screen_score(head->screen, head->states, head->screened, head->screened_count);
    pool_run(head->pool, head->screened_count, select_words, head);
    screen_rescore(head->screen);
    head->screen_rows += head->screened_count;
    pool_run(head->pool, head->screened_count, normalize, head);
    for (size_t i = 0; i < head->screened_count; i += head->work[head->screened[i]].flight->row_count)
        TRY(judge(head, i, err));
    return OK;
}

static void work_on_row(void *context, size_t index) {
    Head *head = context;
    const RowWork *work = &head->work[head->whole[index]];
    flight_work(work->flight, work->row, head->kernels, head->logits + index * head->vocabulary);
}

// From the states of a step to what its rows chose.
static Status choose(Head *head, size_t count, float **ret_logits, Error *err) {
    TRY(screen_rows(head, count, err));
    for (size_t row = 0; row < count; row++)
        ret_logits[row] = NULL;
    if (!head->whole_count)
        return OK;
    const float *states = head->states;
    if (head->screened_count) { // those that a screen could not decide come last
        for (size_t i = 0; i < head->whole_count; i++)
            memcpy(head->gathered + i * head->width, head->states + head->whole[i] * head->width,
                   head->width * sizeof *head->gathered);
        states = head->gathered;
    }
    TRY(session_head(head->session, states, head->whole_count, &head->logits, err));
    pool_run(head->pool, head->whole_count, work_on_row, head);
    for (size_t i = 0; i < head->whole_count; i++)
        ret_logits[head->whole[i]] = head->logits + i * head->vocabulary;
    return OK;
}

Status head_step(Head *head, const DecodeRow *rows, const RowWork *work, size_t count, float **ret_logits, Error *err) {
    TRY(session_decode_states(head->session, rows, count, &head->states, err));
    head->work = work;
    uint64_t begun = clock_ns();
    Status status = choose(head, count, ret_logits, err);
    head->spent_ns += clock_ns() - begun;
    return status;
}

static void settle_row(void *context, size_t index) {
    Head *head = context;
    flight_settle(head->settling, head->settling_first + index, head->kernels, head->logits + index * head->vocabulary);
}

Status head_settle(Head *head, Flight *flight, Error *err) {
    size_t most = head->most_rows < SETTLE_ROWS ? head->most_rows : SETTLE_ROWS;
    head->settling = flight;
    for (size_t first = 0; first < flight->late_count; first += most) {
        size_t left = flight->late_count - first, count = left < most ? left : most;
        TRY(session_head(head->session, flight->late_states + first * head->width, count, &head->logits, err));
        head->settling_first = first;
        pool_run(head->pool, count, settle_row, head);
    }
    return OK;
}

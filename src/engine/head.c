// SPDX-License-Identifier: Apache-2.0
// One step's logits, screened or whole.
#include "engine/head.h"

#include <string.h>

enum { SETTLE_ROWS = 16 }; // late states of one pass over the head

Status head_make(Arena *arena, Head *head, Error *err) {
    TRY_NEW(head->whole = arena_array(arena, head->most_rows, sizeof *head->whole, err));
    TRY_NEW(head->screened = arena_array(arena, head->most_rows, sizeof *head->screened, err));
    TRY_NEW(head->proven = arena_array(arena, head->most_rows, sizeof *head->proven, err));
    if (head->screen)
        TRY_NEW(head->gathered = arena_array(arena, head->most_rows, head->width * sizeof *head->gathered, err));
    return OK;
}

static void select_words(void *context, size_t index) {
    Head *head = context;
    const RowWork *work = &head->work[head->screened[index]];
    flight_screen(work->flight, work->row, screen_row(head->screen, index));
    head->proven[index] = screen_select(head->screen, index);
}

// The largest logit of the candidates, of equal ones the first.
static int32_t best_word(const ScreenWord *words, size_t count) {
    const ScreenWord *best = words;
    for (size_t i = 1; i < count; i++)
        best = words[i].logit > best->logit ? &words[i] : best;
    return best->word;
}

// Decides the rows that can be screened; the others are put on the list of whole ones.
static void screen_rows(Head *head, size_t count) {
    head->screened_count = head->whole_count = 0;
    for (size_t row = 0; row < count; row++) {
        if (head->screen && flight_screens(head->work[row].flight))
            head->screened[head->screened_count++] = row;
        else
            head->whole[head->whole_count++] = row;
    }
    if (!head->screened_count)
        return;
    screen_score(head->screen, head->states, head->screened, head->screened_count);
    pool_run(head->pool, head->screened_count, select_words, head);
    screen_rescore(head->screen);
    head->screen_rows += head->screened_count;
    for (size_t i = 0; i < head->screened_count; i++) {
        size_t row = head->screened[i], words;
        const ScreenWord *found = screen_words(head->screen, i, &words);
        head->screen_words += words;
        if (head->proven[i]) {
            flight_take(head->work[row].flight, head->work[row].row, best_word(found, words),
                        head->states + row * head->width);
        } else {
            head->screen_failures++;
            head->whole[head->whole_count++] = row;
        }
    }
}

static void work_on_row(void *context, size_t index) {
    Head *head = context;
    const RowWork *work = &head->work[head->whole[index]];
    flight_work(work->flight, work->row, head->kernels, head->logits + index * head->vocabulary);
}

Status head_step(Head *head, const DecodeRow *rows, const RowWork *work, size_t count, float **ret_logits, Error *err) {
    TRY(session_decode_states(head->session, rows, count, &head->states, err));
    head->work = work;
    screen_rows(head, count);
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

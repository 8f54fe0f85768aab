// SPDX-License-Identifier: Apache-2.0
// Rows of references, and their losses a piece of the head at a time.
#include "measure/forced_loss.h"

static size_t pages_of(size_t tokens) {
    return (tokens + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
}

void forced_need_add(ForcedNeed *need, const TokenSample *sample) {
    need->source_tokens += sample->id_count;
    need->rows += sample->label_count;
    need->pages += pages_of(sample->id_count) + pages_of(sample->label_count);
}

// A sample's rows see each other's slots: its tokens lie in one step.
static void rows_add(ForcedLoss *forced, const TokenSample *sample, Source *source, int32_t start, int32_t *slots) {
    for (size_t t = 0; t < sample->label_count; t++) {
        slots[t] = source_take_slot(source);
        forced->labels[forced->row_count] = sample->labels[t];
        forced->rows[forced->row_count++] = (DecodeRow){.source = source,
                                                        .token = t ? sample->labels[t - 1] : start,
                                                        .position = (int32_t)t,
                                                        .past_slots = slots,
                                                        .past_count = t + 1,
                                                        .wants_logits = true};
    }
}

static Status lists_make(Arena *arena, const ForcedNeed *need, size_t count, ForcedLoss *forced, Error *err) {
    TRY_NEW(forced->items = arena_array(arena, count, sizeof *forced->items, err));
    TRY_NEW(forced->sources = arena_array(arena, count, sizeof(Source *), err));
    TRY_NEW(forced->rows = arena_array(arena, need->rows, sizeof *forced->rows, err));
    TRY_NEW(forced->labels = arena_array(arena, need->rows, sizeof *forced->labels, err));
    TRY_NEW(forced->losses = arena_array(arena, need->rows, sizeof *forced->losses, err));
    return OK;
}

Status forced_open(Arena *arena, Session *session, const TokenSample *samples, size_t count, int32_t start,
                   ForcedLoss *ret_forced, Error *err) {
    ForcedNeed need = {0};
    for (size_t i = 0; i < count; i++)
        forced_need_add(&need, &samples[i]);
    ForcedLoss *forced = ret_forced;
    *forced = (ForcedLoss){.session = session};
    TRY(lists_make(arena, &need, count, forced, err));
    int32_t *slots = arena_array(arena, need.rows, sizeof *slots, err);
    TRY_NEW(slots);
    for (size_t i = 0; i < count; i++) {
        const TokenSample *sample = &samples[i];
        Source **source = &forced->sources[i];
        TRY(session_open(session, sample->id_count, sample->label_count, source, err));
        forced->sample_count++;
        forced->items[i] =
            (EncodeItem){.source = *source, .ids = sample->ids, .tokens = sample->id_count, .keys = sample->id_count};
        rows_add(forced, sample, *source, start, slots);
        slots += sample->label_count;
    }
    return OK;
}

void forced_close(ForcedLoss *forced) {
    for (size_t i = forced->sample_count; i-- > 0;)
        session_close(forced->session, forced->sources[i]);
    forced->sample_count = 0;
}

Status forced_begin(const ForcedLoss *forced, SessionStage stage, Error *err) {
    return stage == SESSION_ENCODE ? session_encode_begin(forced->session, forced->items, forced->sample_count, err)
                                   : session_decode_begin(forced->session, forced->rows, forced->row_count, err);
}

Status forced_run(const ForcedLoss *forced, SessionStage stage, Error *err) {
    const PlanStep *steps;
    TRY(forced_begin(forced, stage, err));
    session_run(forced->session, stage, 0, plan_steps(session_plan(forced->session, stage), &steps));
    return OK;
}

const float *forced_states(const ForcedLoss *forced) {
    return plan_return(session_plan(forced->session, SESSION_DECODE), 0).data;
}

Status forced_logits(const ForcedLoss *forced, const float *states, size_t first, size_t count, float **ret_logits,
                     Error *err) {
    return session_head(forced->session, states + first * session_model(forced->session)->width, count, ret_logits,
                        err);
}

typedef struct Piece {
    ForcedLoss *forced;
    const float *logits;
    size_t first;
} Piece;

static void row_loss(void *context, size_t index) {
    const Piece *piece = context;
    ForcedLoss *forced = piece->forced;
    size_t vocabulary = session_model(forced->session)->vocabulary;
    const float *logits = piece->logits + index * vocabulary;
    LogNormalizer normalizer;
    session_kernels(forced->session)->log_normalizer(logits, vocabulary, &normalizer);
    forced->losses[piece->first + index] =
        (double)normalizer.max + (double)normalizer.log_sum - (double)logits[forced->labels[piece->first + index]];
}

Status forced_sum(ForcedLoss *forced, double *ret_nats, Error *err) {
    const float *states = forced_states(forced);
    double nats = 0;
    for (size_t first = 0; first < forced->row_count; first += FORCED_HEAD_ROWS) {
        size_t left = forced->row_count - first, count = left < FORCED_HEAD_ROWS ? left : FORCED_HEAD_ROWS;
        float *logits;
        TRY(forced_logits(forced, states, first, count, &logits, err));
        pool_run(session_pool(forced->session), count, row_loss, &(Piece){forced, logits, first});
    }
    for (size_t r = 0; r < forced->row_count; r++)
        nats += forced->losses[r];
    *ret_nats = nats;
    return OK;
}

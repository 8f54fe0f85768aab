// SPDX-License-Identifier: Apache-2.0
// A session without a model, for tests of the engine: defines the functions of exec/session.h over the table model of
// tools/goldens/engine/table_model.py, and checks what the engine may not do: more rows, source tokens, slots or pages
// than agreed, a past that is not a sequence, a source that is never closed. To be included by one file of a program.
#pragma once

#include "check.h"
#include "exec/session.h"

enum { TABLE_VOCABULARY = 48, TABLE_POSITIONS = 64, TABLE_EOS = 2, TABLE_PAGE_TOKENS = 16 };

struct Encoded {
    uint64_t hash;
    bool encoded;
    size_t pages, owners;
};

struct Source {
    bool open;
    Encoded *encoded;
    size_t pages, most_slots, slots;
    int32_t tokens[4096], positions[4096]; // by slot
};

enum { FAKE_MOST_SOURCES = 64 };

// What a fake state holds instead of numbers: the four floats of a row have room for it.
typedef struct FakeState {
    uint64_t hash; // of the source, the last token and those before it
    uint32_t count;
} FakeState;
_Static_assert(sizeof(FakeState) == 4 * sizeof(float), "a state is a row of width 4");

struct Session {
    SessionLimits limits;
    size_t free_pages;
    Source sources[FAKE_MOST_SOURCES];
    Encoded encoded[2 * FAKE_MOST_SOURCES];
    struct {
        Encoded *encoded;
        uint64_t hash;
    } batch[FAKE_MOST_SOURCES]; // written by the last step of encoding
    size_t batch_count;
    FakeState *states;
    float *logits;
};

// What a test may look at or arrange.
typedef struct Fake {
    size_t encode_calls, encode_slices, decode_calls, most_rows_seen, open_sources;
    int fail_encode_at, fail_decode_at, fail_open_at; // the n-th call from now; 0: none
    bool guesses;                                     // a slot may be written again for its position
} Fake;
static Fake fake;

static bool fake_strikes(int *countdown) {
    return *countdown > 0 && --*countdown == 0;
}

static const SessionModel fake_model = {
    .decoder_layers = 1, .width = 4, .vocabulary = TABLE_VOCABULARY, .most_positions = TABLE_POSITIONS};

static uint64_t fake_mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t fake_fold(uint64_t hash, int64_t value) {
    return fake_mix(hash * 31 + (uint64_t)value + 1);
}

// Logits after a history of `count` tokens; `hash` is that of its source, its last token and the sum of the others.
static void fake_row(uint64_t hash, size_t count, float *ret_row) {
    for (uint64_t token = 0; token < TABLE_VOCABULARY; token++) {
        uint64_t mixed = fake_mix(hash + token * 0x9E3779B97F4A7C15u);
        uint64_t level = (mixed >> 40) % 128 * 64 + token;
        ret_row[token] = (float)level / 1024.0f - 4.0f;
    }
    ret_row[TABLE_EOS] += (float)count / 4.0f - 2.0f;
}

Status session_new(const SessionModel *model, const Kernels *kernels, Pool *pool, const SessionLimits *limits,
                   Session **ret_session, Error *err) {
    (void)model, (void)kernels, (void)pool, (void)err;
    Session *session = calloc(1, sizeof *session);
    session->limits = *limits;
    session->free_pages = limits->pages;
    session->states = calloc(limits->most_rows, sizeof *session->states);
    session->logits = calloc(limits->most_rows, TABLE_VOCABULARY * sizeof(float));
    *ret_session = session;
    return OK;
}

size_t session_page_bytes(const SessionModel *model, KvKind kind) {
    return TABLE_PAGE_TOKENS * kv_head_bytes(kind, model->width) * model->decoder_layers;
}

void session_free(Session *session) {
    if (!session)
        return;
    for (size_t i = 0; i < FAKE_MOST_SOURCES; i++)
        ck_assert_msg(!session->sources[i].open, "source %zu was never closed", i);
    ck_assert_uint_eq(session->free_pages, session->limits.pages);
    free(session->states);
    free(session->logits);
    free(session);
}

size_t session_pages_needed(const Session *session, size_t source_tokens, size_t most_slots) {
    (void)session;
    return (source_tokens + TABLE_PAGE_TOKENS - 1) / TABLE_PAGE_TOKENS +
           (most_slots + TABLE_PAGE_TOKENS - 1) / TABLE_PAGE_TOKENS;
}

size_t session_free_pages(const Session *session) {
    return session->free_pages;
}

Encoded *source_encoded(const Source *source) {
    return source->encoded;
}

void encoded_hold(Encoded *encoded) {
    encoded->owners++;
}

void encoded_release(Session *session, Encoded *encoded) {
    ck_assert_uint_gt(encoded->owners, 0);
    if (--encoded->owners == 0)
        session->free_pages += encoded->pages;
}

size_t encoded_pages(const Encoded *encoded) {
    return encoded->pages;
}

bool encoded_is_shared(const Encoded *encoded) {
    return encoded->owners > 1;
}

Status session_open_over(Session *session, Encoded *encoded, size_t most_slots, Source **ret_source, Error *err) {
    if (fake_strikes(&fake.fail_open_at))
        return FAIL(err, ERR_MEMORY, "no memory for a source");
    size_t pages = session_pages_needed(session, 0, most_slots);
    ck_assert_uint_le(pages, session->free_pages);
    size_t i = 0;
    while (session->sources[i].open)
        ck_assert_uint_lt(++i, FAKE_MOST_SOURCES);
    Source *source = &session->sources[i];
    *source = (Source){.open = true, .pages = pages, .most_slots = most_slots, .encoded = encoded};
    ck_assert_uint_le(most_slots, ARRAY_COUNT(source->tokens));
    session->free_pages -= pages;
    encoded->owners++;
    fake.open_sources++;
    *ret_source = source;
    return OK;
}

Status session_open(Session *session, size_t source_tokens, size_t most_slots, Source **ret_source, Error *err) {
    size_t i = 0;
    while (session->encoded[i].owners)
        ck_assert_uint_lt(++i, 2 * FAKE_MOST_SOURCES);
    Encoded *encoded = &session->encoded[i];
    *encoded = (Encoded){.pages = session_pages_needed(session, source_tokens, 0), .owners = 1};
    ck_assert_uint_le(encoded->pages, session->free_pages);
    session->free_pages -= encoded->pages;
    Status status = session_open_over(session, encoded, most_slots, ret_source, err);
    encoded_release(session, encoded);
    return status;
}

void session_close(Session *session, Source *source) {
    ck_assert(source->open);
    source->open = false;
    session->free_pages += source->pages;
    encoded_release(session, source->encoded);
    fake.open_sources--;
}

int32_t source_take_slot(Source *source) {
    ck_assert_uint_lt(source->slots, source->most_slots);
    source->tokens[source->slots] = -1;
    return (int32_t)source->slots++;
}

enum { FAKE_ENCODE_STEPS = 6 };

size_t session_step_count(const Session *session, SessionStage stage) {
    (void)session;
    ck_assert_int_eq(stage, SESSION_ENCODE);
    return FAKE_ENCODE_STEPS;
}

Status session_encode_begin(Session *session, const EncodeItem *items, size_t count, Error *err) {
    fake.encode_calls++;
    size_t tokens = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = 7;
        for (size_t j = 0; j < items[i].keys; j++)
            hash = fake_fold(fake_fold(hash, items[i].positions ? items[i].positions[j] : (int64_t)j), items[i].ids[j]);
        ck_assert(!items[i].source->encoded->encoded);
        session->batch[i].encoded = items[i].source->encoded;
        session->batch[i].hash = hash;
        tokens += items[i].tokens;
    }
    session->batch_count = count;
    ck_assert_uint_le(tokens, session->limits.most_source_tokens);
    return fake_strikes(&fake.fail_encode_at) ? FAIL(err, ERR_INTERNAL, "the encoder broke") : OK;
}

void session_run(Session *session, SessionStage stage, size_t first, size_t last) {
    ck_assert(stage == SESSION_ENCODE && first < last && last <= FAKE_ENCODE_STEPS);
    fake.encode_slices++;
    for (size_t i = 0; i < session->batch_count && last == FAKE_ENCODE_STEPS; i++) {
        ck_assert_uint_gt(session->batch[i].encoded->owners, 0); // nobody else got its pages meanwhile
        session->batch[i].encoded->hash = session->batch[i].hash;
        session->batch[i].encoded->encoded = true;
    }
}

// A row's own token goes to its own slot first, then what it sees must be one sequence from position 0 to its own. A
// slot may be written again for the same position: a guess that was wrong.
Status session_decode_states(Session *session, const DecodeRow *rows, size_t count, const float **ret_states,
                             Error *err) {
    fake.decode_calls++;
    ck_assert_uint_le(count, session->limits.most_rows);
    fake.most_rows_seen = count > fake.most_rows_seen ? count : fake.most_rows_seen;
    for (size_t r = 0; r < count; r++) {
        Source *source = session->sources + (rows[r].source - session->sources);
        int32_t own = rows[r].past_slots[rows[r].past_count - 1];
        ck_assert(source->open && source->encoded->encoded && rows[r].wants_logits);
        ck_assert(source->tokens[own] == -1 || (fake.guesses && source->positions[own] == rows[r].position));
        source->tokens[own] = rows[r].token;
        source->positions[own] = rows[r].position;
    }
    for (size_t r = 0; r < count; r++) {
        int64_t before = 0;
        for (size_t i = 0; i < rows[r].past_count; i++) {
            ck_assert_uint_eq((size_t)rows[r].source->positions[rows[r].past_slots[i]], i);
            before += i + 1 < rows[r].past_count ? rows[r].source->tokens[rows[r].past_slots[i]] : 0;
        }
        session->states[r] = (FakeState){fake_fold(fake_fold(rows[r].source->encoded->hash, rows[r].token), before % 2),
                                         (uint32_t)rows[r].past_count};
    }
    *ret_states = (const float *)(const void *)session->states;
    return fake_strikes(&fake.fail_decode_at) ? FAIL(err, ERR_INTERNAL, "the decoder broke") : OK;
}

Status session_head(Session *session, const float *states, size_t count, float **ret_logits, Error *err) {
    (void)err;
    ck_assert_uint_le(count, session->limits.most_rows);
    const FakeState *all = (const void *)states;
    for (size_t r = 0; r < count; r++)
        fake_row(all[r].hash, all[r].count, session->logits + r * TABLE_VOCABULARY);
    *ret_logits = session->logits;
    return OK;
}

Status session_decode(Session *session, const DecodeRow *rows, size_t count, float **ret_logits, Error *err) {
    const float *states;
    TRY(session_decode_states(session, rows, count, &states, err));
    return session_head(session, states, count, ret_logits, err);
}

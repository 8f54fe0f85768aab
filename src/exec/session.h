// SPDX-License-Identifier: Apache-2.0
// Session: runs the encode, decode and head graphs of one model over packed tokens, and owns the K/V pages. It knows
// sources, rows and slots; what to decode next is the engine's business.
//
//     session_open      reserve pages for one source: its cross-attention K/V and its beams' worst case
//     session_encode    several sources at once: encoder, then all layers' cross-attention K/V into their pages
//     session_decode    one step for any mix of rows of any open sources
//     session_close     pages back to the pool
//
// A model in parts (exec/seq2seq.h) goes through the same calls: its parts encode and decode, its states are its
// logits, and it has no plans. What needs plans (running single steps, variants, timing, observers) is not for it.
//
// Of hone's own graphs, a row's logits are the same bits whatever other rows are in the step and however many threads
// run it, and after the first steps nothing is allocated. One thread calls; the pool's threads work.
#pragma once

#include "exec/engine_cache.h"
#include "exec/plan.h"
#include "exec/seq2seq.h"

typedef struct Session Session;
typedef struct Source Source;
typedef struct Encoded Encoded;

typedef struct SessionLimits {
    size_t most_rows;          // of a decode step
    size_t most_source_tokens; // of an encode step, all its sources together
    size_t pages;              // of the K/V pool; a page is 16 tokens, all layers
    KvKind kv_kind;            // how K and V are kept
    const char *engine_cache;  // folder (engine_cache.h); NULL: none
} SessionLimits;

// What a session needs to know of a model; filled by the model room.
typedef struct SessionModel {
    const Graph *encode; // (ids i32[T], positions i32[T]) -> states f32[T,d]; stores cross K/V
    const Graph *decode; // (ids i32[T], positions i32[T], picked i32[P]) -> states f32[P,d]
    const Graph *head;   // (states f32[P,d]) -> logits f32[P,vocabulary]
    size_t decoder_layers, width, vocabulary;
    size_t most_positions;    // tokens a source or an output may have
    const char *const *files; // that the weights lie in, and what they hold: for the engine cache
    const Bytes *contents;
    size_t file_count;
    Seq2seq *parts; // that run in place of the graphs, `width` being the vocabulary; NULL: none
} SessionModel;

// The same model run by `parts`, which must outlive its sessions; its graphs need no weights.
static inline SessionModel session_model_in_parts(const SessionModel *model, Seq2seq *parts) {
    SessionModel in_parts = *model;
    in_parts.parts = parts;
    in_parts.width = model->vocabulary;
    return in_parts;
}

MUST_CHECK Status session_new(const SessionModel *model, const Kernels *kernels, Pool *pool,
                              const SessionLimits *limits, Session **ret_session, Error *err);
void session_free(Session *session);

// ERR_LIMIT when the pool has too few free pages for `source_tokens` and `most_slots` decoder tokens (all beams
// together).
MUST_CHECK Status session_open(Session *session, size_t source_tokens, size_t most_slots, Source **ret_source,
                               Error *err);
// Bytes of a page of all layers.
size_t session_page_bytes(const SessionModel *model, KvKind kind);
void session_close(Session *session, Source *source);
size_t session_free_pages(const Session *session);
size_t session_pages_needed(const Session *session, size_t source_tokens, size_t most_slots);

// The cross-attention K/V of a source: exact pages of its own, only read once encoded, and shared: by the source it was
// opened with, by every other one opened over it, and by whoever holds it. The last of them gives the pages back.
Encoded *source_encoded(const Source *source);
void encoded_hold(Encoded *encoded);
void encoded_release(Session *session, Encoded *encoded);
size_t encoded_pages(const Encoded *encoded);
bool encoded_is_shared(const Encoded *encoded); // by two or more
// As session_open, over what another source has encoded or will have before the first decode step.
MUST_CHECK Status session_open_over(Session *session, Encoded *encoded, size_t most_slots, Source **ret_source,
                                    Error *err);

// One source of an encode step. `positions` NULL: 0, 1, 2, ... Only the first `keys` tokens are attended to.
typedef struct EncodeItem {
    Source *source;
    const int32_t *ids;
    const int32_t *positions;
    size_t tokens, keys;
} EncodeItem;

// ret_states, if not NULL, points to f32 [all tokens, d] in the order of the items until the next call.
MUST_CHECK Status session_encode(Session *session, const EncodeItem *items, size_t count, const float **ret_states,
                                 Error *err);

// The next unused slot of a source, for one decoder token; taking more than were reserved is a bug (asserted).
int32_t source_take_slot(Source *source);

// One decoder token. `past_slots` lists the slots of the tokens it may see in order, its own (freshly taken) slot last.
typedef struct DecodeRow {
    Source *source;
    int32_t token, position;
    const int32_t *past_slots;
    size_t past_count;
    bool wants_logits;
} DecodeRow;

// ret_logits: f32 [rows that want logits, vocabulary], in their order, writable, valid until the next call. Rows of one
// step may attend to each other's slots (several tokens of one sequence in one step).
MUST_CHECK Status session_decode(Session *session, const DecodeRow *rows, size_t count, float **ret_logits, Error *err);

// The two halves of session_decode. ret_states: f32 [rows that want logits, d], valid until the next decode.
MUST_CHECK Status session_decode_states(Session *session, const DecodeRow *rows, size_t count, const float **ret_states,
                                        Error *err);
// Logits of any `count` states [count, d] (1 to most_rows), valid until the next call that gives logits. Of a model in
// parts, the states themselves, to change.
MUST_CHECK Status session_head(Session *session, const float *states, size_t count, float **ret_logits, Error *err);

// The plans of a session, in the order in which a request goes through them.
typedef enum SessionStage { SESSION_ENCODE, SESSION_DECODE, SESSION_HEAD, SESSION_STAGES } SessionStage;
Plan *session_plan(const Session *session, SessionStage stage);

// session_encode and session_decode_states in parts, for whoever runs some steps of one more than once: what the step
// reads is written down, and nothing has run yet. session_run then runs steps [first, last) of the stage's plan, in the
// order of plan_steps and as often as wanted, until another step of that stage begins. K and V are written again by
// each run of the steps that store them; what they overwrite is their own.
MUST_CHECK Status session_encode_begin(Session *session, const EncodeItem *items, size_t count, Error *err);
MUST_CHECK Status session_decode_begin(Session *session, const DecodeRow *rows, size_t count, Error *err);
void session_run(Session *session, SessionStage stage, size_t first, size_t last);
size_t session_step_count(const Session *session, SessionStage stage);

// Constants of all three plans in another form (plan_variant_make); swapping puts it in, swapping again takes it out.
typedef struct SessionVariant {
    PlanVariant *plans[SESSION_STAGES];
} SessionVariant;
MUST_CHECK Status session_variant_make(Arena *arena, Session *session, const Constant *constants, size_t count,
                                       SessionVariant *ret_variant, Error *err);
void session_variant_swap(const SessionVariant *variant);

// The kernels and threads it runs with.
const Kernels *session_kernels(const Session *session);
Pool *session_pool(const Session *session);
const SessionModel *session_model(const Session *session);

// Bytes it holds: packed weights, activations, K/V pages.
typedef struct SessionMemory {
    size_t packed_bytes, activation_bytes, kv_bytes, activation_bytes_without_reuse;
} SessionMemory;
SessionMemory session_memory(const Session *session);

// Where the packed weights came from and what was chosen for them; waits until an entry of the cache is written.
const EngineReport *session_engine(Session *session, const PackedBlock **ret_block, const Tuning **ret_tuning);

// Turns the timing of all plans' steps on or off (plan.h).
void session_set_timing(Session *session, bool on);

// Lets `observer` see what passes through all three plans (plan.h); {0}: nobody.
void session_observe(Session *session, PlanObserver observer);

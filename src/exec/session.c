// SPDX-License-Identifier: Apache-2.0
// Sessions: the three plans of an encoder-decoder, or its parts, and the pool of K/V pages with its sources.
#include "exec/session.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "exec/engine_cache.h"
#include "op/packed.h"

// Pages that grow to what their longest use needed and stay.
typedef struct PageList {
    int32_t *pages;
    size_t count, capacity;
} PageList;

struct Encoded {
    PageList list;
    size_t keys; // tokens that cross-attention sees; 0 until encoded
    size_t owners;
    SeqSource seq; // of a model in parts
    Encoded *next_free;
};

// The decoder's side of a source: pages that its slots come from.
struct Source {
    PageList list;
    Encoded *encoded;
    size_t slots_used; // of list.count * 16
    SeqPast *past;     // of a model in parts
    Source *next_free;
};

struct Session {
    Arena arena;
    SessionModel model;
    SessionLimits limits;
    const Kernels *kernels;
    Pool *pool;
    PackedBlock block; // of all three
    Tuning tuning;
    EngineCache *cache;
    Plan *plans[SESSION_STAGES];
    StepContext steps[SESSION_STAGES]; // begun last
    KvPool kv;
    size_t kv_bytes;
    int32_t *free_pages; // a stack
    size_t free_page_count;
    Source *free_sources;
    Encoded *free_encoded;
    SourceSpan *source_spans;
    DecodeSpan *decode_spans;
    // Of a model in parts:
    SeqItem *seq_items;
    SeqRow *seq_rows;
    float *logits; // of the last step
    size_t logit_rows;
    uint64_t rested_regions;
};

static size_t pages_for(size_t tokens) {
    return (tokens + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
}

size_t session_pages_needed(const Session *session, size_t source_tokens, size_t most_slots) {
    (void)session;
    return pages_for(source_tokens) + pages_for(most_slots);
}

size_t session_free_pages(const Session *session) {
    return session->free_page_count;
}

static void session_unmap(void *object) {
    Session *session = object;
    memory_unmap(session->kv.base, session->kv_bytes);
}

// Bytes of a token's K and V in the layer whose heads take most: with scales beside them, more heads take more.
static size_t slot_bytes(const SessionModel *model, KvKind kind) {
    const Graph *graphs[] = {model->encode, model->decode};
    size_t most = 0;
    for (size_t g = 0; g < sizeof graphs / sizeof *graphs; g++)
        for (size_t i = 0; i < graphs[g]->node_count; i++) {
            const Node *node = graphs[g]->nodes[i];
            if (node->op != OP_CROSS_STORE && node->op != OP_ATTENTION_CACHED && node->op != OP_ATTENTION_CROSS)
                continue;
            size_t heads = (size_t)node_int(node, "heads", 1);
            size_t bytes = heads * kv_head_bytes(kind, (size_t)value_type(node->inputs[0]).dims[1].value / heads);
            most = bytes > most ? bytes : most;
        }
    return most ? most : kv_head_bytes(kind, model->width);
}

size_t session_page_bytes(const SessionModel *model, KvKind kind) {
    return KV_BLOCK_TOKENS * slot_bytes(model, kind) * model->decoder_layers;
}

static Status pages_make(Session *s, Error *err) {
    TRY_NEW(s->free_pages = arena_array(&s->arena, s->limits.pages, sizeof *s->free_pages, err));
    for (size_t i = 0; i < s->limits.pages; i++)
        s->free_pages[i] = (int32_t)(s->limits.pages - 1 - i);
    s->free_page_count = s->limits.pages;
    return OK;
}

static Status pool_make(Session *s, Error *err) {
    size_t slot = slot_bytes(&s->model, s->limits.kv_kind), slots = KV_BLOCK_TOKENS * s->limits.pages;
    s->kv = (KvPool){.kind = s->limits.kv_kind, .width = s->model.width, .slot_bytes = slot};
    if (!size_multiply(slot, slots, &s->kv.layer_bytes) ||
        !size_multiply(s->kv.layer_bytes, s->model.decoder_layers, &s->kv_bytes))
        return FAIL(err, ERR_LIMIT, "a K/V pool of %zu pages is more than this machine can address", s->limits.pages);
    TRY_NEW(s->kv.base = memory_map_sparse(s->kv_bytes, err));
    TRY(arena_on_free(&s->arena, session_unmap, s, err));
    TRY(pages_make(s, err));
    TRY_NEW(s->source_spans = arena_array(&s->arena, s->limits.most_source_tokens, sizeof *s->source_spans, err));
    TRY_NEW(s->decode_spans = arena_array(&s->arena, s->limits.most_rows, sizeof *s->decode_spans, err));
    return OK;
}

// What the graphs of a session are for, in their order.
static const TuneUse uses[SESSION_STAGES] = {TUNE_MANY_ROWS, TUNE_FEW_ROWS, TUNE_FEW_ROWS};
enum { GRAPHS = SESSION_STAGES, TUNE_BUDGET_MS = 150 };

// A block for the weights of all graphs: mapped from the engine cache, or empty memory for the plans to pack into.
static Status block_make(Session *s, const Graph *const *graphs, Error *err) {
    TRY(packed_block_make(&s->arena, s->kernels, graphs, GRAPHS, &s->block, err));
    TRY(tuning_make(&s->arena, &s->block, &s->tuning, err));
    EngineCacheSettings settings = {.folder = s->limits.engine_cache,
                                    .files = s->model.files,
                                    .contents = s->model.contents,
                                    .file_count = s->model.file_count,
                                    .graphs = graphs,
                                    .graph_count = GRAPHS,
                                    .level = s->kernels->level,
                                    .pool = s->pool};
    TRY(engine_cache_new(&settings, &s->block, &s->cache, err));
    if (engine_cache_load(s->cache, &s->block, &s->tuning))
        return OK;
    if (engine_cache_usable(s->cache))
        TRY(tune_kernels(&s->tuning, s->kernels->level, uses, &s->block, err));
    return packed_block_map(&s->arena, &s->block, err);
}

// What was packed now is tuned and kept, where there is a cache.
static Status block_keep(Session *s, Error *err) {
    if (engine_cache_report(s->cache)->origin != ENGINE_PACKED)
        return OK;
    TRY(tune_tilings(&s->tuning, s->pool, uses, &s->block, (uint64_t)TUNE_BUDGET_MS * 1000000, err));
    engine_cache_store(s->cache, &s->block, &s->tuning);
    return OK;
}

// Pages and slots are only counted, which bounds the tokens in flight: their keys and values lie in tensors of the
// parts' own.
static Status parts_fill(Session *s, Error *err) {
    TRY(pages_make(s, err));
    TRY_NEW(s->seq_items = arena_array(&s->arena, s->limits.most_rows, sizeof *s->seq_items, err));
    TRY_NEW(s->seq_rows = arena_array(&s->arena, s->limits.most_rows, sizeof *s->seq_rows, err));
    return OK;
}

static Status session_fill(Session *s, Error *err) {
    if (s->model.parts)
        return parts_fill(s, err);
    size_t encode_dims[] = {s->limits.most_source_tokens}, decode_dims[] = {s->limits.most_rows, s->limits.most_rows};
    const Graph *graphs[GRAPHS] = {s->model.encode, s->model.decode, s->model.head};
    TRY(block_make(s, graphs, err));
    PlanSettings settings = {s->kernels, s->pool, encode_dims, s->model.most_positions, &s->block};
    for (size_t g = 0; g < GRAPHS; g++) {
        settings.most_dims = g == SESSION_ENCODE ? encode_dims : decode_dims;
        TRY(plan_make(&s->arena, graphs[g], &settings, &s->plans[g], err));
    }
    TRY(block_keep(s, err));
    return pool_make(s, err);
}

Status session_new(const SessionModel *model, const Kernels *kernels, Pool *pool, const SessionLimits *limits,
                   Session **ret_session, Error *err) {
    if (limits->most_rows < 1 || limits->most_source_tokens < 1 || limits->pages < 1 ||
        limits->pages > INT32_MAX / KV_BLOCK_TOKENS)
        return FAIL(err, ERR_LIMIT, "a session of %zu rows, %zu source tokens and %zu pages is not possible",
                    limits->most_rows, limits->most_source_tokens, limits->pages);
    Session *session = memory_new(1, sizeof *session, err);
    TRY_NEW(session);
    *session = (Session){.model = *model, .limits = *limits, .kernels = kernels, .pool = pool};
    arena_init(&session->arena, 0);
    Status status = session_fill(session, err);
    if (status != OK) {
        session_free(session);
        return status;
    }
    *ret_session = session;
    return OK;
}

void session_free(Session *session) {
    if (!session)
        return;
    for (Source *source = session->free_sources, *next; source; source = next) {
        next = source->next_free;
        memory_free(source->list.pages);
        memory_free(source);
    }
    for (Encoded *encoded = session->free_encoded, *next; encoded; encoded = next) {
        next = encoded->next_free;
        memory_free(encoded->list.pages);
        memory_free(encoded);
    }
    engine_cache_free(session->cache); // before the block that it may still be writing
    arena_done(&session->arena);
    memory_free(session);
}

static Status list_room(PageList *list, size_t pages, Error *err) {
    if (list->capacity >= pages)
        return OK;
    int32_t *grown = memory_resize(list->pages, pages, sizeof *grown, err);
    TRY_NEW(grown);
    *list = (PageList){.pages = grown, .capacity = pages};
    return OK;
}

static void list_take(Session *session, PageList *list, size_t pages) {
    for (list->count = 0; list->count < pages; list->count++)
        list->pages[list->count] = session->free_pages[--session->free_page_count];
}

static void list_give(Session *session, PageList *list) {
    while (list->count)
        session->free_pages[session->free_page_count++] = list->pages[--list->count];
}

// Objects are used again where possible, so that steady work allocates nothing. One without room for its pages stays
// first in its list.
static Source *source_obtain(Session *session, size_t pages, Error *err) {
    Source *source = session->free_sources;
    if (!source) {
        if (!(source = memory_new(1, sizeof *source, err)))
            return NULL;
        *source = (Source){0};
        session->free_sources = source;
    }
    if (list_room(&source->list, pages, err) != OK)
        return NULL;
    session->free_sources = source->next_free;
    return source;
}

static Encoded *encoded_obtain(Session *session, size_t pages, Error *err) {
    Encoded *encoded = session->free_encoded;
    if (!encoded) {
        if (!(encoded = memory_new(1, sizeof *encoded, err)))
            return NULL;
        *encoded = (Encoded){0};
        session->free_encoded = encoded;
    }
    if (list_room(&encoded->list, pages, err) != OK)
        return NULL;
    session->free_encoded = encoded->next_free;
    encoded->owners = 1;
    encoded->keys = 0;
    return encoded;
}

static Status pages_check(const Session *session, size_t pages, Error *err) {
    if (pages > session->free_page_count)
        return FAIL(err, ERR_LIMIT, "%zu pages of 16 tokens are needed and %zu are free", pages,
                    session->free_page_count);
    return OK;
}

Status session_open_over(Session *session, Encoded *encoded, size_t most_slots, Source **ret_source, Error *err) {
    size_t pages = pages_for(most_slots);
    TRY(pages_check(session, pages, err));
    Source *source = source_obtain(session, pages, err);
    TRY_NEW(source);
    list_take(session, &source->list, pages);
    source->slots_used = 0;
    source->encoded = encoded;
    encoded->owners++;
    *ret_source = source;
    return OK;
}

Status session_open(Session *session, size_t source_tokens, size_t most_slots, Source **ret_source, Error *err) {
    TRY(pages_check(session, pages_for(source_tokens) + pages_for(most_slots), err));
    Encoded *encoded = encoded_obtain(session, pages_for(source_tokens), err);
    TRY_NEW(encoded);
    list_take(session, &encoded->list, pages_for(source_tokens));
    Status status = session_open_over(session, encoded, most_slots, ret_source, err);
    encoded_release(session, encoded); // the source's alone now, or nobody's
    return status;
}

Encoded *source_encoded(const Source *source) {
    return source->encoded;
}

void encoded_hold(Encoded *encoded) {
    encoded->owners++;
}

void encoded_release(Session *session, Encoded *encoded) {
    if (--encoded->owners)
        return;
    list_give(session, &encoded->list);
    if (session->model.parts)
        seq2seq_forget_source(session->model.parts, &encoded->seq);
    encoded->next_free = session->free_encoded;
    session->free_encoded = encoded;
}

size_t encoded_pages(const Encoded *encoded) {
    return encoded->list.count;
}

bool encoded_is_shared(const Encoded *encoded) {
    return encoded->owners > 1;
}

void session_close(Session *session, Source *source) {
    if (!source)
        return;
    list_give(session, &source->list);
    if (session->model.parts)
        seq2seq_forget_past(session->model.parts, &source->past);
    encoded_release(session, source->encoded);
    source->next_free = session->free_sources;
    session->free_sources = source;
}

int32_t source_take_slot(Source *source) {
    assert(source->slots_used < source->list.count * KV_BLOCK_TOKENS);
    size_t slot = source->slots_used++;
    return source->list.pages[slot / KV_BLOCK_TOKENS] * KV_BLOCK_TOKENS + (int32_t)(slot % KV_BLOCK_TOKENS);
}

static Status check_token(const Session *session, int64_t token, int64_t position, Error *err) {
    if (token < 0 || (size_t)token >= session->model.vocabulary)
        return FAIL(err, ERR_USAGE, "token id %lld is outside the vocabulary of %zu", (long long)token,
                    session->model.vocabulary);
    if (position < 0 || (size_t)position >= session->model.most_positions)
        return FAIL(err, ERR_LIMIT, "position %lld: the model has %zu positions", (long long)position,
                    session->model.most_positions);
    return OK;
}

static Status encode_item_check(const Session *session, const EncodeItem *item, size_t first_row, Error *err) {
    if (!item->tokens || !item->keys || item->keys > item->tokens)
        return FAIL(err, ERR_USAGE, "a source needs at least one token that may be attended to");
    assert(pages_for(item->keys) <= item->source->encoded->list.count);
    if (first_row + item->tokens > session->limits.most_source_tokens)
        return FAIL(err, ERR_LIMIT, "an encode step takes %zu tokens, found %zu", session->limits.most_source_tokens,
                    first_row + item->tokens);
    for (size_t t = 0; t < item->tokens; t++)
        TRY(check_token(session, item->ids[t], item->positions ? item->positions[t] : (int64_t)t, err));
    return OK;
}

static void encode_item_write(Session *session, const EncodeItem *item, size_t index, size_t first_row) {
    const Plan *plan = session->plans[SESSION_ENCODE];
    int32_t *ids = plan_input(plan, 0), *positions = plan_input(plan, 1);
    for (size_t t = 0; t < item->tokens; t++) {
        ids[first_row + t] = item->ids[t];
        positions[first_row + t] = item->positions ? item->positions[t] : (int32_t)t;
    }
    session->source_spans[index] = (SourceSpan){first_row, item->tokens, item->keys, item->source->encoded->list.pages};
}

static void do_nothing(void *context, size_t index) {
    (void)context, (void)index;
}

// The parts have threads of their own: ours must not spin beside them, if they did anything since they were last told.
static void pool_rest(Session *session) {
    if (!session->pool || pool_regions(session->pool) == session->rested_regions)
        return;
    pool_run_last(session->pool, (size_t)pool_threads(session->pool), do_nothing, NULL);
    session->rested_regions = pool_regions(session->pool);
}

static Status parts_encode(Session *session, const EncodeItem *items, size_t count, Error *err) {
    if (count > session->limits.most_rows)
        return FAIL(err, ERR_LIMIT, "an encode step of a model in parts takes %zu sources, found %zu",
                    session->limits.most_rows, count);
    for (size_t i = 0; i < count; i++) {
        Encoded *encoded = items[i].source->encoded;
        seq2seq_forget_source(session->model.parts, &encoded->seq);
        session->seq_items[i] =
            (SeqItem){&encoded->seq, items[i].ids, items[i].positions, items[i].tokens, items[i].keys};
    }
    pool_rest(session);
    return seq2seq_encode(session->model.parts, session->seq_items, count, err);
}

Status session_encode_begin(Session *session, const EncodeItem *items, size_t count, Error *err) {
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        TRY(encode_item_check(session, &items[i], rows, err));
        if (!session->model.parts)
            encode_item_write(session, &items[i], i, rows);
        rows += items[i].tokens;
    }
    if (session->model.parts) {
        TRY(parts_encode(session, items, count, err));
    } else {
        session->steps[SESSION_ENCODE] =
            (StepContext){.sources = session->source_spans, .source_count = count, .kv = &session->kv};
        plan_bind(session->plans[SESSION_ENCODE], &rows);
    }
    for (size_t i = 0; i < count; i++)
        items[i].source->encoded->keys = items[i].keys;
    return OK;
}

static Status decode_row_check(const Session *session, const DecodeRow *row, Error *err) {
    TRY(check_token(session, row->token, row->position, err));
    assert(row->source->encoded->keys && row->past_count && row->past_count <= session->model.most_positions);
    return OK;
}

static Status decode_count_check(const Session *session, size_t count, Error *err) {
    if (!count || count > session->limits.most_rows)
        return FAIL(err, ERR_LIMIT, "a decode step takes 1 to %zu rows, found %zu", session->limits.most_rows, count);
    return OK;
}

Status session_decode_begin(Session *session, const DecodeRow *rows, size_t count, Error *err) {
    assert(!session->model.parts);
    TRY(decode_count_check(session, count, err));
    Plan *plan = session->plans[SESSION_DECODE];
    int32_t *ids = plan_input(plan, 0), *positions = plan_input(plan, 1), *picked = plan_input(plan, 2);
    size_t dims[] = {count, 0};
    for (size_t r = 0; r < count; r++) {
        TRY(decode_row_check(session, &rows[r], err));
        const Encoded *encoded = rows[r].source->encoded;
        ids[r] = rows[r].token;
        positions[r] = rows[r].position;
        session->decode_spans[r] =
            (DecodeSpan){rows[r].past_slots, rows[r].past_count, encoded->list.pages, encoded->keys};
        if (rows[r].wants_logits)
            picked[dims[1]++] = (int32_t)r;
    }
    session->steps[SESSION_DECODE] =
        (StepContext){.rows = session->decode_spans, .row_count = count, .kv = &session->kv};
    plan_bind(plan, dims);
    return OK;
}

// A row of a model in parts sees what its token's parent saw.
static Status seq_row_write(const DecodeRow *row, SeqRow *ret, Error *err) {
    if ((size_t)row->position + 1 != row->past_count)
        return FAIL(err, ERR_UNSUPPORTED, "token %d of a sequence sees %zu tokens; a model in parts lets it see all",
                    row->position, row->past_count);
    *ret = (SeqRow){.source = &row->source->encoded->seq,
                    .past = &row->source->past,
                    .token = row->token,
                    .slot = row->past_slots[row->past_count - 1],
                    .parent_slot = row->past_count > 1 ? row->past_slots[row->past_count - 2] : -1,
                    .position = row->past_count - 1,
                    .wants_logits = row->wants_logits};
    return OK;
}

static Status parts_decode(Session *session, const DecodeRow *rows, size_t count, Error *err) {
    TRY(decode_count_check(session, count, err));
    session->logit_rows = 0;
    for (size_t r = 0; r < count; r++) {
        TRY(decode_row_check(session, &rows[r], err));
        TRY(seq_row_write(&rows[r], &session->seq_rows[r], err));
        session->logit_rows += rows[r].wants_logits;
    }
    pool_rest(session);
    return seq2seq_decode(session->model.parts, session->seq_rows, count, &session->logits, err);
}

void session_run(Session *session, SessionStage stage, size_t first, size_t last) {
    if (!session->model.parts) // they ran when the step began
        plan_run_steps(session->plans[stage], first, last, &session->steps[stage]);
}

size_t session_step_count(const Session *session, SessionStage stage) {
    const PlanStep *steps;
    return session->model.parts ? 1 : plan_steps(session->plans[stage], &steps);
}

static void run_all(Session *session, SessionStage stage) {
    session_run(session, stage, 0, session_step_count(session, stage));
}

Status session_encode(Session *session, const EncodeItem *items, size_t count, const float **ret_states, Error *err) {
    TRY(session_encode_begin(session, items, count, err));
    run_all(session, SESSION_ENCODE);
    if (ret_states)
        *ret_states = session->model.parts ? NULL : plan_return(session->plans[SESSION_ENCODE], 0).data;
    return OK;
}

Status session_decode_states(Session *session, const DecodeRow *rows, size_t count, const float **ret_states,
                             Error *err) {
    if (session->model.parts) {
        TRY(parts_decode(session, rows, count, err));
        *ret_states = session->logits;
        return OK;
    }
    TRY(session_decode_begin(session, rows, count, err));
    run_all(session, SESSION_DECODE);
    *ret_states = plan_return(session->plans[SESSION_DECODE], 0).data;
    return OK;
}

static Status head_run(Session *session, const float *states, size_t count, float **ret_logits, Error *err) {
    Plan *plan = session->plans[SESSION_HEAD];
    if (!count || count > session->limits.most_rows)
        return FAIL(err, ERR_LIMIT, "the head takes 1 to %zu rows, found %zu", session->limits.most_rows, count);
    memcpy(plan_input(plan, 0), states, count * session->model.width * sizeof *states);
    plan_bind(plan, &count);
    run_all(session, SESSION_HEAD);
    *ret_logits = plan_return(plan, 0).data;
    return OK;
}

Status session_head(Session *session, const float *states, size_t count, float **ret_logits, Error *err) {
    if (!session->model.parts)
        return head_run(session, states, count, ret_logits, err);
    size_t first = (size_t)(states - session->logits);
    assert(first % session->model.width == 0 && first / session->model.width + count <= session->logit_rows);
    *ret_logits = session->logits + first;
    return OK;
}

Status session_decode(Session *session, const DecodeRow *rows, size_t count, float **ret_logits, Error *err) {
    const float *states;
    TRY(session_decode_states(session, rows, count, &states, err));
    size_t picked = session->model.parts ? session->logit_rows : plan_return(session->plans[SESSION_DECODE], 0).rows;
    if (picked || session->model.parts)
        return session_head(session, states, picked, ret_logits, err);
    *ret_logits = plan_return(session->plans[SESSION_HEAD], 0).data;
    return OK;
}

Status session_variant_make(Arena *arena, Session *session, const Constant *constants, size_t count,
                            SessionVariant *ret_variant, Error *err) {
    SessionVariant variant;
    for (size_t g = 0; g < SESSION_STAGES; g++)
        TRY(plan_variant_make(arena, session->plans[g], constants, count, &variant.plans[g], err));
    *ret_variant = variant;
    return OK;
}

void session_variant_swap(const SessionVariant *variant) {
    for (size_t g = 0; g < SESSION_STAGES; g++)
        plan_variant_swap(variant->plans[g]);
}

const Kernels *session_kernels(const Session *session) {
    return session->kernels;
}

Pool *session_pool(const Session *session) {
    return session->pool;
}

const SessionModel *session_model(const Session *session) {
    return &session->model;
}

SessionMemory session_memory(const Session *session) {
    SessionMemory memory = {.kv_bytes = session->kv_bytes};
    for (size_t g = 0; g < SESSION_STAGES && !session->model.parts; g++) {
        memory.packed_bytes += plan_packed_bytes(session->plans[g]);
        memory.activation_bytes += plan_block_bytes(session->plans[g]);
        memory.activation_bytes_without_reuse += plan_unshared_bytes(session->plans[g]);
    }
    return memory;
}

Plan *session_plan(const Session *session, SessionStage stage) {
    return session->plans[stage];
}

const EngineReport *session_engine(Session *session, const PackedBlock **ret_block, const Tuning **ret_tuning) {
    engine_cache_settle(session->cache);
    *ret_block = &session->block;
    *ret_tuning = &session->tuning;
    return engine_cache_report(session->cache);
}

void session_set_timing(Session *session, bool on) {
    for (size_t g = 0; g < SESSION_STAGES && !session->model.parts; g++)
        plan_set_timing(session->plans[g], on);
}

void session_observe(Session *session, PlanObserver observer) {
    for (size_t g = 0; g < SESSION_STAGES; g++)
        plan_observe(session->plans[g], observer);
}

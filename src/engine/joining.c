// SPDX-License-Identifier: Apache-2.0
// Gathering, slicing and ending encode batches.
#include "engine/joining.h"

#include "base/clock.h"

Status joining_make(Arena *arena, Joining *joining, size_t most, Error *err) {
    TRY_NEW(joining->flights = arena_array(arena, most, sizeof(Flight *), err));
    TRY_NEW(joining->items = arena_array(arena, most, sizeof *joining->items, err));
    TRY_NEW(joining->encoded = arena_array(arena, most, sizeof(Encoded *), err));
    joining->count = joining->item_count = joining->next_step = joining->steps = 0;
    return OK;
}

static bool is_in_batch(const Joining *joining, const Encoded *encoded) {
    for (size_t i = 0; i < joining->item_count; i++)
        if (joining->encoded[i] == encoded)
            return true;
    return false;
}

static void add_item(Joining *joining, Flight *flight) {
    if (!joining->item_count) {
        joining->tokens = joining->longest = 0;
        joining->squares = 0;
    }
    encoded_hold(joining->encoded[joining->item_count] = source_encoded(flight->source));
    joining->items[joining->item_count++] = (EncodeItem){
        .source = flight->source,
        .ids = flight->ids,
        .positions = flight->positions,
        .tokens = flight->tokens,
        .keys = flight->tokens,
    };
    joining->tokens += flight->tokens;
    joining->longest = flight->tokens > joining->longest ? flight->tokens : joining->longest;
    joining->squares += (double)flight->tokens * (double)flight->tokens;
}

// Positions that are not 0, 1, 2, .. are part of what is encoded, and no part of the cache's key.
static bool is_cacheable(const Joining *joining, const Flight *flight) {
    return joining->cache && !flight->positions;
}

Status joining_add(Joining *joining, Flight *flight, bool *ret_encoded, Error *err) {
    Session *session = joining->session;
    uint64_t salt = flight->request.salt;
    bool cacheable = is_cacheable(joining, flight);
    Encoded *known = cacheable ? source_cache_find(joining->cache, salt, flight->ids, flight->tokens) : NULL;
    size_t pages = session_pages_needed(session, known ? 0 : flight->tokens, flight->most_slots);
    if (known)
        encoded_hold(known); // making room must not give it away
    if (joining->cache)
        source_cache_make_room(joining->cache, pages);
    Status status = known ? session_open_over(session, known, flight->most_slots, &flight->source, err)
                          : session_open(session, flight->tokens, flight->most_slots, &flight->source, err);
    if (known)
        encoded_release(session, known);
    TRY(status);
    *ret_encoded = known && !is_in_batch(joining, known);
    if (!*ret_encoded)
        joining->flights[joining->count++] = flight;
    joining->hits += known != NULL;
    if (known)
        return OK;
    joining->misses += cacheable;
    add_item(joining, flight);
    if (cacheable)
        source_cache_put(joining->cache, salt, flight->ids, flight->tokens, source_encoded(flight->source));
    return OK;
}

Status joining_begin(Joining *joining, Error *err) {
    joining->next_step = 0;
    joining->steps = session_step_count(joining->session, SESSION_ENCODE);
    return session_encode_begin(joining->session, joining->items, joining->item_count, err);
}

bool joining_run(Joining *joining, uint64_t budget_ns) {
    uint64_t begun = budget_ns == UINT64_MAX ? 0 : clock_ns();
    do {
        size_t last = budget_ns == UINT64_MAX ? joining->steps : joining->next_step + 1;
        session_run(joining->session, SESSION_ENCODE, joining->next_step, last);
        joining->next_step = last;
    } while (joining->next_step < joining->steps && clock_ns() - begun < budget_ns);
    return joining->next_step == joining->steps;
}

void joining_leave(Joining *joining, const Flight *flight) {
    size_t kept = 0;
    for (size_t i = 0; i < joining->count; i++)
        if (joining->flights[i] != flight)
            joining->flights[kept++] = joining->flights[i];
    joining->count = kept;
}

void joining_end(Joining *joining) {
    bool whole = joining->next_step == joining->steps;
    for (size_t i = 0; i < joining->item_count; i++) {
        if (!whole && joining->cache)
            source_cache_drop(joining->cache, joining->encoded[i]);
        encoded_release(joining->session, joining->encoded[i]);
    }
    joining->count = joining->item_count = 0;
}

// SPDX-License-Identifier: Apache-2.0
// SourceCache: the cross-attention K/V of sources that were encoded before, for the next request with the same ids.
// Whole sources only: in a bidirectional encoder every state depends on every token. The least recently used go when
// their pages are needed; so the cache costs no request its place.
//
// A key is the digest (keyed at random) of a salt and the ids; the ids are compared too. Requests of different salts
// never meet, so nobody learns from timing what others have asked.
#pragma once

#include "exec/session.h"

typedef struct SourceCache SourceCache;

// For at most `entries` sources; the session must outlive it. ERR_IO: no randomness.
MUST_CHECK Status source_cache_new(Session *session, size_t entries, SourceCache **ret_cache, Error *err);
void source_cache_free(SourceCache *cache); // NULL is fine

// NULL: not there. Belongs to the cache: open a source over it, or hold it, before the next call.
Encoded *source_cache_find(SourceCache *cache, uint64_t salt, const int32_t *ids, size_t count);

// Keeps what a source will have encoded before anybody reads it. Where there is no memory for its ids it is not kept.
void source_cache_put(SourceCache *cache, uint64_t salt, const int32_t *ids, size_t count, Encoded *encoded);
void source_cache_drop(SourceCache *cache, const Encoded *encoded); // it will never be encoded

// Pages that nobody but the cache holds, and giving them up, the least recently used first, until the session has
// `pages` free or nothing is left to give.
size_t source_cache_idle_pages(const SourceCache *cache);
void source_cache_make_room(SourceCache *cache, size_t pages);

// SPDX-License-Identifier: Apache-2.0
// A list of entries in no order: a few hundred digests are compared sooner than a table is walked.
#include "engine/source_cache.h"

#include <string.h>

#include "base/digest.h"
#include "base/memory.h"

typedef struct Entry {
    Digest digest;
    int32_t *ids;
    size_t count, capacity;
    uint64_t salt, used; // used: the cache's clock when it was asked for last
    Encoded *encoded;    // NULL: empty
} Entry;

struct SourceCache {
    Session *session;
    DigestKey key;
    Entry *entries;
    size_t entry_count;
    uint64_t clock;
};

Status source_cache_new(Session *session, size_t entries, SourceCache **ret_cache, Error *err) {
    SourceCache *cache = memory_new(1, sizeof *cache, err);
    TRY_NEW(cache);
    *cache = (SourceCache){.session = session, .entry_count = entries};
    Status status = digest_key_draw(&cache->key, err);
    if (status == OK && !(cache->entries = memory_new(entries, sizeof *cache->entries, err)))
        status = err->status;
    if (status != OK) {
        memory_free(cache);
        return status;
    }
    for (size_t i = 0; i < entries; i++)
        cache->entries[i] = (Entry){0};
    *ret_cache = cache;
    return OK;
}

static void entry_clear(SourceCache *cache, Entry *entry) {
    if (entry->encoded)
        encoded_release(cache->session, entry->encoded);
    entry->encoded = NULL;
}

void source_cache_free(SourceCache *cache) {
    if (!cache)
        return;
    for (size_t i = 0; i < cache->entry_count; i++) {
        entry_clear(cache, &cache->entries[i]);
        memory_free(cache->entries[i].ids);
    }
    memory_free(cache->entries);
    memory_free(cache);
}

Encoded *source_cache_find(SourceCache *cache, uint64_t salt, const int32_t *ids, size_t count) {
    Digest digest = digest_make(&cache->key, ids, count * sizeof *ids);
    for (size_t i = 0; i < cache->entry_count; i++) {
        Entry *entry = &cache->entries[i];
        if (entry->encoded && entry->salt == salt && entry->count == count && digest_equal(&entry->digest, &digest) &&
            memcmp(entry->ids, ids, count * sizeof *ids) == 0) {
            entry->used = ++cache->clock;
            return entry->encoded;
        }
    }
    return NULL;
}

// An empty entry, or the one that was not asked for for the longest time.
static Entry *entry_take(SourceCache *cache) {
    Entry *oldest = &cache->entries[0];
    for (size_t i = 0; i < cache->entry_count; i++) {
        Entry *entry = &cache->entries[i];
        if (!entry->encoded)
            return entry;
        if (entry->used < oldest->used)
            oldest = entry;
    }
    entry_clear(cache, oldest);
    return oldest;
}

void source_cache_put(SourceCache *cache, uint64_t salt, const int32_t *ids, size_t count, Encoded *encoded) {
    Entry *entry = entry_take(cache);
    Error ignored;
    if (entry->capacity < count) {
        int32_t *grown = memory_resize(entry->ids, count, sizeof *grown, &ignored);
        if (!grown)
            return;
        entry->ids = grown;
        entry->capacity = count;
    }
    memcpy(entry->ids, ids, count * sizeof *ids);
    entry->count = count;
    entry->salt = salt;
    entry->digest = digest_make(&cache->key, ids, count * sizeof *ids);
    entry->used = ++cache->clock;
    entry->encoded = encoded;
    encoded_hold(encoded);
}

void source_cache_drop(SourceCache *cache, const Encoded *encoded) {
    for (size_t i = 0; i < cache->entry_count; i++)
        if (cache->entries[i].encoded == encoded)
            entry_clear(cache, &cache->entries[i]);
}

static bool is_idle(const Entry *entry) {
    return entry->encoded && !encoded_is_shared(entry->encoded);
}

size_t source_cache_idle_pages(const SourceCache *cache) {
    size_t pages = 0;
    for (size_t i = 0; i < cache->entry_count; i++)
        if (is_idle(&cache->entries[i]))
            pages += encoded_pages(cache->entries[i].encoded);
    return pages;
}

void source_cache_make_room(SourceCache *cache, size_t pages) {
    while (session_free_pages(cache->session) < pages) {
        Entry *oldest = NULL;
        for (size_t i = 0; i < cache->entry_count; i++)
            if (is_idle(&cache->entries[i]) && (!oldest || cache->entries[i].used < oldest->used))
                oldest = &cache->entries[i];
        if (!oldest)
            return;
        entry_clear(cache, oldest);
    }
}

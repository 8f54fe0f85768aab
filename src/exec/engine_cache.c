// SPDX-License-Identifier: Apache-2.0
// The engine cache's folder: its key, the names of entries, room for them, and the thread that writes one.
#include "exec/engine_cache.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/build.h"
#include "base/memory.h"
#include "base/own.h"
#include "exec/engine_entry.h"
#include "exec/weights_digest.h"
#include "graph/print.h"

static const uint64_t most_bytes = (uint64_t)4 << 30;  // of all entries together
static const uint64_t spare_bytes = (uint64_t)1 << 28; // that the file system keeps free
static const int64_t stale_ns = (int64_t)3600 * 1000000000;
enum { WRITER_NICE = 15 };

struct EngineCache {
    Arena arena;
    EngineReport report;
    const char *folder;
    EntryKey key;
    CpuLevel level;
    Pool *pool;
    const PackedBlock *block; // being written
    const Tuning *tuning;
    bool writing;
    pthread_t writer;
};

// The folder's key, drawn by whoever comes first.
static Status key_read(EngineCache *cache, Error *err) {
    char *path = path_join(&cache->arena, cache->folder, "key", err);
    TRY_NEW(path);
    if (path_kind(path) == PATH_NONE) {
        DigestKey drawn;
        TRY(digest_key_draw(&drawn, err));
        TRY(file_replace(path, &drawn, sizeof drawn, err));
        file_restrict(path);
    }
    Bytes file;
    TRY(file_map_own(&cache->arena, path, &file, err));
    if (file.size != sizeof cache->key.digests)
        return FAIL(err, ERR_FORMAT, "file '%s' has %zu bytes, expected a key of %zu: remove it", path, file.size,
                    sizeof cache->key.digests);
    memcpy(&cache->key.digests, file.data, file.size);
    return OK;
}

// Everything that the packed bytes and the choices depend on, as text.
static Status describe(const EngineCache *cache, const EngineCacheSettings *settings, const PackedBlock *block,
                       Buffer *text, Error *err) {
    char build[BUILD_ID_BYTES], processor[128], digest[DIGEST_TEXT_BYTES];
    if (!build_id(build))
        return FAIL(err, ERR_UNSUPPORTED, "this build of hone has no build id to tell it from others");
    cpu_name(processor, sizeof processor);
    buffer_format(text, "hone %s %s\nprocessor %s, caches %zu %zu\nkernels %s, threads %d\n", HONE_VERSION, build,
                  processor, cpu_cache_bytes(2), cpu_cache_bytes(3), cpu_level_name(settings->level),
                  pool_threads(settings->pool));
    for (size_t i = 0; i < settings->file_count; i++) {
        Digest contents;
        TRY(weights_digest(&cache->key.digests, settings->pool, cache->folder, settings->files[i],
                           settings->contents[i], &contents, err));
        digest_text(&contents, digest);
        buffer_format(text, "weights %s\n", digest);
    }
    for (size_t i = 0; i < block->count; i++) {
        const PackedWeights *p = &block->places[i].packed;
        buffer_format(text, "%s %zu %zu %zu", weight_kind_name(p->kind), p->n, p->k, p->group);
        for (int c = 0; p->codes && c < 16; c++)
            buffer_format(text, " %d", p->codes[c]);
        buffer_add_char(text, '\n');
    }
    for (size_t i = 0; i < settings->graph_count; i++)
        graph_print(settings->graphs[i], true, text);
    return buffer_status(text, err);
}

static Status open(EngineCache *cache, const EngineCacheSettings *settings, const PackedBlock *block, Error *err) {
    TRY_NEW(cache->folder = arena_copy_text(&cache->arena, settings->folder, strlen(settings->folder), err));
    TRY(folder_make_own(cache->folder, err));
    TRY(key_read(cache, err));
    Buffer text = {0};
    Status status = describe(cache, settings, block, &text, err);
    if (status == OK)
        cache->key.name = digest_make(&cache->key.digests, text.data, text.bytes);
    buffer_done(&text);
    TRY(status);
    char name[DIGEST_TEXT_BYTES];
    digest_text(&cache->key.name, name);
    TRY_NEW(cache->report.path = arena_format(&cache->arena, err, "%s/%s.engine", cache->folder, name));
    cache->report.origin = ENGINE_PACKED;
    return OK;
}

static void note(EngineCache *cache, const Error *err) {
    snprintf(cache->report.note, sizeof cache->report.note, "%.*s", (int)sizeof cache->report.note - 1, err->message);
}

Status engine_cache_new(const EngineCacheSettings *settings, const PackedBlock *block, EngineCache **ret_cache,
                        Error *err) {
    EngineCache *cache = memory_new(1, sizeof *cache, err);
    TRY_NEW(cache);
    *cache = (EngineCache){.level = settings->level, .pool = settings->pool};
    arena_init(&cache->arena, 0);
    Error failure;
    if (settings->folder && settings->file_count && open(cache, settings, block, &failure) != OK) {
        cache->report = (EngineReport){.origin = ENGINE_UNCACHED};
        note(cache, &failure);
    }
    *ret_cache = cache;
    return OK;
}

bool engine_cache_usable(const EngineCache *cache) {
    return cache->report.origin != ENGINE_UNCACHED;
}

bool engine_cache_load(EngineCache *cache, PackedBlock *block, Tuning *tuning) {
    Error err;
    if (!engine_cache_usable(cache) || path_kind(cache->report.path) == PATH_NONE)
        return false;
    if (entry_map(&cache->arena, cache->report.path, &cache->key, cache->level, cache->pool, block, tuning, &err) !=
        OK) {
        note(cache, &err);
        return false;
    }
    file_touch(cache->report.path);
    cache->report.origin = ENGINE_MAPPED;
    return true;
}

typedef struct Entry {
    const char *path;
    FileStamp stamp;
} Entry;

static int by_age(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    return x->stamp.modified_ns < y->stamp.modified_ns ? -1 : x->stamp.modified_ns > y->stamp.modified_ns;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

// Makes room for `bytes`: the least recently used entries go, and what killed processes left half-written.
static Status room_make(Arena *arena, const EngineCache *cache, uint64_t bytes, Error *err) {
    char **names;
    size_t count, entry_count = 0;
    TRY(folder_list(arena, cache->folder, &names, &count, err));
    Entry *entries = arena_array(arena, count, sizeof *entries, err);
    TRY_NEW(entries);
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        Entry entry;
        TRY_NEW(entry.path = path_join(arena, cache->folder, names[i], err));
        bool part = ends_with(names[i], ".part");
        if ((!part && !ends_with(names[i], ".engine")) || file_stamp(entry.path, &entry.stamp, err) != OK)
            continue;
        if (part && entry.stamp.modified_ns < file_clock_ns() - stale_ns)
            file_remove(entry.path);
        if (part || strcmp(entry.path, cache->report.path) == 0) // that one is replaced
            continue;
        total += entry.stamp.bytes;
        entries[entry_count++] = entry;
    }
    qsort(entries, entry_count, sizeof *entries, by_age);
    for (size_t i = 0; i < entry_count && total + bytes > most_bytes; i++) {
        file_remove(entries[i].path);
        total -= entries[i].stamp.bytes;
    }
    if (bytes > most_bytes)
        return FAIL(err, ERR_LIMIT, "an entry of %llu MB is more than the cache holds (%llu MB)",
                    (unsigned long long)(bytes / 1000000), (unsigned long long)(most_bytes / 1000000));
    uint64_t room = folder_room_bytes(cache->folder);
    if (room < bytes + spare_bytes)
        return FAIL(err, ERR_LIMIT, "folder '%s' has room for %llu MB, an entry of %llu MB needs %llu more to spare",
                    cache->folder, (unsigned long long)(room / 1000000), (unsigned long long)(bytes / 1000000),
                    (unsigned long long)(spare_bytes / 1000000));
    return OK;
}

static Status store(EngineCache *cache, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    Status status = room_make(&arena, cache, entry_bytes(cache->block, cache->tuning), err);
    arena_done(&arena);
    TRY(status);
    TRY(entry_write(cache->report.path, &cache->key, cache->block, cache->tuning, err));
    file_restrict(cache->report.path);
    return OK;
}

static void *writer_main(void *context) {
    EngineCache *cache = context;
    Error err;
    setpriority(PRIO_PROCESS, (id_t)gettid(), WRITER_NICE); // a thread's own, on Linux: requests go first
    if (store(cache, &err) != OK)
        note(cache, &err);
    return NULL;
}

void engine_cache_store(EngineCache *cache, const PackedBlock *block, const Tuning *tuning) {
    if (!engine_cache_usable(cache) || cache->writing)
        return;
    cache->block = block;
    cache->tuning = tuning;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); // signals are for the program's own threads
    cache->writing = pthread_create(&cache->writer, NULL, writer_main, cache) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void engine_cache_settle(EngineCache *cache) {
    if (cache->writing)
        pthread_join(cache->writer, NULL);
    cache->writing = false;
}

const EngineReport *engine_cache_report(const EngineCache *cache) {
    return &cache->report;
}

void engine_cache_free(EngineCache *cache) {
    if (!cache)
        return;
    engine_cache_settle(cache);
    arena_done(&cache->arena);
    memory_free(cache);
}

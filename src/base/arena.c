// SPDX-License-Identifier: Apache-2.0
// Chunked bump allocation. Chunks double up to 1 MiB; a larger request gets a chunk of its own size.
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

struct ArenaChunk {
    ArenaChunk *older;
    size_t bytes; // of data
    size_t used;
    unsigned char data[];
};

struct ArenaCleanup {
    ArenaCleanup *older;
    void (*destroy)(void *object);
    void *object;
};

enum { CHUNK_FIRST_BYTES = 4096, CHUNK_MOST_BYTES = 1 << 20, REDZONE_BYTES = 16 };

void arena_init(Arena *arena, size_t limit_bytes) {
    *arena = (Arena){.limit_bytes = limit_bytes};
}

static void cleanups_run(Arena *arena) {
    for (ArenaCleanup *c = arena->cleanups; c;) {
        ArenaCleanup *older = c->older; // the record itself lives in the arena
        c->destroy(c->object);
        c = older;
    }
    arena->cleanups = NULL;
}

static void chunks_free(ArenaChunk *chunk) {
    while (chunk) {
        ArenaChunk *older = chunk->older;
        ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->bytes);
        memory_free(chunk);
        chunk = older;
    }
}

void arena_done(Arena *arena) {
    cleanups_run(arena);
    chunks_free(arena->newest);
    arena->newest = NULL;
    arena->used_bytes = 0;
    arena->next_bytes = 0;
}

void arena_reset(Arena *arena) {
    cleanups_run(arena);
    if (arena->newest && arena->newest->older) { // next time one chunk holds it all
        for (const ArenaChunk *c = arena->newest; c; c = c->older)
            arena->next_bytes += c->bytes + sizeof *c;
        chunks_free(arena->newest);
        arena->newest = NULL;
    } else if (arena->newest) {
        arena->newest->used = 0;
        ASAN_POISON_MEMORY_REGION(arena->newest->data, arena->newest->bytes);
    }
    arena->used_bytes = 0;
}

static size_t offset_in(const ArenaChunk *chunk, size_t alignment) {
    uintptr_t at = (uintptr_t)chunk->data + chunk->used;
    return (size_t)(((at + alignment - 1) & ~(uintptr_t)(alignment - 1)) - (uintptr_t)chunk->data);
}

static ArenaChunk *chunk_add(Arena *arena, size_t bytes, size_t alignment, Error *err) {
    size_t want = arena->newest ? arena->newest->bytes * 2 : CHUNK_FIRST_BYTES;
    if (want > CHUNK_MOST_BYTES)
        want = CHUNK_MOST_BYTES;
    if (want < arena->next_bytes)
        want = arena->next_bytes;
    size_t need;
    if (!size_add(bytes, alignment + REDZONE_BYTES, &need) || !size_add(need, sizeof(ArenaChunk) + 64, &need)) {
        IGNORE_STATUS(FAIL(err, ERR_LIMIT, "%zu bytes are more than this machine can address", bytes));
        return NULL;
    }
    if (want < need)
        want = need;
    ArenaChunk *chunk = memory_new(want, 1, err);
    if (!chunk)
        return NULL;
    *chunk = (ArenaChunk){.older = arena->newest, .bytes = want - sizeof *chunk};
    ASAN_POISON_MEMORY_REGION(chunk->data, chunk->bytes);
    arena->newest = chunk;
    arena->next_bytes = 0;
    return chunk;
}

void *arena_alloc(Arena *arena, size_t bytes, size_t alignment, Error *err) {
    size_t total;
    if (!size_add(arena->used_bytes, bytes, &total) || (arena->limit_bytes && total > arena->limit_bytes)) {
        IGNORE_STATUS(
            FAIL(err, ERR_LIMIT, "%zu bytes more would pass the limit of %zu bytes", bytes, arena->limit_bytes));
        return NULL;
    }
    ArenaChunk *chunk = arena->newest;
    if (!chunk || chunk->bytes < bytes || offset_in(chunk, alignment) + REDZONE_BYTES > chunk->bytes - bytes)
        chunk = chunk_add(arena, bytes, alignment, err);
    if (!chunk)
        return NULL;
    size_t offset = offset_in(chunk, alignment);
    chunk->used = offset + bytes;
#ifdef ARENA_POISON
    chunk->used += REDZONE_BYTES; // an overrun lands in poisoned bytes
#endif
    arena->used_bytes = total;
    ASAN_UNPOISON_MEMORY_REGION(chunk->data + offset, bytes);
    return chunk->data + offset;
}

void *arena_array(Arena *arena, size_t count, size_t size, Error *err) {
    size_t bytes;
    if (!size_multiply(count, size, &bytes)) {
        IGNORE_STATUS(
            FAIL(err, ERR_LIMIT, "%zu elements of %zu bytes are more than this machine can address", count, size));
        return NULL;
    }
    void *block = arena_alloc(arena, bytes, 16, err);
    if (block)
        memset(block, 0, bytes);
    return block;
}

char *arena_copy_text(Arena *arena, const char *text, size_t bytes, Error *err) {
    char *copy = arena_alloc(arena, bytes + (bytes < SIZE_MAX), 1, err);
    if (!copy)
        return NULL;
    if (bytes)
        memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *arena_format_list(Arena *arena, Error *err, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) // more than INT_MAX bytes
        IGNORE_STATUS(FAIL(err, ERR_LIMIT, "a text of more than 2 GiB"));
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1, 1, err);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_format(Arena *arena, Error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_format_list(arena, err, format, args);
    va_end(args);
    return text;
}

Status arena_on_free(Arena *arena, void (*destroy)(void *object), void *object, Error *err) {
    ArenaCleanup *cleanup = arena_array(arena, 1, sizeof *cleanup, err);
    if (!cleanup) {
        destroy(object);
        return err->status;
    }
    *cleanup = (ArenaCleanup){arena->cleanups, destroy, object};
    arena->cleanups = cleanup;
    return OK;
}

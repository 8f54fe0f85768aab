// SPDX-License-Identifier: Apache-2.0
// Arena: memory with one lifetime (model, plan, request, step), freed at once.
//
//     Arena arena;
//     arena_init(&arena, 0);
//     TRY_NEW(name = arena_copy_text(&arena, text, bytes, err));
//     ...
//     arena_done(&arena);
//
// Blocks are 64-byte aligned where asked, never moved, never freed one by one. Resources that are not memory (file
// maps) register a destructor with arena_on_free; destructors run in reverse order. One thread at a time.
//
//   first chunk         newest chunk
//   +---------------+   +----------------------+
//   | used ........ |<--| used ....... | free  |
//   +---------------+   +----------------------+
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/status.h"

typedef struct ArenaChunk ArenaChunk;
typedef struct ArenaCleanup ArenaCleanup;

typedef struct Arena {
    ArenaChunk *newest;
    ArenaCleanup *cleanups;
    size_t used_bytes;  // handed out
    size_t limit_bytes; // 0: none
    size_t next_bytes;  // the next chunk has at least these
} Arena;

// An empty arena; `limit_bytes` bounds what it will hand out in all (0: no bound), beyond which calls fail with
// ERR_LIMIT.
void arena_init(Arena *arena, size_t limit_bytes);

// Runs destructors and frees everything; the arena is empty and usable again.
void arena_done(Arena *arena);

// Like arena_done, but keeps the memory for the next round, as one chunk: a warmed-up step allocates nothing.
void arena_reset(Arena *arena);

// `count` elements of `size` bytes, zeroed, aligned to 16 bytes. NULL and *err on overflow, limit or lack of memory.
void *arena_array(Arena *arena, size_t count, size_t size, Error *err);

// The same with an alignment (a power of two up to 4096) and without zeroing.
void *arena_alloc(Arena *arena, size_t bytes, size_t alignment, Error *err);

// A NUL-terminated copy of `bytes` bytes.
char *arena_copy_text(Arena *arena, const char *text, size_t bytes, Error *err);

// A formatted, NUL-terminated string.
char *arena_format(Arena *arena, Error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
char *arena_format_list(Arena *arena, Error *err, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

// Calls `destroy(object)` when the arena is emptied. If registering fails, destroys the object at once.
MUST_CHECK Status arena_on_free(Arena *arena, void (*destroy)(void *object), void *object, Error *err);

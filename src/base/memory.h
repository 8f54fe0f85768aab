// SPDX-License-Identifier: Apache-2.0
// The only door to the heap: everything that hone allocates is counted here and can be made to fail by base/fault.h.
// Most code should use an arena (base/arena.h); plain heap memory is for growable buffers and big aligned blocks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// `count * size` bytes, not zeroed; NULL and *err when the product overflows or memory is short.
void *memory_new(size_t count, size_t size, Error *err);

// Grows or shrinks; on failure the old block stays valid. `old` may be NULL.
void *memory_resize(void *old, size_t count, size_t size, Error *err);

// Big blocks: zeroed, aligned to 64 bytes at least, huge pages where the kernel gives them. Freed with memory_unmap.
// memory_map_sparse: small pages, for blocks of which only scattered parts are ever touched.
void *memory_map(size_t bytes, Error *err);
void *memory_map_sparse(size_t bytes, Error *err);
void memory_unmap(void *block, size_t bytes);

// NULL is fine.
void memory_free(void *block);

// Gives free memory back to the system, where the heap can.
void memory_trim(void);

// a * b, a + b; false (and *ret untouched) on overflow.
bool size_multiply(size_t a, size_t b, size_t *ret);
bool size_add(size_t a, size_t b, size_t *ret);

// Allocations made by this process so far, memory_map included: tests assert that decoding adds none.
uint64_t memory_allocations(void);

// Allocations that failed so far, jansson's included.
uint64_t memory_failures(void);

// For base/json.c. jansson 2.14 writes past a block when the buffer that its current token grows in cannot grow. That
// buffer's sizes double from 32 bytes on: where such an allocation of this thread fails, it is taken from this block,
// and the failure counted all the same. NULL ends it; what was parsed must be gone by then.
void memory_json_reserve(void *block, size_t bytes);

// Sends jansson's allocations through this door. Called first thing in main and whenever the library opens a model; any
// thread, and only the first call does anything.
void memory_init(void);

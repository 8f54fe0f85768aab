// SPDX-License-Identifier: Apache-2.0
// The heap door: counts, faults, overflow checks. The one file where malloc's family may be named.
#include "base/memory.h"

#include <jansson.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fault.h"

static _Atomic uint64_t allocations, failures;

bool size_multiply(size_t a, size_t b, size_t *ret) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

bool size_add(size_t a, size_t b, size_t *ret) {
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

static void *allocate(void *old, size_t bytes) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    void *block = fault_strikes(FAULT_ALLOCATION) ? NULL : realloc(old, bytes ? bytes : 1);
    if (!block)
        atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
    return block;
}

void *memory_resize(void *old, size_t count, size_t size, Error *err) {
    size_t bytes;
    if (!size_multiply(count, size, &bytes)) {
        IGNORE_STATUS(
            FAIL(err, ERR_LIMIT, "%zu elements of %zu bytes are more than this machine can address", count, size));
        return NULL;
    }
    void *block = allocate(old, bytes);
    if (!block)
        IGNORE_STATUS(FAIL(err, ERR_MEMORY, "no memory for %zu bytes", bytes));
    return block;
}

void *memory_new(size_t count, size_t size, Error *err) {
    return memory_resize(NULL, count, size, err);
}

void memory_free(void *block) {
    free(block);
}

void *memory_map_sparse(size_t bytes, Error *err) {
    void *block = MAP_FAILED;
    if (!fault_strikes(FAULT_ALLOCATION)) {
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
        block = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (block == MAP_FAILED) {
        IGNORE_STATUS(FAIL(err, ERR_MEMORY, "no memory for %zu bytes", bytes));
        return NULL;
    }
    return block;
}

void *memory_map(size_t bytes, Error *err) {
    void *block = memory_map_sparse(bytes, err);
#ifdef MADV_HUGEPAGE
    if (block && bytes >= (size_t)4 << 20)
        madvise(block, bytes, MADV_HUGEPAGE);
#endif
    return block;
}

void memory_unmap(void *block, size_t bytes) {
    if (block)
        munmap(block, bytes ? bytes : 1);
}

uint64_t memory_allocations(void) {
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}

uint64_t memory_failures(void) {
    return atomic_load_explicit(&failures, memory_order_relaxed);
}

// Of the thread that parses.
static _Thread_local struct {
    char *block;
    size_t bytes, used;
} json_reserve;

void memory_json_reserve(void *block, size_t bytes) {
    json_reserve.block = block;
    json_reserve.bytes = bytes;
    json_reserve.used = 0;
}

static void *json_allocate(size_t bytes) {
    void *block = allocate(NULL, bytes);
    bool growing = bytes >= 32 && (bytes & (bytes - 1)) == 0;
    if (block || !json_reserve.block || !growing || bytes > json_reserve.bytes - json_reserve.used)
        return block;
    block = json_reserve.block + json_reserve.used;
    json_reserve.used += bytes;
    return block;
}

static void json_free(void *block) {
    uintptr_t at = (uintptr_t)block - (uintptr_t)json_reserve.block;
    if (!json_reserve.block || at >= json_reserve.bytes)
        free(block);
}

static void init_once(void) {
    json_set_alloc_funcs(json_allocate, json_free);
}

void memory_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void memory_init(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

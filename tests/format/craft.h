// SPDX-License-Identifier: Apache-2.0
// What the tests of the format room share: the golden files and the rule their contents follow, scratch files, and a
// maker of zip archives good and bad.
#pragma once

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "check.h"
#include "format/torch/zip.h"
#include "tensor/tensor.h"

static inline char *golden_path(Arena *arena, const char *name) {
    Error err;
    const char *source = getenv("HONE_SOURCE");
    return arena_format(arena, &err, "%s/tests/golden/format/%s", source ? source : ".", name);
}

static inline Bytes golden(Arena *arena, const char *name) {
    Error err;
    Bytes file = {0};
    CHECK_OK(file_map(arena, golden_path(arena, name), &file, &err));
    return file;
}

// The rule of tools/goldens/format/make.py for element i of a tensor.
static inline float fill(DType dtype, int64_t seed, size_t i) {
    int64_t value = (7 * (int64_t)i + seed) % 61 - 20;
    if (dtype == DTYPE_BOOL)
        return (float)(value & 1);
    return (float)(dtype == DTYPE_U8 || dtype == DTYPE_U16 || dtype == DTYPE_U32 || dtype == DTYPE_U64 ? llabs(value)
                                                                                                       : value);
}

// The tensor has this dtype and shape (as shape_text writes it) and holds fill(seed), element by element.
static inline void check_tensor(const Tensor *tensor, DType dtype, const char *shape, int64_t seed) {
    ck_assert_ptr_nonnull(tensor);
    char text[SHAPE_TEXT_BYTES];
    ck_assert_str_eq(shape_text(&tensor->shape, text), shape);
    ck_assert_str_eq(dtype_name(tensor->dtype), dtype_name(dtype));
    size_t elements = 0;
    ck_assert(shape_elements(&tensor->shape, &elements));
    ck_assert_uint_eq(tensor->bytes, elements * dtype_bytes(dtype));
    float values[64];
    ck_assert_uint_le(elements, ARRAY_COUNT(values));
    tensor_to_f32(tensor, values);
    for (size_t i = 0; i < elements; i++)
        ck_assert_msg(values[i] == fill(dtype, seed, i), "%s[%zu] is %g, expected %g", tensor->name, i,
                      (double)values[i], (double)fill(dtype, seed, i));
}

// The dtypes in make.py's order: tensor "f64.weight" was filled with seed 0, and so on.
static const DType golden_dtypes[] = {DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I64, DTYPE_I32, DTYPE_I16,
                                      DTYPE_I8,  DTYPE_U8,  DTYPE_U16, DTYPE_U32,  DTYPE_U64, DTYPE_BOOL};

static inline void check_every_dtype(const Bundle *bundle, bool wide_unsigned) {
    for (size_t i = 0; i < ARRAY_COUNT(golden_dtypes); i++) {
        DType dtype = golden_dtypes[i];
        char name[32];
        snprintf(name, sizeof name, "%s.weight", dtype_name(dtype));
        if (wide_unsigned || (dtype != DTYPE_U16 && dtype != DTYPE_U32 && dtype != DTYPE_U64))
            check_tensor(bundle_find(bundle, name), dtype, "[2,3]", (int64_t)i);
    }
}

// A folder for scratch files under the current one; the caller removes it with scratch_done.
static inline void scratch_make(char ret_path[64]) {
    memcpy(ret_path, "/tmp/hone-test-XXXXXX", 22);
    ck_assert_ptr_nonnull(mkdtemp(ret_path));
}

static inline void scratch_done(Arena *arena, const char *path) {
    Error err;
    char **names;
    size_t count;
    CHECK_OK(folder_list(arena, path, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        unlink(path_join(arena, path, names[i], &err));
    ck_assert_int_eq(rmdir(path), 0);
}

static inline void scratch_put(Arena *arena, const char *folder, const char *name, const void *data, size_t bytes) {
    Error err;
    CHECK_OK(file_replace(path_join(arena, folder, name, &err), data, bytes, &err));
}

// Hostile input has to be refused quickly and in little memory. Call budget_begin, then budget_check after the work.
static inline uint64_t budget_begin(void) {
    return clock_ns();
}

static inline void budget_check(uint64_t begin, size_t file_bytes) {
    uint64_t milliseconds = (clock_ns() - begin) / 1000000;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(HONE_SANITIZED)
    ck_assert_uint_lt(milliseconds, 20000);
    (void)file_bytes;
#else
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    ck_assert_uint_lt(milliseconds, 3000); // a second on a machine that is not shared
    ck_assert_uint_lt((uint64_t)usage.ru_maxrss * 1024, file_bytes + (100u << 20));
#endif
}

// ---- zip archives: fill in the entries, bend what shall be wrong, build.

typedef struct CraftEntry {
    const char *name;
    const void *data;
    size_t bytes;
    const char *local_name; // NULL: the same
    uint32_t crc_change;    // added to the CRC
    uint64_t claim_bytes;   // 0: the truth
    uint64_t offset_change; // added to the local header's offset
    uint16_t method, flags;
    bool zip64;
} CraftEntry;

static inline void craft_number(Buffer *b, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        buffer_add_char(b, (char)(i < 8 ? value >> 8 * i & 0xFF : 0));
}

static inline void craft_zip(Buffer *b, const CraftEntry *entries, size_t count, bool zip64_end) {
    size_t offsets[16], directory;
    ck_assert_uint_le(count, ARRAY_COUNT(offsets));
    for (size_t i = 0; i < count; i++) {
        const CraftEntry *e = &entries[i];
        const char *name = e->local_name ? e->local_name : e->name;
        offsets[i] = b->bytes;
        buffer_add(b, "PK\3\4\24\0", 6);
        craft_number(b, e->flags, 2);
        craft_number(b, e->method, 2);
        craft_number(b, 0, 4);
        craft_number(b, (uint32_t)crc32(0, e->data, (uInt)e->bytes) + e->crc_change, 4);
        craft_number(b, e->bytes, 4);
        craft_number(b, e->bytes, 4);
        craft_number(b, strlen(name), 2);
        craft_number(b, 0, 2);
        buffer_add_text(b, name);
        buffer_add(b, e->data, e->bytes);
    }
    directory = b->bytes;
    for (size_t i = 0; i < count; i++) {
        const CraftEntry *e = &entries[i];
        uint64_t bytes = e->claim_bytes ? e->claim_bytes : e->bytes, offset = offsets[i] + e->offset_change;
        buffer_add(b, "PK\1\2\24\0\24\0", 8);
        craft_number(b, e->flags, 2);
        craft_number(b, e->method, 2);
        craft_number(b, 0, 4);
        craft_number(b, (uint32_t)crc32(0, e->data, (uInt)e->bytes) + e->crc_change, 4);
        craft_number(b, e->zip64 ? UINT32_MAX : bytes, 4);
        craft_number(b, e->zip64 ? UINT32_MAX : bytes, 4);
        craft_number(b, strlen(e->name), 2);
        craft_number(b, e->zip64 ? 28 : 0, 2);
        craft_number(b, 0, 10);
        craft_number(b, e->zip64 ? UINT32_MAX : offset, 4);
        buffer_add_text(b, e->name);
        if (e->zip64) {
            craft_number(b, 1, 2);
            craft_number(b, 24, 2);
            craft_number(b, bytes, 8);
            craft_number(b, bytes, 8);
            craft_number(b, offset, 8);
        }
    }
    size_t end = b->bytes;
    if (zip64_end) {
        buffer_add(b, "PK\6\6", 4);
        craft_number(b, 44, 8);
        craft_number(b, 45, 2);
        craft_number(b, 45, 2);
        craft_number(b, 0, 8);
        craft_number(b, count, 8);
        craft_number(b, count, 8);
        craft_number(b, end - directory, 8);
        craft_number(b, directory, 8);
        buffer_add(b, "PK\6\7", 4);
        craft_number(b, 0, 4);
        craft_number(b, end, 8);
        craft_number(b, 1, 4);
    }
    buffer_add(b, "PK\5\6", 4);
    craft_number(b, 0, 4);
    craft_number(b, zip64_end ? 0xFFFF : count, 2);
    craft_number(b, zip64_end ? 0xFFFF : count, 2);
    craft_number(b, zip64_end ? UINT32_MAX : end - directory, 4);
    craft_number(b, zip64_end ? UINT32_MAX : directory, 4);
    craft_number(b, 0, 2);
}

static inline Bytes buffer_bytes(const Buffer *b) {
    return (Bytes){(const unsigned char *)b->data, b->bytes};
}

// A copy of exactly these bytes on the heap, so that a sanitizer sees any read beyond them.
static inline Bytes tight_copy(Bytes bytes) {
    Error err;
    unsigned char *copy = memory_new(bytes.size, 1, &err);
    ck_assert_ptr_nonnull(copy);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return (Bytes){copy, bytes.size};
}

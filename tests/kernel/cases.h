// SPDX-License-Identifier: Apache-2.0
// What the kernel tests share: buffers between guard pages, values of every kind, bitwise comparison, matrix products
// run through a kernel from plain matrices.
#pragma once

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/random.h"
#include "check.h"
#include "kernel/kernels.h"

enum { PAGE = 4096, SLOT_BYTES = 8 << 20, SLOTS = 16, CANARY_BYTES = 256 };

// A set of big slots, each between pages that may not be touched; data lies flush with one of them, and canaries lie on
// its other side. So a read or write beyond the guarded end dies, and a write beyond the other end shows.
typedef struct Guard {
    char *slots[SLOTS];
    char *data[SLOTS];
    size_t bytes[SLOTS];
} Guard;

static inline void guard_init(Guard *guard) {
    memset(guard, 0, sizeof *guard);
    for (size_t i = 0; i < SLOTS; i++) {
        char *block = mmap(NULL, SLOT_BYTES + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert(block != MAP_FAILED && mprotect(block + PAGE, SLOT_BYTES, PROT_READ | PROT_WRITE) == 0);
        guard->slots[i] = block + PAGE;
    }
}

static inline void guard_done(Guard *guard) {
    for (size_t i = 0; i < SLOTS; i++)
        munmap(guard->slots[i] - PAGE, SLOT_BYTES + 2 * PAGE);
}

// `bytes` in slot `i`, filled with 0xFF (a NaN): flush with the end of the slot, or with its start.
static inline void *guard_place(Guard *guard, size_t i, size_t bytes, bool at_end) {
    if (bytes + CANARY_BYTES > SLOT_BYTES)
        ck_abort_msg("%zu bytes do not fit a slot", bytes);
    char *slot = guard->slots[i];
    char *data = at_end ? slot + SLOT_BYTES - bytes : slot;
    memset(at_end ? data - CANARY_BYTES : data + bytes, 0xA5, CANARY_BYTES);
    memset(data, 0xFF, bytes);
    guard->data[i] = data;
    guard->bytes[i] = bytes;
    return data;
}

static inline void guard_check(const Guard *guard, const char *what) {
    for (size_t i = 0; i < SLOTS; i++) {
        if (!guard->data[i])
            continue;
        bool at_end = guard->data[i] != guard->slots[i];
        const char *canary = at_end ? guard->data[i] - CANARY_BYTES : guard->data[i] + guard->bytes[i];
        for (size_t j = 0; j < CANARY_BYTES; j++)
            if ((unsigned char)canary[j] != 0xA5)
                ck_abort_msg("%s: slot %zu written outside, byte %zu", what, i, j);
    }
}

// Equal bits. Any two NaNs count as equal: x86's FMA takes the payload of whichever operand the compiler put first.
static inline bool same_bits(const float *a, const float *b, size_t n, size_t *ret_at) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) {
            *ret_at = i;
            return false;
        }
    return true;
}

// Check's assertions write to a pipe even when they hold, so that the loops here only speak up on failure.
#define CHECK_SAME(got, expected, n, ...)                                                                              \
    do {                                                                                                               \
        size_t same_at_ = 0;                                                                                           \
        if (!same_bits(got, expected, n, &same_at_)) {                                                                 \
            char same_what_[256];                                                                                      \
            snprintf(same_what_, sizeof same_what_, __VA_ARGS__);                                                      \
            ck_abort_msg("%s: element %zu is %a, expected %a", same_what_, same_at_, (double)(got)[same_at_],          \
                         (double)(expected)[same_at_]);                                                                \
        }                                                                                                              \
    } while (0)

// Kinds of data: PLAIN in [-1, 1); WIDE over many binades, both signs; SPECIAL sprinkled with zeros, denormals,
// infinities, NaN and the largest floats.
typedef enum Style { STYLE_PLAIN, STYLE_WIDE, STYLE_SPECIAL, STYLE_COUNT } Style;

static inline float random_value(Random *random, Style style) {
    static const float special[] = {0.0f,      -0.0f,      INFINITY, -INFINITY, NAN,      FLT_MAX, -FLT_MAX,
                                    0x1p-149f, -0x1p-130f, FLT_MIN,  88.72f,    -87.336f, -103.0f};
    float value = (float)(random_unit(random) * 2.0 - 1.0);
    if (style == STYLE_WIDE)
        return ldexpf(value, (int)random_below(random, 60) - 40);
    if (style == STYLE_SPECIAL && random_below(random, 24) == 0)
        return special[random_below(random, (uint32_t)ARRAY_COUNT(special))];
    return value;
}

static inline void random_fill(Random *random, Style style, float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = random_value(random, style);
}

// Codes of 4 bits lie one to a byte until they are packed.
static inline size_t element_bytes(WeightKind kind) {
    return kind == WEIGHT_F32 ? 4 : kind == WEIGHT_S8 || kind == WEIGHT_Q4 ? 1 : 2;
}

// True for kinds whose activations are s8.
static inline bool takes_s8(WeightKind kind) {
    return kind == WEIGHT_S8 || kind == WEIGHT_Q4;
}

// Weights of a kind: s8 of every value (files may hold -128), or all at the extremes; halves of every bit pattern for
// SPECIAL.
static inline void random_weights(Random *random, WeightKind kind, Style style, void *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float value = random_value(random, style);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (kind == WEIGHT_F32)
            ((float *)to)[i] = value;
        else if (kind == WEIGHT_BF16)
            ((uint16_t *)to)[i] = (uint16_t)(bits >> 16);
        else if (kind == WEIGHT_F16) // sign, exponent of small numbers, fraction: or anything
            ((uint16_t *)to)[i] =
                (uint16_t)(style == STYLE_SPECIAL ? bits >> 3 : (bits & 0x8000) | (bits >> 9 & 0x3bff));
        else if (kind == WEIGHT_Q4)
            ((uint8_t *)to)[i] = (uint8_t)random_below(random, 16);
        else if (style == STYLE_PLAIN)
            ((int8_t *)to)[i] = (int8_t)((int)random_below(random, 256) - 128);
        else
            ((int8_t *)to)[i] = style == STYLE_WIDE || random_below(random, 2) ? 127 : -127;
    }
}

// The rows of s8 activations are padded with zeros to this.
static inline size_t padded_k(WeightKind kind, size_t k) {
    return takes_s8(kind) ? (k + GEMM_S8_K_STEP - 1) / GEMM_S8_K_STEP * GEMM_S8_K_STEP : k;
}

// What 16 codes stand for: values all over, or only the extremes.
static inline void random_codes(Random *random, Style style, int8_t ret_codes[16]) {
    for (size_t i = 0; i < 16; i++) {
        int8_t value = (int8_t)((int)random_below(random, 255) - 127);
        ret_codes[i] = style == STYLE_PLAIN ? value : value < 0 ? -127 : 127;
    }
}

// Of the data; HONE_SEED's where that is set.
static inline uint64_t seed(void) {
    const char *text = getenv("HONE_SEED");
    return text ? strtoull(text, NULL, 10) : 20240601;
}

// The sets to check, strongest last; says which this machine lacks.
static inline size_t sets_here(CpuLevel ret_levels[CPU_LEVEL_COUNT]) {
    size_t count = 0;
    for (CpuLevel level = CPU_AVX2; level < CPU_LEVEL_COUNT; level++) {
        Kernels kernels;
        kernels_pick(level, &kernels);
        if (kernels.level == level)
            ret_levels[count++] = level;
        else
            printf("# skipped: %s (this processor or this build lacks it)\n", cpu_level_name(level));
    }
    return count;
}

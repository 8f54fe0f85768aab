// SPDX-License-Identifier: Apache-2.0
// Attention and the layouts of K and V that it reads: every set that this machine runs against the reference set, bit
// by bit. HONE_SEED changes the data.
#include "cases.h"

typedef struct Attending {
    KvKind kind;
    size_t queries, keys, head_dim;
    Style style;
} Attending;

// Stored halves of both sets: a NaN may have any payload.
static void check_stored(const char *name, const Attending *a, const void *got, const void *expected, size_t bytes) {
    bool same = memcmp(got, expected, bytes) == 0;
    if (a->kind == KV_F32) {
        size_t at;
        same = same_bits(got, expected, bytes / 4, &at);
    } else if (a->kind == KV_F16) {
        same = true;
        for (size_t i = 0; i < bytes / 2; i++) {
            unsigned x = ((const uint16_t *)got)[i], y = ((const uint16_t *)expected)[i];
            same &= x == y || ((x & 0x7fff) > 0x7c00 && (y & 0x7fff) > 0x7c00);
        }
    }
    ck_assert_msg(same, "%s stores %s keys %zu dim %zu style %d otherwise", name, kv_kind_name(a->kind), a->keys,
                  a->head_dim, a->style);
}

// K and V go into blocks in a shuffled order, by both sets; the pools must be equal; then attention.
static void check_blocks(Guard *guard, Random *random, const Kernels *ref, const Kernels *set, const Attending *a) {
    const char *name = cpu_level_name(set->level);
    size_t heads = 2, width = heads * a->head_dim, blocks = (a->keys + 15) / 16, keys = a->keys;
    size_t head_bytes = 16 * kv_head_bytes(a->kind, a->head_dim), pool_bytes = blocks * heads * head_bytes;
    KvStore store = {.kind = a->kind,
                     .tokens = keys,
                     .heads = heads,
                     .head_dim = a->head_dim,
                     .k_stride = width + 3,
                     .v_stride = width,
                     .block_bytes = heads * head_bytes};
    float *k = guard_place(guard, 0, (keys * (width + 3) - 3) * 4, true);
    float *v = guard_place(guard, 1, keys * width * 4, true), *q = guard_place(guard, 5, a->queries * width * 4, true);
    random_fill(random, a->style, k, keys * (width + 3) - 3);
    random_fill(random, a->style, v, keys * width);
    random_fill(random, a->style, q, a->queries * width);
    int32_t *order = guard_place(guard, 2, blocks * 4, true);
    for (size_t i = 0; i < blocks; i++)
        order[i] = (int32_t)((i * 7 + 3) % blocks); // a permutation unless 7 divides, and then shared blocks
    store.k = k, store.v = v, store.blocks = order;
    char *pool = store.base = guard_place(guard, 3, pool_bytes, true);
    ref->store_blocks(&store);
    store.base = guard_place(guard, 4, pool_bytes, true);
    set->store_blocks(&store);
    check_stored(name, a, store.base, pool, pool_bytes);
    float *y[2] = {guard_place(guard, 6, a->queries * width * 4, true),
                   guard_place(guard, 7, a->queries * width * 4, true)};
    float *scratch = guard_place(guard, 8, ATTENTION_QUERY_ROWS * blocks * 16 * 4, true);
    // The set takes both heads at once where it may.
    AttentionBlocks args = {.kind = a->kind,
                            .heads = a->queries * heads <= ATTENTION_QUERY_ROWS ? heads : 1,
                            .queries = a->queries,
                            .keys = keys,
                            .head_dim = a->head_dim,
                            .scale = 0.125f,
                            .q_stride = width,
                            .blocks = order,
                            .block_bytes = heads * head_bytes,
                            .y_stride = width,
                            .scratch = scratch};
    for (size_t which = 0; which < 2; which++)
        for (size_t h = 0; h < heads; h += args.heads) {
            args.q = q + h * a->head_dim, args.y = y[which] + h * a->head_dim, args.base = pool + h * head_bytes;
            (which ? set : ref)->attention_blocks(&args);
        }
    CHECK_SAME(y[1], y[0], a->queries * width, "%s attention_blocks %s q %zu keys %zu dim %zu style %d", name,
               kv_kind_name(a->kind), a->queries, keys, a->head_dim, a->style);
    guard_check(guard, name);
}

// The same with slots in any order, one query.
static void check_rows(Guard *guard, Random *random, const Kernels *ref, const Kernels *set, const Attending *a) {
    const char *name = cpu_level_name(set->level);
    size_t heads = 2, width = heads * a->head_dim, keys = a->keys, head_bytes = kv_head_bytes(a->kind, a->head_dim);
    float *k = guard_place(guard, 0, width * 4, true), *v = guard_place(guard, 1, width * 4, true);
    char *pool = guard_place(guard, 3, keys * heads * head_bytes, true);
    char *slot = guard_place(guard, 4, heads * head_bytes, true);
    int32_t *slots = guard_place(guard, 2, keys * 4, true);
    memset(pool, 0, keys * heads * head_bytes);
    for (size_t j = 0; j < keys; j++) {
        slots[j] = (int32_t)random_below(random, (uint32_t)keys);
        random_fill(random, a->style, k, width);
        random_fill(random, a->style, v, width);
        ref->store_row(a->kind, k, v, heads, a->head_dim, pool + j * heads * head_bytes);
        memset(slot, 0, heads * head_bytes);
        set->store_row(a->kind, k, v, heads, a->head_dim, slot);
        check_stored(name, a, slot, pool + j * heads * head_bytes, heads * head_bytes);
    }
    heads = 1 + random_below(random, 2); // the last one or both
    size_t n = heads * a->head_dim;
    float *q = guard_place(guard, 5, n * 4, true);
    random_fill(random, a->style, q, n);
    float *expected = guard_place(guard, 6, n * 4, true), *got = guard_place(guard, 7, n * 4, true);
    AttentionRows args = {.kind = a->kind,
                          .heads = heads,
                          .keys = keys,
                          .head_dim = a->head_dim,
                          .scale = 0.125f,
                          .q = q,
                          .base = pool + (2 - heads) * head_bytes,
                          .slots = slots,
                          .slot_bytes = 2 * head_bytes,
                          .y = expected,
                          .scratch = guard_place(guard, 8, heads * ((keys + 15) / 16 * 16) * 4, true)};
    ref->attention_rows(&args);
    args.y = got;
    set->attention_rows(&args);
    CHECK_SAME(got, expected, n, "%s attention_rows %s keys %zu dim %zu style %d", name, kv_kind_name(a->kind), keys,
               a->head_dim, a->style);
    guard_check(guard, name);
}

// A head out of two: rows wider than it.
static void check_whole(Guard *guard, Random *random, const Kernels *ref, const Kernels *set, const Attending *a) {
    const char *name = cpu_level_name(set->level);
    size_t width = 2 * a->head_dim, counts[] = {a->queries * width, a->keys * (width + 3) - 3, a->keys * width};
    float *x[3], *y[2];
    for (size_t i = 0; i < 3; i++) {
        x[i] = guard_place(guard, i, counts[i] * 4, true);
        random_fill(random, random_below(random, 2) ? a->style : STYLE_PLAIN, x[i], counts[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        y[i] = guard_place(guard, 3 + i, a->queries * width * 4, true);
        memset(y[i], 0, a->queries * width * 4);
        AttentionS8 args = {.queries = a->queries,
                            .keys = a->keys,
                            .head_dim = a->head_dim,
                            .scale = 0.125f,
                            .q = x[0],
                            .k = x[1],
                            .v = x[2] + a->head_dim,
                            .q_stride = width,
                            .k_stride = width + 3,
                            .v_stride = width,
                            .y = y[i] + a->head_dim,
                            .y_stride = width,
                            .scratch = guard_place(guard, 5, attention_s8_bytes(a->keys, a->head_dim), true)};
        (i ? set : ref)->attention_s8(&args);
    }
    CHECK_SAME(y[1], y[0], a->queries * width, "%s attention_s8 q %zu keys %zu dim %zu style %d", name, a->queries,
               a->keys, a->head_dim, a->style);
    guard_check(guard, name);
}

// As many keys as there may be, all weighing the same, all values at their largest: no sum may overflow.
static void check_fullest(Guard *guard, const Kernels *set) {
    enum { DIM = 2, SCRATCH = 4 << 20 };
    static float scratch[SCRATCH];
    ck_assert_uint_le(attention_s8_bytes(ATTENTION_S8_KEYS, DIM), sizeof scratch);
    float *v = guard_place(guard, 0, ATTENTION_S8_KEYS * DIM * 4, true), *q = guard_place(guard, 1, DIM * 4, true);
    float *y = guard_place(guard, 2, DIM * 4, true);
    for (size_t i = 0; i < ATTENTION_S8_KEYS * DIM; i++)
        v[i] = i % DIM % 2 ? -3.0f : 3.0f;
    memset(q, 0, DIM * 4);
    set->attention_s8(&(AttentionS8){.queries = 1,
                                     .keys = ATTENTION_S8_KEYS,
                                     .head_dim = DIM,
                                     .scale = 1.0f,
                                     .q = q,
                                     .k = v,
                                     .v = v,
                                     .k_stride = DIM,
                                     .v_stride = DIM,
                                     .y = y,
                                     .scratch = scratch});
    for (size_t d = 0; d < DIM; d++)
        ck_assert_msg(fabsf(y[d] - (d % 2 ? -3.0f : 3.0f)) < 1e-6f, "%s attention_s8 of the most keys gives %g",
                      cpu_level_name(set->level), (double)y[d]);
    guard_check(guard, "attention_s8");
}

START_TEST(test_attention) {
    Guard guard;
    guard_init(&guard);
    Random random = {seed()};
    Kernels ref, set;
    kernels_pick(CPU_REF, &ref);
    CpuLevel levels[CPU_LEVEL_COUNT];
    size_t count = sets_here(levels);
    static const size_t queries[] = {1, 2, 3, 4, 5, 8, 9, 16, 17, 35}, keys[] = {1, 15, 16, 17, 33, 64, 65, 131};
    static const size_t dims[] = {1, 8, 15, 16, 17, 24, 32, 61, 64, 80, 128};
    for (size_t i = 0; i < count; i++) {
        kernels_pick(levels[i], &set);
        check_fullest(&guard, &set);
        for (KvKind kind = 0; kind < KV_KIND_COUNT; kind++)
            for (size_t b = 0; b < ARRAY_COUNT(keys); b++)
                for (size_t c = 0; c < ARRAY_COUNT(dims); c++) {
                    Attending attending = {.kind = kind, .keys = keys[b], .head_dim = dims[c]};
                    for (size_t a = 0; a < ARRAY_COUNT(queries); a++) {
                        attending.queries = queries[a];
                        attending.style = random_below(&random, STYLE_COUNT);
                        check_blocks(&guard, &random, &ref, &set, &attending);
                        check_whole(&guard, &random, &ref, &set, &attending);
                    }
                    check_rows(&guard, &random, &ref, &set, &attending);
                }
    }
    guard_done(&guard);
}
END_TEST

TEST_MAIN("kernel attention", test_attention)

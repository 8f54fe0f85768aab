// SPDX-License-Identifier: Apache-2.0
// Masks against torch.nn.utils.prune (tools/goldens/compress/masks.py): the same bits, where scores are equal too.
#include "compress/mask.h"

#include <math.h>

#include "check.h"
#include "compress/topk.h"
#include "format/safetensors/safetensors.h"

static Error err;
static const ModelInfo no_files;

static Bundle goldens(Arena *arena) {
    const char *root = getenv("HONE_SOURCE");
    ck_assert_ptr_nonnull(root);
    char *path = arena_format(arena, &err, "%s/tests/golden/compress/masks.safetensors", root);
    Bytes file;
    Bundle bundle;
    CHECK_OK(file_map(arena, path, &file, &err));
    CHECK_OK(safetensors_read(arena, path, file, &bundle, &err));
    return bundle;
}

// "ln|half|2|0|0.3" in its parts; false for a name of another kind.
static bool parts_of(const char *name, const char *kind, char parts[5][32]) {
    size_t count = 0;
    for (const char *at = name; count < 5; count++) {
        size_t length = strcspn(at, "|");
        snprintf(parts[count], 32, "%.*s", (int)length, at);
        if (!at[length])
            break;
        at += length + 1;
    }
    return strcmp(parts[0], kind) == 0 && strchr(name, '|');
}

static void check_mask(const Tensor *golden, const Mask *mask) {
    const uint8_t *wanted = golden->data;
    size_t removed = 0, different = 0;
    for (size_t i = 0; i < mask->elements; i++) {
        bool kept = wanted[i / 8] >> i % 8 & 1;
        removed += !kept;
        different += kept != mask_keeps(mask, i);
    }
    ck_assert_msg(different == 0, "%s: %zu of %zu bits differ", golden->name, different, mask->elements);
    ck_assert_uint_eq(removed, mask->removed);
}

START_TEST(ln_structured_is_torchs) {
    Arena arena;
    arena_init(&arena, 0);
    Bundle bundle = goldens(&arena);
    size_t count = 0;
    for (size_t i = 0; i < bundle.count; i++) {
        char parts[5][32];
        if (!parts_of(bundle.tensors[i].name, "ln", parts))
            continue;
        PruneAmount amount;
        Mask mask;
        CHECK_OK(prune_amount_parse(parts[4], &amount, &err));
        CHECK_OK(mask_ln_structured(&arena, &no_files, bundle_find(&bundle, parts[1]), strtod(parts[2], NULL),
                                    parts[3][0] - '0', &amount, &mask, &err));
        check_mask(&bundle.tensors[i], &mask);
        count++;
    }
    ck_assert_uint_gt(count, 500);
    arena_done(&arena);
}
END_TEST

START_TEST(l1_unstructured_is_torchs) {
    Arena arena;
    arena_init(&arena, 0);
    Bundle bundle = goldens(&arena);
    size_t count = 0;
    for (size_t i = 0; i < bundle.count; i++) {
        char parts[5][32];
        if (!parts_of(bundle.tensors[i].name, "l1", parts))
            continue;
        PruneAmount amount;
        Mask mask;
        const Tensor *tensor = bundle_find(&bundle, parts[1]);
        CHECK_OK(prune_amount_parse(parts[2], &amount, &err));
        CHECK_OK(mask_l1_unstructured(&arena, &no_files, &tensor, 1, &amount, &mask, &err));
        check_mask(&bundle.tensors[i], &mask);
        count++;
    }
    ck_assert_uint_gt(count, 80);
    arena_done(&arena);
}
END_TEST

START_TEST(global_unstructured_is_torchs) {
    static const char *const names[] = {"small", "normal", "coarse", "long"}, *const amounts[] = {"0.001", "0.2", "0.5",
                                                                                                  "0.8", "1000"};
    Arena arena;
    arena_init(&arena, 0);
    Bundle bundle = goldens(&arena);
    const Tensor *tensors[ARRAY_COUNT(names)];
    for (size_t t = 0; t < ARRAY_COUNT(names); t++)
        tensors[t] = bundle_find(&bundle, names[t]);
    for (size_t i = 0; i < ARRAY_COUNT(amounts); i++) {
        PruneAmount amount;
        Mask masks[ARRAY_COUNT(names)];
        CHECK_OK(prune_amount_parse(amounts[i], &amount, &err));
        CHECK_OK(mask_l1_unstructured(&arena, &no_files, tensors, ARRAY_COUNT(names), &amount, masks, &err));
        for (size_t t = 0; t < ARRAY_COUNT(names); t++) {
            char name[64];
            snprintf(name, sizeof name, "global|%s|%s", amounts[i], names[t]);
            check_mask(bundle_find(&bundle, name), &masks[t]);
        }
    }
    arena_done(&arena);
}
END_TEST

START_TEST(two_of_four_keeps_the_largest) {
    static const float values[2][8] = {{1, -2, 3, -4, 0, 0, 0, 0}, {5, 5, 5, 5, -1, 7, 1, -1}};
    static const bool kept[] = {0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0};
    Arena arena;
    arena_init(&arena, 0);
    Tensor tensor = {.name = "x", .dtype = DTYPE_F32, .shape = {2, {2, 8}}, .data = values, .bytes = sizeof values};
    Mask mask;
    CHECK_OK(mask_two_of_four(&arena, &no_files, &tensor, &mask, &err));
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
        ck_assert_int_eq(mask_keeps(&mask, i), kept[i]);
    ck_assert_uint_eq(mask.removed, 8);
    tensor.shape = (Shape){2, {8, 2}};
    CHECK_FAILS(mask_two_of_four(&arena, &no_files, &tensor, &mask, &err), ERR_USAGE,
                "tensor 'x' has 2 columns, and the pattern 2:4 needs a multiple of 4");
    arena_done(&arena);
}
END_TEST

START_TEST(counts_round_half_to_even) {
    static const struct {
        const char *amount;
        size_t units, count;
    } cases[] = {{"0.25", 10, 2}, {"0.35", 10, 4}, {"0.5", 5, 2}, {"0.5", 7, 4},  {"0.0", 9, 0},
                 {"1.0", 9, 9},   {"9", 9, 9},     {"1", 9, 1},   {"1e-1", 30, 3}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        PruneAmount amount;
        size_t count;
        CHECK_OK(prune_amount_parse(cases[i].amount, &amount, &err));
        CHECK_OK(prune_amount_of(&amount, cases[i].units, "x", &count, &err));
        ck_assert_uint_eq(count, cases[i].count);
    }
    PruneAmount amount;
    size_t count;
    CHECK_OK(prune_amount_parse("10", &amount, &err));
    CHECK_FAILS(prune_amount_of(&amount, 9, "tensor 'x' has 9 rows", &count, &err), ERR_USAGE,
                "--amount is 10, and tensor 'x' has 9 rows");
}
END_TEST

// Whatever the order and however many are equal: the k smallest come first, and nothing is lost. Orders that make
// quickselect slow are among them.
START_TEST(selection_is_a_selection) {
    enum { MOST = 3000 };
    static Ranked items[MOST];
    unsigned seed = 9;
    for (size_t round = 0; round < 600; round++) {
        size_t count = 1 + round * 5 % MOST, k = round % 7 == 0 ? count / 100 : count * (round % 11) / 10;
        unsigned kinds = 1 + (unsigned)(round % 5) * 40;
        for (size_t i = 0; i < count; i++) {
            seed = seed * 1664525u + 1013904223u;
            size_t value = round % 4 == 0   ? i
                           : round % 4 == 1 ? count - i
                           : round % 4 == 2 ? (i % 2 ? i : count - i)
                                            : (seed >> 8) % kinds;
            items[i] = (Ranked){(float)value, (uint32_t)i};
        }
        k = k > count ? count : k;
        topk_smallest(items, count, k);
        float largest = -1, smallest = INFINITY;
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            if (i < k)
                largest = fmaxf(largest, items[i].value);
            else
                smallest = fminf(smallest, items[i].value);
            sum += items[i].index;
        }
        ck_assert(largest <= smallest);
        ck_assert_uint_eq(sum, count * (count - 1) / 2);
    }
}
END_TEST

TEST_MAIN("compress/mask", ln_structured_is_torchs, l1_unstructured_is_torchs, global_unstructured_is_torchs,
          two_of_four_keeps_the_largest, counts_round_half_to_even, selection_is_a_selection)

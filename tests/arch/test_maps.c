// SPDX-License-Identifier: Apache-2.0
// Only weights that lie in a file map may be let go after packing; copies in an arena must stay.
#include "check.h"

#include "arch/arch.h"
#include "base/json.h"
#include "format/checkpoint.h"

// Constants of the encode graph that are marked as mapped, when the family is told of `count` of the checkpoint's
// files.
static size_t mapped_constants(size_t count, size_t *ret_all) {
    Error err_storage, *err = &err_storage;
    Arena arena;
    arena_init(&arena, 0);
    const char *source = getenv("HONE_SOURCE");
    ck_assert_ptr_nonnull(source);
    char *folder = arena_format(&arena, err, "%s/tests/golden/engine/tiny_bart", source);
    char *config = arena_format(&arena, err, "%s/config.json", folder);
    Checkpoint checkpoint = {0};
    ck_assert_int_eq(checkpoint_open(&arena, folder, &checkpoint, err), OK);
    ArchInput input = {
        .config_name = "config.json", .tensors = &checkpoint.bundle, .maps = checkpoint.contents, .map_count = count};
    json_t *value = NULL;
    ck_assert_int_eq(json_read(&arena, config, false, &value, err), OK);
    input.config = value;
    const Arch *arch = NULL;
    ArchModel model = {0};
    ck_assert_int_eq(arch_find(&input, &arch, err), OK);
    ck_assert_int_eq(arch->build(&arena, &input, &model, err), OK);
    size_t mapped = 0;
    for (size_t i = 0; i < model.encode->constant_count; i++)
        mapped += model.encode->constants[i]->mapped;
    *ret_all = model.encode->constant_count;
    arena_done(&arena);
    return mapped;
}

START_TEST(test_only_bytes_of_files_are_marked) {
    size_t all;
    ck_assert_uint_eq(mapped_constants(1, &all), all);
    ck_assert_uint_eq(mapped_constants(0, &all), 0);
}
END_TEST

TEST_MAIN("maps", test_only_bytes_of_files_are_marked)

// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "format/craft.h"
#include "format/torch/torch.h"

static Error err;
static Arena arena;
static Notes notes;
static Bundle bundle;

// The tensors of the last reading stay until the next.
static Status read_any(Bytes file) {
    arena_done(&arena);
    arena_init(&arena, 0);
    notes = (Notes){0};
    return zip_recognise(file) ? torch_zip_read(&arena, "x", file, &notes, &bundle, &err)
                               : torch_legacy_read(&arena, "x", file, &notes, &bundle, &err);
}

static Status read_golden(const char *name) {
    static Arena files; // the maps stay until the test's process ends
    return read_any(golden(&files, name));
}

static bool noted(const char *text) {
    for (size_t i = 0; i < notes.count; i++)
        if (strstr(notes.texts[i], text))
            return true;
    return false;
}

START_TEST(every_dtype_in_every_form) {
    static const char *const zips[] = {"every_dtype.p2.pt", "every_dtype.p3.pt", "every_dtype.p4.pt",
                                       "every_dtype.p5.pt"};
    for (size_t i = 0; i < ARRAY_COUNT(zips); i++) {
        CHECK_OK(read_golden(zips[i]));
        ck_assert_uint_eq(bundle.count, 13);
        check_every_dtype(&bundle, true);
        ck_assert_uint_eq(notes.count, 0);
    }
    static const char *const streams[] = {"every_dtype.legacy.p2.bin", "every_dtype.legacy.p4.bin"};
    for (size_t i = 0; i < ARRAY_COUNT(streams); i++) {
        CHECK_OK(read_golden(streams[i]));
        ck_assert_uint_eq(bundle.count, 10);
        check_every_dtype(&bundle, false);
    }
}
END_TEST

// The elements of `tensor` are those of base = fill([4,6], 5) at these indices.
static void check_picked(const char *name, const char *shape, const size_t *indices, size_t count) {
    const Tensor *tensor = bundle_find(&bundle, name);
    ck_assert_ptr_nonnull(tensor);
    char text[SHAPE_TEXT_BYTES];
    ck_assert_str_eq(shape_text(&tensor->shape, text), shape);
    float values[32];
    ck_assert_uint_eq(tensor->bytes, count * 4);
    tensor_to_f32(tensor, values);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(values[i] == fill(DTYPE_F32, 5, indices[i]), "%s[%zu] is %g", name, i, (double)values[i]);
}

START_TEST(strided_and_shared_storages) {
    static const char *const files[] = {"strided.pt", "strided.legacy.bin"};
    for (size_t f = 0; f < ARRAY_COUNT(files); f++) {
        CHECK_OK(read_golden(files[f]));
        ck_assert_uint_eq(bundle.count, 11);
        check_tensor(bundle_find(&bundle, "base"), DTYPE_F32, "[4,6]", 5);
        size_t transposed[24];
        for (size_t i = 0; i < 24; i++)
            transposed[i] = i % 4 * 6 + i / 4;
        check_picked("transposed", "[6,4]", transposed, 24);
        check_picked("window", "[2,3]", (size_t[]){8, 9, 10, 14, 15, 16}, 6);
        check_picked("steps", "[2,2]", (size_t[]){0, 3, 12, 15}, 4);
        check_picked("row", "[6]", (size_t[]){12, 13, 14, 15, 16, 17}, 6);
        check_picked("expanded", "[3,2]", (size_t[6]){0}, 6);
        check_tensor(bundle_find(&bundle, "tied.a"), DTYPE_F32, "[3,2]", 9);
        check_tensor(bundle_find(&bundle, "scalar"), DTYPE_F32, "[]", 3);
        check_tensor(bundle_find(&bundle, "empty"), DTYPE_F32, "[0,4]", 0);
        // Contiguous ones share the file's bytes: tied names have one place, the row lies in the base.
        const Tensor *base = bundle_find(&bundle, "base"), *row = bundle_find(&bundle, "row");
        ck_assert_ptr_eq(bundle_find(&bundle, "tied.a")->data, bundle_find(&bundle, "tied.b")->data);
        ck_assert_ptr_eq(row->data, (const char *)base->data + 12 * 4);
        const Tensor *cube = bundle_find(&bundle, "cube.permuted"); // [2,3,4] permuted to [4,2,3]
        float values[24];
        tensor_to_f32(cube, values);
        for (size_t a = 0; a < 4; a++)
            for (size_t b = 0; b < 6; b++)
                ck_assert(values[a * 6 + b] == fill(DTYPE_F16, 1, b * 4 + a));
    }
}
END_TEST

// The numbers of tests/golden/format/dynamic_int8.json, which torch gave, against those read.
static void check_expected(const json_t *expected, size_t count) {
    const char *name;
    json_t *numbers;
    ck_assert_uint_eq(bundle.count, count);
    json_object_foreach((json_t *)expected, name, numbers) {
        const Tensor *tensor = bundle_find(&bundle, name);
        ck_assert_msg(tensor != NULL, "no tensor '%s'", name);
        size_t elements = json_array_size(numbers);
        float values[64];
        ck_assert_uint_eq(tensor->bytes, elements * dtype_bytes(tensor->dtype));
        tensor_to_f32(tensor, values);
        for (size_t i = 0; i < elements; i++)
            ck_assert_msg(values[i] == (float)json_number_value(json_array_get(numbers, i)), "%s[%zu] is %g", name, i,
                          (double)values[i]);
    }
}

START_TEST(dynamic_int8_of_torch) {
    Arena files;
    arena_init(&files, 0);
    json_t *expected;
    CHECK_OK(json_read(&files, golden_path(&files, "dynamic_int8.json"), false, &expected, &err));
    for (int legacy = 0; legacy < 2; legacy++) {
        CHECK_OK(read_golden(legacy ? "dynamic_int8.per_tensor.legacy.bin" : "dynamic_int8.per_tensor.pt"));
        check_expected(json_object_get(expected, "per_tensor"), 9); // with the embedding, which stayed in floats
        ck_assert_int_eq(bundle_find(&bundle, "fc1.weight")->dtype, DTYPE_I8);
        ck_assert_int_eq(bundle_find(&bundle, "fc1.weight.scales")->dtype, DTYPE_F64);
        ck_assert_int_eq(bundle_find(&bundle, "fc1.weight.zero_points")->dtype, DTYPE_I64);
        ck_assert_ptr_null(bundle_find(&bundle, "fc1.scale"));
        CHECK_OK(read_golden(legacy ? "dynamic_int8.per_channel.legacy.bin" : "dynamic_int8.per_channel.pt"));
        check_expected(json_object_get(expected, "per_channel"), 11);
        ck_assert_int_eq(bundle_find(&bundle, "emb.weight")->dtype, DTYPE_U8);
    }
    CHECK_OK(read_golden("dynamic_int8.bare_linear.pt"));
    ck_assert_uint_eq(bundle.count, 4);
    ck_assert_ptr_nonnull(bundle_find(&bundle, "weight.scales"));
    ck_assert_ptr_nonnull(bundle_find(&bundle, "bias"));
    arena_done(&files);
}
END_TEST

START_TEST(a_trainers_checkpoint_with_other_things_in_it) {
    for (int legacy = 0; legacy < 2; legacy++) {
        CHECK_OK(read_golden(legacy ? "trainer.legacy.bin" : "trainer.pt"));
        ck_assert_uint_eq(bundle.count, 3);
        ck_assert_ptr_nonnull(bundle_find(&bundle, "fc1.weight"));
        ck_assert_ptr_nonnull(bundle_find(&bundle, "kept.weight"));
        ck_assert(noted("names 'argparse.Namespace', which is not needed: skipped"));
        ck_assert(noted(".multiarray.scalar', which is not needed"));
        ck_assert(noted("entry 'count' is an integer, no tensor: skipped"));
    }
    CHECK_OK(read_golden("parameters.pt"));
    check_tensor(bundle_find(&bundle, "p"), DTYPE_F32, "[2,2]", 0);
    check_tensor(bundle_find(&bundle, "b"), DTYPE_F32, "[3]", 1);
}
END_TEST

START_TEST(what_is_no_state_dict_is_refused_by_name) {
    CHECK_FAILS(read_golden("whole_model.pt"), ERR_UNSUPPORTED,
                "file 'x': the file holds an object of '__main__.Net', not a state dict");
    CHECK_FAILS(read_golden("sparse.pt"), ERR_UNSUPPORTED, "'torch._utils._rebuild_sparse_tensor'");
    CHECK_FAILS(read_golden("complex.pt"), ERR_UNSUPPORTED,
                "tensor 'w': its elements are of 'torch.ComplexFloatStorage', which hone does not read");
    CHECK_FAILS(read_golden("script.pt"), ERR_UNSUPPORTED, "the file is a TorchScript program");
}
END_TEST

// ---- files made by hand

#define TEXT(name) "X\1\0\0\0" name
#define STORAGE(class, key, numel) "(X\7\0\0\0storagectorch\n" class "\n" TEXT(key) "X\3\0\0\0cpuK" numel "tQ"
#define TENSOR(storage, offset, size, stride)                                                                          \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage offset size stride "\x89}tR"

static Status read_pickle(const void *data, size_t bytes, const char *byteorder, const char *version) {
    static const float values[] = {1, 2, 3, 4};
    Buffer b = {0};
    CraftEntry entries[] = {{"m/data.pkl", data, bytes},
                            {"m/data/0", values, 16},
                            {"m/version", version, strlen(version)},
                            {"m/byteorder", byteorder, strlen(byteorder)}};
    craft_zip(&b, entries, 4, false);
    static Bytes held;
    memory_free((void *)held.data);
    held = tight_copy(buffer_bytes(&b));
    buffer_done(&b);
    return read_any(held);
}

#define READ(text) read_pickle(text, sizeof(text) - 1, "little", "3\n")

START_TEST(a_file_made_by_hand) {
#define GOOD "\x80\2}" TEXT("w") TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\1", "K\3\x85", "K\1\x85") "s."
    CHECK_OK(READ(GOOD));
    const Tensor *w = bundle_find(&bundle, "w");
    float values[3]; // which may lie at any address in the file
    tensor_to_f32(w, values);
    ck_assert(w->bytes == 12 && values[0] == 2 && values[2] == 4);
    CHECK_FAILS(read_pickle(GOOD, sizeof GOOD - 1, "big", "3\n"), ERR_UNSUPPORTED,
                "the file's byteorder is 'big', only 'little' is read");
    CHECK_FAILS(read_pickle(GOOD, sizeof GOOD - 1, "little", "11\n"), ERR_UNSUPPORTED,
                "version 11 of torch.save's format; 1 to 10 are read");
    CHECK_FAILS(read_pickle(GOOD, sizeof GOOD - 1, "little", "0\n"), ERR_UNSUPPORTED, "version 0");
    CHECK_OK(read_pickle(GOOD, sizeof GOOD - 1, "little", "10\n"));
}
END_TEST

START_TEST(hostile_pickles_in_good_archives) {
    static const struct {
        const char *text;
        size_t bytes;
        Status status;
        const char *message;
    } cases[] = {
#define CASE(text, status, message) {text, sizeof(text) - 1, status, message}
#define ONE(tensor) "\x80\2}" TEXT("w") tensor "s."
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\2", "K\3\x85", "K\1\x85")), ERR_FORMAT,
             "tensor 'w': its shape [3] from element 2 on reaches beyond its storage of 4 elements"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0", "K\2\x85", "K\4\x85")), ERR_FORMAT,
             "reaches beyond its storage"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "J\xFF\xFF\xFF\xFF", "K\2\x85", "K\1\x85")), ERR_FORMAT,
             "its offset is an integer, expected"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0", "J\xFF\xFF\xFF\xFF\x85", "K\1\x85")), ERR_FORMAT,
             "its shape holds an integer"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0", "K\2\x85", "J\xFF\xFF\xFF\xFF\x85")), ERR_FORMAT,
             "its stride holds an integer"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0", "K\2\x85", ")")), ERR_FORMAT,
             "it has 1 dimensions but 0 strides"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\5"), "K\0", "K\2\x85", "K\1\x85")), ERR_FORMAT,
             "its storage has 16 bytes, but is said to have 5 elements of 4"),
        CASE(ONE(TENSOR(STORAGE("DoubleStorage", "0", "\4"), "K\0", "K\2\x85", "K\1\x85")), ERR_FORMAT,
             "said to have 4 elements of 8"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "9", "\4"), "K\0", "K\2\x85", "K\1\x85")), ERR_FORMAT,
             "its storage 'm/data/9' is not in the file"),
        CASE(ONE(TENSOR("N", "K\0", "K\2\x85", "K\1\x85")), ERR_FORMAT, "expected a storage, found None"),
        // 100 GiB by a stride of 0, and the largest sizes there are
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0", "\x8A\5\0\0\0\x40\6\x85", "K\0\x85")), ERR_LIMIT,
             "its shape [26843545600] would bring the copies"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0",
                        "\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x86",
                        "K\0K\0\x86")),
             ERR_FORMAT, "is larger than any memory"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0", "K\3K\3\x86",
                        "\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x86")),
             ERR_FORMAT, "reaches beyond its storage"),
        CASE(ONE(TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t",
                        "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t")),
             ERR_UNSUPPORTED, "it has 9 dimensions, at most 8 are read"),
        CASE("\x80\2}" TEXT("w") TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\1", "K\3\x85", "K\1\x85") "s" TEXT("w")
                 TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\1", "K\3\x85", "K\1\x85") "s.",
             ERR_FORMAT, "tensor 'w' is there twice"),
        CASE("\x80\2}X\2\0\0\0\xFFz" TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\1", "K\3\x85", "K\1\x85") "s.",
             ERR_FORMAT, "is empty or no UTF-8"),
        CASE("\x80\2}X\2\0\0\0a\0" TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\1", "K\3\x85", "K\1\x85") "s.",
             ERR_FORMAT, "is empty or no UTF-8"),
        CASE("\x80\2}K\1" TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\1", "K\3\x85", "K\1\x85") "s.", ERR_FORMAT,
             "is empty or no UTF-8"),
        CASE("\x80\2}" TEXT("w") "cposix\nsystem\n" TEXT("x") "\x85Rs.", ERR_FORMAT, "the pickle names 'posix.system'"),
        CASE("\x80\2}.", ERR_FORMAT, "no state dict: the pickle's dict of 0 entries holds no tensors"),
        CASE("\x80\2].", ERR_FORMAT, "the file holds a list, expected a dict of tensors"),
        CASE("\x80\2}X\5\0\0\0model"
             "cmy.code\nBart\n)\x81s.",
             ERR_UNSUPPORTED, "no state dict: entry 'model' is an object of 'my.code.Bart'"),
        CASE("\x80\2}" TEXT("w") "ctorch._utils\n_rebuild_tensor_v2\n)Rs.", ERR_FORMAT,
             "tensor 'w': expected a storage, found nothing"),
        CASE(ONE("ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n)R\x88}tR"), ERR_FORMAT,
             "expected a storage"),
        CASE("\x80\2}X\5\0\0\0model}q\1h\1X\5\0\0\0modelh\1ss.", ERR_FORMAT, ""),
        CASE("\x80\2}.x", ERR_FORMAT, "data.pkl has 1 bytes behind its pickle"),
#undef CASE
    };
    uint64_t begin = budget_begin();
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        CHECK_FAILS(read_pickle(cases[i].text, cases[i].bytes, "little", "3\n"), cases[i].status, cases[i].message);
    budget_check(begin, 0);
    // A dict that holds itself under the usual keys, and wrappers that wrap themselves.
    CHECK_FAILS(READ("\x80\2}q\1X\5\0\0\0modelh\1sX\n\0\0\0state_dicth\1s."), ERR_FORMAT, "no state dict");
    CHECK_FAILS(
        READ("\x80\2}" TEXT("a") TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\1", "K\3\x85",
                                        "K\1\x85") "s" TEXT("w") "ctorch._utils\n_rebuild_parameter\n]q\1h\1a\x85Rs."),
        ERR_FORMAT, "damaged call of 'torch._utils._rebuild_parameter'");
    // Thousands of strided views of one storage: their copies are bounded in sum.
    Buffer b = {0};
    buffer_add_text(&b, "\x80\2}");
    for (int i = 0; i < 200; i++) {
        buffer_add(&b, "X\4\0\0\0", 5);
        buffer_format(&b, "n%03d", i);
#define MEGABYTE TENSOR(STORAGE("FloatStorage", "0", "\4"), "K\0", "\x8A\3\0\0\4\x85", "K\0\x85") "s"
        buffer_add(&b, MEGABYTE, sizeof MEGABYTE - 1);
    }
    buffer_add_text(&b, ".");
    CHECK_FAILS(read_pickle(b.data, b.bytes, "little", "3\n"), ERR_LIMIT,
                "would bring the copies of strided views beyond");
    buffer_done(&b);
    budget_check(begin, 64 << 20);
}
END_TEST

START_TEST(archives_of_others) {
    Buffer b = {0};
    CraftEntry word[] = {{"[Content_Types].xml", "<x/>", 4}, {"word/document.xml", "<x/>", 4}};
    craft_zip(&b, word, 2, false);
    CHECK_FAILS(read_any(buffer_bytes(&b)), ERR_FORMAT,
                "the zip archive's entry '[Content_Types].xml' is in no folder");
    buffer_clear(&b);
    CraftEntry two[] = {{"a/data.pkl", "}.", 2}, {"b/version", "3\n", 2}};
    craft_zip(&b, two, 2, false);
    CHECK_FAILS(read_any(buffer_bytes(&b)), ERR_FORMAT, "entries 'a/data.pkl' and 'b/version' are not in one folder");
    buffer_clear(&b);
    craft_zip(&b, two, 1, false);
    CHECK_FAILS(read_any(buffer_bytes(&b)), ERR_FORMAT, "no entry 'a/version'");
    buffer_clear(&b);
    craft_zip(&b, NULL, 0, false);
    CHECK_FAILS(read_any(buffer_bytes(&b)), ERR_FORMAT, "is in no folder");
    buffer_done(&b);
}
END_TEST

static void cut_and_bend(const char *name) {
    Arena files;
    arena_init(&files, 0);
    Bytes file = golden(&files, name);
    for (size_t size = 0; size < file.size; size++) {
        Bytes cut = tight_copy((Bytes){file.data, size});
        ck_assert_msg(torch_legacy_read(&arena, "x", cut, &notes, &bundle, &err) != OK, "%s cut to %zu bytes", name,
                      size);
        memory_free((void *)cut.data);
    }
    Bytes bent = tight_copy(file);
    for (size_t i = 0; i < bent.size; i++) {
        ((unsigned char *)bent.data)[i] ^= 0x15;
        IGNORE_STATUS(
            read_any(bent)); // may be fine (weights are bytes like any other): only nothing worse than an error
        arena_done(&arena);
        ((unsigned char *)bent.data)[i] ^= 0x15;
    }
    memory_free((void *)bent.data);
    arena_done(&files);
}

START_TEST(damaged_legacy_streams) {
    arena_init(&arena, 0);
    cut_and_bend("strided.legacy.bin");
    cut_and_bend("dynamic_int8.per_tensor.legacy.bin");
}
END_TEST

#define LEGACY_HEAD                                                                                                    \
    "\x80\2\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.\x80\2M\xE9\3.\x80\2}X\r\0\0\0little_endian\x88s."
#define LEGACY_STORAGE(view) "(X\7\0\0\0storagectorch\nFloatStorage\n" TEXT("0") "X\3\0\0\0cpuK\4" view "tQ"
#define LEGACY_ONE(view)                                                                                               \
    "\x80\2}" TEXT("w") "ctorch._utils\n_rebuild_tensor\n(" LEGACY_STORAGE(view) "K\0K\2\x85K\1\x85tRs."

START_TEST(legacy_streams_made_by_hand) {
#define DATA "\0\0\x80\x3F\0\0\0\x40\0\0\x40\x40\0\0\x80\x40"
#define FILE_OF(object, keys, data) LEGACY_HEAD object "\x80\2]" keys "." data
#define READ_ANY(text) read_any((Bytes){(const unsigned char *)(text), sizeof(text) - 1})
    CHECK_OK(READ_ANY(FILE_OF(LEGACY_ONE("N"), TEXT("0") "a", "\4\0\0\0\0\0\0\0" DATA)));
    float values[2];
    tensor_to_f32(bundle_find(&bundle, "w"), values);
    ck_assert(values[0] == 1 && values[1] == 2);
    CHECK_OK(READ_ANY(
        FILE_OF(LEGACY_ONE("(" TEXT("7") "K\2K\2t"), TEXT("0") "a", "\4\0\0\0\0\0\0\0" DATA))); // a view of the storage
    tensor_to_f32(bundle_find(&bundle, "w"), values);
    ck_assert(values[0] == 3 && values[1] == 4);
    CHECK_FAILS(READ_ANY(FILE_OF(LEGACY_ONE("(" TEXT("7") "K\3K\2t"), TEXT("0") "a", "\4\0\0\0\0\0\0\0" DATA)),
                ERR_FORMAT, "a view that does not fit into its storage of 4 elements");
    CHECK_FAILS(READ_ANY(FILE_OF(LEGACY_ONE("N"), "", "")), ERR_FORMAT, "its storage '0' is not in the file");
    CHECK_FAILS(READ_ANY(FILE_OF(LEGACY_ONE("N"), TEXT("1") "a", "\4\0\0\0\0\0\0\0" DATA)), ERR_FORMAT,
                "storage key '1' is of no tensor");
    CHECK_FAILS(READ_ANY(FILE_OF(LEGACY_ONE("N"), TEXT("0") "a" TEXT("0") "a", "\4\0\0\0\0\0\0\0" DATA)), ERR_FORMAT,
                "storage key '0' is listed twice");
    CHECK_FAILS(READ_ANY(FILE_OF(LEGACY_ONE("N"), TEXT("0") "a", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F" DATA)), ERR_FORMAT,
                "claims 9223372036854775807 elements, the file ends 16 bytes further");
    CHECK_FAILS(READ_ANY(FILE_OF(LEGACY_ONE("N"), TEXT("0") "a", "\3\0\0\0\0\0\0\0" DATA)), ERR_FORMAT,
                "storage '0' has 3 elements, expected 4");
    CHECK_FAILS(READ_ANY(FILE_OF(LEGACY_ONE("N"), TEXT("0") "a", "\4\0\0\0\0\0\0\0" DATA "x")), ERR_FORMAT,
                "1 bytes follow the last storage");
    CHECK_FAILS(READ_ANY("\x80\2\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.\x80\2M\xEA\3."), ERR_UNSUPPORTED,
                "protocol 1002 of torch.save's legacy format");
    CHECK_FAILS(
        READ_ANY(
            "\x80\2\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.\x80\2M\xE9\3.\x80\2}X\r\0\0\0little_endian\x89s."),
        ERR_UNSUPPORTED, "byteorder is 'big'");
}
END_TEST

START_TEST(no_allocation_failure_does_harm) {
    static const char *const names[] = {"trainer.pt", "dynamic_int8.per_channel.legacy.bin"};
    for (size_t n = 0; n < ARRAY_COUNT(names); n++) {
        Arena files;
        arena_init(&files, 0);
        Bytes file = golden(&files, names[n]);
        for (uint64_t nth = 1;; nth++) {
            fault_arm(FAULT_ALLOCATION, nth);
            Status status = read_any(file);
            bool struck = fault_seen(FAULT_ALLOCATION) >= nth;
            fault_arm(FAULT_ALLOCATION, 0);
            arena_done(&arena);
            ck_assert_int_eq(status, struck ? ERR_MEMORY : OK);
            if (!struck)
                break;
        }
        arena_done(&files);
    }
}
END_TEST

TEST_MAIN("format/torch", every_dtype_in_every_form, strided_and_shared_storages, dynamic_int8_of_torch,
          a_trainers_checkpoint_with_other_things_in_it, what_is_no_state_dict_is_refused_by_name, a_file_made_by_hand,
          hostile_pickles_in_good_archives, archives_of_others, damaged_legacy_streams, legacy_streams_made_by_hand,
          no_allocation_failure_does_harm)

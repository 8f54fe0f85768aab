// SPDX-License-Identifier: Apache-2.0
#include "format/checkpoint.h"
#include <sys/stat.h>

#include "format/craft.h"

static Error err;
static Arena arena;
static Checkpoint checkpoint;
static char folder[64];

static void begin(void) {
    arena_init(&arena, 0);
    scratch_make(folder);
}

static void end(void) {
    scratch_done(&arena, folder);
    arena_done(&arena);
}

// Copies golden files into the scratch folder under new names.
static void copy(const char *from, const char *to) {
    Bytes file = golden(&arena, from);
    scratch_put(&arena, folder, to, file.data, file.size);
}

static void put(const char *name, const char *text) {
    scratch_put(&arena, folder, name, text, strlen(text));
}

static Status open_file(const char *name) {
    return checkpoint_open(&arena, path_join(&arena, folder, name, &err), &checkpoint, &err);
}

static void check_shards(const char *format) {
    ck_assert_uint_eq(checkpoint.bundle.count, 3);
    ck_assert_str_eq(checkpoint.format, format);
    ck_assert_uint_eq(checkpoint.file_count, 3);
    check_tensor(bundle_find(&checkpoint.bundle, "a.weight"), DTYPE_F32, "[2,3]", 0);
    check_tensor(bundle_find(&checkpoint.bundle, "b.weight"), DTYPE_F16, "[4]", 3);
    check_tensor(bundle_find(&checkpoint.bundle, "c.weight"), DTYPE_BF16, "[3,3]", 5);
    ck_assert_uint_eq(checkpoint.notes.count, 0);
    for (size_t i = 0; i < checkpoint.file_count; i++) {
        Bytes file;
        CHECK_OK(file_map(&arena, checkpoint.files[i], &file, &err));
        ck_assert_uint_eq(checkpoint.contents[i].size, file.size);
        ck_assert_mem_eq(checkpoint.contents[i].data, file.data, file.size);
    }
}

START_TEST(content_decides_not_the_ending) {
    begin();
    copy("every_dtype.safetensors", "a.bin");
    copy("every_dtype.p2.pt", "b.safetensors");
    copy("every_dtype.legacy.p2.bin", "c.h5");
    CHECK_OK(open_file("a.bin"));
    ck_assert_str_eq(checkpoint.format, "safetensors");
    CHECK_OK(open_file("b.safetensors"));
    ck_assert_str_eq(checkpoint.format, "pytorch");
    check_every_dtype(&checkpoint.bundle, true);
    CHECK_OK(open_file("c.h5"));
    ck_assert_str_eq(checkpoint.format, "pytorch");
    ck_assert_uint_eq(checkpoint.file_count, 1);
    CHECK_FAILS(open_file("missing"), ERR_IO, "missing'");
    end();
}
END_TEST

START_TEST(files_of_others_are_named) {
    static const struct {
        const char *text;
        size_t bytes;
        Status status;
        const char *message;
    } cases[] = {
#define CASE(text, status, message) {text, sizeof(text) - 1, status, message}
        CASE("", ERR_FORMAT, "f' is empty, expected a model"),
        CASE("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n", ERR_FORMAT,
             "is a Git LFS pointer, not the model itself: run 'git lfs pull'"),
        CASE("<!DOCTYPE html><html>", ERR_FORMAT, "is a web page"),
        CASE("GGUF\3\0\0\0", ERR_UNSUPPORTED, "is a GGUF file"),
        CASE("\x89HDF\r\n\x1A\n....", ERR_UNSUPPORTED, "is an HDF5 file (Keras, TensorFlow)"),
        CASE("\x08\x08\x12\x07pytorch\x1A\x05", ERR_UNSUPPORTED, "is an ONNX model"),
        CASE("\x08\x01\x12\x20....", ERR_UNSUPPORTED, "is a TensorFlow SavedModel"),
        CASE("...........\x57\xFB\x80\x8B\x24\x75\x47\xDB", ERR_UNSUPPORTED, "is a TensorFlow checkpoint"),
        CASE("\x1F\x8B\x08\0", ERR_UNSUPPORTED, "is a gzip file"),
        CASE("\x81\xA5model\x80", ERR_UNSUPPORTED, "is a Flax msgpack file"),
        CASE("hello world, this is text", ERR_FORMAT,
             "is neither safetensors nor PyTorch: it begins with the bytes 68 65 6c 6c"),
        CASE("x", ERR_FORMAT, "begins with the bytes 78 00 00 00"),
#undef CASE
    };
    begin();
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        scratch_put(&arena, folder, "f", cases[i].text, cases[i].bytes);
        CHECK_FAILS(open_file("f"), cases[i].status, cases[i].message);
    }
    copy("plain.pickle", "f");
    CHECK_FAILS(open_file("f"), ERR_UNSUPPORTED, "is a Python pickle that torch.save did not write");
    char tar[512] = "pickle";
    memcpy(tar + 257, "ustar", 5);
    scratch_put(&arena, folder, "f", tar, sizeof tar);
    CHECK_FAILS(open_file("f"), ERR_UNSUPPORTED, "older than torch 0.1.10 (tar)");
    end();
}
END_TEST

START_TEST(folders_are_searched_in_order) {
    begin();
    CHECK_FAILS(checkpoint_open(&arena, folder, &checkpoint, &err), ERR_FORMAT,
                "holds no model: expected model.safetensors, pytorch_model.bin or encoder_model.onnx");
    put("x.gguf", "GGUF");
    CHECK_FAILS(checkpoint_open(&arena, folder, &checkpoint, &err), ERR_FORMAT,
                "if 'x.gguf' is the model, name that file");
    copy("no_metadata.safetensors", "other.safetensors");
    CHECK_OK(checkpoint_open(&arena, folder, &checkpoint, &err));
    ck_assert_str_eq(path_name(checkpoint.files[0]), "other.safetensors");
    copy("no_metadata.safetensors", "third.safetensors");
    CHECK_FAILS(
        checkpoint_open(&arena, folder, &checkpoint, &err), ERR_FORMAT,
        "has several models and neither model.safetensors nor an index: 'other.safetensors', 'third.safetensors'");
    copy("every_dtype.p2.pt", "pytorch_model.bin");
    CHECK_OK(checkpoint_open(&arena, folder, &checkpoint, &err));
    ck_assert_str_eq(path_name(checkpoint.files[0]), "pytorch_model.bin");
    copy("no_metadata.safetensors", "model.safetensors");
    CHECK_OK(checkpoint_open(&arena, folder, &checkpoint, &err));
    ck_assert_str_eq(path_name(checkpoint.files[0]), "model.safetensors");
    end();
}
END_TEST

START_TEST(shards_are_joined) {
    arena_init(&arena, 0);
    CHECK_OK(checkpoint_open(&arena, golden_path(&arena, "shards"), &checkpoint, &err));
    check_shards("safetensors");
    ck_assert_str_eq(path_name(checkpoint.files[0]), "model.safetensors.index.json");
    CHECK_OK(checkpoint_open(&arena, golden_path(&arena, "bin_shards"), &checkpoint, &err));
    check_shards("pytorch");
    arena_done(&arena);
}
END_TEST

START_TEST(an_index_that_lies_is_refused) {
#define FIRST "model-00001-of-00002.safetensors"
#define SECOND "model-00002-of-00002.safetensors"
#define MAP(a, b, c) "{\"weight_map\":{\"a.weight\":\"" a "\",\"b.weight\":\"" b "\",\"c.weight\":\"" c "\"}}"
    static const struct {
        const char *index;
        Status status;
        const char *message;
    } cases[] = {
        {MAP(FIRST, FIRST, SECOND), OK, ""},
        {"{\"metadata\":{\"total_size\":51,\"x\":[{}]},\"weight_map\":{\"a.weight\":\"" FIRST "\",\"b.weight\":\"" FIRST
         "\",\"c.weight\":\"" SECOND "\"}}",
         OK, ""},
        {"{\"metadata\":{\"total_size\":50.0},\"weight_map\":{\"a.weight\":\"" FIRST "\",\"b.weight\":\"" FIRST
         "\",\"c.weight\":\"" SECOND "\"},\"other\":null}",
         OK, ""},
        {MAP(FIRST, SECOND, SECOND), ERR_FORMAT,
         "file '" FIRST "' holds tensor 'b.weight', which the index places in '" SECOND "'"},
        {"{\"weight_map\":{\"a.weight\":\"" FIRST "\",\"c.weight\":\"" SECOND "\"}}", ERR_FORMAT,
         "holds tensor 'b.weight', which the index does not list"},
        {"{\"weight_map\":{\"a.weight\":\"" FIRST "\",\"b.weight\":\"" FIRST "\",\"c.weight\":\"" SECOND
         "\",\"d\":\"" SECOND "\"}}",
         ERR_FORMAT, "lacks tensor 'd', which 'model.safetensors.index.json' places there"},
        {MAP(FIRST, FIRST, "../" SECOND), ERR_FORMAT, "expected the name of a file in the same folder"},
        {MAP(FIRST, FIRST, "/etc/passwd"), ERR_FORMAT, "tensor 'c.weight' is said to be in '/etc/passwd'"},
        {MAP(FIRST, FIRST, ".."), ERR_FORMAT, "same folder"},
        {MAP(FIRST, FIRST, ""), ERR_FORMAT, "same folder"},
        {MAP(FIRST, FIRST, "missing.safetensors"), ERR_FORMAT,
         "places tensors in 'missing.safetensors', and its folder has no such file"},
        {"{\"weight_map\":{\"a\":\"x\",\"a\":\"x\"}}", ERR_FORMAT, "the index lists tensor 'a' twice"},
        {"{\"weight_map\":{},\"weight_map\":{}}", ERR_FORMAT, "the index has the key 'weight_map' twice"},
        {"{\"metadata\":{}}", ERR_FORMAT, "the index has no 'weight_map'"},
        {"{\"weight_map\":{\"a\":1}}", ERR_FORMAT, "expected a string, found '1'"},
        {"{\"weight_map\":[]}", ERR_FORMAT, "byte 14 of the index: expected '{', found '['"},
        {"{\"weight_map\":{}", ERR_FORMAT, "found the end"},
        {"", ERR_FORMAT, "byte 0 of the index: expected '{'"},
    };
    begin();
    copy("shards/" FIRST, FIRST);
    copy("shards/" SECOND, SECOND);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        put("model.safetensors.index.json", cases[i].index);
        if (cases[i].status == OK) {
            CHECK_OK(checkpoint_open(&arena, folder, &checkpoint, &err));
            ck_assert_uint_eq(checkpoint.notes.count, i == 1);
        } else {
            CHECK_FAILS(checkpoint_open(&arena, folder, &checkpoint, &err), cases[i].status, cases[i].message);
        }
    }
    put("model.safetensors.index.json", "{\"metadata\":{\"total_size\":51},\"weight_map\":{\"a.weight\":\"" FIRST
                                        "\",\"b.weight\":\"" FIRST "\",\"c.weight\":\"" SECOND "\"}}");
    CHECK_OK(checkpoint_open(&arena, folder, &checkpoint, &err));
    ck_assert_str_eq(checkpoint.notes.texts[0],
                     "'model.safetensors.index.json' gives a total size of 51 bytes, the tensors have 50");
    end();
}
END_TEST

START_TEST(no_failing_read_or_allocation_does_harm) {
    arena_init(&arena, 0);
    const char *path = golden_path(&arena, "bin_shards");
    for (int kind = 0; kind < 2; kind++) {
        FaultKind fault = kind ? FAULT_READ : FAULT_ALLOCATION;
        uint64_t nth = 1;
        for (;; nth++) {
            Arena fresh;
            arena_init(&fresh, 0);
            fault_arm(fault, nth);
            Status status = checkpoint_open(&fresh, path, &checkpoint, &err);
            bool struck = fault_seen(fault) >= nth;
            fault_arm(fault, 0);
            arena_done(&fresh);
            ck_assert_int_eq(status != OK, struck);
            if (!struck)
                break;
        }
        ck_assert_uint_gt(nth, 3);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(the_real_model_opens) {
    const char *path = "../shared/data/models/bart-g2p-us/model.safetensors";
    arena_init(&arena, 0);
    char *full = arena_format(&arena, &err, "%s/%s", getenv("HONE_SOURCE") ? getenv("HONE_SOURCE") : ".", path);
    if (path_kind(full) != PATH_FILE)
        CHECK_SKIP("no ../shared");
    CHECK_OK(checkpoint_open(&arena, full, &checkpoint, &err));
    ck_assert_uint_gt(checkpoint.bundle.count, 10);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("format/checkpoint", content_decides_not_the_ending, files_of_others_are_named, folders_are_searched_in_order,
          shards_are_joined, an_index_that_lies_is_refused, no_failing_read_or_allocation_does_harm,
          the_real_model_opens)

// SPDX-License-Identifier: Apache-2.0
#include "format/craft.h"
#include "format/safetensors/safetensors.h"

static Error err;

START_TEST(a_file_of_the_reference_writer_is_read_in_place) {
    Arena arena;
    arena_init(&arena, 0);
    Bytes file = golden(&arena, "every_dtype.safetensors");
    ck_assert(safetensors_recognise(file));
    Bundle bundle;
    CHECK_OK(safetensors_read(&arena, "x", file, &bundle, &err));
    ck_assert_uint_eq(bundle.count, 16);
    check_every_dtype(&bundle, true);
    check_tensor(bundle_find(&bundle, "scalar"), DTYPE_F32, "[]", 3);
    check_tensor(bundle_find(&bundle, "empty"), DTYPE_F16, "[0,4]", 0);
    check_tensor(bundle_find(&bundle, "name \"\xC3\xA4\"\t\\"), DTYPE_I8, "[1]", 4);
    for (size_t i = 0; i < bundle.count; i++) {
        const unsigned char *data = bundle.tensors[i].data;
        ck_assert(data >= file.data && data + bundle.tensors[i].bytes <= file.data + file.size);
    }
    CHECK_OK(safetensors_read(&arena, "x", golden(&arena, "no_metadata.safetensors"), &bundle, &err));
    check_tensor(bundle_find(&bundle, "a"), DTYPE_F32, "[2]", 0);
    arena_done(&arena);
}
END_TEST

// A producer that gives a tensor's bytes, found in the bundle `context`, in two pieces; `more` or fewer by so many
// bytes.
typedef struct Source {
    const Bundle *bundle;
    size_t less, more;
} Source;

static Status produce(void *context, const Tensor *tensor, SafetensorsSink *sink, Error *error) {
    const Source *source = context;
    const Tensor *found = bundle_find(source->bundle, tensor->name);
    size_t half = found->bytes / 2;
    TRY(safetensors_put(sink, found->data, half, error));
    TRY(safetensors_put(sink, (const char *)found->data + half, found->bytes - half - source->less, error));
    return source->more ? safetensors_put(sink, "abcdefgh", source->more, error) : OK;
}

START_TEST(writing_gives_the_reference_writers_bytes) {
    Arena arena;
    arena_init(&arena, 0);
    char folder[64];
    scratch_make(folder);
    Bytes file = golden(&arena, "every_dtype.safetensors"), again;
    Bundle bundle;
    CHECK_OK(safetensors_read(&arena, "x", file, &bundle, &err));
    Tensor shuffled[16];
    for (size_t i = 0; i < bundle.count; i++)
        shuffled[(i * 5 + 3) % 16] = bundle.tensors[i];
    char *path = path_join(&arena, folder, "out", &err);
    CHECK_OK(safetensors_write(path, shuffled, 16, NULL, NULL, &err));
    CHECK_OK(file_map(&arena, path, &again, &err));
    ck_assert_uint_eq(again.size, file.size);
    ck_assert_mem_eq(again.data, file.data, file.size);

    for (size_t i = 0; i < 16; i++) { // and the same with the data produced on demand
        shuffled[i].data = NULL;
        shuffled[i].bytes = 0;
    }
    Source source = {.bundle = &bundle};
    char *streamed = path_join(&arena, folder, "streamed", &err);
    CHECK_OK(safetensors_write(streamed, shuffled, 16, produce, &source, &err));
    CHECK_OK(file_map(&arena, streamed, &again, &err));
    ck_assert_uint_eq(again.size, file.size);
    ck_assert_mem_eq(again.data, file.data, file.size);
    scratch_done(&arena, folder);
    arena_done(&arena);
}
END_TEST

START_TEST(a_failed_write_leaves_nothing) {
    Arena arena;
    arena_init(&arena, 0);
    char folder[64];
    scratch_make(folder);
    char *path = path_join(&arena, folder, "out", &err);
    float values[4] = {1, 2, 3, 4};
    Tensor whole[1] = {{.name = "a", .dtype = DTYPE_F32, .shape = {1, {4}}, .data = values, .bytes = 16}};
    Bundle bundle = {whole, 1};
    Tensor asked[2] = {whole[0], whole[0]};
    asked[0].data = NULL;
    Source less = {.bundle = &bundle, .less = 1}, more = {.bundle = &bundle, .more = 1};
    CHECK_FAILS(safetensors_write(path, asked, 1, produce, &less, &err), ERR_INTERNAL,
                "'a' was given 15 of its 16 bytes");
    CHECK_FAILS(safetensors_write(path, asked, 1, produce, &more, &err), ERR_INTERNAL,
                "'a' was given more than its 16 bytes");
    CHECK_FAILS(safetensors_write(path, asked, 2, produce, &more, &err), ERR_FORMAT, "tensor 'a' is there twice");
    whole[0].shape = (Shape){3, {INT64_MAX, INT64_MAX, 2}};
    CHECK_FAILS(safetensors_write(path, whole, 1, NULL, NULL, &err), ERR_LIMIT, "tensor 'a' is larger than any memory");
    whole[0].shape = (Shape){1, {4}};
    for (int kind = 0; kind < 2; kind++) { // every allocation and every write may fail
        FaultKind fault = kind ? FAULT_WRITE : FAULT_ALLOCATION;
        for (uint64_t nth = 1;; nth++) {
            fault_arm(fault, nth);
            Status status = safetensors_write(path, whole, 1, NULL, NULL, &err);
            bool struck = fault_seen(fault) >= nth;
            fault_arm(fault, 0);
            ck_assert_int_eq(status == OK, !struck);
            ck_assert_int_eq(path_kind(path), struck ? PATH_NONE : PATH_FILE);
            if (!struck)
                break;
        }
        unlink(path);
    }
    scratch_done(&arena, folder); // fails if anything is left but what was written
    arena_done(&arena);
}
END_TEST

// A file of this header and `data_bytes` zero bytes.
static Status read_crafted(const char *header, size_t data_bytes) {
    Arena arena;
    arena_init(&arena, 0);
    Buffer b = {0};
    for (int i = 0; i < 8; i++)
        buffer_add_char(&b, (char)(strlen(header) >> 8 * i & 0xFF));
    buffer_add_text(&b, header);
    memset(buffer_extend(&b, data_bytes), 0, data_bytes);
    Bytes tight = tight_copy(buffer_bytes(&b));
    Bundle bundle;
    Status status = safetensors_read(&arena, "bad.safetensors", tight, &bundle, &err);
    memory_free((void *)tight.data);
    buffer_done(&b);
    arena_done(&arena);
    return status;
}

#define ENTRY(name, dtype, shape, begin, end)                                                                          \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

START_TEST(every_rule_is_kept) {
    static const struct {
        const char *header;
        size_t data_bytes;
        Status status;
        const char *message;
    } cases[] = {
        {"{}", 0, OK, ""},
        {"{}   \n", 0, OK, ""},
        {"{" ENTRY("a", "F32", "[2]", 0, 8) "," ENTRY("b", "U8", "[]", 8, 9) "}", 9, OK, ""},
        {"{" ENTRY("b", "U8", "[0]", 4, 4) "," ENTRY("a", "F32", "[1]", 0, 4) "," ENTRY("c", "U8", "[0,9]", 0, 0) "}",
         4, OK, ""},
        {"{}", 1, ERR_FORMAT, "file 'bad.safetensors': the tensors end at byte 0 of the data, the file at byte 1"},
        {" {}", 0, ERR_FORMAT, "byte 0 of the header: expected '{'"},
        {"[]", 0, ERR_FORMAT, "expected '{'"},
        {"{}x", 0, ERR_FORMAT, "byte 2 of the header: expected the end, found 'x'"},
        {"{" ENTRY("a", "F32", "[2]", 0, 8) "}", 7, ERR_FORMAT, "tensor 'a' ends at byte 8 of 7"},
        {"{" ENTRY("a", "F32", "[2]", 0, 8) "}", 9, ERR_FORMAT,
         "the tensors end at byte 8 of the data, the file at byte 9"},
        {"{" ENTRY("a", "F32", "[2]", 8, 0) "}", 8, ERR_FORMAT, "begins at byte 8 and ends before"},
        {"{" ENTRY("a", "F32", "[3]", 0, 8) "}", 8, ERR_FORMAT,
         "of shape [3] and dtype F32 needs 12 bytes, its data_offsets give 8"},
        {"{" ENTRY("a", "U8", "[4]", 4, 8) "}", 8, ERR_FORMAT,
         "tensor 'a' begins at byte 4 of the data, expected 0: there is a hole"},
        {"{" ENTRY("a", "U8", "[4]", 0, 4) "," ENTRY("b", "U8", "[4]", 5, 9) "}", 9, ERR_FORMAT,
         "'b' begins at byte 5 of the data, expected 4: there is a hole"},
        {"{" ENTRY("a", "U8", "[4]", 0, 4) "," ENTRY("b", "U8", "[4]", 3, 7) "}", 7, ERR_FORMAT,
         "'b' begins at byte 3 of the data, expected 4: it overlaps"},
        {"{" ENTRY("a", "U8", "[4]", 0, 4) "," ENTRY("b", "U8", "[4]", 0, 4) "}", 4, ERR_FORMAT, "overlaps"},
        {"{" ENTRY("a", "U8", "[2]", 0, 2) "," ENTRY("a", "U8", "[2]", 2, 4) "}", 4, ERR_FORMAT,
         "tensor 'a' is there twice"},
        {"{" ENTRY("a", "U8", "[2]", 0, 2) "," ENTRY("\\u0061", "U8", "[2]", 2, 4) "}", 4, ERR_FORMAT,
         "tensor 'a' is there twice"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, ERR_FORMAT,
         "has the field 'dtype' twice"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 0, ERR_FORMAT, "tensor 'a' lacks 'data_offsets'"},
        {"{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", 1, ERR_FORMAT, "tensor 'a' lacks 'dtype'"},
        {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1],\"x\":1}}", 1, ERR_FORMAT, "has the unknown field 'x'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, ERR_FORMAT,
         "data_offsets must be two integers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, ERR_FORMAT,
         "data_offsets must be two integers"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1, ERR_FORMAT,
         "expected an integer, found '.'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, ERR_FORMAT, "an integer of at least 0"},
        {"{\"a\":7}", 0, ERR_FORMAT, "byte 5 of the header: expected '{', found '7'"},
        {"{" ENTRY("a", "X8", "[1]", 0, 1) "}", 1, ERR_FORMAT, "tensor 'a' has the unknown dtype 'X8'"},
        {"{" ENTRY("a", "F8_E4M3", "[1]", 0, 1) "}", 1, ERR_UNSUPPORTED, "tensor 'a' has dtype F8_E4M3"},
        {"{" ENTRY("a", "C64", "[1]", 0, 8) "}", 8, ERR_UNSUPPORTED, "tensor 'a' has dtype C64"},
        {"{" ENTRY("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1, ERR_UNSUPPORTED, "more than 8 dimensions"},
        {"{" ENTRY("a", "F32", "[9223372036854775807,9223372036854775807]", 0, 4) "}", 4, ERR_FORMAT,
         "is larger than any memory"},
        {"{" ENTRY("a", "F32", "[4294967296,4294967296]", 0, 0) "}", 0, ERR_FORMAT, "is larger than any memory"},
        {"{" ENTRY("a", "F64", "[2305843009213693952]", 0, 0) "}", 0, ERR_FORMAT, "is larger than any memory"},
        {"{" ENTRY("a", "F32", "[26843545600]", 0, 107374182400) "}", 4, ERR_FORMAT,
         "tensor 'a' ends at byte 107374182400 of 4"},
        {"{" ENTRY("a", "F32", "[99999999999999999999]", 0, 4) "}", 4, ERR_FORMAT, "below 2^63"},
        {"{\"__metadata__\":{\"a\":\"b\"}}", 0, OK, ""},
        {"{\"__metadata__\":{\"a\":1}}", 0, ERR_FORMAT, "expected a string, found '1'"},
        {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, ERR_FORMAT, "__metadata__ has the key 'a' twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, ERR_FORMAT, "'__metadata__' twice"},
        {"{\"a\\u0000b\":{}}", 0, ERR_FORMAT, "U+0000"},
        {"{\"a\xFF\":{}}", 0, ERR_FORMAT, "expected UTF-8, found 0xff"},
        {"{\"a\":{\"dtype\":[[[[[[[[[[[[", 0, ERR_FORMAT, "expected a string, found '['"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (cases[i].status == OK)
            CHECK_OK(read_crafted(cases[i].header, cases[i].data_bytes));
        else
            CHECK_FAILS(read_crafted(cases[i].header, cases[i].data_bytes), cases[i].status, cases[i].message);
    }
}
END_TEST

START_TEST(lengths_and_truncations) {
    Arena arena;
    arena_init(&arena, 0);
    Bundle bundle;
    Bytes file = golden(&arena, "every_dtype.safetensors");
    for (size_t size = 0; size < file.size; size++) {
        Bytes cut = tight_copy((Bytes){file.data, size});
        Status status = safetensors_read(&arena, "cut", cut, &bundle, &err);
        ck_assert_msg(status == ERR_FORMAT, "%zu bytes: %s", size, status_name(status));
        memory_free((void *)cut.data);
    }
    CHECK_FAILS(safetensors_read(&arena, "x", (Bytes){file.data, 5}, &bundle, &err), ERR_FORMAT,
                "expected at least 8 bytes for the header's length, found 5");
    CHECK_FAILS(
        safetensors_read(&arena, "x", (Bytes){(const unsigned char *)"\x64\0\0\0\0\0\0\0{}", 10}, &bundle, &err),
        ERR_FORMAT, "the header ends at byte 108 of 10");
    CHECK_FAILS(
        safetensors_read(&arena, "x", (Bytes){(const unsigned char *)"\0\xE1\xF5\5\1\0\0\0{}", 10}, &bundle, &err),
        ERR_FORMAT, "the header claims 4394967296 bytes, at most 100000000");
    CHECK_FAILS(safetensors_read(&arena, "x", (Bytes){(const unsigned char *)"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10},
                                 &bundle, &err),
                ERR_FORMAT, "the header claims");
    CHECK_FAILS(safetensors_read(&arena, "x", (Bytes){(const unsigned char *)"\0\0\0\0\0\0\0\0{}", 10}, &bundle, &err),
                ERR_FORMAT, "expected '{'");
    arena_done(&arena);
}
END_TEST

START_TEST(large_hostile_headers_cost_little) {
    size_t bytes = 40 << 20;
    static const char *const patterns[] = {"\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},",
                                           "\"a\":[[[[", "\"\\u00e9\\u00e9"};
    uint64_t begin = budget_begin();
    for (size_t p = 0; p < ARRAY_COUNT(patterns); p++) {
        char *header = memory_new(bytes + 1, 1, &err);
        ck_assert_ptr_nonnull(header);
        header[0] = '{';
        size_t length = strlen(patterns[p]);
        for (size_t i = 1; i < bytes; i++)
            header[i] = patterns[p][p == 2 && i > length ? 1 + (i - 1) % (length - 1) : (i - 1) % length];
        header[bytes] = '\0';
        ck_assert_int_ne(read_crafted(header, 0), OK);
        memory_free(header);
    }
    budget_check(begin, 4 * bytes); // this test holds the header up to four times
}
END_TEST

START_TEST(no_allocation_failure_does_harm) {
    Arena files, arena;
    arena_init(&files, 0);
    Bytes file = golden(&files, "every_dtype.safetensors");
    for (uint64_t nth = 1;; nth++) {
        Bundle bundle = {0};
        arena_init(&arena, 0);
        fault_arm(FAULT_ALLOCATION, nth);
        Status status = safetensors_read(&arena, "x", file, &bundle, &err);
        bool struck = fault_seen(FAULT_ALLOCATION) >= nth;
        fault_arm(FAULT_ALLOCATION, 0);
        arena_done(&arena);
        ck_assert_int_eq(status, struck ? ERR_MEMORY : OK);
        if (!struck)
            break;
        ck_assert_ptr_null(bundle.tensors);
    }
    arena_done(&files);
}
END_TEST

TEST_MAIN("format/safetensors", a_file_of_the_reference_writer_is_read_in_place,
          writing_gives_the_reference_writers_bytes, a_failed_write_leaves_nothing, every_rule_is_kept,
          lengths_and_truncations, large_hostile_headers_cost_little, no_allocation_failure_does_harm)

// SPDX-License-Identifier: Apache-2.0
#include "format/craft.h"
#include "format/npy/npy.h"
#include "format/tensor_file.h"

static Error err;
static Arena arena;

START_TEST(numpys_files_are_read) {
    arena_init(&arena, 0);
    Tensor tensor;
    for (size_t i = 0; i < ARRAY_COUNT(golden_dtypes); i++) {
        if (golden_dtypes[i] == DTYPE_BF16)
            continue;
        char name[32];
        snprintf(name, sizeof name, "%s.npy", dtype_name(golden_dtypes[i]));
        CHECK_OK(tensor_file_read(&arena, golden_path(&arena, name), &tensor, &err));
        check_tensor(&tensor, golden_dtypes[i], "[2,3]", 0);
    }
    CHECK_OK(npy_read(&arena, "f", golden(&arena, "fortran.npy"), &tensor, &err));
    ck_assert_str_eq(tensor.name, "f");
    check_tensor(&tensor, DTYPE_F32, "[2,3,4]", 0);
    CHECK_OK(npy_read(&arena, "s", golden(&arena, "scalar.npy"), &tensor, &err));
    check_tensor(&tensor, DTYPE_F32, "[]", 3);
    CHECK_OK(npy_read(&arena, "e", golden(&arena, "empty.npy"), &tensor, &err));
    check_tensor(&tensor, DTYPE_F32, "[0,4]", 0);
    CHECK_OK(npy_read(&arena, "2", golden(&arena, "version2.npy"), &tensor, &err));
    check_tensor(&tensor, DTYPE_I64, "[5]", 0);
    CHECK_OK(npy_read(&arena, "3", golden(&arena, "version3.npy"), &tensor, &err));
    check_tensor(&tensor, DTYPE_I64, "[5]", 0);
    CHECK_FAILS(npy_read(&arena, "b", golden(&arena, "big_endian.npy"), &tensor, &err), ERR_UNSUPPORTED,
                "file 'b': the array's dtype '>f4' is not read");
    CHECK_FAILS(npy_read(&arena, "t", golden(&arena, "text.npy"), &tensor, &err), ERR_UNSUPPORTED,
                "dtype '<U2' is not read");
    CHECK_FAILS(npy_read(&arena, "r", golden(&arena, "records.npy"), &tensor, &err), ERR_UNSUPPORTED,
                "the array has records");
    arena_done(&arena);
}
END_TEST

START_TEST(writing_gives_numpys_bytes) {
    arena_init(&arena, 0);
    char folder[64];
    scratch_make(folder);
    char *path = path_join(&arena, folder, "out.npy", &err);
    static const char *const names[] = {"f64.npy",    "f16.npy",   "bool.npy", "u64.npy",
                                        "scalar.npy", "empty.npy", "i8.npy"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        Tensor tensor;
        Bytes file = golden(&arena, names[i]), again;
        CHECK_OK(npy_read(&arena, "x", file, &tensor, &err));
        CHECK_OK(npy_write(path, &tensor, &err));
        CHECK_OK(file_map(&arena, path, &again, &err));
        ck_assert_uint_eq(again.size, file.size);
        ck_assert_mem_eq(again.data, file.data, file.size);
    }
    uint16_t brain[2] = {0x3F80, 0xC000};
    Tensor tensor = {.name = "b", .dtype = DTYPE_BF16, .shape = {1, {2}}, .data = brain, .bytes = 4}, back;
    CHECK_OK(npy_write(path, &tensor, &err));
    CHECK_OK(tensor_file_read(&arena, path, &back, &err));
    ck_assert_int_eq(back.dtype, DTYPE_BF16);
    ck_assert_mem_eq(back.data, brain, 4);
    scratch_done(&arena, folder);
    arena_done(&arena);
}
END_TEST

static Status read_header(const char *header, size_t data_bytes) {
    Buffer b = {0};
    buffer_add(&b, "\x93NUMPY\1\0", 8);
    buffer_add_char(&b, (char)(strlen(header) & 0xFF));
    buffer_add_char(&b, (char)(strlen(header) >> 8));
    buffer_add_text(&b, header);
    memset(buffer_extend(&b, data_bytes), 0, data_bytes);
    Bytes tight = tight_copy(buffer_bytes(&b));
    buffer_done(&b);
    arena_init(&arena, 0);
    Tensor tensor;
    Status status = npy_read(&arena, "x", tight, &tensor, &err);
    memory_free((void *)tight.data);
    arena_done(&arena);
    return status;
}

START_TEST(headers_are_held_to_the_rules) {
    static const struct {
        const char *header;
        size_t data_bytes;
        Status status;
        const char *message;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 1L), }\n", 8, OK, ""},
        {"{\"shape\":(2,),\"descr\":\"|u1\",\"fortran_order\":True}", 2, OK, ""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, ERR_FORMAT,
         "shape [2] and dtype f32 does not take the 7 bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, ERR_FORMAT, "does not take the 9 bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (26843545600,), }", 9, ERR_FORMAT, "shape [26843545600]"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807,9223372036854775807), }", 4,
         ERR_FORMAT, "does not take"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,), }", 4, ERR_FORMAT,
         "a dimension below 2^63"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, ERR_UNSUPPORTED,
         "more than 8 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, ERR_FORMAT,
         "expected a dimension, found '-'"},
        {"{'descr': '<f4', 'fortran_order': False}", 4, ERR_FORMAT, "the header lacks 'shape'"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': ()}", 4, ERR_FORMAT, "the header has the key 'descr' twice"},
        {"{'descr': '<f4', 'x': 1}", 4, ERR_FORMAT, "the header has the key 'x', expected"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", 4, ERR_FORMAT, "expected True or False, found '0'"},
        {"{'descr': '<f4", 4, ERR_FORMAT, "a string without an end"},
        {"{'descr': '', 'fortran_order': False, 'shape': ()}", 4, ERR_UNSUPPORTED, "dtype '' is not read"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", 8, ERR_UNSUPPORTED, "dtype '|O' is not read"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': ()}", 8, ERR_UNSUPPORTED, "dtype '<c8' is not read"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", 4, ERR_FORMAT, "expected the end, found 'x'"},
        {"", 0, ERR_FORMAT, "expected '{'"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (cases[i].status == OK)
            CHECK_OK(read_header(cases[i].header, cases[i].data_bytes));
        else
            CHECK_FAILS(read_header(cases[i].header, cases[i].data_bytes), cases[i].status, cases[i].message);
    }
}
END_TEST

START_TEST(truncations_and_versions) {
    arena_init(&arena, 0);
    Tensor tensor;
    static const char *const names[] = {"fortran.npy", "version2.npy"};
    for (size_t n = 0; n < ARRAY_COUNT(names); n++) {
        Bytes file = golden(&arena, names[n]);
        for (size_t size = 0; size < file.size; size++) {
            Bytes cut = tight_copy((Bytes){file.data, size});
            CHECK_FAILS(npy_read(&arena, "cut", cut, &tensor, &err), ERR_FORMAT, "file 'cut': ");
            memory_free((void *)cut.data);
        }
    }
    CHECK_FAILS(npy_read(&arena, "x", (Bytes){(const unsigned char *)"\x93NUMPY\4\0\0\0\0\0", 12}, &tensor, &err),
                ERR_UNSUPPORTED, ".npy version 4.0");
    CHECK_FAILS(
        npy_read(&arena, "x", (Bytes){(const unsigned char *)"\x93NUMPY\2\0\xFF\xFF\xFF\xFF{", 13}, &tensor, &err),
        ERR_FORMAT, "claims 4294967295 bytes of 13");
    arena_done(&arena);
}
END_TEST

TEST_MAIN("format/npy", numpys_files_are_read, writing_gives_numpys_bytes, headers_are_held_to_the_rules,
          truncations_and_versions)

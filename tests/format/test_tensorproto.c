// SPDX-License-Identifier: Apache-2.0
#include "format/craft.h"
#include "format/tensor_file.h"
#include "format/tensorproto/tensorproto.h"

static Error err;
static Arena arena;
static Tensor tensor;

START_TEST(protobufs_files_are_read) {
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_COUNT(golden_dtypes); i++) {
        char name[32];
        for (int raw = 0; raw < 2; raw++) {
            snprintf(name, sizeof name, "%s.%s.pb", dtype_name(golden_dtypes[i]), raw ? "raw" : "typed");
            CHECK_OK(tensor_file_read(&arena, golden_path(&arena, name), &tensor, &err));
            check_tensor(&tensor, golden_dtypes[i], "[2,3]", 0);
            ck_assert_str_eq(tensor.name, dtype_name(golden_dtypes[i]));
        }
    }
    CHECK_OK(tensor_file_read(&arena, golden_path(&arena, "scalar.pb"), &tensor, &err));
    check_tensor(&tensor, DTYPE_F32, "[]", 3);
    CHECK_OK(tensor_file_read(&arena, golden_path(&arena, "empty.pb"), &tensor, &err));
    check_tensor(&tensor, DTYPE_I64, "[0,4]", 0);
    CHECK_FAILS(tensor_file_read(&arena, golden_path(&arena, "external.pb"), &tensor, &err), ERR_UNSUPPORTED,
                "external.pb': the tensor's data is in another file");
    CHECK_FAILS(tensor_file_read(&arena, golden_path(&arena, "strings.pb"), &tensor, &err), ERR_UNSUPPORTED,
                "data_type 8 (STRING) is not read");
    arena_done(&arena);
}
END_TEST

START_TEST(hostile_messages) {
    static const struct {
        const char *text;
        size_t bytes;
        Status status;
        const char *message;
    } cases[] = {
#define CASE(text, status, message) {text, sizeof(text) - 1, status, message}
        CASE("", ERR_FORMAT, "expected an ONNX TensorProto with a data_type"),
        CASE("\x08", ERR_FORMAT, "byte 1: a number is cut off"),
        CASE("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", ERR_FORMAT, "byte 1: a number of more than ten bytes"),
        CASE("\x4A\x05"
             "abc",
             ERR_FORMAT, "byte 0: field 9 claims 5 bytes, 3 are left"),
        CASE("\x4A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"
             "abc",
             ERR_FORMAT, "field 9 claims 9223372036854775807 bytes"),
        CASE("\x0B\x0C", ERR_FORMAT, "field 1 has the unknown wire type 3"),
        CASE("\x00\x01", ERR_FORMAT, "0 is no field number"),
        CASE("\x10\x01\x08\x80\x80\x80\x80\x64", ERR_FORMAT,
             "shape [26843545600] needs 26843545600 elements, the file has 8 bytes"),
        CASE("\x10\x01\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", ERR_FORMAT,
             "is larger than any memory"),
        CASE("\x10\x01\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", ERR_FORMAT, "the negative dimension -1"),
        CASE("\x10\x01\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1\x08\1", ERR_UNSUPPORTED,
             "more than 8 dimensions"),
        CASE("\x10\x63", ERR_UNSUPPORTED, "data_type 99 (unknown)"),
        CASE("\x10\x0E", ERR_UNSUPPORTED, "(COMPLEX64)"),
        CASE("\x10\x1B", ERR_UNSUPPORTED, "data_type 27 (unknown)"),
        CASE("\x10\x15\x08\x03\x4A\x01\x21", ERR_FORMAT, "raw_data has 1 bytes, shape [3] of u4 needs 2"),
        CASE("\x10\x19\x08\x05\x2A\x01\x21", ERR_FORMAT, "the tensor has 1 elements, its shape needs 2"),
        CASE("\x10\x16\x08\x02\x2A\x02\x80\x02", ERR_FORMAT, "element 0, 256, is out of the range of u8"),
        CASE("\x1A\x00\x10\x01", ERR_UNSUPPORTED, "one segment"),
        CASE("\x70\x01\x10\x01", ERR_UNSUPPORTED, "external data"),
        CASE("\x10\x01\x08\x02\x4A\x04"
             "abcd",
             ERR_FORMAT, "raw_data has 4 bytes, shape [2] of f32 needs 8"),
        CASE("\x10\x03\x08\x02\x2A\x01\x01", ERR_FORMAT, "the tensor has 1 elements, its shape needs 2"),
        CASE("\x10\x03\x08\x02\x2A\x03\x01\x01\x01", ERR_FORMAT, "more than the 2 elements of its shape"),
        CASE("\x10\x03\x08\x01\x2A\x02\x80\x01", ERR_FORMAT, "element 0, 128, is out of the range of i8"),
        CASE("\x10\x02\x08\x01\x2A\x02\x80\x02", ERR_FORMAT, "element 0, 256, is out of the range of u8"),
        CASE("\x10\x09\x08\x01\x2A\x01\x02", ERR_FORMAT, "out of the range of bool"),
        CASE("\x10\x01\x08\x01\x22\x03"
             "abc",
             ERR_FORMAT, "field 4 is cut off within an element"),
        CASE("\x48\x01\x10\x01", ERR_FORMAT, "field 9 is no string of bytes"),
#undef CASE
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        arena_init(&arena, 0);
        Bytes tight = tight_copy((Bytes){(const unsigned char *)cases[i].text, cases[i].bytes});
        CHECK_FAILS(tensorproto_read(&arena, "x", tight, &tensor, &err), cases[i].status, cases[i].message);
        ck_assert_uint_lt(arena.used_bytes, 4096);
        memory_free((void *)tight.data);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(unpacked_fields_and_unknown_ones) {
    arena_init(&arena, 0);
    static const char unpacked[] =
        "\x10\x06\x08\x02\x28\x05\xF8\x3F\x07\x28\xFB\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"; // 5 and -5
    CHECK_OK(
        tensorproto_read(&arena, "x", (Bytes){(const unsigned char *)unpacked, sizeof unpacked - 1}, &tensor, &err));
    float values[2];
    tensor_to_f32(&tensor, values);
    ck_assert(values[0] == 5 && values[1] == -5);
    static const char packed_dims[] =
        "\x10\x01\x0A\x02\x01\x02\x25\0\0\x80\x3F\x25\0\0\0\x40"; // [1,2] of single floats
    CHECK_OK(tensorproto_read(&arena, "x", (Bytes){(const unsigned char *)packed_dims, sizeof packed_dims - 1}, &tensor,
                              &err));
    tensor_to_f32(&tensor, values);
    ck_assert(tensor.shape.rank == 2 && values[0] == 1 && values[1] == 2);
    arena_done(&arena);
}
END_TEST

START_TEST(several_elements_share_a_byte) {
    static const struct {
        const char *text; // shape [5], three bytes of 4-bit elements or two of 2-bit ones
        size_t bytes;
        DType dtype;
        float expected[5];
    } cases[] = {
#define CASE(text, dtype, ...) {text, sizeof(text) - 1, dtype, __VA_ARGS__}
        CASE("\x10\x15\x08\x05\x4A\x03\xF1\x82\x07", DTYPE_U4, {1, 15, 2, 8, 7}),
        CASE("\x10\x16\x08\x05\x4A\x03\xF1\x82\x07", DTYPE_I4, {1, -1, 2, -8, 7}),
        CASE("\x10\x17\x08\x05\x4A\x03\xF1\x82\x07", DTYPE_F4E2M1, {0.5f, -6, 1, -0.0f, 6}),
        CASE("\x10\x19\x08\x05\x4A\x02\xE4\x02", DTYPE_U2, {0, 1, 2, 3, 2}),
        CASE("\x10\x1A\x08\x05\x4A\x02\xE4\x02", DTYPE_I2, {0, 1, -2, -1, -2}),
        CASE("\x10\x16\x08\x05\x2A\x05\xF1\x01\x82\x01\x07", DTYPE_I4, {1, -1, 2, -8, 7}), // int32_data
        CASE("\x10\x1A\x08\x05\x2A\x03\xE4\x01\x02", DTYPE_I2, {0, 1, -2, -1, -2}),
        CASE("\x10\x11\x08\x05\x4A\x05\x38\xB8\x7E\x01\x00", DTYPE_F8E4M3, {1, -1, 448, 0x1p-9f, 0}),
        CASE("\x10\x18\x08\x05\x2A\x06\x7F\x80\x01\x7E\x01\x00", DTYPE_F8E8M0, {1, 2, 0.5f, 0x1p-126f, 0x1p-127f}),
#undef CASE
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        arena_init(&arena, 0);
        Bytes file = {(const unsigned char *)cases[i].text, cases[i].bytes};
        CHECK_OK(tensorproto_read(&arena, "x", file, &tensor, &err));
        ck_assert_int_eq(tensor.dtype, cases[i].dtype);
        ck_assert_uint_eq(tensor.bytes, 5);
        float values[5];
        tensor_to_f32(&tensor, values);
        for (size_t k = 0; k < 5; k++)
            ck_assert_msg(values[k] == cases[i].expected[k], "case %zu: element %zu is %g", i, k, (double)values[k]);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(truncations) {
    arena_init(&arena, 0);
    Bytes file = golden(&arena, "i16.typed.pb");
    for (size_t size = 0; size < file.size; size++) {
        Bytes cut = tight_copy((Bytes){file.data, size});
        Status status = tensorproto_read(&arena, "x", cut, &tensor, &err);
        // The last field is the name: without it the message is whole.
        ck_assert_msg(status == ERR_FORMAT || (status == OK && size == file.size - 5), "%zu bytes: %s", size,
                      status_name(status));
        memory_free((void *)cut.data);
    }
    arena_done(&arena);
}
END_TEST

TEST_MAIN("format/tensorproto", protobufs_files_are_read, hostile_messages, unpacked_fields_and_unknown_ones,
          several_elements_share_a_byte, truncations)

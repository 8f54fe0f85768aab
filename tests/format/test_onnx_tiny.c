// SPDX-License-Identifier: Apache-2.0
// ONNX models of many tiny things, of which memory could hold far fewer than a file. Each runs in a process of its own,
// for its own peak.
#include "format/onnx_craft.h"

// `count` times the same bytes in a message of `fields`, outermost first, in a model.
static Bytes repeated(const char *unit, size_t bytes, size_t count, const unsigned *fields, size_t depth) {
    Buffer inner = {0};
    for (size_t i = 0; i < count; i++)
        buffer_add(&inner, unit, bytes);
    for (size_t i = depth; i-- > 0;) {
        Buffer outer = {0};
        if (!i)
            put_int(&outer, 1, 8);
        put_message(&outer, fields[i], &inner);
        inner = outer;
    }
    char *copy = arena_copy_text(&arena, inner.data, inner.bytes, &err);
    Bytes file = {(unsigned char *)copy, inner.bytes};
    buffer_done(&inner);
    return file;
}

// Many tiny things: refused, or read, but soon and in bounded memory.
enum { MOST_TINY_MB = 300, TINY_FILE_BYTES = 16 << 20 };

static const struct {
    const char *unit;
    size_t bytes;
    unsigned fields[6];
    size_t depth;
} tiny[] = {
#define TINY(unit, depth, ...)                                                                                         \
    { unit, sizeof(unit) - 1, {__VA_ARGS__}, depth }
    TINY("\x0A\x00", 1, 7),            // nodes
    TINY("\x0A\x05\x22\x03Not", 1, 7), // nodes with an operator
    TINY("\x0A\x0B\x22\x08"
         "Constant",
         1, 7),                                   // likewise
    TINY("\x0A\x00", 2, 7, 1),                    // a node's inputs
    TINY("\x12\x00", 2, 7, 1),                    // outputs
    TINY("\x2A\x00", 2, 7, 1),                    // attributes
    TINY("\x40\x01", 3, 7, 1, 5),                 // numbers of an attribute, one by one
    TINY("\x4A\x00", 3, 7, 1, 5),                 // strings of an attribute
    TINY("\x52\x00", 3, 7, 1, 5),                 // tensors
    TINY("\x5A\x00", 3, 7, 1, 5),                 // graphs
    TINY("\x7A\x00", 3, 7, 1, 5),                 // types
    TINY("\x2A\x00", 1, 7),                       // initializers
    TINY("\x5A\x00", 1, 7),                       // inputs
    TINY("\x62\x00", 1, 7),                       // outputs
    TINY("\x62\x03\x0A\x01x", 1, 7),              // outputs with a name
    TINY("\x6A\x00", 1, 7),                       // value_info
    TINY("\x6A\x05\x0A\x01x\x12\x00", 1, 7),      // with a type
    TINY("\x72\x00", 1, 7),                       // quantization annotations
    TINY("\x12\x00", 2, 7, 14),                   // their entries
    TINY("\x0A\x00", 5, 7, 11, 2, 1, 2),          // dimensions
    TINY("\x0A\x03\x12\x01n", 5, 7, 11, 2, 1, 2), // with a name
    TINY("\xF8\x07\x00", 1, 7),                   // unknown fields
    TINY("\xFA\x07\x00", 3, 7, 1, 5),             // likewise, in an attribute
    TINY("\x42\x00", 0, 0),                       // opsets
    TINY("\x72\x00", 0, 0),                       // metadata
    TINY("\xA2\x01\x00", 0, 0),                   // training, which is dropped
    TINY("\xCA\x01\x00", 0, 0),                   // functions
    TINY("\x3A\x02\x0A\x00", 0, 0),               // graphs that become one
    TINY("\x22\x00", 1, 25),                      // a function's inputs
    TINY("\x3A\x00", 1, 25),                      // nodes
    TINY("\x5A\x00", 1, 25),                      // defaults
};

START_TEST(many_tiny_things) {
    arena_init(&arena, 0);
    OnnxModel model;
    Bytes file =
        repeated(tiny[_i].unit, tiny[_i].bytes, TINY_FILE_BYTES / tiny[_i].bytes, tiny[_i].fields, tiny[_i].depth);
    uint64_t begin = budget_begin();
    Status status = onnx_read_bytes(&arena, "x", ".", file, &model, &err);
    ck_assert_msg(status == OK || status == ERR_FORMAT || status == ERR_UNSUPPORTED || status == ERR_LIMIT, "%s: %s",
                  status_name(status), err.message);
    budget_check(begin, (size_t)MOST_TINY_MB << 20);
    arena_done(&arena);
}
END_TEST

int main(void) {
    memory_init();
    Suite *suite = suite_create("format/onnx_tiny");
    TCase *all = tcase_create("format/onnx_tiny");
    tcase_set_timeout(all, 240);
    tcase_add_loop_test(all, many_tiny_things, 0, ARRAY_COUNT(tiny));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: Apache-2.0
// ONNX models that were made to do harm, or are broken: each ends with a sentence, soon and in little memory.
#include <sys/stat.h>

#include "format/onnx_craft.h"

static void check_refused(Bytes file, const char *folder, Status status, const char *message) {
    OnnxModel model;
    Bytes tight = tight_copy(file);
    uint64_t begin = budget_begin();
    CHECK_FAILS(onnx_read_bytes(&arena, "x.onnx", folder, tight, &model, &err), status, message);
    budget_check(begin, file.size + (status == ERR_LIMIT ? (size_t)400 << 20 : 0));
    memory_free((void *)tight.data);
}

static void check_graph_refused(Buffer *graph, Status status, const char *message) {
    check_refused(make_model(graph, 8, 17, NULL), ".", status, message);
}

// Messages within each other, `depth` times through `fields` in turn, behind a ModelProto's first fields.
static Bytes nest(const unsigned *fields, size_t count, size_t depth, const char *head, size_t head_bytes) {
    size_t room = head_bytes + depth * 7, at = room;
    unsigned char *data = arena_alloc(&arena, room, 1, &err);
    ck_assert_ptr_nonnull(data);
    for (size_t i = depth; i-- > 0;) {
        unsigned char length[5];
        size_t bytes = room - at, used = 0;
        for (; bytes >= 0x80; bytes >>= 7)
            length[used++] = (unsigned char)(bytes | 0x80);
        length[used++] = (unsigned char)bytes;
        at -= used;
        memcpy(data + at, length, used);
        unsigned tag = fields[i % count] << 3 | 2;
        if (tag >= 0x80)
            data[--at] = (unsigned char)(tag >> 7);
        data[--at] = (unsigned char)(tag & 0x7F) | (tag >= 0x80 ? 0x80 : 0);
    }
    at -= head_bytes;
    memcpy(data + at, head, head_bytes);
    return (Bytes){data + at, room - at};
}

START_TEST(nesting) {
    arena_init(&arena, 0);
    static const unsigned graphs[] = {7, 1, 5, 6, 1, 5, 6, 1, 5, 6, 1, 5}, bodies[] = {6, 1, 5};
    static const unsigned type_head[] = {7, 11, 2}, types[] = {4, 1}, maps[] = {5, 2}, functions[] = {25, 7, 5};
    check_refused(nest(graphs, 12, 12, "\x08\x08", 2), ".", ERR_FORMAT, "a node without an operator");
    struct {
        const unsigned *head, *rest;
        size_t head_count, rest_count;
    } cases[] = {{graphs, bodies, 3, 3}, {type_head, types, 3, 2}, {type_head, maps, 3, 2}, {functions, bodies, 3, 3}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        for (size_t depth = 60; depth <= 99999; depth = depth == 60 ? 99999 : depth + 1) {
            unsigned *fields = arena_array(&arena, depth, sizeof *fields, &err);
            for (size_t k = 0; k < depth; k++)
                fields[k] = k < cases[i].head_count ? cases[i].head[k]
                                                    : cases[i].rest[(k - cases[i].head_count) % cases[i].rest_count];
            Bytes file = nest(fields, depth, depth, "\x08\x08", 2);
            OnnxModel model;
            Status status = onnx_read_bytes(&arena, "x", ".", file, &model, &err);
            ck_assert_msg(status == ERR_FORMAT || status == ERR_UNSUPPORTED, "%zu: %s", depth, err.message);
            ck_assert_msg(depth < 99999 || strstr(err.message, "messages nest deeper than 64"), "%s", err.message);
        }
    arena_done(&arena);
}
END_TEST

START_TEST(damaged_bytes) {
    static const struct {
        const char *text;
        size_t bytes;
        Status status;
        const char *message;
    } cases[] = {
#define CASE(text, status, message) {text, sizeof(text) - 1, status, message}
        CASE("", ERR_FORMAT, "the model has no graph"),
        CASE("\x08\x08", ERR_FORMAT, "the model has no graph"),
        CASE("\x08\x08\x3A", ERR_FORMAT, "in the message at byte 0: byte 3: a number is cut off"),
        CASE("\x08\x08\x3A\xFF\xFF\xFF\xFF\x07", ERR_FORMAT, "field 7 claims 2147483647 bytes, 0 are left"),
        CASE("\x08\x08\x3A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", ERR_FORMAT, "claims 9223372036854775807 bytes"),
        CASE("\x08\x08\x38\x01", ERR_FORMAT, "field 7 should be a message"),
        CASE("\x08\x08\x3B\x3C", ERR_FORMAT, "field 7 has the unknown wire type 3"),
        CASE("\x08\x08\x3A\x00", ERR_UNSUPPORTED, "unused"),
        CASE("\x12\x82\x80\x80\x80\x80\x80\x00xy\x3A\x00", ERR_FORMAT, "a damaged message"),
        CASE("\x3A\x00", ERR_UNSUPPORTED, "IR version 0, those from 3 to 13 are read"),
        CASE("\x08\x02\x3A\x00", ERR_UNSUPPORTED, "IR version 2"),
        CASE("\x08\x63\x3A\x00", ERR_UNSUPPORTED, "IR version 99"),
        CASE("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x3A\x00", ERR_UNSUPPORTED, "IR version -1"),
        CASE("\x08\x08\x3A\x00\x42\x02\x10\x00", ERR_UNSUPPORTED, "opset 0, those from 1 to 27"),
        CASE("\x08\x08\x3A\x00\x42\x02\x10\x1C", ERR_UNSUPPORTED, "opset 28"),
        CASE("\x08\x08\x3A\x02\x12\x00", ERR_UNSUPPORTED, "unused"),
        CASE("\x08\x08\x3A\x03\x12\x01\xFF", ERR_FORMAT, "cannot be a name in a graph"),
        CASE("\x08\x08\x3A\x02\x2A\x00", ERR_FORMAT, "expected an ONNX TensorProto with a data_type"),
        CASE("\x08\x08\x3A\x02\x7A\x00", ERR_UNSUPPORTED, "sparse initializers are not read"),
        CASE("\x08\x08\x3A\x02\x0A\x00", ERR_FORMAT, "a node without an operator"),
        CASE("\x08\x08\x3A\x02\x5A\x00", ERR_FORMAT, "input 0 has no name"),
        CASE("\x08\x08\x3A\x02\x62\x00", ERR_FORMAT, "output 0 has no name"),
        CASE("\x08\x08\x3A\x05\x62\x03\x0A\x01y", ERR_FORMAT, "'y' is read, but nothing before it makes it"),
        CASE("\x08\x08\x3A\x00\xCA\x01\x00", ERR_FORMAT, "function 0 has no name"),
#undef CASE
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        arena_init(&arena, 0);
        if (strcmp(cases[i].message, "unused") != 0) // the others are empty graphs, which are fine
            check_refused((Bytes){(const unsigned char *)cases[i].text, cases[i].bytes}, ".", cases[i].status,
                          cases[i].message);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(tensors) {
    static const struct {
        int type;
        const char *dims;
        size_t raw_bytes; // SIZE_MAX: none
        Status status;
        const char *message;
    } cases[] = {
        {1, "1099511627776,1099511627776", SIZE_MAX, ERR_FORMAT, "larger than any memory"},
        {1, "1099511627776", SIZE_MAX, ERR_FORMAT, "needs 1099511627776 elements, the file has"},
        {1, "1099511627776", 8, ERR_FORMAT, "raw_data has 8 bytes"},
        {1, "-1", SIZE_MAX, ERR_FORMAT, "negative dimension -1"},
        {1, "2", 4, ERR_FORMAT, "raw_data has 4 bytes, shape [2] of f32 needs 8"},
        {1, "0", 4, ERR_FORMAT, "raw_data has 4 bytes"},
        {1, "", 0, ERR_FORMAT, "raw_data has 0 bytes"},
        {1, "1,1,1,1,1,1,1,1,1", 4, ERR_UNSUPPORTED, "more than 8 dimensions"},
        {8, "1", SIZE_MAX, ERR_UNSUPPORTED, "(STRING) is not read"},
        {14, "1", 8, ERR_UNSUPPORTED, "is not read"},
        {99, "1", 8, ERR_UNSUPPORTED, "is not read"},
        {-1, "1", 8, ERR_UNSUPPORTED, "is not read"},
        {0, "1", 8, ERR_FORMAT, "expected an ONNX TensorProto with a data_type"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        arena_init(&arena, 0);
        Buffer g = {0}, tensor = {0};
        put_tensor_head(&tensor, "w", cases[i].type, cases[i].dims);
        if (cases[i].raw_bytes != SIZE_MAX)
            put_bytes(&tensor, 9, "\0\0\0\0\0\0\0", cases[i].raw_bytes);
        put_message(&g, 5, &tensor);
        check_graph_refused(&g, cases[i].status, cases[i].message);
        arena_done(&arena);
    }
}
END_TEST

// One node each, after inputs x f32[2,3] and c bool[].
START_TEST(nodes) {
    static const struct {
        const char *op, *inputs, *outputs;
        Status status;
        const char *message;
    } cases[] = {
        {"Add", "x,y", "y", ERR_FORMAT, "node 'y' (Add): 'y' is read, but nothing before it makes it"},
        {"Add", "x,later", "y", ERR_FORMAT, "'later' is read"},
        {"Add", "x,x", "x", ERR_FORMAT, "value 'x' is made twice"},
        {"Split", "x", "y,y", ERR_FORMAT, "value 'y' is made twice"},
        {"Add", "x", "y", ERR_FORMAT, "node 'y' (Add) has 1 inputs, expected 2 to 2"},
        {"Add", "x,x,x", "y", ERR_FORMAT, "has 3 inputs"},
        {"Add", ",x", "y", ERR_FORMAT, "has no first input"},
        {"Add", "x,x", "y,z", ERR_FORMAT, "has 2 outputs, expected at most 1"},
        {"Add", "x,x", "", ERR_FORMAT, "has 0 outputs"},
        {"Range", "", "y", ERR_FORMAT, "has 0 inputs"},
        {"Scatter", "", "y", ERR_FORMAT, "has no first input"},
        {"Constant", "", "", ERR_FORMAT, "has 0 outputs, expected one with a name"},
        {"Constant", "", "a,b", ERR_FORMAT, "has 2 outputs"},
        {"Constant", "", "a", ERR_UNSUPPORTED, "expected a tensor, a number or numbers"},
        {"If", "c", "y", ERR_FORMAT, "attribute then_branch is missing"},
        {"Loop", "c", "y", ERR_FORMAT, "has 1 inputs, expected at least 2"},
        {"Loop", ",c", "y", ERR_FORMAT, "attribute body is missing"},
        {"input", "", "y", ERR_UNSUPPORTED, "there is no operator 'input' here"},
        {"linear", "x,x", "y", ERR_UNSUPPORTED, "there is no operator 'linear' here"},
        {"LSTM", "x", "y", ERR_UNSUPPORTED, "there is no operator 'LSTM' here"},
        {"com.evil:Add", "x,x", "y", ERR_UNSUPPORTED, "there is no operator 'com.evil.Add' here"},
        {"", "x", "y", ERR_UNSUPPORTED, "there is no operator '' here"},
        {"Identity", "x", "\xFF\xFE", ERR_FORMAT, "cannot be a name in a graph"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        arena_init(&arena, 0);
        Buffer g = {0};
        put_value(&g, 11, "x", 1, "2,3");
        put_value(&g, 11, "c", 9, "");
        put_node(&g, 1, cases[i].op, cases[i].inputs, cases[i].outputs, NULL);
        check_graph_refused(&g, cases[i].status, cases[i].message);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(names_and_types) {
    arena_init(&arena, 0);
    Buffer g = {0}, more = {0}, type = {0}, value = {0}, tensor = {0};
    put_value(&g, 11, "x", 1, "2");
    put_value(&g, 11, "x", 1, "2");
    check_graph_refused(&g, ERR_FORMAT, "value 'x' is made twice");
    put_tensor(&g, 5, "w", 1, "", "\0\0\0", 4);
    put_tensor(&g, 5, "w", 1, "", "\0\0\0", 4);
    check_graph_refused(&g, ERR_FORMAT, "initializer 'w' is there twice");
    put_tensor(&g, 5, "", 1, "", "\0\0\0", 4);
    check_graph_refused(&g, ERR_FORMAT, "an initializer without a name");
    put_value(&g, 11, "x", 8, "2");
    check_graph_refused(&g, ERR_UNSUPPORTED, "'x' has elements of ONNX's type 8, which is not read");
    put_value(&g, 11, "x", 1, "1,1,1,1,1,1,1,1,1");
    check_graph_refused(&g, ERR_UNSUPPORTED, "'x' has 9 dimensions, at most 8");
    static const unsigned others[] = {4, 5, 8, 9}; // sequence, map, sparse tensor, optional
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        put_text(&value, 1, "x");
        put_bytes(&type, others[i], "", 0);
        put_message(&value, 2, &type);
        put_message(&g, 11, &value);
        check_graph_refused(&g, ERR_UNSUPPORTED, "'x' is a sequence, map or optional");
    }
    // A TensorProto that says it is a place in the file is none.
    put_tensor_head(&tensor, "w", 1, "6");
    put_bytes(&tensor, 9, "oPlement\0\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\0\0", 24);
    put_message(&g, 5, &tensor);
    OnnxModel model;
    CHECK_OK(onnx_read_bytes(&arena, "x", ".", make_model(&g, 8, 17, NULL), &model, &err));
    for (int i = 0; i < 2; i++) {
        Buffer f = {0};
        put_text(&f, 1, "f");
        put_message(&more, 25, &f);
    }
    check_refused(make_model(&g, 8, 17, &more), ".", ERR_UNSUPPORTED, "function 'f' is there twice");
    arena_done(&arena);
}
END_TEST

START_TEST(odd_attributes) {
    arena_init(&arena, 0);
    Buffer g = {0}, a = {0}, b = {0};
    static const int64_t axes[] = {0};
    put_attribute_int(&a, "axis", 1);
    put_attribute_float(&a, "axis", 1);
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "Softmax", "x", "y", &a);
    check_graph_refused(&g, ERR_FORMAT, "attribute 'axis' is there twice");
    put_int(&b, 3, 1);
    put_message(&a, 5, &b);
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "Softmax", "x", "y", &a);
    check_graph_refused(&g, ERR_FORMAT, "an attribute without a name");
    put_attribute_int(&a, "odd name", 1);
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "Softmax", "x", "y", &a);
    check_graph_refused(&g, ERR_FORMAT, "cannot name an attribute");
    put_bytes(&b, 4, "a\0b", 3);
    attribute_end(&a, &b, "direction", ATTRIBUTE_S);
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "BitShift", "x,x", "y", &a);
    check_graph_refused(&g, ERR_FORMAT, "attribute 'direction' is a text with a NUL in it");
    put_attribute_float(&a, "alpha", strtof("nan", NULL));
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "Elu", "x", "y", &a);
    check_graph_refused(&g, ERR_FORMAT, "expected a finite number");
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "a%d", i);
        put_attribute_int(&a, name, 1);
    }
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "Elu", "x", "y", &a);
    check_graph_refused(&g, ERR_UNSUPPORTED, "has 300 attributes and 1 outputs, at most 256 and 4096");
    put_attribute_ints(&a, "then_branch", axes, 1);
    put_value(&g, 11, "c", 9, "");
    put_node(&g, 1, "If", "c", "y", &a);
    check_graph_refused(&g, ERR_FORMAT, "attribute then_branch is missing");
    // Of the wrong kind, before opset 7: an axis that overflows.
    put_attribute_int(&a, "axis", INT64_MAX);
    put_attribute_int(&a, "broadcast", 1);
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "Add", "x,x", "y", &a);
    check_refused(make_model(&g, 3, 6, NULL), ".", ERR_FORMAT, "axis 9223372036854775807, but the operands");
    put_attribute_int(&a, "num_groups", INT64_MIN);
    put_value(&g, 11, "x", 1, "2,4");
    put_node(&g, 1, "GroupNormalization", "x,x,x", "y", &a);
    check_refused(make_model(&g, 8, 18, NULL), ".", ERR_UNSUPPORTED, "expected num_groups");
    arena_done(&arena);
}
END_TEST

static void put_empty_body(Buffer *attributes, const char *name, const char *output) {
    Buffer body = {0};
    if (output)
        put_value(&body, 12, output, 0, NULL);
    put_attribute_message(attributes, name, ATTRIBUTE_G, &body);
}

START_TEST(bodies) {
    arena_init(&arena, 0);
    Buffer g = {0}, a = {0}, more = {0}, f = {0}, body = {0};
    put_value(&g, 11, "c", 9, "");
    put_empty_body(&a, "then_branch", "c");
    put_empty_body(&a, "else_branch", NULL);
    put_node(&g, 1, "If", "c", "y", &a);
    check_graph_refused(&g, ERR_FORMAT, "its else_branch takes 0 values and gives 0, expected 0 and 1");
    put_value(&g, 11, "c", 9, "");
    put_value(&body, 11, "i", 9, "");
    put_attribute_message(&a, "then_branch", ATTRIBUTE_G, &body);
    put_empty_body(&a, "else_branch", NULL);
    put_node(&g, 1, "If", "c", "y", &a);
    check_graph_refused(&g, ERR_FORMAT, "its then_branch takes 1 values and gives 0, expected 0 and 1");
    put_value(&g, 11, "c", 9, "");
    put_empty_body(&a, "body", "c");
    put_node(&g, 1, "Loop", ",c", "", &a);
    check_graph_refused(&g, ERR_FORMAT, "its body takes 0 values and gives 1, expected 2 and 1");
    // A body that only the function's call has: its names are the caller's.
    put_text(&f, 1, "f");
    put_list(&f, 4, "c");
    put_list(&f, 5, "y");
    put_attribute_reference(&a, "then_branch", "g", ATTRIBUTE_G);
    put_node(&f, 7, "If", "c", "y", &a);
    put_message(&more, 25, &f);
    put_value(&g, 11, "c", 9, "");
    put_empty_body(&a, "g", "c");
    put_node(&g, 1, "f", "c", "y", &a);
    check_refused(make_model(&g, 8, 17, &more), ".", ERR_UNSUPPORTED, "a body that is an attribute of a function");
    // Ten Ifs within each other.
    put_value(&body, 12, "c", 0, NULL);
    for (int i = 0; i < 10; i++) {
        put_attribute_message(&a, "then_branch", ATTRIBUTE_G, &body);
        put_empty_body(&a, "else_branch", "c");
        put_node(&body, 1, "If", "c", "y", &a);
        put_value(&body, 12, "y", 0, NULL);
    }
    put_value(&body, 11, "c", 9, "");
    check_graph_refused(&body, ERR_UNSUPPORTED, "bodies nest deeper than 7");
    arena_done(&arena);
}
END_TEST

// f0 .. f<levels>: each calls the next `calls` times; the last one calls `last`.
static Bytes calling(int levels, int calls, const char *last) {
    Buffer more = {0}, f = {0}, g = {0};
    for (int level = 0; level < levels; level++) {
        char name[16], next[16];
        snprintf(name, sizeof name, "f%d", level);
        snprintf(next, sizeof next, "f%d", level + 1);
        put_text(&f, 1, name);
        put_list(&f, 4, "v");
        put_list(&f, 5, "v");
        for (int i = 0; i < calls; i++) {
            char output[16];
            snprintf(output, sizeof output, "o%d", i);
            put_node(&f, 7, level + 1 < levels ? next : last, "v", output, NULL);
        }
        put_message(&more, 25, &f);
    }
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "f0", "x", "y", NULL);
    return make_model(&g, 8, 17, &more);
}

START_TEST(functions) {
    arena_init(&arena, 0);
    check_refused(calling(1, 1, "f0"), ".", ERR_UNSUPPORTED, "functions nest deeper than 64");
    check_refused(calling(1, 10, "f0"), ".", ERR_UNSUPPORTED, "functions nest deeper than 64");
    check_refused(calling(3, 2, "f1"), ".", ERR_UNSUPPORTED, "functions nest deeper than 64");
    Buffer more = {0}, f = {0}, g = {0};
    put_text(&f, 1, "f");
    put_list(&f, 4, "v");
    put_list(&f, 5, "none");
    put_message(&more, 25, &f);
    put_value(&g, 11, "x", 1, "2");
    put_node(&g, 1, "f", "x", "y", NULL);
    check_refused(make_model(&g, 8, 17, &more), ".", ERR_FORMAT, "in function f: 'none' is read");
    static const char *const calls[] = {"x,x", "y", "x", "y,z"};
    for (size_t i = 0; i < 4; i += 2) {
        put_text(&f, 1, "f");
        put_list(&f, 4, "v");
        put_list(&f, 5, "v");
        put_message(&more, 25, &f);
        put_value(&g, 11, "x", 1, "2");
        put_node(&g, 1, "f", calls[i], calls[i + 1], NULL);
        check_refused(make_model(&g, 8, 17, &more), ".", ERR_FORMAT, "its function has 1 and 1");
        more = (Buffer){0};
    }
    put_text(&f, 1, "f");
    put_opset(&f, 9, 99);
    put_message(&more, 25, &f);
    put_node(&g, 1, "f", "", "", NULL);
    check_refused(make_model(&g, 8, 17, &more), ".", ERR_UNSUPPORTED, "opset 99");
    check_refused(calling(20, 2, "Relu"), ".", ERR_LIMIT, "written out, the model would take more than");
    check_refused(calling(3, 1000, "Relu"), ".", ERR_LIMIT, "written out, the model would take more than");
    arena_done(&arena);
}
END_TEST

START_TEST(external_data) {
    static const struct {
        const char *location, *offset, *bytes;
        Status status;
        const char *message;
    } cases[] = {
        {"", NULL, NULL, ERR_FORMAT, "without a location"},
        {"missing", NULL, NULL, ERR_FORMAT, "there is no file"},
        {"/etc/passwd", NULL, NULL, ERR_FORMAT, "lies outside of the model's folder"},
        {"../outside", NULL, NULL, ERR_FORMAT, "lies outside of the model's folder"},
        {"inside/../../outside", NULL, NULL, ERR_FORMAT, "lies outside of the model's folder"},
        {"link", NULL, NULL, ERR_FORMAT, "lies outside of the model's folder"},
        {"device", NULL, NULL, ERR_FORMAT, "lies outside of the model's folder"},
        {"pipe", NULL, NULL, ERR_FORMAT, "is no regular file"},
        {"folder", NULL, NULL, ERR_FORMAT, "is no regular file"},
        {".", NULL, NULL, ERR_FORMAT, "lies outside of the model's folder"},
        {"sixteen", "1", NULL, ERR_FORMAT, "external data at byte 1 of 'sixteen' needs 16 bytes, the file has 16"},
        {"sixteen", "17", "0", ERR_FORMAT, "at byte 17 of 'sixteen'"},
        {"sixteen", "0", "17", ERR_FORMAT, "needs 17 bytes"},
        {"sixteen", "0", "8", ERR_FORMAT, "raw_data has 8 bytes"},
        {"sixteen", "18446744073709551600", "16", ERR_FORMAT, "at byte 18446744073709551600"},
        {"sixteen", "8", "18446744073709551608", ERR_FORMAT, "needs 18446744073709551608 bytes"},
        {"sixteen", "99999999999999999999999", NULL, ERR_FORMAT, "offset is '99999999999999999999999'"},
        {"sixteen", "-1", NULL, ERR_FORMAT, "offset is '-1', expected a number"},
        {"sixteen", "0", "", ERR_FORMAT, "length is '', expected a number"},
        {"empty", NULL, NULL, ERR_FORMAT, "needs 16 bytes, the file has 0"},
    };
    arena_init(&arena, 0);
    char folder[64];
    scratch_make(folder);
    unsigned char data[16] = {0};
    scratch_put(&arena, folder, "sixteen", data, sizeof data);
    scratch_put(&arena, folder, "empty", data, 0);
    char *sub = path_join(&arena, folder, "folder", &err);
    ck_assert_int_eq(symlink("/etc/passwd", path_join(&arena, folder, "link", &err)), 0);
    ck_assert_int_eq(symlink("/dev/zero", path_join(&arena, folder, "device", &err)), 0);
    ck_assert_int_eq(mkfifo(path_join(&arena, folder, "pipe", &err), 0600), 0);
    ck_assert_int_eq(mkdir(sub, 0700), 0);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        Buffer g = {0};
        put_external(&g, "w", 1, "4", cases[i].location, cases[i].offset, cases[i].bytes);
        check_refused(make_model(&g, 8, 17, NULL), folder, cases[i].status, cases[i].message);
    }
    Buffer g = {0}, tensor = {0}, entry = {0};
    put_external(&g, "a", 1, "3", "sixteen", "0", NULL);
    put_external(&g, "b", 1, "1", "sixteen", "8", NULL);
    check_refused(make_model(&g, 8, 17, NULL), folder, ERR_FORMAT, "bytes 0 and 8 of 'sixteen' overlaps");
    put_external(&g, "a", 1, "3", "sixteen", "0", NULL);
    put_external(&g, "b", 1, "3", "sixteen", "4", NULL);
    check_refused(make_model(&g, 8, 17, NULL), folder, ERR_FORMAT, "at byte 4 of 'sixteen' overlaps");
    put_tensor_head(&tensor, "w", 1, "4");
    put_text(&entry, 1, "location");
    put_bytes(&entry, 2, "sixteen\0.bin", 12);
    put_message(&tensor, 13, &entry);
    put_int(&tensor, 14, 1);
    put_message(&g, 5, &tensor);
    check_refused(make_model(&g, 8, 17, NULL), folder, ERR_FORMAT, "a location with a NUL in it");
    ck_assert_int_eq(rmdir(sub), 0);
    scratch_done(&arena, folder);
    arena_done(&arena);
}
END_TEST

// A model with something of everything, damaged byte by byte.
static Bytes rich_model(void) {
    Buffer g = {0}, more = {0}, f = {0}, a = {0}, then = {0}, other = {0}, d = {0};
    static const int64_t ints[] = {1, 2};
    put_text(&f, 1, "f");
    put_text(&f, 10, "my");
    put_list(&f, 4, "v");
    put_list(&f, 5, "r");
    put_attribute_reference(&a, "alpha", "slope", ATTRIBUTE_F);
    put_node(&f, 7, "Elu", "v", "r", &a);
    put_float(&d, 2, 1);
    put_text(&d, 1, "slope");
    put_message(&f, 11, &d);
    put_opset(&f, 9, 17);
    put_message(&more, 25, &f);
    put_text(&g, 2, "rich");
    put_value(&g, 11, "x", 1, "B,2");
    put_value(&g, 11, "c", 9, "");
    put_value(&g, 12, "y", 1, "B,2");
    put_value(&g, 13, "h", 1, "?,2");
    put_tensor(&g, 5, "w", 1, "1,2", "\0\0\x80\x3F\0\0\0", 8);
    put_node(&g, 1, "Add", "x,w", "h", NULL);
    put_attribute_ints(&a, "value_ints", ints, 2);
    put_node(&g, 1, "Constant", "", "k", &a);
    put_node(&g, 1, "my:f", "h", "i", NULL);
    put_value(&then, 12, "i", 0, NULL);
    put_node(&other, 1, "Add", "x,h", "o", NULL);
    put_value(&other, 12, "o", 0, NULL);
    put_attribute_message(&a, "then_branch", ATTRIBUTE_G, &then);
    put_attribute_message(&a, "else_branch", ATTRIBUTE_G, &other);
    put_node(&g, 1, "If", "c", "y", &a);
    put_text(&more, 2, "maker");
    return make_model(&g, 8, 17, &more);
}

static void check_ends(Bytes file, size_t at) {
    OnnxModel model;
    Arena own;
    arena_init(&own, 0);
    err.message[0] = '\0';
    Status status = onnx_read_bytes(&own, "x", ".", file, &model, &err);
    ck_assert_msg(status == OK || status == ERR_FORMAT || status == ERR_UNSUPPORTED || status == ERR_LIMIT,
                  "byte %zu: %s: %s", at, status_name(status), err.message);
    ck_assert_msg(status == OK || strlen(err.message) > 12, "byte %zu: no sentence", at);
    Buffer text = {0};
    if (status == OK)
        graph_print(model.graph, true, &text);
    buffer_done(&text);
    arena_done(&own);
}

START_TEST(every_byte_damaged) {
    arena_init(&arena, 0);
    Bytes file = rich_model();
    OnnxModel model;
    CHECK_OK(onnx_read_bytes(&arena, "x", ".", file, &model, &err));
    for (size_t i = 0; i < file.size; i++) {
        Bytes cut = tight_copy((Bytes){file.data, i}), bent = tight_copy(file);
        check_ends(cut, i);
        unsigned char *byte = (unsigned char *)bent.data + i, was = *byte;
        for (unsigned bit = 0; bit < 8; bit++) {
            *byte = (unsigned char)(was ^ 1u << bit);
            check_ends(bent, i);
        }
        static const unsigned char values[] = {0, 0xFF, 0x7F, 0x80};
        for (size_t v = 0; v < sizeof values; v++) {
            *byte = values[v];
            check_ends(bent, i);
        }
        memory_free((void *)cut.data);
        memory_free((void *)bent.data);
    }
    arena_done(&arena);
}
END_TEST

TEST_MAIN("format/onnx_hostile", nesting, damaged_bytes, tensors, nodes, names_and_types, odd_attributes, bodies,
          functions, external_data, every_byte_damaged)

// SPDX-License-Identifier: Apache-2.0
// The text form: parse(print(g)) = g for random graphs, exact values, errors with their place, hostile text.
#include "graph/print.h"

#include "base/fault.h"
#include "check.h"
#include "random_graph.h"

static Arena arena;
static Error err;

static Bytes bytes_of(const char *text) {
    return (Bytes){(const unsigned char *)text, strlen(text)};
}

static char *printed(const Graph *graph) {
    Buffer buffer = {0};
    graph_print(graph, true, &buffer);
    CHECK_OK(buffer_status(&buffer, &err));
    char *text = arena_copy_text(&arena, buffer.data, buffer.bytes, &err);
    ck_assert_ptr_nonnull(text);
    buffer_done(&buffer);
    return text;
}

static Graph *parsed(const char *text) {
    Graph *graph = NULL;
    CHECK_OK(graph_parse(&arena, "text", bytes_of(text), &graph, &err));
    CHECK_OK(graph_verify(graph, &err));
    return graph;
}

START_TEST(test_canonical_text) {
    static const char text[] = "graph encode(T, N)\n"
                               "  const @shared : f32[50265,768]\n"
                               "  const @fc1 : s8/row[3072,768]\n"
                               "  const @q : f16[768,768]\n"
                               "  const @qkv = rows @q, @q, @q : f16[2304,768]\n"
                               "  const @one = {1, 2.5} : f32[2]\n"
                               "  const @\"odd name\" = {-3} : i8[]\n"
                               "  const @small = {127, -3, 0, 1} scales {0.1, 9.99995e-41} : s8/row[2,2]\n"
                               "  %ids = input : i32[T]\n"
                               "  %x = embed %ids, @shared {scale=1} : f32[T,768]\n"
                               "  %y = linear %x, @q, _, %x {activation=gelu} : f32[T,768]\n"
                               "  %z = layer_norm %y, @one, _ {epsilon=1e-05, text=\"two words\"} : ?\n"
                               "  %q, %k, %v = split %y {sizes=[768,0,-9223372036854775808]} : f32[T,768], ?, bf16[]\n"
                               "  cross_store %k, %v {heads=12, layer=0}\n"
                               "  return %x, @one\n";
    arena_init(&arena, 0);
    ck_assert_str_eq(printed(parsed(text)), text);
    static const char loose[] = "// a comment\n\n\tgraph  loose( )  // another\r\n"
                                "const @\"c\" : f32 [ 2 , 3 ]\n\n  % x = input:f32[]\n";
    CHECK_FAILS(graph_parse(&arena, "text", bytes_of(loose), &(Graph *){NULL}, &err), ERR_FORMAT,
                "text, line 6, column 4: expected a value's name, found ' '");
    ck_assert_str_eq(printed(parsed("// a comment\n\n\tgraph  loose( )  // another\r\n"
                                    "const @\"c\" : f32 [ 2 , 3 ]\n\n  %x = input:f32[]\nreturn  // nothing")),
                     "graph loose()\n  const @c : f32[2,3]\n  %x = input : f32[]\n  return\n");
    arena_done(&arena);
}
END_TEST

// Bodies are graphs of their own: names and dimensions of theirs mean nothing outside.
START_TEST(test_bodies) {
    static const char text[] = "graph g(T)\n"
                               "  const @one : f32[1]\n"
                               "  %c = input : bool[]\n"
                               "  %x = input : f32[T,?]\n"
                               "  %y = If %c, %x {else_branch=(\n"
                               "    graph no(N)\n"
                               "      %x = input : f32[N,2]\n"
                               "      return %x\n"
                               "  ), then_branch=(\n"
                               "    graph yes()\n"
                               "      const @one : f32[2]\n"
                               "      %x = input : ?\n"
                               "      %y = Add %x, @one : ?\n"
                               "      return %y\n"
                               "  )} : ?\n"
                               "  %z, %all = Loop _, %c, %y {body=(\n"
                               "    graph body()\n"
                               "      %i = input : i64[]\n"
                               "      %c = input : bool[]\n"
                               "      %x = input : ?\n"
                               "      %y = If %c, %x {else_branch=(\n"
                               "        graph a()\n"
                               "          %x = input : ?\n"
                               "          return %x\n"
                               "      ), then_branch=(\n"
                               "        graph b()\n"
                               "          %x = input : ?\n"
                               "          return %x\n"
                               "      )} : ?\n"
                               "      return %c, %y, %i\n"
                               "  ), carried=1} : ?, i64[?]\n"
                               "  return %z, %all\n";
    arena_init(&arena, 0);
    Graph *graph = parsed(text);
    ck_assert_str_eq(printed(graph), text);
    Arena other;
    arena_init(&other, 0);
    Graph *copy = graph_copy(&other, graph, &err);
    ck_assert_ptr_nonnull(copy);
    arena_done(&arena); // and all that the copy might still look at (constants' data is shared, and there is none)
    ck_assert_str_eq(printed(copy), text);
    arena_done(&other);
    CHECK_FAILS(graph_parse(&arena, "text",
                            bytes_of("graph g()\n  %c = input : bool[]\n  %y = If %c {then_branch=(\n"
                                     "    graph a()\n      return %c\n  )} : ?\n  return\n"),
                            &graph, &err),
                ERR_FORMAT, "line 5, column 14: there is no value '%c' before this line");
    CHECK_FAILS(graph_parse(&arena, "text",
                            bytes_of("graph g()\n  %c = input : bool[]\n\n  %y = If {then_branch=(\n    graph a()\n"
                                     "      return\n  )} : ?\n  return\n"),
                            &graph, &err),
                ERR_FORMAT, "line 4, column 8: If has 0 inputs");
    arena_done(&arena);
}
END_TEST

START_TEST(test_values_keep_their_bits) {
    static const char *const constants[] = {
        "{0.1, 3.4028235e+38, 1.4013e-45, -0.0} : f32[4]",
        "{inf, -inf, nan} : f32[3]",
        "{0.1, 1.7976931348623157e+308, 4.94066e-324, 0.30000000000000004} : f64[4]",
        "{65504, 5.9604645e-08, 0.33325195} : f16[3]",
        "{3.3895314e+38, -1.0078125} : bf16[2]",
        "{9223372036854775807, -9223372036854775808, 9007199254740993} : i64[3]",
        "{18446744073709551615, 0} : u64[2]",
        "{2147483647, -2147483648, 16777217} : i32[3]",
        "{4294967295} : u32[1]",
        "{-32768, 32767} : i16[2]",
        "{65535} : u16[1]",
        "{-128, 127} : i8[2]",
        "{255} : u8[1]",
        "{1, 0} : bool[2]",
        "{} : f32[0,5]",
        "{100000, 1e+06, 123456} : f32[3]",
    };
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_COUNT(constants); i++) {
        char text[200];
        snprintf(text, sizeof text, "graph g()\n  const @c = %s\n  return\n", constants[i]);
        ck_assert_str_eq(printed(parsed(text)), text);
    }
    float tenth;
    memcpy(&tenth, parsed("graph g()\nconst @c = {0.1} : f32[1]\nreturn")->constants[0]->data, sizeof tenth);
    ck_assert(tenth == 0.1f);
    Random random = {7};
    for (int i = 0; i < 2000; i++) { // attributes: any finite double
        uint64_t bits = random_next(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (value - value != 0)
            continue;
        Graph *graph = graph_make(&arena, "g", &err);
        Attribute attribute = attribute_real("a", i % 4 ? value : (double)(int64_t)(bits >> 11));
        NodeSpec spec = {.op = OP_INPUT, .attributes = &attribute, .attribute_count = 1, .output_count = 1};
        CHECK_OK(graph_add_node(graph, &spec, NULL, &err));
        char *text = printed(graph);
        Graph *back = parsed(text);
        ck_assert_str_eq(printed(back), text);
        ck_assert_msg(node_real(back->nodes[0], "a", 0) == attribute.real, "%s", text);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_random_graphs_come_back) {
    for (uint64_t seed = 1; seed <= 500; seed++) {
        arena_init(&arena, 0);
        Graph *graph = random_graph(&arena, seed);
        CHECK_OK(graph_verify(graph, &err));
        char *text = printed(graph);
        ck_assert_msg(strcmp(text, printed(parsed(text))) == 0, "seed %llu:\n%s", (unsigned long long)seed, text);
        Graph *copy = graph_copy(&arena, graph, &err);
        ck_assert_ptr_nonnull(copy);
        ck_assert_str_eq(printed(copy), text);
        arena_done(&arena);
    }
}
END_TEST

#define ZEROS "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
#define CODES "-112, -78, -59, -44, -32, -21, -10, 0, 9, 18, 28, 38, 49, 63, 81, 112"

// The text does not depend on the order of codes in a byte, nor on where their values lie.
START_TEST(test_four_bits) {
    static const char text[] = "graph g()\n  const @c = {" ZEROS "15, " ZEROS "2} scales {0.5, 2} codes {" CODES
                               "} : q4/32[1,64]\n  const @d : q4/128[3,256]\n  return\n";
    arena_init(&arena, 0);
    Graph *graph = parsed(text);
    Constant *constant = graph->constants[0];
    ck_assert_str_eq(printed(graph), text);
    ck_assert(constant->scheme == SCHEME_Q4 && constant->group == 32 && !constant->high_first);
    ck_assert_int_eq(((const uint8_t *)constant->data)[15], 0xF0);
    uint8_t pairs[32];
    for (size_t i = 0; i < sizeof pairs; i++) {
        uint8_t pair = ((const uint8_t *)constant->data)[i];
        pairs[i] = (uint8_t)(pair << 4 | pair >> 4);
    }
    constant->data = pairs;
    constant->high_first = true;
    ck_assert_str_eq(printed(graph), text);
    constant->codes = NULL; // values without meaning are not written
    ck_assert(strstr(printed(graph), "const @c : q4/32[1,64]"));
    arena_done(&arena);
}
END_TEST

START_TEST(test_errors_name_their_place) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "text, line 1, column 1: expected 'graph'"},
        {"graf g()\nreturn\n", "line 1, column 1: expected 'graph'"},
        {"graph g(T, T)\n return\n", "dimension 'T' is there twice"},
        {"graph g()\n", "line 2, column 1: the text ends without 'return'"},
        {"graph g()\n return\n return\n", "line 3, column 2: expected nothing after 'return'"},
        {"graph g()\n  %x = inptu : f32[]\n return\n", "line 2, column 8: there is no operator 'inptu'"},
        {"graph g()\n  %x = input : f33[]\n return\n", "line 2, column 16: there is no type 'f33'"},
        {"graph g()\n  %x = input : f32[T]\n return\n", "column 20: the graph has no dimension 'T'"},
        {"graph g()\n  %x = input : f32[-1]\n return\n", "'-1' is no dimension"},
        {"graph g()\n  %x = input : f32[1,1,1,1,1,1,1,1,1]\n return\n", "more than 8 dimensions"},
        {"graph g()\n  %x = input : f32[]\n  %x = input : f32[]\n return\n",
         "line 3, column 3: value '%x' is there twice"},
        {"graph g()\n  const @c : f32[]\n  const @c : f32[]\n return\n",
         "line 3, column 9: constant '@c' is there twice"},
        {"graph g()\n  %y = scale %x : f32[]\n return\n", "line 2, column 14: there is no value '%x' before this line"},
        {"graph g()\n  %y = scale @x : f32[]\n return\n", "there is no constant '@x' before this line"},
        {"graph g()\n  %y = scale : f32[]\n return\n", "column 8: scale has 0 inputs, expected 1 to 1"},
        {"graph g()\n  %y = scale _ : f32[]\n return\n", "scale has no first input"},
        {"graph g()\n  %x, %y = input : f32[], f32[]\n return\n", "input has 2 outputs, expected 1"},
        {"graph g()\n  input : f32[]\n return\n", "input has 0 outputs, expected 1"},
        {"graph g()\n  %x = input : f32[], f32[]\n return\n", "column 21: expected the end of the line, found ','"},
        {"graph g()\n  %x = input {a=1, a=2} : f32[]\n return\n", "attribute 'a' is there twice or out of order"},
        {"graph g()\n  %x = input {a=1e999} : f32[]\n return\n", "attribute 'a' is 1e999, expected a finite number"},
        {"graph g()\n  %x = input {a=1x} : f32[]\n return\n", "'1x' is no number"},
        {"graph g()\n  %x = input {a=99999999999999999999} : f32[]\n return\n", "does not fit 64 bits"},
        {"graph g()\n  %x = input {a=[1.5]} : f32[]\n return\n", "'1.5' is no integer of 64 bits"},
        {"graph g()\n  const @\"c : f32[]\n return\n", "column 10: this string has no closing quote"},
        {"graph g()\n  const @\"\\x\" : f32[]\n return\n", "not a valid JSON string"},
        {"graph g()\n  const @\"\" : f32[]\n return\n", "a constant's name is empty"},
        {"graph g()\n  const @c = {1} : f32[2]\n return\n", "column 16: expected ',', found '}'"},
        {"graph g()\n  const @c = {300} : i8[1]\n return\n", "column 15: 300 is no value of type i8"},
        {"graph g()\n  const @c = {1} : f32[1000000000000]\n return\n", "at most 16 can be written"},
        {"graph g()\n  const @c = {1} : s8/row[1,1]\n return\n", "column 17: expected 'scales' and 1 numbers"},
        {"graph g()\n  const @c : q4[1,64]\n return\n", "column 16: expected '/', found '['"},
        {"graph g()\n  const @c : q4/0[1,64]\n return\n", "expected 'q4/' and the columns to a scale"},
        {"graph g()\n  const @c : q4/64[64]\n return\n", "constant '@c' is q4, but not u8 [rows, columns]"},
        {"graph g()\n  const @c : q4/48[1,96]\n return\n",
         "constant '@c' is q4 in groups of 48, expected a multiple of 32 that divides its 96 columns"},
        {"graph g()\n  const @c : q4/64[1,96]\n return\n", "in groups of 64, expected a multiple of 32"},
        {"graph g()\n  const @c = {1} : q4/32[3,32]\n return\n", "values for 96 elements, at most 64 can be written"},
        {"graph g()\n  const @c = {" ZEROS "16} scales {1} codes {" CODES "} : q4/32[1,32]\n return\n",
         "16 is no code of 4 bits"},
        {"graph g()\n  const @c = {" ZEROS "1} scales {1} : q4/32[1,32]\n return\n", "expected 'codes' and 16 numbers"},
        {"graph g()\n  const @a : q4/32[1,64]\n  const @c = rows @a : q4/64[1,64]\n return\n",
         "its part '@a' differs in more than the number of rows"},
        {"graph g()\n  const @c : s8/row[1]\n return\n", "constant '@c' is s8/row, but not i8 [rows, columns]"},
        {"graph g()\n  const @c : f32[4294967296,4294967296]\n return\n", "a shape that no memory can hold"},
        {"graph g()\n  const @c = rows @c : f32[1]\n return\n", "there is no constant '@c' before this line"},
        {"graph g()\n  const @a : f32[2]\n  const @c = rows @a, @a : f32[3]\n return\n",
         "line 3, column 9: constant '@c' has 3 rows, its parts have 4"},
        {"graph g()\n  const @a : f32[2]\n  const @b = rows @a : f32[2]\n  const @c = rows @b : f32[2]\n return\n",
         "constant '@c': its part '@b' has parts itself"},
        {"graph g()\n  const @a : f16[2]\n  const @c = rows @a : f32[2]\n return\n",
         "its part '@a' differs in more than the number of rows"},
        {"graph g()\n  return _\n", "return 0 is absent"},
        {"graph g()\n  \x01\n", "found byte 1"},
    };
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        Graph *graph = NULL;
        CHECK_FAILS(graph_parse(&arena, "text", bytes_of(cases[i].text), &graph, &err), ERR_FORMAT, cases[i].message);
        ck_assert_ptr_null(graph);
    }
    arena_done(&arena);
}
END_TEST

// As much text as is allowed, of the costliest kinds: ends soon and within 100 MB.
START_TEST(test_hostile_text_is_bounded) {
    arena_init(&arena, 100 << 20);
    Buffer text = {0};
    Graph *graph;
    buffer_add_text(&text, "graph g()\n");
    for (int i = 0; text.bytes < GRAPH_MOST_TEXT_BYTES - 64; i++)
        buffer_format(&text, "%%%x=input:?\n", i);
    buffer_add_text(&text, "return\n");
    CHECK_OK(buffer_status(&text, &err));
    CHECK_OK(graph_parse(&arena, "text", (Bytes){(unsigned char *)text.data, text.bytes}, &graph, &err));
    ck_assert_uint_gt(graph->node_count, 60000);
    CHECK_OK(graph_verify(graph, &err));
    arena_done(&arena);
    arena_init(&arena, 100 << 20);
    buffer_clear(&text);
    buffer_add_text(&text, "graph g()\n%x = input {a=[");
    for (int i = 0; i < 1025; i++)
        buffer_add_text(&text, i ? ",1" : "1");
    buffer_add_text(&text, "]} : ?\nreturn\n");
    CHECK_FAILS(graph_parse(&arena, "text", (Bytes){(unsigned char *)text.data, text.bytes}, &graph, &err), ERR_LIMIT,
                "line 2, column 2064: a list of more than 1024 items");
    while (text.bytes <= GRAPH_MOST_TEXT_BYTES)
        buffer_add_text(&text, "more text");
    CHECK_FAILS(graph_parse(&arena, "text", (Bytes){(unsigned char *)text.data, text.bytes}, &graph, &err), ERR_LIMIT,
                "text has 1");
    buffer_done(&text);
    arena_done(&arena);
}
END_TEST

// Every prefix of a text and every changed byte: an error or a graph, never worse.
START_TEST(test_damaged_text) {
    arena_init(&arena, 0);
    char *text = printed(random_graph(&arena, 11));
    size_t bytes = strlen(text);
    Random random = {5};
    for (size_t i = 0; i < bytes; i++) {
        Arena scratch;
        arena_init(&scratch, 0);
        Graph *graph;
        IGNORE_STATUS(graph_parse(&scratch, "text", (Bytes){(unsigned char *)text, i}, &graph, &err)); // may be fine
        char old = text[i];
        text[i] = (char)random_below(&random, 256);
        if (graph_parse(&scratch, "text", (Bytes){(unsigned char *)text, bytes}, &graph, &err) == OK)
            CHECK_OK(graph_verify(graph, &err));
        text[i] = old;
        arena_done(&scratch);
    }
    arena_done(&arena);
}
END_TEST

// Each allocation failing in turn: ERR_MEMORY, nothing returned, nothing lost.
START_TEST(test_no_memory) {
    static const char text[] = "graph \"odd name\"(T)\n  const @a = {1} : f32[1]\n  const @b = rows @a, @a : f32[2]\n"
                               "  %x = input {l=[1,2], t=\"a b\"} : f32[T,2]\n  %y = scale %x {factor=2} : f32[T,2]\n"
                               "  return %y, @b\n";
    Status status = ERR_MEMORY;
    uint64_t failures = 0;
    for (; status == ERR_MEMORY; failures++) {
        Graph *graph = NULL;
        arena_init(&arena, 0);
        fault_arm(FAULT_ALLOCATION, failures + 1);
        status = graph_parse(&arena, "text", bytes_of(text), &graph, &err);
        fault_arm(FAULT_ALLOCATION, 0);
        ck_assert_msg(status == ERR_MEMORY || status == OK, "failure %llu: %s", (unsigned long long)failures + 1,
                      err.message);
        ck_assert((graph != NULL) == (status == OK));
        arena_done(&arena);
    }
    ck_assert_uint_gt(failures, 3);
}
END_TEST

TEST_MAIN("print", test_canonical_text, test_bodies, test_four_bits, test_values_keep_their_bits,
          test_random_graphs_come_back, test_errors_name_their_place, test_hostile_text_is_bounded, test_damaged_text,
          test_no_memory)

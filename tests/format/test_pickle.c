// SPDX-License-Identifier: Apache-2.0
#include "format/craft.h"
#include "format/torch/pickle.h"

static Error err;
static Arena arena;
static Pickle pickle;

// The tree of the last reading, and the bytes it points into, stay until the next.
static Status read_bytes(const void *data, size_t bytes) {
    static Bytes held;
    arena_done(&arena);
    memory_free((void *)held.data);
    held = tight_copy((Bytes){data, bytes});
    arena_init(&arena, PICKLE_MOST_BYTES);
    return pickle_read(&arena, held, &pickle, &err);
}

#define READ(text) read_bytes(text, sizeof(text) - 1)

START_TEST(a_list_of_scalars) {
    CHECK_OK(READ("\x80\2](NK\5M\1\2J\xFF\xFF\xFF\xFF\x8A\2\xFE\xFF\x88G?\xF8\0\0\0\0\0\0X\2\0\0\0hi"
                  "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19U\1z}X\1\0\0\0kK\7se.tail"));
    const PickleValue *list = pickle.root;
    ck_assert_int_eq(list->kind, PICKLE_LIST);
    ck_assert_uint_eq(list->count, 11);
    ck_assert_int_eq(list->items[0]->kind, PICKLE_NONE);
    ck_assert_int_eq(list->items[1]->integer, 5);
    ck_assert_int_eq(list->items[2]->integer, 513);
    ck_assert_int_eq(list->items[3]->integer, -1);
    ck_assert_int_eq(list->items[4]->integer, -2);
    ck_assert_int_eq(list->items[5]->kind, PICKLE_BOOL);
    ck_assert(list->items[6]->real == 1.5);
    ck_assert(pickle_text_is(list->items[7], "hi"));
    ck_assert_int_eq(list->items[8]->kind, PICKLE_LONG);
    ck_assert(pickle_text_is(list->items[9], "z"));
    int64_t seven;
    ck_assert(pickle_integer(pickle_get(list->items[10], "k"), &seven) && seven == 7);
    ck_assert_ptr_null(pickle_item(list, 11));
    ck_assert_ptr_null(pickle_get(list, "k"));
}
END_TEST

START_TEST(calls_are_kept_not_made) {
    CHECK_OK(READ("\x80\2"
                  "cargparse\nNamespace\n)\x81}X\1\0\0\0aK\1sb."));
    ck_assert_int_eq(pickle.root->kind, PICKLE_CALL);
    ck_assert_str_eq(pickle_callee(pickle.root)->module, "argparse");
    ck_assert_int_eq(pickle_callee(pickle.root)->meaning, GLOBAL_FOREIGN);
    ck_assert_uint_eq(pickle.foreign_count, 1);
    CHECK_OK(READ("\x80\4\x95\x10\0\0\0\0\0\0\0\x8C\5torch\x8C\4Size\x93)R."));
    ck_assert_int_eq(pickle_callee(pickle.root)->meaning, GLOBAL_PLAIN);
    CHECK_OK(READ("\x80\2"
                  "ccollections\nOrderedDict\n](X\1\0\0\0aK\1\x86]X\1\0\0\0baK\2ae\x85R."));
    int64_t one, two;
    ck_assert_int_eq(pickle.root->kind, PICKLE_DICT);
    ck_assert(pickle_integer(pickle_get(pickle.root, "a"), &one) && one == 1);
    ck_assert(pickle_integer(pickle_get(pickle.root, "b"), &two) && two == 2);
}
END_TEST

START_TEST(programs_are_refused_by_name) {
    static const char *const globals[] = {"os\nsystem",
                                          "posix\nsystem",
                                          "nt\nsystem",
                                          "subprocess\nPopen",
                                          "builtins\neval",
                                          "__builtin__\nexec",
                                          "builtins\n__import__",
                                          "sys\nexit",
                                          "shutil\nrmtree",
                                          "runpy\nrun_path",
                                          "importlib\nimport_module"};
    for (size_t i = 0; i < ARRAY_COUNT(globals); i++) {
        char text[200], name[64];
        int bytes = snprintf(text, sizeof text,
                             "\x80\4"
                             "c%s\n\x8C\4true\x85R.",
                             globals[i]);
        snprintf(name, sizeof name, "names '%s'", globals[i]);
        *strchr(name, '\n') = '.';
        CHECK_FAILS(read_bytes(text, (size_t)bytes), ERR_FORMAT, name);
    }
    CHECK_FAILS(READ("\x80\4\x8C\2os\x8C\6system\x93\x8C\4true\x85R."), ERR_FORMAT,
                "byte 14 of the pickle, STACK_GLOBAL: the pickle names 'os.system'");
    CHECK_FAILS(READ("cos\nsystem\n(S'true'\ntR."), ERR_FORMAT,
                "byte 0 of the pickle, GLOBAL: the pickle names 'os.system'");
}
END_TEST

START_TEST(damage_is_named_with_its_place) {
    static const struct {
        const char *text;
        size_t bytes;
        Status status;
        const char *message;
    } cases[] = {
#define CASE(text, status, message) {text, sizeof(text) - 1, status, message}
        CASE("", ERR_FORMAT, "the pickle ends at byte 0 without a STOP"),
        CASE("\x80\2N", ERR_FORMAT, "the pickle ends at byte 3 without a STOP"),
        CASE("\x80", ERR_FORMAT, "byte 0 of the pickle, PROTO: needs 1 bytes, but the pickle ends after 0"),
        CASE("\x80\1N.", ERR_UNSUPPORTED, "protocol 1; 2 to 5 are read"),
        CASE("\x80\6N.", ERR_UNSUPPORTED, "protocol 6"),
        CASE("\x80\2.", ERR_FORMAT, "byte 2 of the pickle, STOP: needs 1 values on the stack, found 0"),
        CASE("NN.", ERR_FORMAT, "1 values and 0 marks are left"),
        CASE("(N.", ERR_FORMAT, "0 values and 1 marks are left"),
        CASE("\xFF", ERR_FORMAT, "byte 0 of the pickle: 0xff is no opcode"),
        CASE("I1\n.", ERR_UNSUPPORTED, "byte 0 of the pickle, INT: no opcode that torch.save writes"),
        CASE("N2.", ERR_UNSUPPORTED, "DUP"),
        CASE("\x82\1.", ERR_UNSUPPORTED, "EXT1"),
        CASE("X\xFF\xFF\xFF\xFFhi.", ERR_FORMAT, "BINUNICODE: needs 4294967295 bytes, but the pickle ends after 3"),
        CASE("\x8D\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFhi.", ERR_FORMAT, "BINUNICODE8: needs 18446744073709551615 bytes"),
        CASE("\x8E\0\0\0\0\x19\0\0\0hi.", ERR_FORMAT, "needs 107374182400 bytes"),
        CASE("\x8B\xFF\xFF\xFF\x7F.", ERR_FORMAT, "LONG4: needs 2147483647 bytes"),
        CASE("\x95\xFF\xFF\0\0\0\0\0\0N.", ERR_FORMAT, "FRAME: a frame of 65535 bytes"),
        CASE("h\5.", ERR_FORMAT, "BINGET: nothing was remembered under 5"),
        CASE("j\xFF\xFF\xFF\xFF.", ERR_FORMAT, "nothing was remembered under 4294967295"),
        CASE("Nr\xFF\xFF\xFF\xFF.", ERR_LIMIT, "LONG_BINPUT: number 4294967295 of things remembered; at most 1048576"),
        CASE("q\0.", ERR_FORMAT, "BINPUT: needs 1 values"),
        CASE("t.", ERR_FORMAT, "TUPLE: needs a mark on the stack, found none"),
        CASE("Na.", ERR_FORMAT, "APPEND: needs a container on the stack, found none"),
        CASE("NNa.", ERR_FORMAT, "APPEND: cannot add items to None"),
        CASE("]NNs.", ERR_FORMAT, "SETITEM: cannot add items to a list"),
        CASE("}Na.", ERR_FORMAT, "cannot add items to a dict"),
        CASE("}(Nu.", ERR_FORMAT, "SETITEMS: a key without a value"),
        CASE("](NNa.", ERR_FORMAT, "cannot add items to None"),
        CASE("N(Na.", ERR_FORMAT, "needs a container on the stack, found none"),
        CASE("N(\x85.", ERR_FORMAT, "TUPLE1: needs 1 values on the stack, found 0"),
        CASE("NNR.", ERR_FORMAT, "REDUCE: the arguments of a call are None, expected a tuple"),
        CASE("NNb.", ERR_FORMAT, "BUILD: attributes for None, expected an object"),
        CASE("cos", ERR_FORMAT, "GLOBAL: a line without an end"),
        CASE("NN\x93.", ERR_FORMAT, "STACK_GLOBAL: needs two strings, found None and None"),
        CASE("ccollections\nOrderedDict\n]Na\x85R.", ERR_FORMAT, "REDUCE: a dict is made of None, expected pairs"),
        CASE("Q.", ERR_FORMAT, "BINPERSID: needs 1 values"),
#undef CASE
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        CHECK_FAILS(read_bytes(cases[i].text, cases[i].bytes), cases[i].status, cases[i].message);
    char name[300];
    memset(name, 'x', sizeof name);
    name[0] = 'c';
    name[250] = name[260] = '\n';
    CHECK_FAILS(read_bytes(name, 300), ERR_LIMIT, "the name of a global has 249 bytes");
}
END_TEST

// `bytes` bytes of a repeated pattern, then STOP.
static Status read_repeated(const char *start, const char *pattern, size_t length, size_t bytes) {
    Buffer b = {0};
    buffer_add_text(&b, start);
    while (b.bytes < bytes)
        buffer_add(&b, pattern, length);
    buffer_add_text(&b, ".");
    arena_done(&arena);
    arena_init(&arena, PICKLE_MOST_BYTES);
    Status status = pickle_read(&arena, buffer_bytes(&b), &pickle, &err);
    arena_done(&arena);
    buffer_done(&b);
    return status;
}

START_TEST(bombs_end_at_a_limit) {
    size_t bytes = 24 << 20;
    uint64_t begin = budget_begin();
    CHECK_FAILS(read_repeated("", "(", 1, bytes), ERR_LIMIT, "byte 256 of the pickle, MARK: nested more than 256 deep");
    CHECK_FAILS(read_repeated("", "]", 1, bytes), ERR_LIMIT, "EMPTY_LIST: more than 1048576 values");
    CHECK_FAILS(read_repeated("", "N", 1, bytes), ERR_LIMIT, "NONE: more than 1048576 values on the stack");
    CHECK_FAILS(read_repeated("",
                              "K\1"
                              "0",
                              3, bytes),
                ERR_LIMIT, "BININT1: more than 1048576 values");
    CHECK_FAILS(read_repeated("N", "\x94", 1, bytes), ERR_LIMIT, "MEMOIZE: number 1048576 of things remembered");
    budget_check(begin, 2 * bytes);
}
END_TEST

START_TEST(memo_bombs_stay_small) {
    // The "billion laughs": each list holds the one before ten times. Shared, so small; nothing walks it in full.
    Buffer b = {0};
    buffer_add(&b,
               "]q\0"
               "0",
               4);
    for (int i = 1; i < 200; i++) {
        buffer_add_text(&b, "](");
        for (int k = 0; k < 10; k++) {
            buffer_add_char(&b, 'h');
            buffer_add_char(&b, (char)(i - 1));
        }
        buffer_add_text(&b, "eq");
        buffer_add_char(&b, (char)i);
        buffer_add_text(&b, i < 199 ? "0" : "");
    }
    buffer_add_text(&b, ".");
    CHECK_OK(read_bytes(b.data, b.bytes));
    ck_assert_uint_lt(arena.used_bytes, 200 * 200);
    // One list appended to itself over and over doubles nothing either; items are bounded by the arena.
    size_t bytes = 32 << 20;
    uint64_t begin = budget_begin();
    CHECK_FAILS(read_repeated("]q\x01", "h\1a", 3, bytes), ERR_LIMIT, "APPEND");
    budget_check(begin, 2 * bytes);
    buffer_done(&b);
}
END_TEST

START_TEST(cycles_are_only_data) {
    CHECK_OK(READ("\x80\2}q\0X\1\0\0\0ah\0s."));
    ck_assert_ptr_eq(pickle_get(pickle.root, "a"), pickle.root);
    CHECK_OK(READ("\x80\2]q\0h\0a."));
    ck_assert_ptr_eq(pickle_item(pickle.root, 0), pickle.root);
}
END_TEST

TEST_MAIN("format/pickle", a_list_of_scalars, calls_are_kept_not_made, programs_are_refused_by_name,
          damage_is_named_with_its_place, bombs_end_at_a_limit, memo_bombs_stay_small, cycles_are_only_data)

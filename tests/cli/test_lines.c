// SPDX-License-Identifier: Apache-2.0
#include "cli/lines.h"

#include <unistd.h>

#include "base/fault.h"
#include "base/random.h"
#include "check.h"

// A pipe's reading end that holds `text` (less than a pipe takes at once).
static int pipe_of(const char *text, size_t bytes) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], text, bytes), (ssize_t)bytes);
    close(ends[1]);
    return ends[0];
}

START_TEST(lines_of_all_lengths) {
    Error err;
    static char text[60000];
    Random random = {3};
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = random_below(&random, round < 10 ? 10 : 20000) ? 'x' : '\n';
        size_t bytes = sizeof text - random_below(&random, 100);
        Lines lines;
        lines_init(&lines, pipe_of(text, bytes), "pipe", NULL);
        size_t at = 0, number = 0;
        for (;;) {
            Bytes line;
            bool there;
            CHECK_OK(lines_next(&lines, &line, &there, &err));
            if (!there)
                break;
            const char *newline = memchr(text + at, '\n', bytes - at);
            size_t expected = newline ? (size_t)(newline - text) - at : bytes - at;
            ck_assert_uint_eq(line.size, expected);
            ck_assert(expected == 0 || memcmp(line.data, text + at, expected) == 0);
            at += expected + (newline != NULL);
            ck_assert_uint_eq(lines.number, ++number);
        }
        ck_assert_uint_eq(at, bytes);
        close(lines.descriptor);
        lines_done(&lines);
    }
}
END_TEST

START_TEST(a_line_too_long_is_skipped) {
    Error err;
    for (size_t length = 9; length < 50000; length += 7777) {
        static char text[60000];
        size_t bytes = (size_t)snprintf(text, sizeof text, "short\n%0*d\n12345678\nlast", (int)length, 0);
        Lines lines;
        Bytes line;
        bool there = false;
        lines_init(&lines, pipe_of(text, bytes), "pipe", NULL);
        lines.limit_bytes = 8;
        CHECK_OK(lines_next(&lines, &line, &there, &err));
        CHECK_FAILS(lines_next(&lines, &line, &there, &err), ERR_LIMIT, "line 2 of pipe is longer than 8 bytes");
        CHECK_OK(lines_next(&lines, &line, &there, &err));
        ck_assert(there && line.size == 8 && memcmp(line.data, "12345678", 8) == 0);
        CHECK_OK(lines_next(&lines, &line, &there, &err));
        ck_assert(there && line.size == 4 && lines.number == 4);
        CHECK_OK(lines_next(&lines, &line, &there, &err));
        ck_assert(!there);
        ck_assert_uint_le(lines.capacity, 1 << 16);
        close(lines.descriptor);
        lines_done(&lines);
    }
}
END_TEST

static Status double_it(void *context, Arena *arena, const json_t *value, Buffer *answer, Error *err) {
    (void)context;
    TRY_NEW(arena_array(arena, 1, 100, err));
    buffer_add_text(answer, "half an answer that");
    if (!json_is_integer(value))
        return FAIL(err, ERR_UNSUPPORTED, "expected an integer");
    answer->bytes -= 19;
    buffer_format(answer, "%d", 2 * (int)json_integer_value(value));
    return OK;
}

// Serves `text` through lines_serve with standard input and a pipe; the answers in `ret_answers`.
static Status serve(const char *text, char *ret_answers, size_t bytes, Error *err) {
    int input = pipe_of(text, strlen(text)), ends[2];
    ck_assert_int_eq(dup2(input, STDIN_FILENO), STDIN_FILENO);
    close(input);
    ck_assert_int_eq(pipe(ends), 0);
    CommandRun run = {0};
    output_init(&run.out, ends[1]);
    Status status = lines_serve(&run, double_it, NULL, err);
    Error flush_err;
    if (status == OK || status == ERR_FORMAT)
        ck_assert_int_eq(output_flush(&run.out, &flush_err), OK);
    output_done(&run.out);
    close(ends[1]);
    ssize_t got = read(ends[0], ret_answers, bytes - 1);
    ck_assert_int_ge(got, 0);
    ret_answers[got] = '\0';
    close(ends[0]);
    return status;
}

START_TEST(bad_lines_are_answered_in_their_place) {
    Error err;
    char answers[1000];
    CHECK_OK(serve("1\n2\r\n 3", answers, sizeof answers, &err));
    ck_assert_str_eq(answers, "2\n4\n6\n");
    CHECK_OK(serve("", answers, sizeof answers, &err));
    ck_assert_str_eq(answers, "");
    CHECK_FAILS(serve("1\n\n\"x\"\n[\n5\n", answers, sizeof answers, &err), ERR_FORMAT,
                "3 of 5 lines could not be served");
    static const char *const expected[] = {
        "2\n{\"error\":{\"message\":\"line 2: not valid JSON",
        "\"code\":3}}\n{\"error\":{\"message\":\"expected an integer\",\"code\":6}}\n",
        "{\"error\":{\"message\":\"line 4: not valid JSON", "\"code\":3}}\n10\n"};
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
        ck_assert_msg(strstr(answers, expected[i]) != NULL, "'%s' lacks '%s'", answers, expected[i]);
}
END_TEST

START_TEST(failing_reads_and_writes_end_it) {
    Error err;
    char answers[1000];
    fault_arm(FAULT_READ, 2);
    CHECK_FAILS(serve("1\n", answers, sizeof answers, &err), ERR_IO, "standard input cannot be read");
    fault_arm(FAULT_READ, 0);
    fault_arm(FAULT_WRITE, 1);
    CHECK_FAILS(serve("1\n2\n", answers, sizeof answers, &err), ERR_IO, "standard output cannot be written");
    ck_assert_str_eq(answers, "");
}
END_TEST

TEST_MAIN("lines", lines_of_all_lengths, a_line_too_long_is_skipped, bad_lines_are_answered_in_their_place,
          failing_reads_and_writes_end_it)

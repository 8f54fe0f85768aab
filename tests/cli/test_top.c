// SPDX-License-Identifier: Apache-2.0
// hone top: what it makes of a server's state, of one that lies, and how it ends.
#include "cli/top_view.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "serve/one_answer.h"

static Error err;
static Arena arena;

static const char state[] =
    "{\"hone\":\"0.1.0\",\"time\":1800000000.5,\"state\":\"serving\",\"server\":{\"uptime_s\":7300,\"connections\":3,"
    "\"resident_bytes\":412000000,\"memory_limit_bytes\":2000000000},\"models\":[{\"name\":\"bart\",\"now\":{"
    "\"generated_tokens_per_s\":455.4,\"source_tokens_per_s\":2204,\"requests_per_s\":16,\"rejected_per_s\":0.5,"
    "\"first_token_p50_s\":0.0716,\"first_token_p99_s\":0.296,\"token_p50_s\":0.00624,\"token_p99_s\":null,"
    "\"queued_requests\":0,\"queued_tokens\":0,\"running_requests\":9,\"rows_per_step\":5.13,\"kv_used_share\":0.36,"
    "\"kv_cached_share\":0.21,\"encode_share\":0.17,\"decode_share\":0.42,\"head_share\":0.11,\"schedule_share\":0.02},"
    "\"bottleneck\":{\"kind\":\"clients\",\"sentence\":\"Clients ask for no more.\",\"advice\":\"Send more.\"},"
    "\"limits\":{\"requests\":16},\"totals\":{\"requests\":118853,\"failed\":2,\"generated_tokens\":3500000,"
    "\"rejected\":{\"queue_full\":980,\"deadline\":5},\"cancelled\":{\"decoding\":496}}},{\"name\":\"other\"}]}";

static json_t *parse(const char *text) {
    json_t *value;
    CHECK_OK(json_parse(&arena, "state", (Bytes){(const unsigned char *)text, strlen(text)}, false, &value, &err));
    return value;
}

static TopFigures figures_of(const char *text) {
    TopFigures figures;
    CHECK_OK(top_read(parse(text), NULL, &figures, &err));
    return figures;
}

START_TEST(test_a_view) {
    arena_init(&arena, 0);
    TopFigures figures = figures_of(state);
    TopStyle style = {.width = 80};
    Buffer out = {0};
    top_draw(&figures, NULL, "http://127.0.0.1:8080", &style, &out);
    ck_assert_str_eq(out.data, "hone 0.1.0  bart (one of 2)  serving  up 2.0 h  http://127.0.0.1:8080\n"
                               "Clients ask for no more.\n"
                               "Send more.\n"
                               "\n"
                               "output       455 tokens/s, reads 2.2k/s\n"
                               "requests     16 requests/s, turns away 0.50/s\n"
                               "first token  72 ms, 99 % within 296 ms\n"
                               "each token   6.2 ms, 99 % within -\n"
                               "request      -, 99 % within -\n"
                               "waiting      0 requests, 0 tokens\n"
                               "running      9 of 16 requests\n"
                               "batch        5.1 rows a step\n"
                               "K/V pages    36 % in use, 21 % only cached\n"
                               "memory       412 MB of 2.0 GB\n"
                               "engine       encode 17 %, decode 42 %, vocabulary 11 %, between steps 2 %\n"
                               "so far       119k answered, 985 turned away, 496 cancelled, 2 failed\n");
    buffer_clear(&out);
    top_draw_line(&figures, &out);
    ck_assert_str_eq(out.data,
                     "bart  455 tokens/s, reads 2.2k/s  16 requests/s, turns away 0.50/s  first token 72 ms, 99 "
                     "% within 296 ms  each token 6.2 ms, 99 % within -  waiting 0  running 9  rows 5.1  K/V "
                     "36 %");
    json_t *object = top_json(&figures);
    ck_assert(json_integer_value(json_object_get(object, "time")) == 1800000000);
    ck_assert(json_integer_value(json_object_get(json_object_get(object, "totals"), "rejected")) == 985);
    ck_assert(json_is_null(json_object_get(json_object_get(object, "now"), "token_p99_s")));
    json_decref(object);
    buffer_done(&out);
    arena_done(&arena);
}
END_TEST

START_TEST(test_small_charts) {
    arena_init(&arena, 0);
    TopFigures figures = figures_of(state);
    static TopPast past;
    for (int i = 0; i < 9; i++) {
        figures.now[FIGURE_GENERATED_TOKENS] = i == 3 ? (double)NAN : i * 10.0;
        top_remember(&past, &figures);
    }
    TopStyle style = {.width = 60, .charted = 8};
    Buffer out = {0};
    top_draw(&figures, &past, "", &style, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "\noutput       80 tokens/s, reads 2.2k/s           _. -=+*#\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "\nwaiting      0 requests, 0 tokens                ________\n"));
    style.unicode = true;
    buffer_clear(&out);
    top_draw(&figures, &past, "", &style, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "/s           \u2581\u2582 \u2584\u2585\u2586\u2587\u2588\n"));
    memset(&past, 0, sizeof past);
    top_recall(&past, parse("{\"time\":[1,2,3],\"generated_tokens_per_s\":[1,null],\"requests_per_s\":7}"));
    ck_assert(past.count == 3 && past.values[FIGURE_GENERATED_TOKENS][0] == 1);
    ck_assert(isnan(past.values[FIGURE_GENERATED_TOKENS][1]) && isnan(past.values[FIGURE_REQUESTS][0]));
    top_recall(&past, parse("[]"));
    ck_assert(past.count == 3);
    buffer_done(&out);
    arena_done(&arena);
}
END_TEST

// Nothing that a server sends steers the terminal or outgrows the view.
START_TEST(test_hostile_states) {
    arena_init(&arena, 0);
    TopFigures figures;
    static const char *const none[] = {"[]", "{}", "7", "{\"models\":{},\"server\":{}}", "{\"models\":[]}"};
    for (size_t i = 0; i < ARRAY_COUNT(none); i++)
        CHECK_FAILS(top_read(parse(none[i]), NULL, &figures, &err), ERR_FORMAT, "no state of a 'hone serve'");
    CHECK_FAILS(top_read(parse(state), "b\x1b", &figures, &err), ERR_USAGE, "the server has no model 'b?'");
    CHECK_OK(top_read(parse(state), "other", &figures, &err));
    ck_assert(isnan(figures.requests) && figures.sentence[0] == '\0');

    Buffer text = {0};
    buffer_add_text(&text,
                    "{\"hone\":[],\"state\":\"\\u001b]0;x\\u0007\\u009b2J\\u202e\",\"server\":{\"uptime_s\":1e300,"
                    "\"resident_bytes\":-1e308},\"models\":[{\"name\":\"");
    for (int i = 0; i < 5000; i++)
        buffer_add_text(&text, i % 7 ? "\u00fc" : "\\n");
    buffer_add_text(&text, "\",\"now\":{\"kv_used_share\":1e308,\"queued_requests\":-1e308,\"rows_per_step\":\"many\"},"
                           "\"bottleneck\":{\"sentence\":\"");
    for (int i = 0; i < 5000; i++)
        buffer_add_text(&text, "x");
    buffer_add_text(&text, "\"},\"totals\":{\"rejected\":[1],\"cancelled\":{\"a\":{}},\"requests\":1e308}}]}");
    figures = figures_of(text.data);
    static TopPast past;
    top_remember(&past, &figures);
    top_remember(&past, &figures);
    for (size_t width = 20; width < 140; width += 17) {
        TopStyle style = {.width = width, .unicode = true, .charted = 30};
        Buffer out = {0};
        top_draw(&figures, &past, "\u00e4", &style, &out);
        size_t columns = 0, lines = 0;
        for (const char *p = out.data; *p; p++) {
            columns = *p == '\n' ? 0 : columns + ((*p & 0xC0) != 0x80);
            lines += *p == '\n';
            ck_assert_msg(columns <= width, "a line of more than %zu columns: %s", width, out.data);
            ck_assert_msg((unsigned char)*p >= 0x20 || *p == '\n', "a control character");
        }
        ck_assert(lines > 12 && lines < 60);
        ck_assert_ptr_null(strstr(out.data, "\xc2\x9b"));
        buffer_done(&out);
    }
    buffer_done(&text);
    arena_done(&arena);
}
END_TEST

// The program, its standard output and error in one text.
typedef struct Program {
    pid_t pid;
    int out;
} Program;

static bool start_program(Program *ret, const char *const *words) {
    const char *path = getenv("HONE_PROGRAM");
    if (!path || access(path, X_OK) != 0)
        return false;
    int ends[2];
    ck_assert(pipe(ends) == 0);
    pid_t pid = fork();
    ck_assert(pid >= 0);
    if (!pid) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execv(path, (char *const *)words);
        _exit(127);
    }
    close(ends[1]);
    *ret = (Program){pid, ends[0]};
    return true;
}

static int end_program(Program *program, Buffer *out) {
    char part[4096];
    for (ssize_t got; (got = read(program->out, part, sizeof part)) > 0;)
        buffer_add(out, part, (size_t)got);
    close(program->out);
    int status;
    ck_assert(waitpid(program->pid, &status, 0) == program->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static Buffer answer_of(const char *body, const char *status) {
    Buffer answer = {0};
    buffer_format(&answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    return answer;
}

// Runs hone top against a server that answers so; returns its exit code.
static int run_top(const char *body, const char *status, size_t connections, const char *option, Buffer *out) {
    Buffer answer = answer_of(body, status);
    OneAnswer server = {.answer = answer.data, .bytes = answer.bytes, .most = connections};
    ck_assert(one_answer_start(&server, NULL));
    Program program;
    const char *words[] = {"hone", "top", server.url, option, NULL};
    int code = -1000;
    if (start_program(&program, words))
        code = end_program(&program, out);
    one_answer_stop(&server);
    buffer_done(&answer);
    return code;
}

START_TEST(test_the_program) {
    Buffer out = {0};
    int code = run_top(state, "200 OK", 0, "--once", &out);
    if (code == -1000)
        CHECK_SKIP("there is no HONE_PROGRAM");
    ck_assert_int_eq(code, 0);
    ck_assert_ptr_nonnull(strstr(out.data, "\nbatch        5.1 rows a step\n"));
    ck_assert_ptr_null(strchr(out.data, '\x1b')); // no terminal, nothing for one
    buffer_done(&out);
    ck_assert_int_eq(run_top("{}", "200 OK", 0, "--once", &out), 3);
    ck_assert_ptr_nonnull(strstr(out.data, "': its answer is no state of a 'hone serve'\n"));
    buffer_done(&out);
    ck_assert_int_eq(run_top("{", "200 OK", 0, "--once", &out), 3);
    ck_assert_ptr_nonnull(strstr(out.data, "': its state: not valid JSON"));
    buffer_done(&out);
    ck_assert_int_eq(run_top("", "404 Not Found", 0, "--once", &out), 3);
    ck_assert_ptr_nonnull(strstr(out.data, "it answers with status 404; is it 'hone serve'?\n"));
    buffer_done(&out);
    ck_assert_int_eq(run_top("", "401 Unauthorized", 0, "--once", &out), 5);
    ck_assert_ptr_nonnull(strstr(out.data, "asks for an API key; see --api-key-file\n"));
    buffer_done(&out);
    ck_assert_int_eq(run_top(state, "200 OK", 2, "--json", &out), 5); // it goes away after two answers
    const char *second = strchr(out.data, '\n');
    ck_assert(second && second[1] == '{');
    ck_assert_ptr_nonnull(strstr(out.data, "\nhone: the server went away: the server at 'http://127.0.0.1:"));
    buffer_done(&out);
}
END_TEST

START_TEST(test_control_c) {
    Buffer answer = answer_of(state, "200 OK"), out = {0};
    OneAnswer server = {.answer = answer.data, .bytes = answer.bytes};
    ck_assert(one_answer_start(&server, NULL));
    Program program;
    const char *words[] = {"hone", "top", server.url, NULL};
    if (!start_program(&program, words)) {
        one_answer_stop(&server);
        buffer_done(&answer);
        CHECK_SKIP("there is no HONE_PROGRAM");
    }
    char line[1000];
    ck_assert(read(program.out, line, sizeof line) > 0); // it has told once
    kill(program.pid, SIGINT);
    ck_assert_int_eq(end_program(&program, &out), 130);
    one_answer_stop(&server);
    buffer_done(&answer);
    buffer_done(&out);
}
END_TEST

TEST_MAIN("cli/top", test_a_view, test_small_charts, test_hostile_states, test_the_program, test_control_c)

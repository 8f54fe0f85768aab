// SPDX-License-Identifier: Apache-2.0
// The evaluator: bodies of If and Loop, views that leave them, failures inside, the limit, and memory used again.
#include "exec/evaluator.h"

#include <math.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/random.h"
#include "check.h"
#include "graph/print.h"

static Arena arena;
static Error err;
static Kernels kernels;

static Evaluator *evaluator_of(const char *text, size_t limit_bytes) {
    Graph *graph;
    Evaluator *evaluator;
    kernels_pick(cpu_detect(), &kernels);
    CHECK_OK(graph_parse(&arena, "text", (Bytes){(const unsigned char *)text, strlen(text)}, &graph, &err));
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op != OP_INPUT)
            CHECK_OK(op_infer(graph->nodes[i], &err));
    CHECK_OK(op_verify(graph, &err));
    EvaluatorSettings settings = {.kernels = &kernels, .limit_bytes = limit_bytes};
    CHECK_OK(evaluator_new(graph, &settings, &evaluator, &err));
    return evaluator;
}

static Tensor floats(const float *values, int64_t count) {
    return (Tensor){.name = "x", .dtype = DTYPE_F32, .shape = {1, {count}}, .data = values, .bytes = (size_t)count * 4};
}

static Tensor truth(const bool *value) {
    return (Tensor){.name = "c", .dtype = DTYPE_BOOL, .data = value, .bytes = 1};
}

static Tensor number(const int64_t *value) {
    return (Tensor){.name = "n", .dtype = DTYPE_I64, .data = value, .bytes = 8};
}

static void floats_are(const Tensor *tensor, const float *values, size_t count) {
    ck_assert(tensor->dtype == DTYPE_F32);
    ck_assert_uint_eq(tensor->bytes, count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(((const float *)tensor->data)[i] == values[i], "element %zu is %g, expected %g", i,
                      (double)((const float *)tensor->data)[i], (double)values[i]);
}

// One branch hands its input on, the other a value of its own.
static const char if_text[] = "graph g()\n  %c = input : bool[]\n  %x = input : f32[?]\n  %a = Add %x, %x : ?\n"
                              "  %y, %z = If %c, %a, %x {else_branch=(\n    graph no()\n      %a = input : ?\n"
                              "      %x = input : ?\n      %i = Identity %a : ?\n      return %i, %x\n"
                              "  ), then_branch=(\n    graph yes()\n      const @two = {2} : f32[1]\n"
                              "      %a = input : ?\n      %x = input : ?\n      %y = Add %a, @two : ?\n"
                              "      return %y, @two\n  )} : ?, ?\n  %b = Add %y, %y : ?\n  return %y, %z, %b, %a\n";

START_TEST(test_if) {
    static const float x[] = {1, -2, 3};
    arena_init(&arena, 0);
    Evaluator *evaluator = evaluator_of(if_text, 0);
    for (int i = 0; i < 4; i++) {
        bool yes = i & 1;
        const Tensor inputs[] = {truth(&yes), floats(x, 3)}, *results;
        CHECK_OK(evaluator_run(evaluator, inputs, &results, &err));
        floats_are(&results[0], yes ? (float[]){4, -2, 8} : (float[]){2, -4, 6}, 3);
        floats_are(&results[1], yes ? (float[]){2} : x, yes ? 1 : 3);
        floats_are(&results[2], yes ? (float[]){8, -4, 16} : (float[]){4, -8, 12}, 3);
        floats_are(&results[3], (float[]){2, -4, 6}, 3);
        ck_assert(yes || results[0].data == results[3].data); // a view, not a copy
    }
    const float none[1] = {0};
    bool two[2] = {true, true};
    const Tensor inputs[] = {{.name = "c", .dtype = DTYPE_BOOL, .shape = {1, {2}}, .data = two, .bytes = 2},
                             floats(none, 0)},
                 *results;
    CHECK_FAILS(evaluator_run(evaluator, inputs, &results, &err), ERR_FORMAT, "input 'c' is bool[2]");
    evaluator_free(evaluator);
    arena_done(&arena);
}
END_TEST

// Carried: a sum, the iteration's number as it comes, two values that change places; scanned: the sums and the numbers.
static const char loop_text[] =
    "graph g()\n  %n = input : i64[]\n  %c = input : bool[]\n  %x = input : f32[?]\n  const @zero = {0} : i64[]\n"
    "  const @off = {0} : bool[]\n"
    "  %s, %i, %p, %q, %sums, %numbers = Loop %n, %c, %x, @zero, %c, @off, %x {body=(\n    graph body()\n"
    "      %i = input : i64[]\n      %c = input : bool[]\n      %s = input : ?\n      %last = input : ?\n"
    "      %p = input : bool[]\n      %q = input : bool[]\n      %x = input : ?\n      %t = Add %s, %x : ?\n"
    "      %j = Identity %i : ?\n      return %c, %t, %j, %q, %p, %t, %i\n  ), carried=4} : ?, ?, ?, ?, ?, ?\n"
    "  return %s, %i, %p, %q, %sums, %numbers\n";

START_TEST(test_loop) {
    static const float x[] = {1, -2};
    arena_init(&arena, 0);
    Evaluator *evaluator = evaluator_of(loop_text, 0);
    for (int64_t n = 0; n < 40; n += 1 + n / 4) {
        bool on = n % 3 != 1;
        size_t steps = on ? (size_t)n : 0;
        const Tensor inputs[] = {number(&n), truth(&on), floats(x, 2)}, *results;
        CHECK_OK(evaluator_run(evaluator, inputs, &results, &err));
        floats_are(&results[0], (float[]){(float)steps + 1, -2 * ((float)steps + 1)}, 2);
        ck_assert_int_eq(*(const int64_t *)results[1].data, steps ? (int64_t)steps - 1 : 0);
        ck_assert_int_eq(*(const bool *)results[2].data, steps % 2 ? false : on);
        ck_assert_int_eq(*(const bool *)results[3].data, steps % 2 ? on : false);
        ck_assert_int_eq(results[4].shape.dims[0], (int64_t)steps);
        ck_assert_int_eq(results[5].shape.rank, 1);
        ck_assert_int_eq(results[5].shape.dims[0], (int64_t)steps);
        for (size_t i = 0; i < steps; i++) {
            ck_assert(((const float *)results[4].data)[2 * i + 1] == -2 * ((float)i + 2));
            ck_assert_int_eq(((const int64_t *)results[5].data)[i], (int64_t)i);
        }
    }
    evaluator_free(evaluator);
    arena_done(&arena);
}
END_TEST

// Ends by itself: flags move on until the one that is off comes to the front.
START_TEST(test_loop_condition) {
    static const char text[] =
        "graph g()\n  %x = input : f32[?]\n  const @on = {1} : bool[]\n  const @off = {0} : bool[]\n"
        "  %y, %p, %q, %r = Loop _, _, %x, @on, @on, @off, %x {body=(\n    graph body()\n      %i = input : i64[]\n"
        "      %c = input : bool[]\n      %s = input : ?\n      %p = input : bool[]\n      %q = input : bool[]\n"
        "      %r = input : bool[]\n      %x = input : ?\n      %t = Add %s, %x : ?\n"
        "      return %p, %t, %q, %r, %r\n  ), carried=4} : ?, ?, ?, ?\n  return %y\n";
    static const char endless[] =
        "graph g()\n  %x = input : f32[?]\n  %y = Loop _, _, %x {body=(\n    graph body()\n"
        "      const @on = {1} : bool[]\n      %i = input : i64[]\n      %c = input : bool[]\n"
        "      %s = input : ?\n      return @on, %s\n  ), carried=1} : ?\n  return %y\n";
    static const float x[] = {1, -2};
    const Tensor inputs[] = {floats(x, 2)}, *results;
    arena_init(&arena, 0);
    Evaluator *evaluator = evaluator_of(text, 0);
    CHECK_OK(evaluator_run(evaluator, inputs, &results, &err));
    floats_are(&results[0], (float[]){4, -8}, 2); // the body runs while it says so, and once more
    evaluator_free(evaluator);
    evaluator = evaluator_of(endless, 0);
    CHECK_FAILS(evaluator_run(evaluator, inputs, &results, &err), ERR_LIMIT, "more than 1000000 iterations");
    evaluator_free(evaluator);
    arena_done(&arena);
}
END_TEST

// A node of a body that fails: the message is its own, and the evaluator runs again.
START_TEST(test_failure_in_a_body) {
    static const char text[] =
        "graph g()\n  %n = input : i64[]\n  %x = input : f32[?]\n  %y = input : f32[?]\n  %a = Add %x, %x : ?\n"
        "  %z, %all = Loop %n, _, %a, %y {body=(\n    graph body()\n      %i = input : i64[]\n"
        "      %c = input : bool[]\n      %s = input : ?\n      %y = input : ?\n      %sum = Add %s, %y : ?\n"
        "      return %c, %sum, %sum\n  ), carried=1} : ?, ?\n  return %z, %all\n";
    static const float x[] = {1, -2, 3}, y[] = {4, 5};
    int64_t n = 3;
    arena_init(&arena, 0);
    Evaluator *evaluator = evaluator_of(text, 0);
    const Tensor good[] = {number(&n), floats(x, 2), floats(y, 2)}, bad[] = {number(&n), floats(x, 3), floats(y, 2)};
    const Tensor growing[] = {number(&n), floats(x, 1), floats(y, 2)}, *results;
    for (int i = 0; i < 3; i++) {
        CHECK_FAILS(evaluator_run(evaluator, bad, &results, &err), ERR_FORMAT,
                    "Add 'sum': shapes [3] and [2] do not broadcast");
        CHECK_OK(evaluator_run(evaluator, good, &results, &err));
        floats_are(&results[0], (float[]){14, 11}, 2);
        CHECK_OK(evaluator_run(evaluator, growing, &results, &err));
        floats_are(&results[1], (float[]){6, 7, 10, 12, 14, 17}, 6);
    }
    evaluator_free(evaluator);
    arena_done(&arena);
}
END_TEST

// A carried value needs the room of two, however many iterations there are.
START_TEST(test_limit) {
    enum { COUNT = 4096 };
    static const char text[] =
        "graph g()\n  %n = input : i64[]\n  %x = input : f32[?]\n  %y = Loop %n, _, %x, %x {body=(\n    graph body()\n"
        "      %i = input : i64[]\n      %c = input : bool[]\n      %s = input : ?\n      %x = input : ?\n"
        "      %t = Add %s, %x : ?\n      %u = Add %t, %x : ?\n      return %c, %u\n  ), carried=1} : ?\n"
        "  return %y\n";
    float *x = memory_new(COUNT, sizeof *x, &err);
    ck_assert_ptr_nonnull(x);
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)i;
    int64_t n = 1000;
    arena_init(&arena, 0);
    size_t one = COUNT * sizeof *x;
    Evaluator *evaluator = evaluator_of(text, 4 * one);
    const Tensor inputs[] = {number(&n), floats(x, COUNT)}, *results;
    CHECK_OK(evaluator_run(evaluator, inputs, &results, &err));
    ck_assert(((const float *)results[0].data)[5] == 5 * 2001);
    ck_assert_uint_le(evaluator_peak_bytes(evaluator), 4 * one);
    ck_assert_uint_ge(evaluator_peak_bytes(evaluator), 2 * one);
    for (int64_t part = COUNT / 8; part < COUNT; part += 97) { // blocks of other sizes make room
        const Tensor smaller[] = {number(&n), floats(x, part)};
        n = 3;
        CHECK_OK(evaluator_run(evaluator, smaller, &results, &err));
        ck_assert(((const float *)results[0].data)[part - 1] == 7 * (float)(part - 1));
    }
    evaluator_free(evaluator);
    evaluator = evaluator_of(text, one);
    CHECK_FAILS(evaluator_run(evaluator, inputs, &results, &err), ERR_LIMIT, "would pass the limit of 16384");
    evaluator_free(evaluator);
    memory_free(x);
    arena_done(&arena);
}
END_TEST

START_TEST(test_memory_is_used_again) {
    static const float x[] = {1, -2, 3};
    bool on = true;
    int64_t n = 20;
    arena_init(&arena, 0);
    Evaluator *branches = evaluator_of(if_text, 0), *loops = evaluator_of(loop_text, 0);
    uint64_t before = 0;
    for (int i = 0; i < 6; i++) {
        const Tensor *results, to_if[] = {truth(&on), floats(x, 3)};
        const Tensor to_loop[] = {number(&n), truth(&on), floats(x, 3)};
        before = i == 2 ? memory_allocations() : before;
        CHECK_OK(evaluator_run(branches, to_if, &results, &err));
        CHECK_OK(evaluator_run(loops, to_loop, &results, &err));
    }
    ck_assert_uint_eq(memory_allocations(), before);
    evaluator_free(branches);
    evaluator_free(loops);
    arena_done(&arena);
}
END_TEST

// Sums and views at random, some of them in bodies, against the same sums one by one.
START_TEST(test_random_graphs) {
    enum { MOST_NODES = 12, WIDTH = 5 };
    for (uint64_t seed = 1; seed <= 300; seed++) {
        Random random = {seed};
        float values[2 + MOST_NODES][WIDTH];
        bool yes = random_below(&random, 2);
        uint32_t nodes = 1 + random_below(&random, MOST_NODES), returned[MOST_NODES + 2];
        Buffer text = {0};
        arena_init(&arena, 0);
        buffer_add_text(&text, "graph g()\n  %c = input : bool[]\n  %v0 = input : f32[5]\n  %v1 = input : f32[5]\n");
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < WIDTH; j++)
                values[i][j] = (float)random_below(&random, 16);
        for (uint32_t n = 2; n < 2 + nodes; n++) {
            uint32_t a = random_below(&random, n), b = random_below(&random, n), kind = random_below(&random, 3);
            const char *body = "\n    graph b()\n      %a = input : ?\n      %b = input : ?\n";
            if (kind == 0)
                buffer_format(&text, "  %%v%u = Add %%v%u, %%v%u : ?\n", n, a, b);
            else if (kind == 1)
                buffer_format(&text, "  %%v%u = Identity %%v%u : ?\n", n, a);
            else
                buffer_format(
                    &text,
                    "  %%v%u = If %%c, %%v%u, %%v%u {else_branch=(%s      return %%b\n  ), then_branch=(%s"
                    "      %%t = Identity %%a : ?\n      %%s = Add %%t, %%b : ?\n      return %%s\n  )} : ?\n",
                    n, a, b, body, body);
            for (int j = 0; j < WIDTH; j++)
                values[n][j] = kind == 1           ? values[a][j]
                               : kind == 2 && !yes ? values[b][j]
                                                   : values[a][j] + values[b][j];
        }
        buffer_add_text(&text, "  return ");
        uint32_t returns = 1 + random_below(&random, nodes);
        for (size_t i = 0; i < returns; i++) {
            returned[i] = random_below(&random, nodes + 2);
            buffer_format(&text, i ? ", %%v%u" : "%%v%u", returned[i]);
        }
        buffer_add_char(&text, '\n');
        CHECK_OK(buffer_status(&text, &err));
        Evaluator *evaluator = evaluator_of(text.data, 0);
        const Tensor inputs[] = {truth(&yes), floats(values[0], WIDTH), floats(values[1], WIDTH)}, *results;
        for (int twice = 0; twice < 2; twice++) {
            CHECK_OK(evaluator_run(evaluator, inputs, &results, &err));
            for (size_t i = 0; i < returns; i++)
                floats_are(&results[i], values[returned[i]], WIDTH);
        }
        evaluator_free(evaluator);
        buffer_done(&text);
        arena_done(&arena);
    }
}
END_TEST

// Shared out over threads, results are the same bits.
START_TEST(test_threads) {
    enum { TOKENS = 70, COLUMNS = 96 };
    static const char whole[] =
        "graph g()\n  %x = input : f32[2,70,96]\n  %b = input : i32[2]\n  %w = input : f32[96,288]\n"
        "  %y = com.microsoft.Attention %x, %w, _, %b {num_heads=3, unidirectional=1} : ?\n"
        "  %z, %k, %v, %s = Attention %x, %x, %y {kv_num_heads=6, q_num_heads=6, softcap=2} : ?, ?, ?, ?\n"
        "  %n = com.microsoft.FastGelu %z : ?\n  return %y, %z, %k, %v, %s, %n\n";
    arena_init(&arena, 0);
    Random random = {3};
    float *x = memory_new(2 * TOKENS * COLUMNS, sizeof *x, &err),
          *w = memory_new(COLUMNS * 3 * COLUMNS, sizeof *w, &err);
    ck_assert(x && w);
    for (size_t i = 0; i < 2 * TOKENS * COLUMNS; i++)
        x[i] = (float)random_below(&random, 2000) / 1000 - 1;
    for (size_t i = 0; i < 3 * COLUMNS * COLUMNS; i++)
        w[i] = (float)random_below(&random, 2000) / 8000 - 0.125f;
    int32_t lengths[] = {70, 33};
    const Tensor inputs[] = {
        {.name = "x",
         .dtype = DTYPE_F32,
         .shape = {3, {2, TOKENS, COLUMNS}},
         .data = x,
         .bytes = sizeof *x * 2 * TOKENS * COLUMNS},
        {.name = "b", .dtype = DTYPE_I32, .shape = {1, {2}}, .data = lengths, .bytes = sizeof lengths},
        {.name = "w",
         .dtype = DTYPE_F32,
         .shape = {2, {COLUMNS, 3 * COLUMNS}},
         .data = w,
         .bytes = sizeof *w * 3 * COLUMNS * COLUMNS}};
    Evaluator *alone = evaluator_of(whole, 0), *shared;
    const Tensor *expected, *found;
    Graph *graph;
    Pool *pool;
    CHECK_OK(pool_new(3, &pool, &err));
    CHECK_OK(graph_parse(&arena, "text", (Bytes){(const unsigned char *)whole, strlen(whole)}, &graph, &err));
    CHECK_OK(evaluator_new(graph, &(EvaluatorSettings){.kernels = &kernels, .pool = pool}, &shared, &err));
    CHECK_OK(evaluator_run(alone, inputs, &expected, &err));
    CHECK_OK(evaluator_run(shared, inputs, &found, &err));
    for (size_t i = 0; i < graph->return_count; i++) {
        ck_assert_uint_eq(found[i].bytes, expected[i].bytes);
        ck_assert_msg(memcmp(found[i].data, expected[i].data, found[i].bytes) == 0, "result %zu differs", i);
    }
    evaluator_free(alone);
    evaluator_free(shared);
    pool_free(pool);
    memory_free(x);
    memory_free(w);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("evaluator", test_if, test_loop, test_loop_condition, test_failure_in_a_body, test_limit,
          test_memory_is_used_again, test_random_graphs, test_threads)

// SPDX-License-Identifier: Apache-2.0
// The evaluator's own business: inputs that do not fit, and memory that comes back before a limit is passed.
#include "exec/evaluator.h"

#include "check.h"
#include "graph/print.h"

static Arena arena;
static Error err;

static Evaluator *evaluator_for(const char *text, size_t limit_bytes) {
    static Kernels kernels;
    Graph *graph;
    Evaluator *evaluator;
    kernels_pick(cpu_detect(), &kernels);
    CHECK_OK(graph_parse(&arena, "text", (Bytes){(const unsigned char *)text, strlen(text)}, &graph, &err));
    EvaluatorSettings settings = {&kernels, NULL, limit_bytes};
    CHECK_OK(evaluator_new(graph, &settings, &evaluator, &err));
    return evaluator;
}

static Tensor zeros(DType dtype, Shape shape) {
    Tensor tensor = {.name = "x", .dtype = dtype, .shape = shape};
    ck_assert(shape_bytes(&shape, dtype, &tensor.bytes));
    tensor.data = arena_array(&arena, tensor.bytes + 1, 1, &err);
    ck_assert_ptr_nonnull(tensor.data);
    return tensor;
}

START_TEST(inputs_that_do_not_fit) {
    arena_init(&arena, 0);
    const Tensor *results;
    Evaluator *evaluator =
        evaluator_for("graph g(B)\n  %x = input : f32[B,3,?]\n  %y = Add %x, %x : ?\n  return %y\n", 0);
    Tensor x = zeros(DTYPE_F32, (Shape){3, {2, 3, 4}});
    CHECK_OK(evaluator_run(evaluator, &x, &results, &err));
    ck_assert(shape_equal(&results[0].shape, &x.shape));
    x = zeros(DTYPE_F32, (Shape){3, {2, 5, 4}});
    CHECK_FAILS(evaluator_run(evaluator, &x, &results, &err), ERR_FORMAT,
                "dimension 1 of input 'x' is 5 in f32[2,5,4], expected 3 as in f32[B,3,?]");
    x = zeros(DTYPE_F32, (Shape){1, {3}});
    CHECK_FAILS(evaluator_run(evaluator, &x, &results, &err), ERR_FORMAT, "input 'x' is f32[3], expected f32[B,3,?]");
    x = zeros(DTYPE_I64, (Shape){3, {2, 3, 4}});
    CHECK_FAILS(evaluator_run(evaluator, &x, &results, &err), ERR_FORMAT, "input 'x' is i64[2,3,4], expected f32");
    evaluator_free(evaluator);
    arena_done(&arena);
}
END_TEST

// Values of other sizes than before take the place of what is free, not room beside it.
START_TEST(free_memory_does_not_count) {
    enum { LIMIT = 50000 };
    arena_init(&arena, 0);
    const Tensor *results;
    Evaluator *evaluator =
        evaluator_for("graph g(N)\n  %x = input : f32[N]\n  %y = Add %x, %x : ?\n  return %y\n", LIMIT);
    for (int64_t count = 10; count <= 12000; count = count * 5 / 4) {
        Tensor x = zeros(DTYPE_F32, (Shape){1, {count}});
        CHECK_OK(evaluator_run(evaluator, &x, &results, &err));
        ck_assert_uint_eq(results[0].bytes, (size_t)count * 4);
    }
    ck_assert_uint_le(evaluator_peak_bytes(evaluator), LIMIT);
    Tensor x = zeros(DTYPE_F32, (Shape){1, {LIMIT / 4}});
    CHECK_FAILS(evaluator_run(evaluator, &x, &results, &err), ERR_LIMIT, "would pass the limit");
    x = zeros(DTYPE_F32, (Shape){1, {10}});
    CHECK_OK(evaluator_run(evaluator, &x, &results, &err));
    evaluator_free(evaluator);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("exec/evaluator", inputs_that_do_not_fit, free_memory_does_not_count)

// SPDX-License-Identifier: Apache-2.0
// Products of matrices large enough for the kernels' panels, tiles and threads, against a plain triple loop: constant
// right operands and those given at the run, on one thread and on four.
#include <math.h>
#include <stdio.h>

#include "check.h"
#include "exec/evaluator.h"
#include "graph/print.h"

static Arena arena;
static Error err;
static uint32_t noise = 1;

static float next_real(void) {
    noise = noise * 1664525u + 1013904223u;
    return (float)(noise >> 8) / 8388608.0f - 1.0f;
}

static void *fill(DType dtype, size_t count) {
    void *data = arena_alloc(&arena, count * dtype_bytes(dtype) + 8, 64, &err);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < count; i++) {
        if (dtype == DTYPE_F32)
            ((float *)data)[i] = next_real();
        else if (dtype == DTYPE_F64)
            ((double *)data)[i] = (double)next_real();
        else
            ((uint8_t *)data)[i] = (uint8_t)(int)(128 + 127 * next_real());
    }
    return data;
}

typedef struct Sizes {
    size_t batches, m, k, n;
    bool one_right; // all batches share the right operand
    bool turned;    // which is [n, k]
} Sizes;

static double element(DType dtype, const void *data, size_t at) {
    return dtype == DTYPE_F32   ? (double)((const float *)data)[at]
           : dtype == DTYPE_F64 ? ((const double *)data)[at]
           : dtype == DTYPE_I32 ? (double)((const int32_t *)data)[at]
           : dtype == DTYPE_I8  ? (double)((const int8_t *)data)[at]
                                : (double)((const uint8_t *)data)[at];
}

static void result_check(const char *text, const Sizes *s, DType left, const void *a, DType right, const void *b,
                         const Tensor *got) {
    bool exact = !dtype_is_real(got->dtype);
    for (size_t batch = 0; batch < s->batches; batch++)
        for (size_t i = 0; i < s->m; i++)
            for (size_t j = 0; j < s->n; j++) {
                double sum = 0, sizes = 0;
                for (size_t l = 0; l < s->k; l++) {
                    size_t at = (s->one_right ? 0 : batch * s->k * s->n) + (s->turned ? j * s->k + l : l * s->n + j);
                    double term = element(left, a, (batch * s->m + i) * s->k + l) * element(right, b, at);
                    sum += term;
                    sizes += fabs(term);
                }
                double found = element(got->dtype, got->data, (batch * s->m + i) * s->n + j);
                ck_assert_msg(exact ? found == sum : fabs(found - sum) <= 1e-5 * fmax(1, sizes),
                              "%s: [%zu,%zu,%zu] is %.9g, expected %.9g", text, batch, i, j, found, sum);
            }
}

// `text`: a graph that takes %a, and %b or @b, and returns one value.
static void product_check(const char *text, const Sizes *s, DType left, DType right, int threads) {
    static Kernels kernels;
    kernels_pick(cpu_detect(), &kernels);
    arena_init(&arena, 0);
    Graph *graph;
    Pool *pool;
    CHECK_OK(graph_parse(&arena, "test", (Bytes){(const unsigned char *)text, strlen(text)}, &graph, &err));
    CHECK_OK(pool_new(threads, &pool, &err));
    const void *a = fill(left, s->batches * s->m * s->k);
    const void *b = fill(right, (s->one_right ? 1 : s->batches) * s->k * s->n);
    Tensor inputs[2];
    size_t given = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        if (node->op != OP_INPUT)
            continue;
        Tensor *tensor = &inputs[given];
        *tensor = (Tensor){.name = node->names[0], .dtype = node->types[0].dtype, .data = given ? b : a};
        tensor->shape.rank = node->types[0].rank;
        for (int d = 0; d < tensor->shape.rank; d++)
            tensor->shape.dims[d] = node->types[0].dims[d].value;
        ck_assert(shape_bytes(&tensor->shape, tensor->dtype, &tensor->bytes));
        given++;
    }
    for (size_t i = 0; i < graph->constant_count; i++)
        graph->constants[i]->data = b;
    Evaluator *evaluator;
    const Tensor *results;
    CHECK_OK(evaluator_new(graph, &(EvaluatorSettings){.kernels = &kernels, .pool = pool}, &evaluator, &err));
    CHECK_OK(evaluator_run(evaluator, inputs, &results, &err));
    result_check(text, s, left, a, right, b, &results[0]);
    ck_assert((evaluator_packed_bytes(evaluator) > 0) == (graph->constant_count > 0 && right != DTYPE_F64));
    evaluator_free(evaluator);
    pool_free(pool);
    arena_done(&arena);
}

static void matrices_check(const char *node, DType left, DType right, const Sizes *s) {
    char a[64], b[64], text[512];
    if (s->batches > 1)
        snprintf(a, sizeof a, "%s[%zu,%zu,%zu]", dtype_name(left), s->batches, s->m, s->k);
    else
        snprintf(a, sizeof a, "%s[%zu,%zu]", dtype_name(left), s->m, s->k);
    size_t rows = s->turned ? s->n : s->k, columns = s->turned ? s->k : s->n;
    if (s->batches > 1 && !s->one_right)
        snprintf(b, sizeof b, "%s[%zu,%zu,%zu]", dtype_name(right), s->batches, rows, columns);
    else
        snprintf(b, sizeof b, "%s[%zu,%zu]", dtype_name(right), rows, columns);
    size_t name = strcspn(node, " ");
    for (int threads = 1; threads <= 4; threads += 3)
        for (int constant = 0; constant < 2; constant++) {
            snprintf(text, sizeof text,
                     "graph g()\n%s%s%s  %%a = input : %s\n%s%s%s  %%y = %.*s %%a, %s%s : ?\n  return %%y\n",
                     constant ? "  const @b : " : "", constant ? b : "", constant ? "\n" : "", a,
                     constant ? "" : "  %b = input : ", constant ? "" : b, constant ? "" : "\n", (int)name, node,
                     constant ? "@b" : "%b", node + name);
            product_check(text, s, left, right, threads);
        }
}

static const Sizes matrices[] = {{1, 70, 130, 50, false, false}, {1, 1, 300, 1100, false, false},
                                 {1, 7, 65, 9, false, false},    {1, 9, 1, 8, false, false},
                                 {1, 250, 33, 8, false, false},  {6, 17, 40, 33, false, false},
                                 {3, 2, 40, 600, false, false},  {5, 20, 31, 100, true, false}};

START_TEST(test_matmul) {
    for (size_t i = 0; i < ARRAY_COUNT(matrices); i++) {
        matrices_check("MatMul", DTYPE_F32, DTYPE_F32, &matrices[i]);
        matrices_check("MatMul", DTYPE_F64, DTYPE_F64, &matrices[i]);
        matrices_check("MatMulInteger", DTYPE_U8, DTYPE_I8, &matrices[i]);
    }
}
END_TEST

START_TEST(test_gemm) {
    for (size_t i = 0; i < ARRAY_COUNT(matrices); i++) {
        Sizes s = matrices[i];
        if (s.batches > 1)
            continue;
        matrices_check("Gemm", DTYPE_F32, DTYPE_F32, &s);
        s.turned = true;
        matrices_check("Gemm {transB=1}", DTYPE_F32, DTYPE_F32, &s);
        matrices_check("Gemm {transB=1}", DTYPE_F64, DTYPE_F64, &s);
    }
}
END_TEST

// More terms than are summed up in 32 bits at a time.
START_TEST(test_long_sums) {
    Sizes s = {1, 2, 70000, 5, false, false};
    matrices_check("MatMulInteger", DTYPE_U8, DTYPE_I8, &s);
}
END_TEST

// The result of a graph.
static void node_run(const char *text, const Tensor *inputs, size_t element_bytes, void *ret_values, size_t count) {
    static Kernels kernels;
    kernels_pick(cpu_detect(), &kernels);
    Graph *graph;
    Evaluator *evaluator;
    const Tensor *results;
    CHECK_OK(graph_parse(&arena, "test", (Bytes){(const unsigned char *)text, strlen(text)}, &graph, &err));
    CHECK_OK(evaluator_new(graph, &(EvaluatorSettings){.kernels = &kernels}, &evaluator, &err));
    CHECK_OK(evaluator_run(evaluator, inputs, &results, &err));
    ck_assert_uint_eq(results[0].bytes, count * element_bytes);
    memcpy(ret_values, results[0].data, results[0].bytes);
    evaluator_free(evaluator);
}

// Two terms of 300 * 300 are beyond the largest f16, an eighth of their sum is not.
START_TEST(test_scale_before_rounding) {
    static const char *const types[] = {"f16", "bf16"};
    for (size_t t = 0; t < ARRAY_COUNT(types); t++) {
        arena_init(&arena, 0);
        uint16_t large = t ? f32_to_bf16(300) : f32_to_f16(300), pair[] = {large, large}, got;
        DType dtype = t ? DTYPE_BF16 : DTYPE_F16;
        const char *text = arena_format(&arena, &err,
                                        "graph g()\n  %%a = input : %s[1,2]\n  %%b = input : %s[2,1]\n"
                                        "  %%y = com.microsoft.FusedMatMul %%a, %%b {alpha=0.125} : ?\n  return %%y\n",
                                        types[t], types[t]);
        ck_assert_ptr_nonnull(text);
        Tensor inputs[] = {{.name = "a", .dtype = dtype, .shape = {2, {1, 2}}, .data = pair, .bytes = sizeof pair},
                           {.name = "b", .dtype = dtype, .shape = {2, {2, 1}}, .data = pair, .bytes = sizeof pair}};
        node_run(text, inputs, 2, &got, 1);
        ck_assert_uint_eq(got, t ? f32_to_bf16(22500) : f32_to_f16(22500));
        arena_done(&arena);
    }
}
END_TEST

// Where there is no scale to speak of, the zero point is no number, and 0 stands for it.
START_TEST(test_zero_point_of_no_number) {
    static const float rows[][2] = {{-INFINITY, 1}, {0, 1e-45f}};
    for (size_t r = 0; r < ARRAY_COUNT(rows); r++) {
        arena_init(&arena, 0);
        uint8_t zero;
        Tensor x = {.name = "x", .dtype = DTYPE_F32, .shape = {1, {2}}, .data = rows[r], .bytes = sizeof rows[r]};
        node_run("graph g()\n  %x = input : f32[2]\n  %q, %s, %z = DynamicQuantizeLinear %x : ?, ?, ?\n  return %z\n",
                 &x, 1, &zero, 1);
        ck_assert_uint_eq(zero, 0);
        arena_done(&arena);
    }
}
END_TEST

TEST_MAIN("products", test_matmul, test_gemm, test_long_sums, test_scale_before_rounding, test_zero_point_of_no_number)

// SPDX-License-Identifier: Apache-2.0
// Products of 8-bit matrices: with constant right operands, which run in the s8 kernels, as with the same ones given at
// the run, which are multiplied in plain loops; and what readers of products do at their end, as apart from them.
#include <math.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/random.h"
#include "check.h"
#include "exec/evaluator.h"
#include "graph/print.h"

enum { MOST_INPUTS = 8, ROUNDS = 400 };

static Arena arena;
static Error err;
static Kernels kernels;
static Pool *pool;
static Random random_state = {20260};

static uint32_t below(uint32_t n) {
    return random_below(&random_state, n);
}

// A tensor by name; `text` is its type.
typedef struct Given {
    const char *name;
    char text[64];
    const void *data;
} Given;

// Bytes of any value, or mostly the extremes; reals in [-1, 1).
static const void *data_random(DType dtype, size_t count) {
    unsigned char *data = arena_alloc(&arena, count * dtype_bytes(dtype) + 8, 64, &err);
    ck_assert_ptr_nonnull(data);
    bool extreme = below(4) == 0;
    for (size_t i = 0; i < count; i++)
        if (dtype == DTYPE_F32)
            ((float *)(void *)data)[i] = (float)(2 * random_unit(&random_state) - 1);
        else
            data[i] = (unsigned char)(extreme ? below(2) * 255 ^ (dtype == DTYPE_I8 ? 0x80 : 0) : below(256));
    return data;
}

static Given given_random(const char *name, DType dtype, const char *shape, size_t count) {
    Given given = {.name = name, .data = data_random(dtype, count)};
    snprintf(given.text, sizeof given.text, "%s[%s]", dtype_name(dtype), shape);
    return given;
}

static bool given_is(const Given *given, const char *name) {
    size_t bytes = strlen(given->name);
    return strncmp(name, given->name, bytes) == 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == bytes;
}

// The graph's text: `body` with each $name as @name or %name. Given ones are constants from `first_constant` on.
static void text_make(Buffer *text, const char *body, const Given *given, size_t count, size_t first_constant) {
    buffer_add_text(text, "graph g()\n");
    for (size_t i = first_constant; i < count; i++)
        buffer_format(text, "  const @%s : %s\n", given[i].name, given[i].text);
    for (size_t i = 0; i < first_constant; i++)
        buffer_format(text, "  %%%s = input : %s\n", given[i].name, given[i].text);
    for (const char *at = body; *at; at++) {
        bool constant = false;
        for (size_t i = first_constant; *at == '$' && i < count; i++)
            constant |= given_is(&given[i], at + 1);
        buffer_add_char(text, *at == '$' ? constant ? '@' : '%' : *at);
    }
    ck_assert_int_eq(buffer_status(text, &err), OK);
}

static const Tensor *graph_run(const char *body, const Given *given, size_t count, size_t first_constant,
                               Evaluator **ret_evaluator) {
    Buffer text = {0};
    text_make(&text, body, given, count, first_constant);
    Graph *graph;
    Tensor inputs[MOST_INPUTS];
    size_t used = 0;
    CHECK_OK(graph_parse(&arena, "test", (Bytes){(const unsigned char *)text.data, text.bytes}, &graph, &err));
    for (size_t i = 0; i < graph->constant_count; i++)
        for (size_t g = 0; g < count; g++)
            if (strcmp(graph->constants[i]->name, given[g].name) == 0)
                graph->constants[i]->data = given[g].data;
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        if (node->op != OP_INPUT)
            continue;
        Tensor *tensor = &inputs[used];
        *tensor = (Tensor){.name = node->names[0], .dtype = node->types[0].dtype, .data = given[used].data};
        tensor->shape.rank = node->types[0].rank;
        for (int d = 0; d < tensor->shape.rank; d++)
            tensor->shape.dims[d] = node->types[0].dims[d].value;
        ck_assert(shape_bytes(&tensor->shape, tensor->dtype, &tensor->bytes));
        used++;
    }
    buffer_done(&text);
    const Tensor *results;
    CHECK_OK(evaluator_new(graph, &(EvaluatorSettings){.kernels = &kernels, .pool = pool}, ret_evaluator, &err));
    CHECK_OK(evaluator_run(*ret_evaluator, inputs, &results, &err));
    return results;
}

static void setup(void) {
    kernels_pick(cpu_detect(), &kernels);
    CHECK_OK(pool_new(1 + (int)below(2) * 2, &pool, &err));
    arena_init(&arena, 0);
}

static void teardown(void) {
    pool_free(pool);
    arena_done(&arena);
}

// Results of `body` with constants and without: f32 may lie `within` (of 1, or of the larger) apart.
static void ways_compare(const char *body, const Given *given, size_t count, size_t first_constant, double within) {
    Evaluator *packed, *plain;
    const Tensor *a = graph_run(body, given, count, first_constant, &packed);
    const Tensor *b = graph_run(body, given, count, count, &plain);
    ck_assert_msg(evaluator_packed_bytes(packed) > 0 && evaluator_packed_bytes(plain) == 0, "%s %s", body,
                  given[0].text);
    ck_assert(a->dtype == b->dtype && shape_equal(&a->shape, &b->shape));
    for (size_t i = 0; i * 4 < a->bytes; i++) {
        double x, y;
        elements_to_f64(a->dtype, (const char *)a->data + i * 4, 1, &x);
        elements_to_f64(b->dtype, (const char *)b->data + i * 4, 1, &y);
        ck_assert_msg(fabs(x - y) <= within * fmax(1, fabs(y)), "%s of %s and %s: element %zu is %.9g, expected %.9g",
                      body, given[0].text, given[first_constant].text, i, x, y);
    }
    evaluator_free(packed);
    evaluator_free(plain);
}

typedef struct Sizes {
    size_t batches, m, k, n;
} Sizes;

static Sizes sizes_random(void) {
    static const size_t ks[] = {1, 2, 3, 63, 64, 65, 130, 257, 768}, ns[] = {1, 2, 7, 16, 31, 32, 33, 100, 300};
    return (Sizes){1 + below(3), 1 + below(40), ks[below(ARRAY_COUNT(ks))], ns[below(ARRAY_COUNT(ns))]};
}

static DType byte_random(void) {
    return below(2) ? DTYPE_U8 : DTYPE_I8;
}

// One of nothing, one number, one for each of n. Returns how many were given.
static size_t zero_random(Given *ret, const char *name, DType dtype, size_t n, size_t kinds) {
    size_t kind = below((uint32_t)kinds);
    char shape[24] = "";
    if (kind == 2)
        snprintf(shape, sizeof shape, "%zu", n);
    *ret = given_random(name, dtype, shape, kind == 2 ? n : 1);
    return kind > 0;
}

// Batches on the left, on both sides, or broadcast.
START_TEST(test_integers) {
    for (size_t round = 0; round < ROUNDS; round++) {
        setup();
        Sizes s = sizes_random();
        DType left = byte_random(), right = byte_random();
        char x[64], w[64], body[128];
        size_t x_batches = below(2) ? s.batches : 1, w_batches = below(2) ? s.batches : 1, count = 1;
        snprintf(x, sizeof x, "%zu,%zu,%zu", x_batches, s.m, s.k);
        snprintf(w, sizeof w, "%zu,%zu,%zu", w_batches, s.k, s.n);
        const char *w_shape = w_batches > 1 || below(2) ? w : strchr(w, ',') + 1; // 2 dimensions for one matrix
        Given given[4] = {given_random("x", left, x, x_batches * s.m * s.k)};
        bool x_zero = zero_random(&given[count], "xz", left, 1, 2);
        count += x_zero;
        size_t first_constant = count;
        given[count++] = given_random("w", right, w_shape, w_batches * s.k * s.n);
        bool w_zero = zero_random(&given[count], "wz", right, s.n, 3);
        count += w_zero;
        snprintf(body, sizeof body, "  %%y = MatMulInteger $x, $w, %s, %s : ?\n  return %%y\n", x_zero ? "$xz" : "_",
                 w_zero ? "$wz" : "_");
        ways_compare(body, given, count, first_constant, 0);
        teardown();
    }
}
END_TEST

// The plain way computes in f32: as far off as sums of k products are.
START_TEST(test_reals) {
    for (size_t round = 0; round < ROUNDS; round++) {
        setup();
        Sizes s = sizes_random();
        bool dynamic = below(2);
        DType left = dynamic ? DTYPE_F32 : byte_random(), right = byte_random();
        char x[64], w[64], n[24], body[160];
        size_t count = 1;
        snprintf(x, sizeof x, "%zu,%zu,%zu", s.batches, s.m, s.k);
        snprintf(w, sizeof w, "%zu,%zu", s.k, s.n);
        snprintf(n, sizeof n, "%zu", s.n);
        Given given[7] = {given_random("x", left, x, s.batches * s.m * s.k)};
        bool x_zero = !dynamic && zero_random(&given[count], "xz", left, 1, 2);
        count += x_zero;
        if (!dynamic)
            given[count++] = given_random("xs", DTYPE_F32, "", 1);
        size_t first_constant = count;
        given[count++] = given_random("w", right, w, s.k * s.n);
        given[count++] = given_random("ws", DTYPE_F32, below(2) ? n : "", s.n);
        bool w_zero = zero_random(&given[count], "wz", right, s.n, 3);
        count += w_zero;
        bool bias = below(2);
        given[count] = given_random("bias", DTYPE_F32, n, s.n);
        count += bias;
        if (dynamic)
            snprintf(body, sizeof body, "  %%y = com.microsoft.DynamicQuantizeMatMul $x, $w, $ws, %s, %s : ?\n",
                     w_zero ? "$wz" : "_", bias ? "$bias" : "_");
        else
            snprintf(body, sizeof body, "  %%y = com.microsoft.MatMulIntegerToFloat $x, $w, $xs, $ws, %s, %s, %s : ?\n",
                     x_zero ? "$xz" : "_", w_zero ? "$wz" : "_", bias ? "$bias" : "_");
        snprintf(body + strlen(body), sizeof body - strlen(body), "  return %%y\n");
        ways_compare(body, given, count, first_constant, 1e-4 * (double)s.k);
        teardown();
    }
}
END_TEST

// GELU after a product, which its kernel does, and the same where the product is a result, too, which keeps them apart.
// Only of products taken together is there no value between the two; those with a bias take no second one.
START_TEST(test_readers) {
    static const char *const products[] = {"MatMul $x, $w", "com.microsoft.DynamicQuantizeMatMul $x, $q, $ws, _, _",
                                           "com.microsoft.DynamicQuantizeMatMul $x, $q, $ws, _, $bias"};
    static const char *const readers[] = {"com.microsoft.BiasGelu %y, $bias", "com.microsoft.FastGelu %y, $bias",
                                          "com.microsoft.FastGelu %y",        "com.microsoft.Gelu %y",
                                          "Gelu %y {approximate=tanh}",       "Gelu %y"};
    setup();
    Given given[] = {given_random("x", DTYPE_F32, "3,17,70", 3 * 17 * 70), given_random("w", DTYPE_F32, "70,45", 3150),
                     given_random("q", DTYPE_I8, "70,45", 3150), given_random("ws", DTYPE_F32, "45", 45),
                     given_random("bias", DTYPE_F32, "45", 45)};
    for (size_t p = 0; p < ARRAY_COUNT(products); p++)
        for (size_t r = 0; r < ARRAY_COUNT(readers); r++) {
            char body[256];
            Evaluator *joined, *apart;
            snprintf(body, sizeof body, "  %%y = %s : ?\n  %%z = %s : ?\n  return %%z\n", products[p], readers[r]);
            const Tensor *a = graph_run(body, given, ARRAY_COUNT(given), 1, &joined);
            snprintf(body, sizeof body, "  %%y = %s : ?\n  %%z = %s : ?\n  return %%z, %%y\n", products[p], readers[r]);
            const Tensor *b = graph_run(body, given, ARRAY_COUNT(given), 1, &apart);
            ck_assert(shape_equal(&a->shape, &b->shape) && strcmp(a->name, "z") == 0);
            bool taken = p < 2 || r > 1;
            size_t saved = evaluator_peak_bytes(apart) - evaluator_peak_bytes(joined);
            ck_assert_msg((saved >= a->bytes) == taken, "%s: %zu bytes less", body, saved);
            // the bias of 8-bit products is added in one rounding less
            double within = p == 1 && r < 2 ? 1e-5 : 0;
            for (size_t i = 0; i * 4 < a->bytes; i++) {
                double x = (double)((const float *)a->data)[i], y = (double)((const float *)b->data)[i];
                ck_assert_msg(fabs(x - y) <= within * fmax(1, fabs(y)), "%s: element %zu is %.9g, expected %.9g", body,
                              i, x, y);
            }
            evaluator_free(joined);
            evaluator_free(apart);
        }
    teardown();
}
END_TEST

TEST_MAIN("products of bytes", test_integers, test_reals, test_readers)

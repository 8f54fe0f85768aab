// SPDX-License-Identifier: Apache-2.0
// Fused operators against the plain ones they stand for, bit for bit: linear with activation and residual, add_norm
// with its sum, views as inputs; for every kind of weight and numbers of rows around tile borders. And shape rules'
// sentences.
#include <math.h>

#include "exec/plans.h"

enum { MOST_ROWS = 300 };

static Arena arena;
static Error err;
static Kernels kernels;

// Runs both graphs on the same inputs and compares all their returns.
static void check_equal(const char *one, const char *other, size_t rows, CpuLevel level, int threads) {
    arena_init(&arena, 0);
    kernels_pick(level, &kernels);
    Pool *pool = NULL;
    CHECK_OK(pool_new(threads, &pool, &err));
    Graph *graphs[] = {graph_from(&arena, one, 5), graph_from(&arena, other, 5)};
    Plan *plans[2];
    for (size_t i = 0; i < 2; i++) {
        plans[i] = plan_of(&arena, graphs[i], &kernels, pool, MOST_ROWS);
        plan_fill_inputs(plans[i], rows, 1, 77);
        plan_run(plans[i], &rows, &(StepContext){0});
    }
    ck_assert_uint_eq(graphs[0]->return_count, graphs[1]->return_count);
    for (size_t r = 0; r < graphs[0]->return_count; r++) {
        Slab a = plan_return(plans[0], r), b = plan_return(plans[1], r);
        ck_assert_msg(slabs_equal(&a, &b), "return %zu, %zu rows, %s, differs:\n%s---\n%s", r, rows,
                      cpu_level_name(level), one, other);
    }
    pool_free(pool);
    arena_done(&arena);
}

static const char *const weight_types[] = {"f32", "f16", "bf16", "s8/row"};
static const size_t row_counts[] = {1, 3, 17, 128, 129, 193, 256, MOST_ROWS};

START_TEST(test_linear_with_activation_and_residual) {
    for (Activation a = ACTIVATION_NONE; a < ACTIVATION_COUNT; a++)
        for (size_t w = 0; w < ARRAY_COUNT(weight_types); w++) {
            char fused[600], plain[600];
            snprintf(fused, sizeof fused,
                     "graph g(T)\n  const @w : %s[70,37]\n  const @b : f32[70]\n  %%x = input : f32[T,37]\n"
                     "  %%r = input : f32[T,70]\n  %%y = linear %%x, @w, @b, %%r {activation=%s} : f32[T,70]\n"
                     "  return %%y\n",
                     weight_types[w], activation_name(a));
            snprintf(plain, sizeof plain,
                     "graph g(T)\n  const @w : %s[70,37]\n  const @b : f32[70]\n  %%x = input : f32[T,37]\n"
                     "  %%r = input : f32[T,70]\n  %%s = linear %%x, @w, @b : f32[T,70]\n"
                     "  %%t = activation %%s {kind=%s} : f32[T,70]\n  %%y = add %%t, %%r : f32[T,70]\n  return %%y\n",
                     weight_types[w], activation_name(a));
            for (size_t i = 0; i < ARRAY_COUNT(row_counts); i++)
                check_equal(fused, plain, row_counts[i], cpu_detect(), 1);
            check_equal(fused, plain, 19, CPU_REF, 1);
        }
}
END_TEST

// Rows of several weights as one, split again, against one linear each; views feed the next operators.
START_TEST(test_linear_of_parts_and_views) {
    for (size_t w = 0; w < ARRAY_COUNT(weight_types); w++) {
        char fused[900], plain[900];
        snprintf(fused, sizeof fused,
                 "graph g(T)\n  const @q : %s[24,40]\n  const @k : %s[24,40]\n  const @v : %s[9,40]\n"
                 "  const @qkv = rows @q, @k, @v : %s[57,40]\n  const @o : %s[24,24]\n  %%x = input : f32[T,40]\n"
                 "  %%h = linear %%x, @qkv : f32[T,57]\n"
                 "  %%a, %%b, %%c = split %%h {sizes=[24,24,9]} : f32[T,24], f32[T,24], f32[T,9]\n"
                 "  %%y = linear %%b, @o, _, %%a : f32[T,24]\n  return %%y, %%c\n",
                 weight_types[w], weight_types[w], weight_types[w], weight_types[w], weight_types[w]);
        snprintf(plain, sizeof plain,
                 "graph g(T)\n  const @q : %s[24,40]\n  const @k : %s[24,40]\n  const @v : %s[9,40]\n"
                 "  const @o : %s[24,24]\n  %%x = input : f32[T,40]\n  %%a = linear %%x, @q : f32[T,24]\n"
                 "  %%b = linear %%x, @k : f32[T,24]\n  %%c = linear %%x, @v : f32[T,9]\n"
                 "  %%s = linear %%b, @o : f32[T,24]\n  %%y = add %%s, %%a : f32[T,24]\n  return %%y, %%c\n",
                 weight_types[w], weight_types[w], weight_types[w], weight_types[w]);
        for (size_t i = 0; i < ARRAY_COUNT(row_counts); i++)
            check_equal(fused, plain, row_counts[i], cpu_detect(), 1);
        check_equal(fused, plain, MOST_ROWS, cpu_detect(), 2);
        check_equal(fused, plain, 5, CPU_REF, 1);
    }
}
END_TEST

START_TEST(test_add_norm) {
    const char *fused = "graph g(T)\n  const @gain : f32[37]\n  const @bias : f32[37]\n  %x = input : f32[T,37]\n"
                        "  %r = input : f32[T,37]\n"
                        "  %y, %s = add_norm %x, %r, @gain, @bias {epsilon=1e-05} : f32[T,37], f32[T,37]\n"
                        "  return %y, %s\n";
    const char *single = "graph g(T)\n  const @gain : f32[37]\n  const @bias : f32[37]\n  %x = input : f32[T,37]\n"
                         "  %r = input : f32[T,37]\n"
                         "  %y = add_norm %x, %r, @gain, @bias {epsilon=1e-05} : f32[T,37]\n"
                         "  %s = add %x, %r : f32[T,37]\n  return %y, %s\n";
    const char *plain = "graph g(T)\n  const @gain : f32[37]\n  const @bias : f32[37]\n  %x = input : f32[T,37]\n"
                        "  %r = input : f32[T,37]\n  %s = add %x, %r : f32[T,37]\n"
                        "  %y = layer_norm %s, @gain, @bias {epsilon=1e-05} : f32[T,37]\n  return %y, %s\n";
    for (CpuLevel level = CPU_REF; level <= cpu_detect(); level++)
        for (size_t i = 0; i < ARRAY_COUNT(row_counts); i++) {
            check_equal(fused, plain, row_counts[i], level, 1);
            check_equal(single, plain, row_counts[i], level, 1);
        }
}
END_TEST

// The plain linear itself against sums in double precision.
START_TEST(test_linear_is_a_product) {
    const char *text = "graph g(T)\n  const @w : f32[70,37]\n  const @b : f32[70]\n  %x = input : f32[T,37]\n"
                       "  %y = linear %x, @w, @b : f32[T,70]\n  return %y\n";
    arena_init(&arena, 0);
    kernels_pick(cpu_detect(), &kernels);
    const Graph *graph = graph_from(&arena, text, 9);
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, MOST_ROWS);
    size_t rows = 200;
    plan_fill_inputs(plan, rows, 1, 4);
    plan_run(plan, &rows, &(StepContext){0});
    const float *x = plan_input(plan, 0), *w = graph_find_constant(graph, "w")->data;
    const float *b = graph_find_constant(graph, "b")->data, *y = plan_return(plan, 0).data;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < 70; c++) {
            double sum = (double)b[c];
            for (size_t k = 0; k < 37; k++)
                sum += (double)x[r * 37 + k] * (double)w[c * 37 + k];
            ck_assert_msg(fabs((double)y[r * 70 + c] - sum) < 1e-5, "row %zu, column %zu", r, c);
        }
    arena_done(&arena);
}
END_TEST

// A linear of static activations against its definition: one scale for all rows, columns times their factors first.
START_TEST(test_linear_of_static_activations) {
    const char *text = "graph g(T)\n  const @w : s8/row[21,37]\n  const @b : f32[21]\n  const @f : f32[37]\n"
                       "  %x = input : f32[T,37]\n"
                       "  %y = linear %x, @w, @b, _, @f {input_scale=0.004} : f32[T,21]\n"
                       "  %z = linear %x, @w {input_scale=0.004} : f32[T,21]\n  return %y, %z\n";
    arena_init(&arena, 0);
    kernels_pick(cpu_detect(), &kernels);
    const Graph *graph = graph_from(&arena, text, 9);
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, 8);
    size_t rows = 8, clamped = 0;
    plan_fill_inputs(plan, rows, 1, 4);
    float x[8 * 37];
    memcpy(x, plan_input(plan, 0), sizeof x);
    plan_run(plan, &rows, &(StepContext){0});
    const Constant *w = graph_find_constant(graph, "w");
    const float *b = graph_find_constant(graph, "b")->data, *f = graph_find_constant(graph, "f")->data;
    const float *y = plan_return(plan, 0).data, *z = plan_return(plan, 1).data;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < 21; c++) {
            double with = 0, without = 0;
            for (size_t k = 0; k < 37; k++) {
                double value = (double)x[r * 37 + k] / 0.004, weight = ((const int8_t *)w->data)[c * 37 + k];
                with += weight * rint(fmax(-127, fmin(127, value * (double)f[k])));
                without += weight * rint(fmax(-127, fmin(127, value)));
                clamped += fabs(value) > 127;
            }
            double scale = 0.004 * (double)w->scales[c];
            ck_assert_msg(fabs((double)y[r * 21 + c] - with * scale - (double)b[c]) < 1e-5, "row %zu, column %zu", r,
                          c);
            ck_assert_msg(fabs((double)z[r * 21 + c] - without * scale) < 1e-5, "row %zu, column %zu", r, c);
        }
    ck_assert_uint_gt(clamped, 0);
    arena_done(&arena);
}
END_TEST

// Attention where keys and values are kept as int8: a source of more keys than integers take goes in floats, as it does
// where they are kept as floats, and the one beside it in integers, as it does alone.
START_TEST(test_attention_of_each_source) {
    const char *text = "graph g(T)\n  const @q : s8/row[16,8]\n  %x = input : f32[T,8]\n"
                       "  %q = linear %x, @q : f32[T,16]\n  %y = attention %q, %q, %q {heads=2} : f32[T,16]\n"
                       "  return %y\n";
    enum { SHORT = 70, KEYS = ATTENTION_S8_KEYS + 1, QUERIES = 3, COLUMNS = 16, KEPT = (SHORT + QUERIES) * COLUMNS };
    static float results[3][KEPT];
    static const KvPool integers = {.kind = KV_S8}, floats = {.kind = KV_F32};
    SourceSpan sources[] = {{.first_row = 0, .rows = SHORT, .keys = SHORT},
                            {.first_row = SHORT, .rows = QUERIES, .keys = KEYS}};
    const StepContext steps[] = {{.sources = sources, .source_count = 2, .kv = &integers},
                                 {.sources = sources, .source_count = 1, .kv = &integers},
                                 {.sources = sources, .source_count = 2, .kv = &floats}};
    arena_init(&arena, 0);
    kernels_pick(cpu_detect(), &kernels);
    Pool *pool = NULL;
    CHECK_OK(pool_new(3, &pool, &err));
    size_t rows = SHORT + KEYS;
    Plan *plan = plan_of(&arena, graph_from(&arena, text, 3), &kernels, pool, rows);
    for (size_t s = 0; s < 3; s++) {
        plan_fill_inputs(plan, rows, 1, 8);
        plan_run(plan, &rows, &steps[s]);
        Slab y = plan_return(plan, 0);
        for (size_t i = 0; i < KEPT; i++)
            results[s][i] = ((const float *)y.data)[i / COLUMNS * y.row_stride + i % COLUMNS];
    }
    size_t of_short = SHORT * COLUMNS * sizeof(float);
    ck_assert_mem_eq(results[0], results[1], of_short);
    ck_assert(memcmp(results[0], results[2], of_short) != 0);
    ck_assert_mem_eq(results[0] + SHORT * COLUMNS, results[2] + SHORT * COLUMNS, sizeof results[0] - of_short);
    pool_free(pool);
    arena_done(&arena);
}
END_TEST

// embed, rows, scale and activation against their definitions.
START_TEST(test_gathering) {
    const char *text = "graph g(T, P)\n  const @table : f32[12,5]\n  %ids = input : i32[T]\n  %pick = input : i32[P]\n"
                       "  %x = embed %ids, @table {offset=2, scale=3} : f32[T,5]\n"
                       "  %y = rows %x, %pick : f32[P,5]\n  %z = scale %y {factor=-0.5} : f32[P,5]\n  return %z\n";
    arena_init(&arena, 0);
    kernels_pick(cpu_detect(), &kernels);
    const Graph *graph = graph_from(&arena, text, 9);
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, 8);
    static const int32_t ids[] = {9, 0, 3, 3}, picks[] = {3, 0, 1, 1, 2};
    memcpy(plan_input(plan, 0), ids, sizeof ids);
    memcpy(plan_input(plan, 1), picks, sizeof picks);
    size_t dims[] = {ARRAY_COUNT(ids), ARRAY_COUNT(picks)};
    plan_run(plan, dims, &(StepContext){0});
    const float *table = graph_find_constant(graph, "table")->data;
    Slab z = plan_return(plan, 0);
    ck_assert_uint_eq(z.rows, ARRAY_COUNT(picks));
    for (size_t r = 0; r < z.rows; r++)
        for (size_t c = 0; c < 5; c++)
            ck_assert(((float *)z.data)[r * 5 + c] == table[(size_t)(ids[picks[r]] + 2) * 5 + c] * 3 * -0.5f);
    memcpy(plan_input(plan, 0), ids, sizeof ids); // inputs are used up by a run
    dims[1] = 0;                                  // nobody wants a row
    plan_run(plan, dims, &(StepContext){0});
    ck_assert_uint_eq(plan_return(plan, 0).rows, 0);
    arena_done(&arena);
}
END_TEST

START_TEST(test_shape_rules) {
#define HEAD "graph g(T)\n  const @w : f32[8,4]\n  const @v : f32[3]\n  %i = input : i32[T]\n  %x = input : f32[T,4]\n"
#define HEAD_S8 "graph g(T)\n  const @w : s8/row[8,4]\n  const @v : f32[3]\n  %x = input : f32[T,4]\n"
    static const struct {
        const char *text, *message;
    } cases[] = {
        {HEAD "  %y = linear %x, @v : f32[T,3]\n", "linear 'y': its weight must be a constant [outputs, inputs]"},
        {HEAD "  %a = linear %x, @w : f32[T,8]\n  %y = linear %a, @w : f32[T,8]\n",
         "linear 'y': weight 'w' takes 4 inputs, x has 8 columns"},
        {HEAD "  %y = linear %x, @w, @v : f32[T,8]\n", "linear 'y': input 2 must be a constant vector of 8 elements"},
        {HEAD "  %y = linear %x, @w, _, %x : f32[T,8]\n", "linear 'y': its residual must have the output's type"},
        {HEAD "  %y = linear %x, @w {activation=sine} : f32[T,8]\n", "linear 'y': unknown activation 'sine'"},
        {HEAD "  %y = linear %x, @w {input_scale=0.1} : f32[T,8]\n", "linear 'y': an input_scale needs int8 weights"},
        {HEAD "  %y = linear %x, @w, _, _, @v : f32[T,8]\n", "linear 'y': input factors need an input_scale"},
        {HEAD_S8 "  %y = linear %x, @w {input_scale=0} : f32[T,8]\n", "linear 'y': its input_scale is 0, expected a"},
        {HEAD_S8 "  %y = linear %x, @w, _, _, @v {input_scale=1} : f32[T,8]\n",
         "linear 'y': input 4 must be a constant vector of 4 elements"},
        {HEAD "  %y = linear %i, @w : f32[T,8]\n", "linear 'y': input 0 must be f32 [rows, columns]"},
        {HEAD "  %y = linear %x, @w : f32[T,7]\n", "linear 'y': the type of output 0 does not follow from its inputs"},
        {HEAD "  %y = add %x, %i : f32[T,4]\n", "add 'y': inputs 0 and 1 must have the same type"},
        {HEAD "  %y = activation %x {kind=sine} : f32[T,4]\n", "activation 'y': unknown kind 'sine'"},
        {HEAD "  %y = layer_norm %x, @v, _ : f32[T,4]\n", "layer_norm 'y': input 1 must be a constant vector of 4"},
        {HEAD "  %y = embed %x, @w : f32[T,4]\n", "embed 'y': input 0 must be i32 [rows]"},
        {HEAD "  %y = embed %i, @v : f32[T,4]\n", "embed 'y': the table must be a constant [rows, columns]"},
        {HEAD "  %y = rows %x, %x : f32[T,4]\n", "rows 'y': input 1 must be i32 [rows]"},
        {HEAD "  %a, %b = split %x {sizes=[1,2]} : f32[T,1], f32[T,2]\n", "split 'a': its sizes leave 1 columns over"},
        {HEAD "  %a, %b = split %x {sizes=[1,4]} : f32[T,1], f32[T,4]\n",
         "split 'a': size 1 is 4, and 3 columns are left"},
        {HEAD "  %a, %b = split %x {sizes=[4]} : f32[T,1], f32[T,3]\n",
         "split 'a': expected one size for each of its 2"},
        {HEAD "  %y = attention %x, %x, %x {heads=3} : f32[T,4]\n", "attention 'y': 3 heads do not divide 4 columns"},
        {HEAD "  cross_store %x, %i {heads=2, layer=0}\n", "inputs 0 and 1 must have the same type"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        arena_init(&arena, 0);
        Graph *graph = NULL;
        char whole[500];
        snprintf(whole, sizeof whole, "%s  return %%x\n", cases[i].text);
        Bytes text = {(const unsigned char *)whole, strlen(whole)};
        CHECK_OK(graph_parse(&arena, "text", text, &graph, &err));
        CHECK_FAILS(op_verify(graph, &err), ERR_FORMAT, cases[i].message);
        arena_done(&arena);
    }
}
END_TEST

TEST_MAIN("op/run", test_linear_with_activation_and_residual, test_linear_of_parts_and_views, test_add_norm,
          test_linear_is_a_product, test_linear_of_static_activations, test_attention_of_each_source, test_gathering,
          test_shape_rules)

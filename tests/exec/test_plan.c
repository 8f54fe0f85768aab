// SPDX-License-Identifier: Apache-2.0
// Plans: sharing bytes between values changes no bit, whatever the graph; views look where they should; what cannot be
// planned is refused.
#include <math.h>

#include "exec/plans.h"
#include "pass/pass.h"
#include "random_graph.h"

enum { MOST_ROWS = 40, LAYERS = 3 };

static Arena arena;
static Error err;
static Kernels kernels;

static void setup(void) {
    arena_init(&arena, 0);
    kernels_pick(cpu_detect(), &kernels);
}

static bool has_all_data(const Graph *graph) {
    for (size_t i = 0; i < graph->constant_count; i++)
        if (!constant_has_data(graph->constants[i]))
            return false;
    return graph->return_count > 0;
}

// The same graph with every value returned, so that nothing shares bytes.
static Graph *everything_returned(const Graph *graph, size_t *ret_first) {
    Graph *copy = graph_copy(&arena, graph, &err);
    ck_assert_ptr_nonnull(copy);
    Value values[512];
    size_t count = 0;
    for (size_t r = 0; r < copy->return_count; r++)
        values[count++] = copy->returns[r];
    *ret_first = count;
    for (size_t n = 0; n < copy->node_count; n++)
        for (size_t o = 0; o < copy->nodes[n]->output_count && count < ARRAY_COUNT(values); o++)
            values[count++] = value_of(copy->nodes[n], (int)o);
    CHECK_OK(graph_set_returns(copy, values, count, &err));
    return copy;
}

// One run over two sources with K/V in a pool of their own.
static void run_step(Plan *plan, size_t rows, float *pool) {
    static const int32_t pages[2][3] = {{4, 1, 3}, {0, 2, 5}};
    size_t half = rows / 2;
    SourceSpan sources[] = {{0, rows - half, rows - half, pages[0]},
                            {rows - half, half, half ? (half + 1) / 2 : 0, pages[1]}};
    KvPool kv = {.base = (unsigned char *)pool,
                 .width = RANDOM_GRAPH_WIDTH,
                 .slot_bytes = 8 * sizeof *pool,
                 .layer_bytes = 6 * 128 * sizeof *pool};
    StepContext step = {.sources = sources, .source_count = half ? 2 : 1, .kv = &kv};
    plan_run(plan, &rows, &step);
}

static void check_graph(const Graph *graph, uint64_t seed, size_t *ret_saved) {
    size_t own_returns;
    const Graph *whole = everything_returned(graph, &own_returns);
    Graph *passed = graph_copy(&arena, graph, &err);
    CHECK_OK(passes_run_standard(passed, &err));
    Plan *apart = plan_of(&arena, whole, &kernels, NULL, MOST_ROWS);
    Plan *shared[] = {plan_of(&arena, graph, &kernels, NULL, MOST_ROWS),
                      plan_of(&arena, passed, &kernels, NULL, MOST_ROWS)};
    static float pools[3][LAYERS * 6 * 128];
    for (size_t round = 0; round < 3; round++) { // fewer rows after more, so that old values lie about
        size_t rows = round == 0 ? MOST_ROWS : 1 + (seed + round * 7) % MOST_ROWS;
        plan_fill_inputs(apart, rows, 9, seed + round);
        run_step(apart, rows, pools[0]);
        for (size_t p = 0; p < ARRAY_COUNT(shared); p++) {
            plan_fill_inputs(shared[p], rows, 9, seed + round);
            run_step(shared[p], rows, pools[1 + p]);
            for (size_t r = 0; r < own_returns; r++) {
                Slab a = plan_return(apart, r), b = plan_return(shared[p], r);
                ck_assert_msg(slabs_equal(&a, &b), "seed %llu: return %zu differs %s", (unsigned long long)seed, r,
                              p ? "after the passes" : "with shared bytes");
            }
        }
    }
    ck_assert_uint_le(plan_block_bytes(shared[0]), plan_block_bytes(apart));
    *ret_saved += plan_block_bytes(apart) - plan_block_bytes(shared[0]);
}

START_TEST(test_sharing_changes_no_bit) {
    size_t checked = 0, saved = 0;
    for (uint64_t seed = 1; checked < 150; seed++) {
        setup();
        Graph *graph = random_graph(&arena, seed);
        if (has_all_data(graph)) {
            check_graph(graph, seed, &saved);
            checked++;
        }
        arena_done(&arena);
    }
    ck_assert_uint_gt(saved, 150 * 64);
}
END_TEST

// A view of a view, read after the whole was read last, and returned.
START_TEST(test_views_keep_their_root) {
    setup();
    const Graph *graph = graph_from(&arena,
                                    "graph g(T)\n"
                                    "  const @w : f32[12,4]\n"
                                    "  const @v : f32[12,12]\n"
                                    "  %x = input : f32[T,4]\n"
                                    "  %h = linear %x, @w : f32[T,12]\n"
                                    "  %a, %b = split %h {sizes=[5,7]} : f32[T,5], f32[T,7]\n"
                                    "  %c, %d = split %b {sizes=[3,4]} : f32[T,3], f32[T,4]\n"
                                    "  %big = linear %h, @v : f32[T,12]\n"
                                    "  %more = linear %big, @v : f32[T,12]\n"
                                    "  %last = add %d, %x : f32[T,4]\n"
                                    "  return %c, %last, %more, %x\n",
                                    1);
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, 6);
    plan_fill_inputs(plan, 6, 1, 2);
    const float *x = plan_input(plan, 0);
    plan_run(plan, &(size_t){6}, &(StepContext){0});
    const float *w = graph_find_constant(graph, "w")->data;
    Slab c = plan_return(plan, 0), last = plan_return(plan, 1), given = plan_return(plan, 3);
    ck_assert_uint_eq(c.columns, 3);
    ck_assert_uint_eq(c.row_stride, 12);
    ck_assert_ptr_eq(given.data, x);
    for (size_t r = 0; r < 6; r++)
        for (size_t j = 0; j < 4; j++) {
            float sum[2] = {0, 0};
            for (size_t k = 0; k < 4; k++) {
                sum[0] = fmaf(x[r * 4 + k], w[(5 + j) * 4 + k], sum[0]);
                sum[1] = fmaf(x[r * 4 + k], w[(8 + j) * 4 + k], sum[1]);
            }
            if (j < 3)
                ck_assert(((float *)c.data)[r * c.row_stride + j] == sum[0]);
            ck_assert(((float *)last.data)[r * 4 + j] == sum[1] + x[r * 4 + j]);
        }
    ck_assert_uint_lt(plan_block_bytes(plan), plan_unshared_bytes(plan) + 64 * 5);
    arena_done(&arena);
}
END_TEST

static void check_refused(const char *text, Status status, const char *message) {
    setup();
    const Graph *graph = graph_from(&arena, text, 1);
    Plan *plan;
    size_t dims[] = {4, 4};
    PlanSettings settings = {&kernels, NULL, dims, 4};
    CHECK_FAILS(plan_make(&arena, graph, &settings, &plan, &err), status, message);
    arena_done(&arena);
}

START_TEST(test_what_cannot_be_planned) {
    check_refused("graph g(T)\n  const @c : f32[3,4]\n  %a, %b = split @c {sizes=[1,3]} : f32[3,1], f32[3,3]\n"
                  "  return %a\n",
                  ERR_UNSUPPORTED, "split 'a': input 0 is the constant 'c'");
    check_refused("graph g(T)\n  const @c : f32[3,4]\n  %x = input : f32[3,4]\n  %y = add %x, @c : f32[3,4]\n"
                  "  return %y\n",
                  ERR_UNSUPPORTED, "add 'y': input 1 is the constant 'c'");
    check_refused("graph g(T)\n  const @c : f32[3,4]\n  %x = input : f32[3,4]\n  return @c\n", ERR_UNSUPPORTED,
                  "returns the constant 'c'");
    check_refused("graph g(T)\n  %x = input : f16[T,4]\n  return %x\n", ERR_UNSUPPORTED, "input 'x': plans run values");
    check_refused("graph g(T)\n  %x = input : f32[4,T]\n  return %x\n", ERR_UNSUPPORTED, "input 'x': plans run values");
}
END_TEST

// Explain's view of a plan: every step that runs, inside the block, timed when asked.
START_TEST(test_steps) {
    setup();
    const Graph *graph = graph_from(&arena,
                                    "graph g(T)\n  const @w : f32[8,4]\n  %x = input : f32[T,4]\n"
                                    "  %h = linear %x, @w : f32[T,8]\n"
                                    "  %a, %b = split %h {sizes=[4,4]} : f32[T,4], f32[T,4]\n"
                                    "  %y = add %a, %b : f32[T,4]\n  return %y\n",
                                    3);
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, 5);
    const PlanStep *steps;
    ck_assert_uint_eq(plan_steps(plan, &steps), 2);
    ck_assert_str_eq(steps[0].kernel, kernels.gemm[WEIGHT_F32].name);
    ck_assert_uint_eq(steps[0].bytes, 5 * 8 * 4);
    ck_assert_uint_eq(steps[1].bytes, 5 * 4 * 4);
    for (size_t i = 0; i < 2; i++)
        ck_assert_uint_le(steps[i].offset + steps[i].bytes, plan_block_bytes(plan));
    plan_fill_inputs(plan, 5, 1, 1);
    plan_run(plan, &(size_t){5}, &(StepContext){0});
    ck_assert_uint_eq(steps[0].runs, 0);
    plan_set_timing(plan, true);
    plan_run(plan, &(size_t){5}, &(StepContext){0});
    ck_assert_uint_eq(steps[0].runs, 1);
    ck_assert_uint_eq(plan_packed_bytes(plan), gemm_packed_bytes(&kernels.gemm[WEIGHT_F32], 8, 4, 0));
    arena_done(&arena);
}
END_TEST

typedef struct Seen {
    const Graph *graph;
    size_t nodes;
    double input_sum, output_sum; // of the second linear
} Seen;

static double slab_sum(const Slab *slab) {
    double sum = 0;
    for (size_t r = 0; r < slab->rows; r++)
        for (size_t c = 0; c < slab->columns; c++)
            sum += (double)((const float *)slab->data)[r * slab->row_stride + c];
    return sum;
}

static void see(void *context, const Graph *graph, const Node *node, const Slab *inputs, const Slab *outputs) {
    Seen *seen = context;
    ck_assert_ptr_eq(graph, seen->graph);
    ck_assert(node->op != OP_INPUT && node->op != OP_SPLIT);
    seen->nodes++;
    if (strcmp(node->names[0], "y") != 0)
        return;
    ck_assert_ptr_null(inputs[1].data);
    ck_assert_uint_eq(inputs[0].row_stride, 6); // a view
    seen->input_sum += slab_sum(&inputs[0]);
    seen->output_sum += slab_sum(&outputs[0]);
}

START_TEST(test_observer_sees_every_value) {
    setup();
    const Graph *graph =
        graph_from(&arena,
                   "graph g(T)\n  const @w : f32[6,4]\n  const @v : f32[3,2]\n  %x = input : f32[T,4]\n"
                   "  %h = linear %x, @w : f32[T,6]\n"
                   "  %a, %b = split %h {sizes=[4,2]} : f32[T,4], f32[T,2]\n"
                   "  %y = linear %b, @v : f32[T,3]\n  %s = add %a, %a : f32[T,4]\n  return %b, %y, %s\n",
                   1);
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, 5);
    Seen seen = {.graph = graph};
    plan_observe(plan, (PlanObserver){see, &seen});
    plan_fill_inputs(plan, 5, 1, 2);
    plan_run(plan, &(size_t){5}, &(StepContext){0});
    Slab b = plan_return(plan, 0), y = plan_return(plan, 1);
    ck_assert_uint_eq(seen.nodes, 3);
    ck_assert(seen.input_sum == slab_sum(&b) && seen.output_sum == slab_sum(&y) && seen.output_sum != 0);
    plan_observe(plan, (PlanObserver){0});
    plan_run(plan, &(size_t){5}, &(StepContext){0});
    ck_assert_uint_eq(seen.nodes, 3);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("exec/plan", test_observer_sees_every_value, test_sharing_changes_no_bit, test_views_keep_their_root,
          test_what_cannot_be_planned, test_steps)

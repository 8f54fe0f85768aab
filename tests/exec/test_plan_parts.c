// SPDX-License-Identifier: Apache-2.0
// Plans in parts: what is kept before a step and put back gives the same bits from there on, whatever ran in between;
// other constants give what a plan made with them gives, and leave no trace; steps that are skipped pass their value
// on.
#include "exec/plans.h"
#include "random_graph.h"

enum { ROWS = 11, LAYERS = 3, POOL = LAYERS * 6 * 128, MOST_STEPS = 256 };

static Arena arena;
static Error err;
static Kernels kernels;

static void setup(void) {
    arena_init(&arena, 0);
    kernels_pick(cpu_detect(), &kernels);
}

static bool can_run(const Graph *graph) {
    for (size_t i = 0; i < graph->constant_count; i++)
        if (!constant_has_data(graph->constants[i]))
            return false;
    return graph->return_count > 0;
}

// Steps [first, last) over one source, with K/V in a pool.
static void run_steps(Plan *plan, size_t first, size_t last, float *pool) {
    static const int32_t pages[] = {4, 1, 3};
    SourceSpan source = {0, ROWS, ROWS, pages};
    KvPool kv = {.base = (unsigned char *)pool,
                 .width = RANDOM_GRAPH_WIDTH,
                 .slot_bytes = 8 * sizeof *pool,
                 .layer_bytes = 6 * 128 * sizeof *pool};
    StepContext step = {.sources = &source, .source_count = 1, .kv = &kv};
    plan_run_steps(plan, first, last, &step);
}

static size_t step_count(const Plan *plan) {
    const PlanStep *steps;
    return plan_steps(plan, &steps);
}

static void run_whole(Plan *plan, uint64_t seed, float *pool) {
    plan_fill_inputs(plan, ROWS, 9, seed);
    plan_bind(plan, &(size_t){ROWS});
    run_steps(plan, 0, step_count(plan), pool);
}

// Copies of what a plan returned.
static Slab *returns_copy(const Plan *plan) {
    size_t count = plan_graph(plan)->return_count;
    Slab *copies = arena_array(&arena, count, sizeof *copies, &err);
    for (size_t r = 0; r < count; r++) {
        Slab slab = plan_return(plan, r);
        copies[r] = (Slab){.rows = slab.rows, .columns = slab.columns, .row_stride = slab.columns};
        float *values = copies[r].data = arena_array(&arena, slab.rows * slab.columns, sizeof(float), &err);
        for (size_t i = 0; i < slab.rows; i++)
            memcpy(values + i * slab.columns, (const float *)slab.data + i * slab.row_stride,
                   slab.columns * sizeof(float));
    }
    return copies;
}

static bool returns_equal(const Plan *plan, const Slab *copies) {
    bool equal = true;
    for (size_t r = 0; r < plan_graph(plan)->return_count; r++) {
        Slab slab = plan_return(plan, r);
        equal &= slabs_equal(&slab, &copies[r]);
    }
    return equal;
}

START_TEST(a_state_put_back_goes_on_as_before) {
    size_t steps_seen = 0;
    for (uint64_t seed = 1; steps_seen < 300; seed++) {
        setup();
        Graph *graph = random_graph(&arena, seed);
        if (can_run(graph)) {
            static float pool[POOL], other[POOL];
            Plan *plan = plan_of(&arena, graph, &kernels, NULL, ROWS);
            size_t count = step_count(plan);
            ck_assert_uint_le(count, MOST_STEPS);
            run_whole(plan, seed, pool);
            const Slab *wanted = returns_copy(plan);
            for (size_t s = 0; s < count; s++, steps_seen++) {
                plan_fill_inputs(plan, ROWS, 9, seed);
                run_steps(plan, 0, s, pool);
                void *state = arena_array(&arena, plan_state_bytes(plan, s) + 1, 1, &err);
                plan_state_save(plan, s, state);
                run_whole(plan, seed + 1000, other);
                plan_state_restore(plan, s, state);
                run_steps(plan, s, count, pool);
                ck_assert_msg(returns_equal(plan, wanted), "seed %llu, step %zu", (unsigned long long)seed, s);
            }
        }
        arena_done(&arena);
    }
}
END_TEST

// The same constant as int8 rows, as half precision, or with other values.
static Constant other_form(const Constant *constant, uint32_t form, uint64_t seed) {
    Constant other = *constant;
    Random random = {seed};
    if (form && constant->shape.rank == 2) {
        other.scheme = form == 1 ? SCHEME_INT8_ROW : SCHEME_DENSE;
        other.dtype = form == 1 ? DTYPE_I8 : DTYPE_F16;
    }
    constant_noise(&arena, &other, &random);
    return other;
}

static void check_variant(const Graph *graph, uint64_t seed, size_t index, size_t *ret_checked) {
    static float pool[POOL];
    Graph *changed = graph_copy(&arena, graph, &err);
    Constant other = other_form(graph->constants[index], (uint32_t)(seed + index) % 3, seed);
    int place = changed->constants[index]->index;
    *changed->constants[index] = other;
    changed->constants[index]->index = place;
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, ROWS), *fresh = plan_of(&arena, changed, &kernels, NULL, ROWS);
    run_whole(plan, seed, pool);
    const Slab *before = returns_copy(plan);
    run_whole(fresh, seed, pool);
    const Slab *wanted = returns_copy(fresh);
    PlanVariant *variant;
    CHECK_OK(plan_variant_make(&arena, plan, &other, 1, &variant, &err));
    plan_variant_swap(variant);
    run_whole(plan, seed, pool);
    ck_assert_msg(returns_equal(plan, wanted), "seed %llu: '%s'", (unsigned long long)seed, other.name);
    plan_variant_swap(variant);
    run_whole(plan, seed, pool);
    ck_assert_msg(returns_equal(plan, before), "seed %llu: '%s' left a trace", (unsigned long long)seed, other.name);
    *ret_checked += !returns_equal(fresh, before);
}

START_TEST(other_constants_are_as_if_the_graph_had_them) {
    size_t checked = 0;
    for (uint64_t seed = 1; checked < 100; seed++) {
        setup();
        Graph *graph = random_graph(&arena, seed);
        for (size_t c = 0; can_run(graph) && c < graph->constant_count; c++)
            check_variant(graph, seed, c, &checked);
        arena_done(&arena);
    }
}
END_TEST

static const char chain[] = "graph g(T)\n  const @a : f32[4,4]\n  const @b : f32[4,4]\n  const @c : f32[4,4]\n"
                            "  %x = input : f32[T,4]\n"
                            "  %p = linear %x, @a : f32[T,4]\n"
                            "  %q = linear %p, @b : f32[T,4]\n"
                            "  %r = linear %q, @b : f32[T,4]\n"
                            "  %s = add %p, %r : f32[T,4]\n"
                            "  %t = linear %s, @c : f32[T,4]\n"
                            "  return %t\n";

START_TEST(skipped_steps_pass_their_value_on) {
    setup();
    const Graph *graph = graph_from(&arena, chain, 1);
    const Graph *shorter = graph_from(&arena,
                                      "graph g(T)\n  const @a : f32[4,4]\n  const @c : f32[4,4]\n"
                                      "  %x = input : f32[T,4]\n  %p = linear %x, @a : f32[T,4]\n"
                                      "  %t = linear %p, @c : f32[T,4]\n  return %t\n",
                                      1);
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, ROWS), *fresh = plan_of(&arena, shorter, &kernels, NULL, ROWS);
    Value p, s;
    ck_assert(graph_find_value(graph, "p", &p) && graph_find_value(graph, "s", &s));
    run_whole(plan, 5, NULL);
    const Slab *before = returns_copy(plan);
    run_whole(fresh, 5, NULL);
    const Slab *wanted = returns_copy(fresh);
    plan_skip(plan, 1, 4, p, s);
    run_whole(plan, 5, NULL);
    ck_assert(returns_equal(plan, wanted) && !returns_equal(plan, before));
    Slab passed = plan_value(plan, s);
    ck_assert_uint_eq(passed.rows, ROWS);
    plan_skip(plan, 0, 0, (Value){0}, (Value){0});
    run_whole(plan, 5, NULL);
    ck_assert(returns_equal(plan, before));
    arena_done(&arena);
}
END_TEST

START_TEST(constants_that_do_not_fit_are_refused) {
    setup();
    const Graph *graph = graph_from(&arena, chain, 1);
    Plan *plan = plan_of(&arena, graph, &kernels, NULL, ROWS);
    PlanVariant *variant;
    Constant other = *graph_find_constant(graph, "b");
    other.shape.dims[1] = 3;
    CHECK_FAILS(plan_variant_make(&arena, plan, &other, 1, &variant, &err), ERR_FORMAT, "takes 3 inputs");
    other.shape = (Shape){2, {3, 4}};
    CHECK_FAILS(plan_variant_make(&arena, plan, &other, 1, &variant, &err), ERR_FORMAT,
                "linear 'q': the other constant gives an output of another type");
    other.name = "nobody's";
    CHECK_OK(plan_variant_make(&arena, plan, &other, 1, &variant, &err));
    arena_done(&arena);
}
END_TEST

TEST_MAIN("exec/plan_parts", a_state_put_back_goes_on_as_before, other_constants_are_as_if_the_graph_had_them,
          skipped_steps_pass_their_value_on, constants_that_do_not_fit_are_refused)

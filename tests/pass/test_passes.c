// SPDX-License-Identifier: Apache-2.0
// Passes over random graphs: still well-formed, stable, and the same numbers bit for bit; the runner; the rules of
// quantize_weights that text cannot show.
#include "pass/pass.h"

#include <math.h>

#include "base/fault.h"
#include "check.h"
#include "graph/print.h"
#include "op/op.h"
#include "random_graph.h"

static Arena arena;
static Error err;
static const PassInputs verified = {.verify = true};

static const char *printed(const Graph *graph) {
    Buffer buffer = {0};
    graph_print(graph, true, &buffer);
    CHECK_OK(buffer_status(&buffer, &err));
    char *text = arena_copy_text(&arena, buffer.data, buffer.bytes, &err);
    ck_assert_ptr_nonnull(text);
    buffer_done(&buffer);
    return text;
}

static Graph *parsed(const char *text) {
    Graph *graph = NULL;
    CHECK_OK(graph_parse(&arena, "text", (Bytes){(const unsigned char *)text, strlen(text)}, &graph, &err));
    CHECK_OK(op_verify(graph, &err));
    return graph;
}

START_TEST(test_every_pass_keeps_random_graphs_well_formed) {
    size_t count;
    const PassInfo *passes = passes_all(&count);
    PassInputs inputs = {.rules = &(QuantizeRule){"*", SCHEME_INT8_ROW}, .rule_count = 1, .verify = true};
    for (uint64_t seed = 1; seed <= 150; seed++) {
        arena_init(&arena, 0);
        for (size_t p = 0; p < count; p++) {
            Graph *graph = random_graph(&arena, seed);
            CHECK_OK(op_verify(graph, &err));
            CHECK_OK(passes_run(graph, &passes[p].name, 1, &inputs, NULL, NULL, &err));
            const char *once = printed(graph);
            ck_assert_str_eq(printed(parsed(once)), once);
            CHECK_OK(passes_run(graph, &passes[p].name, 1, &inputs, NULL, NULL, &err));
            ck_assert_msg(strcmp(printed(graph), once) == 0, "pass %s, seed %llu: a second run changes\n%s",
                          passes[p].name, (unsigned long long)seed, once);
        }
        arena_done(&arena);
    }
}
END_TEST

enum { ROWS = 3, MOST_VALUES = 512 };

// Runs a graph of row-wise operators by their own definitions, with ROWS for T; what its returns hold, row by row.
static size_t graph_evaluate(const Graph *graph, const Kernels *kernels, float *ret_values) {
    Slab *slabs = arena_array(&arena, graph->node_count * 2, sizeof *slabs, &err), inputs[4], outputs[2];
    ck_assert_ptr_nonnull(slabs);
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        const OpDef *def = op_def(node->op);
        for (size_t i = 0; i < node->input_count; i++) {
            const Node *from = node->inputs[i].node;
            inputs[i] = from ? slabs[from->index * 2 + (size_t)node->inputs[i].output] : (Slab){0};
        }
        for (size_t o = 0; o < node->output_count; o++) {
            size_t columns = node->types[o].rank < 2 ? 1 : (size_t)node->types[o].dims[1].value;
            outputs[o] = (Slab){arena_alloc(&arena, ROWS * columns * 4, 64, &err), ROWS, columns, columns};
            for (size_t i = 0; i < ROWS * columns && node->op == OP_INPUT; i++)
                if (node->types[o].dtype == DTYPE_I32)
                    ((int32_t *)outputs[o].data)[i] = (int32_t)i * 4;
                else
                    ((float *)outputs[o].data)[i] = sinf((float)i + 0.5f);
        }
        if (def->view) // a split: columns of its input, where they lie
            for (size_t o = 0, at = 0; o < node->output_count; at += outputs[o++].columns)
                slabs[n * 2 + o] = (Slab){(float *)inputs[0].data + at, ROWS, outputs[o].columns, inputs[0].row_stride};
        else
            memcpy(&slabs[n * 2], outputs, node->output_count * sizeof(Slab));
        if (def->view || node->op == OP_INPUT)
            continue;
        void *state = NULL;
        size_t packed_bytes = 0, scratch = def->scratch_bytes ? def->scratch_bytes(node, ROWS, 1, 1) : 0;
        if (def->prepare)
            CHECK_OK(def->prepare(&(OpPrepare){node, kernels, NULL, &arena, &packed_bytes}, &state, &err));
        def->run(&(OpRun){.node = node,
                          .inputs = inputs,
                          .outputs = outputs,
                          .state = state,
                          .kernels = kernels,
                          .scratch = arena_alloc(&arena, scratch + 64, 64, &err)});
    }
    size_t count = 0;
    for (size_t i = 0; i < graph->return_count; i++) {
        Value value = graph->returns[i];
        ck_assert_ptr_nonnull(value.node);
        const Slab *slab = &slabs[value.node->index * 2 + (size_t)value.output];
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < slab->columns && count < MOST_VALUES; c++)
                ret_values[count++] = ((const float *)slab->data)[r * slab->row_stride + c];
    }
    return count;
}

// Only row-wise operators over values that are there, and at most two outputs after fusing: what graph_evaluate knows.
static bool is_evaluable(const Graph *graph) {
    for (size_t i = 0; i < graph->constant_count; i++)
        if (!constant_has_data(graph->constants[i]))
            return false;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == OP_ATTENTION || graph->nodes[i]->op == OP_CROSS_STORE ||
            graph->nodes[i]->output_count > 2)
            return false;
    return graph->return_count > 0;
}

START_TEST(test_passes_keep_the_bits) {
    Kernels kernels;
    kernels_pick(CPU_REF, &kernels);
    size_t compared = 0, changed = 0;
    for (uint64_t seed = 1; seed <= 8000 && compared < 100; seed++) {
        arena_init(&arena, 0);
        Graph *graph = random_graph(&arena, seed);
        float before[MOST_VALUES], after[MOST_VALUES];
        const char *text = printed(graph);
        if (is_evaluable(graph)) {
            size_t count = graph_evaluate(graph, &kernels, before);
            CHECK_OK(passes_run_standard(graph, &err));
            CHECK_OK(op_verify(graph, &err));
            if (is_evaluable(graph)) {
                ck_assert_uint_eq(graph_evaluate(graph, &kernels, after), count);
                for (size_t i = 0; i < count; i++)
                    ck_assert_msg(before[i] == after[i] || (isnan(before[i]) && isnan(after[i])),
                                  "seed %llu, value %zu: %.9g became %.9g\n%s---\n%s", (unsigned long long)seed, i,
                                  (double)before[i], (double)after[i], text, printed(graph));
                compared++;
                changed += strcmp(text, printed(graph)) != 0;
            }
        }
        arena_done(&arena);
    }
    ck_assert_uint_eq(compared, 100);
    ck_assert_uint_gt(changed, 50);
}
END_TEST

static void count_reports(void *context, const PassReport *report) {
    size_t *counts = context;
    counts[0]++;
    counts[1] += report->changed;
    ck_assert_ptr_nonnull(strstr(report->text, "graph g(T)"));
    if (strcmp(report->name, "fuse_activation") == 0)
        ck_assert_ptr_nonnull(strstr(report->text, "{activation=relu}"));
}

START_TEST(test_runner) {
    arena_init(&arena, 0);
    Graph *graph =
        parsed("graph g(T)\n  const @w : f32[2,2]\n  %x = input : f32[T,2]\n"
               "  %h = linear %x, @w : f32[T,2]\n  %y = activation %h {kind=relu} : f32[T,2]\n  return %y\n");
    const char *before = printed(graph);
    static const char *const wrong[] = {"fuse_activation", "no_such_pass"};
    CHECK_FAILS(passes_run(graph, wrong, 2, &verified, NULL, NULL, &err), ERR_USAGE, "there is no pass 'no_such_pass'");
    ck_assert_str_eq(printed(graph), before); // nothing was run
    static const char *const names[] = {"dead_code", "fuse_activation", "fuse_activation"};
    size_t counts[2] = {0, 0};
    CHECK_OK(passes_run(graph, names, 3, &verified, count_reports, counts, &err));
    ck_assert(counts[0] == 3 && counts[1] == 1);
    graph->nodes[0]->types[0].dims[1].value = 3; // what a broken pass would leave
    CHECK_FAILS(passes_run(graph, names, 1, &verified, NULL, NULL, &err), ERR_INTERNAL, "after pass dead_code: ");
    arena_done(&arena);
}
END_TEST

START_TEST(test_standard_passes) {
    arena_init(&arena, 0);
    Graph *graph = parsed("graph encode(T)\n"
                          "  const @q : f32[4,4]\n  const @k : f32[4,4]\n  const @fc1 : f32[8,4]\n"
                          "  const @fc2 : f32[4,8]\n  const @gain : f32[4]\n"
                          "  %x = input : f32[T,4]\n  %q = linear %x, @q : f32[T,4]\n  %k = linear %x, @k : f32[T,4]\n"
                          "  %v = linear %x, @k : f32[T,4]\n"
                          "  %a = attention %q, %k, %v {heads=2} : f32[T,4]\n  %s = add %x, %a : f32[T,4]\n"
                          "  %n = layer_norm %s, @gain, @gain : f32[T,4]\n  %h = linear %n, @fc1 : f32[T,8]\n"
                          "  %g = activation %h {kind=gelu} : f32[T,8]\n  %o = linear %g, @fc2 : f32[T,4]\n"
                          "  %s2 = add %n, %o : f32[T,4]\n  %n2 = layer_norm %s2, @gain, @gain : f32[T,4]\n"
                          "  return %n2\n");
    CHECK_OK(passes_run_standard(graph, &err));
    ck_assert_str_eq(printed(graph), "graph encode(T)\n"
                                     "  const @q : f32[4,4]\n  const @k : f32[4,4]\n  const @fc1 : f32[8,4]\n"
                                     "  const @fc2 : f32[4,8]\n  const @gain : f32[4]\n"
                                     "  const @q.fused = rows @q, @k : f32[8,4]\n"
                                     "  %x = input : f32[T,4]\n  %q.fused = linear %x, @q.fused : f32[T,8]\n"
                                     "  %q, %k = split %q.fused {sizes=[4,4]} : f32[T,4], f32[T,4]\n"
                                     "  %a = attention %q, %k, %k {heads=2} : f32[T,4]\n"
                                     "  %n = add_norm %x, %a, @gain, @gain : f32[T,4]\n"
                                     "  %g = linear %n, @fc1 {activation=gelu} : f32[T,8]\n"
                                     "  %o = linear %g, @fc2 : f32[T,4]\n"
                                     "  %n2 = add_norm %n, %o, @gain, @gain : f32[T,4]\n"
                                     "  return %n2\n");
    arena_done(&arena);
}
END_TEST

// Linears of static activations: joined where they quantize x alike, and what is fused keeps scale and factors.
START_TEST(test_static_activations) {
    arena_init(&arena, 0);
    Graph *graph = parsed("graph encode(T)\n"
                          "  const @q : s8/row[4,4]\n  const @k : s8/row[4,4]\n  const @v : s8/row[4,4]\n"
                          "  const @o : s8/row[4,4]\n  const @f = {1, 2, 3, 4} : f32[4]\n"
                          "  const @same = {1, 2, 3, 4} : f32[4]\n  const @other = {1, 2, 3, 5} : f32[4]\n"
                          "  %x = input : f32[T,4]\n"
                          "  %a = linear %x, @q, _, _, @f {input_scale=0.5} : f32[T,4]\n"
                          "  %b = linear %x, @k, _, _, @same {input_scale=0.5} : f32[T,4]\n"
                          "  %c = linear %x, @v, _, _, @other {input_scale=0.5} : f32[T,4]\n"
                          "  %d = linear %x, @v, _, _, @f {input_scale=0.25} : f32[T,4]\n"
                          "  %e = linear %x, @v : f32[T,4]\n"
                          "  %h = linear %c, @o, _, _, @f {input_scale=0.5} : f32[T,4]\n"
                          "  %g = activation %h {kind=gelu} : f32[T,4]\n"
                          "  %p = linear %d, @o, _, _, @f {input_scale=0.5} : f32[T,4]\n"
                          "  %s = add %p, %e : f32[T,4]\n  return %a, %b, %g, %s\n");
    CHECK_OK(passes_run_standard(graph, &err));
    const char *text = printed(graph);
    ck_assert_msg(strstr(text, "%a.fused = linear %x, @q.fused, _, _, @f {input_scale=0.5} : f32[T,8]\n") &&
                      strstr(text, "%a, %b = split %a.fused {sizes=[4,4]}") &&
                      strstr(text, "%c = linear %x, @v, _, _, @other {input_scale=0.5} : f32[T,4]\n") &&
                      strstr(text, "%d = linear %x, @v, _, _, @f {input_scale=0.25} : f32[T,4]\n") &&
                      strstr(text, "%e = linear %x, @v : f32[T,4]\n") &&
                      strstr(text, "%g = linear %c, @o, _, _, @f {activation=gelu, input_scale=0.5} : f32[T,4]\n") &&
                      strstr(text, "%s = linear %d, @o, _, %e, @f {input_scale=0.5} : f32[T,4]\n"),
                  "%s", text);
    arena_done(&arena);
}
END_TEST

START_TEST(test_quantize_names_what_it_cannot) {
    arena_init(&arena, 0);
    static const char *const names[] = {"quantize_weights"};
    Graph *graph = parsed("graph g(T)\n  const @fc.weight = {1, 2, 3, inf} : f32[2,2]\n  %x = input : f32[T,2]\n"
                          "  %y = linear %x, @fc.weight : f32[T,2]\n  return %y\n");
    PassInputs inputs = {.rules = &(QuantizeRule){"*", SCHEME_INT8_ROW}, .rule_count = 1, .verify = true};
    CHECK_FAILS(passes_run(graph, names, 1, &inputs, NULL, NULL, &err), ERR_FORMAT,
                "tensor 'fc.weight' cannot be quantized: row 1, column 1 is inf");
    inputs.rules = &(QuantizeRule){"re:(", SCHEME_INT8_ROW};
    CHECK_FAILS(passes_run(graph, names, 1, &inputs, NULL, NULL, &err), ERR_USAGE,
                "the pattern 're:(' is no regular expression: at character 2, missing closing parenthesis");
    arena_done(&arena);
}
END_TEST

// Each allocation failing in turn while the passes run: ERR_MEMORY, and still a graph that can be thrown away.
START_TEST(test_no_memory) {
    Status status = ERR_MEMORY;
    uint64_t failures = 0;
    for (; status == ERR_MEMORY; failures++) {
        arena_init(&arena, 0);
        Graph *graph = random_graph(&arena, 4);
        fault_arm(FAULT_ALLOCATION, failures + 1);
        status = passes_run_standard(graph, &err);
        fault_arm(FAULT_ALLOCATION, 0);
        ck_assert_msg(status == ERR_MEMORY || status == OK, "failure %llu: %s", (unsigned long long)failures + 1,
                      err.message);
        CHECK_OK(graph_verify(graph, &err));
        arena_done(&arena);
    }
    ck_assert_uint_gt(failures, 1); // an optimized build allocates once, one that verifies between passes more often
}
END_TEST

TEST_MAIN("passes", test_every_pass_keeps_random_graphs_well_formed, test_passes_keep_the_bits, test_runner,
          test_standard_passes, test_static_activations, test_quantize_names_what_it_cannot, test_no_memory)

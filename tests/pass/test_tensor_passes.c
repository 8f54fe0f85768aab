// SPDX-License-Identifier: Apache-2.0
// Passes on graphs of tensor operators compute the same: the graph of each golden (tests/golden/pass) before and after
// its pass, on random inputs. Graphs with operators that cannot be evaluated are passed over, and counted.
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/random.h"
#include "check.h"
#include "exec/evaluator.h"
#include "graph/print.h"
#include "pass/pass.h"

enum { MOST_INPUTS = 16, MOST_ELEMENTS = 4096, MOST_IDS = 2, FEWEST_COMPARED = 50, MANY = 100000, MOST_SECONDS = 10 };

static Arena arena;
static Error err;

// 3 for the first variable, 2 for the second: tables of goldens have rows for that.
static size_t dim_bound(const Dim *dim) {
    return dim->variable ? 2 + ((size_t)dim->value + 1) % 2 : (size_t)dim->value;
}

// NaN and the like never come up; ids are small.
static Tensor input_random(const Node *input, Random *random) {
    const ValueType *type = &input->types[0];
    Tensor tensor = {.name = input->names[0], .dtype = type->dtype, .shape = {.rank = type->rank}};
    for (int i = 0; i < type->rank; i++)
        tensor.shape.dims[i] = (int64_t)dim_bound(&type->dims[i]);
    size_t count;
    ck_assert(shape_elements(&tensor.shape, &count) && count <= MOST_ELEMENTS);
    ck_assert(shape_bytes(&tensor.shape, tensor.dtype, &tensor.bytes));
    unsigned char *data = arena_alloc(&arena, tensor.bytes + 8, 64, &err);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < count; i++) {
        float real = (float)(4 * random_unit(random) - 2);
        int64_t integer = random_below(random, MOST_IDS); // little-endian
        memcpy(data + i * dtype_bytes(tensor.dtype),
               tensor.dtype == DTYPE_F32 ? (const void *)&real : (const void *)&integer, dtype_bytes(tensor.dtype));
    }
    tensor.data = data;
    return tensor;
}

// An operator of the graph or of its bodies that cannot be evaluated; NULL: there is none.
static const char *missing_operator(const Graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        if (node->op != OP_INPUT && !op_def(node->op)->evaluate)
            return op_name(node->op);
        for (size_t a = 0; a < node->attribute_count; a++) {
            const Graph *body = node->attributes[a].graph;
            const char *missing = node->attributes[a].kind == ATTRIBUTE_GRAPH ? missing_operator(body) : NULL;
            if (missing)
                return missing;
        }
    }
    return NULL;
}

static void results_compare(const char *path, const Tensor *before, const Tensor *after, size_t count, double within) {
    for (size_t r = 0; r < count; r++) {
        ck_assert_msg(before[r].dtype == after[r].dtype && shape_equal(&before[r].shape, &after[r].shape),
                      "%s: result %zu has another type", path, r);
        size_t width = dtype_bytes(before[r].dtype);
        for (size_t i = 0; i * width < before[r].bytes; i++) {
            double a, b;
            elements_to_f64(before[r].dtype, (const unsigned char *)before[r].data + i * width, 1, &a);
            elements_to_f64(after[r].dtype, (const unsigned char *)after[r].data + i * width, 1, &b);
            ck_assert_msg((isnan(a) && isnan(b)) || fabs(a - b) <= within * fmax(1, fabs(a)),
                          "%s: element %zu of result %zu is %.9g, was %.9g", path, i, r, b, a);
        }
    }
}

// False: what must hold of the inputs (a list that is a shape, say) does not hold of random ones, or an operator takes
// no values of that type.
static bool graphs_compare(const char *path, const Graph *before, const Graph *after, double within) {
    static Kernels kernels;
    kernels_pick(cpu_detect(), &kernels);
    EvaluatorSettings settings = {.kernels = &kernels};
    Evaluator *first, *second;
    const Tensor *was, *is;
    Tensor inputs[MOST_INPUTS];
    size_t count = 0;
    Random random = {7};
    for (size_t n = 0; n < before->node_count; n++)
        if (before->nodes[n]->op == OP_INPUT) {
            ck_assert(count < MOST_INPUTS);
            inputs[count++] = input_random(before->nodes[n], &random);
        }
    CHECK_OK(evaluator_new(before, &settings, &first, &err));
    CHECK_OK(evaluator_new(after, &settings, &second, &err));
    Status status = evaluator_run(first, inputs, &was, &err);
    bool fits = status != ERR_FORMAT && status != ERR_UNSUPPORTED;
    ck_assert_msg(status == OK || !fits, "%s, before: %s", path, err.message);
    if (fits) {
        status = evaluator_run(second, inputs, &is, &err);
        ck_assert_msg(status == OK, "%s, after: %s", path, err.message);
        ck_assert(before->return_count == after->return_count);
        results_compare(path, was, is, before->return_count, within);
    } else {
        printf("# %s: %s\n", path, err.message);
    }
    evaluator_free(first);
    evaluator_free(second);
    return fits;
}

// False: the golden has operators that cannot be evaluated.
static bool golden_compare(const char *path, const char *pass) {
    Bytes bytes;
    CHECK_OK(file_map(&arena, path, &bytes, &err));
    char *text = arena_copy_text(&arena, (const char *)bytes.data, bytes.size, &err);
    ck_assert_ptr_nonnull(text);
    char *begin = strchr(text, '\n'), *end = strstr(text, "\n---\n");
    ck_assert(begin && end);
    Graph *before, *after;
    CHECK_OK(graph_parse(&arena, path, (Bytes){(unsigned char *)begin + 1, (size_t)(end - begin)}, &before, &err));
    ck_assert_ptr_nonnull(after = graph_copy(&arena, before, &err));
    CHECK_OK(passes_run(after, &pass, 1, &(PassInputs){.verify = true}, NULL, NULL, &err));
    const char *missing = missing_operator(before);
    missing = missing ? missing : missing_operator(after);
    if (missing)
        printf("# %s: %s cannot be evaluated\n", path, missing);
    // The tanh form of GELU is up to 5e-4 off the other, sums of several are further; f16 has 11 bits.
    double within = strcmp(pass, "approximate_gelu") == 0 ? 3e-3 : strcmp(pass, "convert_float16") == 0 ? 5e-3 : 1e-5;
    return !missing && graphs_compare(path, before, after, within);
}

// Goldens of passes on packed graphs (`linear` ...) are others' business.
static bool is_tensor_golden(const char *path) {
    Bytes bytes;
    CHECK_OK(file_map(&arena, path, &bytes, &err));
    char *text = arena_copy_text(&arena, (const char *)bytes.data, bytes.size, &err);
    ck_assert_ptr_nonnull(text);
    for (const char *at = text; (at = strstr(at, " = ")); at += 3)
        if (at[3] >= 'a' && at[3] <= 'z' && strncmp(at + 3, "input ", 6) != 0 && strncmp(at + 3, "com.", 4) != 0)
            return false;
    return strncmp(text, "pass ", 5) == 0 && strstr(text, " = input : ") && !strstr(text, "\nrule ");
}

START_TEST(test_goldens_compute_the_same) {
    const char *source = getenv("HONE_SOURCE");
    ck_assert_msg(source != NULL, "HONE_SOURCE names the source tree");
    size_t pass_count, file_count, compared = 0, skipped = 0;
    const PassInfo *passes = passes_all(&pass_count);
    for (size_t p = 0; p < pass_count; p++) {
        arena_init(&arena, 0);
        char **names, *folder = arena_format(&arena, &err, "%s/tests/golden/pass/%s", source, passes[p].name);
        CHECK_OK(folder_list(&arena, folder, &names, &file_count, &err));
        for (size_t i = 0; i < file_count; i++) {
            const char *path = path_join(&arena, folder, names[i], &err);
            if (!is_tensor_golden(path))
                continue;
            bool done = golden_compare(path, passes[p].name);
            compared += done;
            skipped += !done;
        }
        arena_done(&arena);
    }
    printf("# %zu goldens compared, %zu not\n", compared, skipped);
    ck_assert_msg(compared >= FEWEST_COMPARED, "%zu goldens compared, expected at least %d", compared, FEWEST_COMPARED);
}
END_TEST

// A product of 64 x 32, plain and as a Gemm with its weights turned and a bias: each of 64 terms is off by at most half
// a step of either side.
START_TEST(test_quantized_products_are_close) {
    static const char *const texts[] = {
        "graph g(n)\n  const @w : f32[64,32]\n  %x = input : f32[n,64]\n  %y = MatMul %x, @w : f32[n,32]\n  return "
        "%y\n",
        "graph g(n)\n  const @w : f32[32,64]\n  const @b : f32[32]\n  %x = input : f32[n,64]\n"
        "  %y = Gemm %x, @w, @b {transB=1} : f32[n,32]\n  return %y\n"};
    static float weights[64 * 32], bias[32];
    Random random = {5};
    for (size_t i = 0; i < ARRAY_COUNT(weights); i++)
        weights[i] = (float)random_unit(&random) - 0.5f;
    for (size_t i = 0; i < ARRAY_COUNT(bias); i++)
        bias[i] = (float)random_unit(&random);
    for (size_t t = 0; t < ARRAY_COUNT(texts); t++) {
        arena_init(&arena, 0);
        Graph *before, *after;
        Bytes text = {(const unsigned char *)texts[t], strlen(texts[t])};
        CHECK_OK(graph_parse(&arena, "products", text, &before, &err));
        before->constants[0]->data = weights;
        if (before->constant_count > 1)
            before->constants[1]->data = bias;
        ck_assert_ptr_nonnull(after = graph_copy(&arena, before, &err));
        const char *pass = "quantize_products";
        CHECK_OK(passes_run(after, &pass, 1, &(PassInputs){.verify = true}, NULL, NULL, &err));
        size_t integers = 0;
        for (size_t n = 0; n < after->node_count; n++)
            integers += after->nodes[n]->op == TENSOR_MATMUL_INTEGER;
        ck_assert_uint_eq(integers, 1);
        double step_x = 4.0 / 255, step_w = 0.5 / 127; // inputs lie within +-2
        ck_assert(graphs_compare(pass, before, after, 64 * (step_x / 2 * 0.5 + step_w / 2 * 2) / 4));
        arena_done(&arena);
    }
}
END_TEST

// Nodes of which each is rewritten, or has something put before it: what a file may have many of costs no square of
// their number.
static Node *node_add(Graph *graph, const NodeSpec *spec) {
    Node *node;
    CHECK_OK(graph_add_node(graph, spec, &node, &err));
    return node;
}

static Graph *chain_begin(Value *ret_input) {
    Dim dim;
    Graph *graph = graph_make(&arena, "chain", &err);
    ck_assert_ptr_nonnull(graph);
    CHECK_OK(graph_add_dim(graph, "n", &dim, &err));
    ValueType type = {.dtype = DTYPE_F32, .rank = 2, .dims = {dim, {false, 4}}};
    NodeSpec input = {.op = OP_INPUT, .name = "x", .types = &type, .output_count = 1};
    *ret_input = value_of(node_add(graph, &input), 0);
    return graph;
}

static void chain_run(Graph *graph, Value last, const char *pass, size_t least_nodes) {
    CHECK_OK(graph_set_returns(graph, &last, 1, &err));
    clock_t start = clock(); // of the processor: others may use it meanwhile
    CHECK_OK(passes_run(graph, &pass, 1, &(PassInputs){0}, NULL, NULL, &err));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    ck_assert_uint_ge(graph->node_count, least_nodes);
    printf("# %s of %zu nodes: %.2f s\n", pass, graph->node_count, seconds);
    ck_assert_msg(seconds < MOST_SECONDS, "%s: %.1f s", pass, seconds);
}

START_TEST(test_many_operators_are_expanded_fast) {
    arena_init(&arena, 0);
    Value x;
    Graph *graph = chain_begin(&x);
    ValueType type = value_type(x);
    for (size_t i = 0; i < MANY; i++) {
        NodeSpec spec = {.op = TENSOR_MS_QUICK_GELU, .inputs = &x, .input_count = 1, .types = &type, .output_count = 1};
        x = value_of(node_add(graph, &spec), 0);
    }
    chain_run(graph, x, "expand_contrib", 3 * MANY);
    arena_done(&arena);
}
END_TEST

// Sums that are read elsewhere.
START_TEST(test_many_noops_are_removed_fast) {
    arena_init(&arena, 0);
    Value x;
    Graph *graph = chain_begin(&x);
    ValueType type = value_type(x);
    for (size_t i = 0; i < MANY; i++) {
        NodeSpec spec = {.op = TENSOR_IDENTITY, .inputs = &x, .input_count = 1, .types = &type, .output_count = 1};
        x = value_of(node_add(graph, &spec), 0);
    }
    chain_run(graph, x, "remove_noops", 1);
    ck_assert_uint_eq(graph->node_count, 1);
    ck_assert(value_equal(graph->returns[0], value_of(graph->nodes[0], 0)));
    arena_done(&arena);
}
END_TEST

START_TEST(test_many_sums_are_replaced_fast) {
    arena_init(&arena, 0);
    static const float ones[] = {1, 1, 1, 1};
    Value x;
    Graph *graph = chain_begin(&x);
    Constant gain = {.name = "gain", .dtype = DTYPE_F32, .shape = {1, {4}}, .data = ones};
    const Constant *added;
    CHECK_OK(graph_add_constant(graph, &gain, &added, &err));
    ValueType types[] = {value_type(x), {.rank = -1}, {.rank = -1}, value_type(x)};
    Value skip = x;
    for (size_t i = 0; i < MANY; i++) {
        Value inputs[] = {x, skip, value_constant(added)};
        NodeSpec spec = {.op = TENSOR_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION,
                         .inputs = inputs,
                         .input_count = 3,
                         .types = types,
                         .output_count = 4};
        Node *node = node_add(graph, &spec);
        x = value_of(node, 0);
        skip = value_of(node, 3);
    }
    chain_run(graph, x, "expand_contrib", 2 * MANY);
    arena_done(&arena);
}
END_TEST

// Lengths of a computed value, each by a Shape of its own and read off the input afterwards.
START_TEST(test_many_shapes_are_simplified_fast) {
    arena_init(&arena, 0);
    static const int64_t first = 0;
    Value x, sum, operands[2];
    Graph *graph = chain_begin(&x);
    ValueType type = value_type(x), list = {.dtype = DTYPE_I64, .rank = 1, .dims = {{false, 2}}},
              number = {.dtype = DTYPE_I64};
    Constant index = {.name = "first", .dtype = DTYPE_I64, .data = &first};
    const Constant *added;
    CHECK_OK(graph_add_constant(graph, &index, &added, &err));
    sum = operands[1] = value_constant(added);
    NodeSpec relu = {.op = TENSOR_RELU, .inputs = &x, .input_count = 1, .types = &type, .output_count = 1};
    Value y = value_of(node_add(graph, &relu), 0);
    NodeSpec shape = {.op = TENSOR_SHAPE, .inputs = &y, .input_count = 1, .types = &list, .output_count = 1},
             gather = {.op = TENSOR_GATHER, .inputs = operands, .input_count = 2, .types = &number, .output_count = 1},
             add = gather;
    add.op = TENSOR_ADD;
    for (size_t i = 0; i < MANY; i++) {
        operands[0] = value_of(node_add(graph, &shape), 0);
        Value terms[] = {sum, value_of(node_add(graph, &gather), 0)};
        add.inputs = terms;
        sum = value_of(node_add(graph, &add), 0);
    }
    chain_run(graph, sum, "simplify_shapes", 3 * MANY);
    arena_done(&arena);
}
END_TEST

// A cast before each of what is computed in halves after an operator that is not.
START_TEST(test_many_casts_are_added_fast) {
    arena_init(&arena, 0);
    Value x;
    Graph *graph = chain_begin(&x);
    ValueType type = value_type(x);
    for (size_t i = 0; i < MANY / 2; i++)
        for (int k = 0; k < 2; k++) {
            NodeSpec spec = {
                .op = k ? TENSOR_TANH : TENSOR_EXP, .inputs = &x, .input_count = 1, .types = &type, .output_count = 1};
            x = value_of(node_add(graph, &spec), 0);
        }
    chain_run(graph, x, "convert_float16", 2 * MANY);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("tensor passes", test_goldens_compute_the_same, test_quantized_products_are_close,
          test_many_operators_are_expanded_fast, test_many_noops_are_removed_fast, test_many_sums_are_replaced_fast,
          test_many_shapes_are_simplified_fast, test_many_casts_are_added_fast)

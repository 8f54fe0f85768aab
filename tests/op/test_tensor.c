// SPDX-License-Identifier: Apache-2.0
// Tensor operators against an independent implementation: each tests/golden/op/<symbol>.txt holds cases of one
// operator, made by tools/goldens/op/make.py with onnx's reference evaluator.
//
//     case broadcast
//     Add {axis=1}
//     in f32[2,3] 1 2 3 4 5 6        inputs in order: `in` comes at run time, `const` is a constant of the graph,
//     const f32[1] 0.5               `absent` is none
//     out f32[2,3] 1.5 2.5 ...       what comes out
//     fails no index into 3          or, instead, part of the sentence that says why not
//
// Reals may differ by 1e-5 relative or absolute (1e-2 in f16 and bf16), everything else not at all. What the shape rule
// says beforehand must agree with what came out.
#include <math.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/file.h"
#include "check.h"
#include "exec/evaluator.h"
#include "graph/print.h"
#include "tensor/small_floats.h"

static Arena arena;
static Error err;

enum { MOST_VALUES = 40 };

typedef struct Case {
    const char *file, *name, *node; // "Add {axis=1}"
    const char *fails;              // NULL: it runs
    Tensor inputs[MOST_VALUES], outputs[MOST_VALUES];
    bool is_constant[MOST_VALUES], is_absent[MOST_VALUES];
    size_t input_count, output_count;
} Case;

// An element written as a number, nan, inf or -inf.
static void element_read(DType dtype, const char *word, unsigned char *to) {
    double real = strtod(word, NULL);
    int64_t integer = (int64_t)strtoll(word, NULL, 10);
    uint64_t natural = strtoull(word, NULL, 10);
    if (dtype == DTYPE_F64) {
        memcpy(to, &real, 8);
    } else if (dtype == DTYPE_F32) {
        float single = strtof(word, NULL);
        memcpy(to, &single, 4);
    } else if (dtype == DTYPE_F16 || dtype == DTYPE_BF16) {
        uint16_t half = dtype == DTYPE_F16 ? f32_to_f16(strtof(word, NULL)) : f32_to_bf16(strtof(word, NULL));
        memcpy(to, &half, 2);
    } else if (dtype_is_small_float(dtype)) {
        *to = f32_to_small_float(dtype, strtof(word, NULL), false);
    } else if (dtype == DTYPE_U64) {
        memcpy(to, &natural, 8);
    } else {
        memcpy(to, &integer, dtype_bytes(dtype)); // little-endian
    }
}

// "f32[2,3] 1 2 3 ..." up to the end of the line.
static Tensor tensor_read(const Case *c, char *line) {
    Tensor tensor = {.name = "x"};
    char *open = strchr(line, '[');
    ck_assert_msg(open != NULL, "%s, case %s: '%s' is no type", c->file, c->name, line);
    *open = '\0';
    ck_assert_msg(dtype_from_name(line, &tensor.dtype), "%s, case %s: no type '%s'", c->file, c->name, line);
    char *at = open + 1;
    while (*at != ']') {
        tensor.shape.dims[tensor.shape.rank++] = strtoll(at, &at, 10);
        at += *at == ',';
    }
    at++;
    size_t count;
    ck_assert(shape_elements(&tensor.shape, &count) && shape_bytes(&tensor.shape, tensor.dtype, &tensor.bytes));
    unsigned char *data = arena_alloc(&arena, tensor.bytes + 8, 64, &err);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < count; i++) {
        at += strspn(at, " ");
        ck_assert_msg(*at, "%s, case %s: %zu elements are missing", c->file, c->name, count - i);
        unsigned char element[8];
        element_read(tensor.dtype, at, element);
        memcpy(data + i * dtype_bytes(tensor.dtype), element, dtype_bytes(tensor.dtype));
        at += strcspn(at, " ");
    }
    ck_assert_msg(at[strspn(at, " ")] == '\0', "%s, case %s: more elements than the shape has", c->file, c->name);
    tensor.data = data;
    return tensor;
}

static void type_add(Buffer *text, const Tensor *tensor) {
    char shape[SHAPE_TEXT_BYTES];
    buffer_format(text, "%s%s", dtype_name(tensor->dtype), shape_text(&tensor->shape, shape));
}

// The case as a graph of one node. Constants get their data afterwards: text has room for few values only.
static Graph *graph_of(const Case *c) {
    Buffer text = {0};
    buffer_add_text(&text, "graph g()\n");
    for (size_t i = 0; i < c->input_count; i++) {
        if (c->is_absent[i])
            continue;
        buffer_format(&text, c->is_constant[i] ? "  const @c%zu : " : "  %%x%zu = input : ", i);
        type_add(&text, &c->inputs[i]);
        buffer_add_char(&text, '\n');
    }
    buffer_add_text(&text, "  ");
    for (size_t i = 0; i < c->output_count; i++)
        buffer_format(&text, i ? ", %%y%zu" : "%%y%zu", i);
    size_t name = strcspn(c->node, " ");
    buffer_format(&text, " = %.*s", (int)name, c->node);
    for (size_t i = 0; i < c->input_count; i++) {
        buffer_add_text(&text, i ? ", " : " ");
        if (c->is_absent[i])
            buffer_add_char(&text, '_');
        else
            buffer_format(&text, c->is_constant[i] ? "@c%zu" : "%%x%zu", i);
    }
    buffer_format(&text, "%s", c->node + name);
    for (size_t i = 0; i < c->output_count; i++)
        buffer_add_text(&text, i ? ", ?" : " : ?");
    buffer_add_text(&text, "\n  return ");
    for (size_t i = 0; i < c->output_count; i++)
        buffer_format(&text, i ? ", %%y%zu" : "%%y%zu", i);
    buffer_add_char(&text, '\n');
    CHECK_OK(buffer_status(&text, &err));
    Graph *graph;
    Status status = graph_parse(&arena, c->name, (Bytes){(unsigned char *)text.data, text.bytes}, &graph, &err);
    ck_assert_msg(status == OK, "%s, case %s: %s\n%s", c->file, c->name, err.message, text.data);
    buffer_done(&text);
    for (size_t i = 0; i < graph->constant_count; i++) {
        size_t input = (size_t)strtoul(graph->constants[i]->name + 1, NULL, 10);
        graph->constants[i]->data = c->inputs[input].data;
    }
    return graph;
}

static bool element_close(DType dtype, const unsigned char *a, const unsigned char *b) {
    double x, y;
    elements_to_f64(dtype, a, 1, &x);
    elements_to_f64(dtype, b, 1, &y);
    if (!dtype_is_real(dtype)) // one NaN is as good as another
        return memcmp(a, b, dtype_bytes(dtype)) == 0 || (isnan(x) && isnan(y));
    double within = dtype == DTYPE_F16 || dtype == DTYPE_BF16 ? 1e-2 : 1e-5;
    return (isnan(x) && isnan(y)) || x == y || fabs(x - y) <= within * fmax(1, fabs(y));
}

static void output_check(const Case *c, size_t index, const Tensor *got, const ValueType *inferred) {
    const Tensor *expected = &c->outputs[index];
    char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
    ck_assert_msg(got->dtype == expected->dtype && shape_equal(&got->shape, &expected->shape),
                  "%s, case %s: output %zu is %s%s, expected %s%s", c->file, c->name, index, dtype_name(got->dtype),
                  shape_text(&got->shape, a), dtype_name(expected->dtype), shape_text(&expected->shape, b));
    ValueType type = {.dtype = got->dtype, .rank = got->shape.rank};
    for (int i = 0; i < type.rank; i++)
        type.dims[i].value = got->shape.dims[i];
    ck_assert_msg(type_agrees(inferred, &type), "%s, case %s: the shape rule says otherwise of output %zu", c->file,
                  c->name, index);
    size_t width = dtype_bytes(got->dtype), count = got->bytes / width;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *x = (const unsigned char *)got->data + i * width;
        const unsigned char *y = (const unsigned char *)expected->data + i * width;
        if (element_close(got->dtype, x, y))
            continue;
        double found, wanted;
        elements_to_f64(got->dtype, x, 1, &found);
        elements_to_f64(got->dtype, y, 1, &wanted);
        ck_abort_msg("%s, case %s: element %zu of output %zu is %.9g, expected %.9g", c->file, c->name, i, index, found,
                     wanted);
    }
}

static Status case_start(Node *node, const Graph *graph, const Kernels *kernels, const Tensor *inputs,
                         const Tensor **ret_results, Evaluator **ret_evaluator) {
    EvaluatorSettings settings = {.kernels = kernels};
    TRY(op_infer(node, &err));
    TRY(evaluator_new(graph, &settings, ret_evaluator, &err));
    return evaluator_run(*ret_evaluator, inputs, ret_results, &err);
}

static void case_run(const Case *c) {
    static Kernels kernels;
    kernels_pick(cpu_detect(), &kernels);
    Graph *graph = graph_of(c);
    Node *node = graph->nodes[graph->node_count - 1];
    Tensor inputs[MOST_VALUES];
    size_t given = 0;
    for (size_t i = 0; i < c->input_count; i++)
        if (!c->is_constant[i] && !c->is_absent[i])
            inputs[given++] = c->inputs[i];
    Evaluator *evaluator = NULL;
    const Tensor *results;
    Status status = case_start(node, graph, &kernels, inputs, &results, &evaluator);
    if (c->fails)
        ck_assert_msg(status != OK && status != ERR_INTERNAL && strstr(err.message, c->fails),
                      "%s, case %s: '%s', expected '%s'", c->file, c->name, status == OK ? "it runs" : err.message,
                      c->fails);
    else
        ck_assert_msg(status == OK, "%s, case %s: %s", c->file, c->name, err.message);
    for (int twice = 0; !c->fails && twice < 2; twice++) { // the second run finds used memory
        for (size_t i = 0; i < c->output_count; i++)
            output_check(c, i, &results[i], &node->types[i]);
        if (twice == 0)
            CHECK_OK(evaluator_run(evaluator, inputs, &results, &err));
    }
    evaluator_free(evaluator);
}

static void line_take(Case *c, char *line) {
    char *space = strchr(line, ' '), *rest = space ? space + 1 : line + strlen(line);
    size_t word = space ? (size_t)(space - line) : strlen(line);
    if (word == 2 && memcmp(line, "in", 2) == 0) {
        c->inputs[c->input_count++] = tensor_read(c, rest);
    } else if (word == 5 && memcmp(line, "const", 5) == 0) {
        c->is_constant[c->input_count] = true;
        c->inputs[c->input_count++] = tensor_read(c, rest);
    } else if (word == 6 && memcmp(line, "absent", 6) == 0) {
        c->is_absent[c->input_count++] = true;
    } else if (word == 3 && memcmp(line, "out", 3) == 0) {
        c->outputs[c->output_count++] = tensor_read(c, rest);
    } else if (word == 5 && memcmp(line, "fails", 5) == 0) {
        c->fails = rest;
        c->output_count = 1;
    } else {
        c->node = line;
    }
}

static size_t file_run(const char *path) {
    Bytes bytes;
    CHECK_OK(file_map(&arena, path, &bytes, &err));
    char *text = arena_copy_text(&arena, (const char *)bytes.data, bytes.size, &err), *save;
    ck_assert_ptr_nonnull(text);
    Case c = {.file = path};
    size_t cases = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "case ", 5) != 0) {
            line_take(&c, line);
            continue;
        }
        if (c.node)
            case_run(&c);
        c = (Case){.file = path, .name = line + 5};
        cases++;
    }
    if (c.node)
        case_run(&c);
    return cases;
}

START_TEST(test_goldens) {
    const char *source = getenv("HONE_SOURCE");
    Arena names_arena;
    arena_init(&names_arena, 0);
    size_t files, cases = 0;
    char **names, *folder = arena_format(&names_arena, &err, "%s/tests/golden/op", source ? source : ".");
    CHECK_OK(folder_list(&names_arena, folder, &names, &files, &err));
    for (size_t i = 0; i < files; i++) {
        arena_init(&arena, 0);
        cases += file_run(path_join(&arena, folder, names[i], &err));
        arena_done(&arena);
    }
    ck_assert_msg(cases > 0, "no cases in %s", folder);
    printf("# %zu cases\n", cases);
    arena_done(&names_arena);
}
END_TEST

TEST_MAIN("tensor operators", test_goldens)

// SPDX-License-Identifier: Apache-2.0
// Fuzz target: ONNX models. What is read holds, prints and parses back to the same text; small graphs run on zeros, and
// either fail with a sentence or give results that are whole.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "exec/evaluator.h"
#include "format/onnx/onnx.h"
#include "graph/print.h"
#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_NODES = 64, MOST_INPUT_ELEMENTS = 4096, MOST_VALUE_BYTES = 16 << 20 };

static const char *printed(Arena *arena, const Graph *graph) {
    Error err;
    Buffer buffer = {0};
    graph_print(graph, true, &buffer);
    const char *text =
        buffer_status(&buffer, &err) == OK ? arena_copy_text(arena, buffer.data, buffer.bytes, &err) : NULL;
    buffer_done(&buffer);
    if (!text)
        abort();
    return text;
}

static void check_text(Arena *arena, const Graph *graph) {
    Error err;
    Graph *again;
    const char *text = printed(arena, graph);
    Status status = graph_parse(arena, "print", (Bytes){(const unsigned char *)text, strlen(text)}, &again, &err);
    if (status == ERR_LIMIT || strlen(text) > GRAPH_MOST_TEXT_BYTES)
        return;
    if (status != OK || strcmp(printed(arena, again), text) != 0)
        abort();
}

// Nodes with those of bodies. Loops may run long: SIZE_MAX.
static size_t node_count(const Graph *graph) {
    size_t count = graph->node_count;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->attribute_count; i++) {
            const Attribute *a = &graph->nodes[n]->attributes[i];
            size_t inside = a->kind == ATTRIBUTE_GRAPH ? node_count(a->graph) : 0;
            if (graph->nodes[n]->op == TENSOR_LOOP || inside == SIZE_MAX)
                return SIZE_MAX;
            count += inside;
        }
    return count;
}

// Zeros of an input's type, 2 for dimensions that are not known; false: too many.
static bool zeros(Arena *arena, const Node *node, Tensor *ret) {
    Error err;
    const ValueType *type = &node->types[0];
    Tensor tensor = {.name = node->names[0], .dtype = type->dtype};
    size_t elements;
    tensor.shape.rank = type->rank < 0 ? 1 : type->rank;
    for (int i = 0; i < tensor.shape.rank; i++)
        tensor.shape.dims[i] = type->rank < 0 || type->dims[i].variable ? 2 : type->dims[i].value;
    if (!shape_elements(&tensor.shape, &elements) || elements > MOST_INPUT_ELEMENTS ||
        !shape_bytes(&tensor.shape, tensor.dtype, &tensor.bytes))
        return false;
    tensor.data = arena_array(arena, tensor.bytes + 64, 1, &err);
    if (!tensor.data)
        abort();
    *ret = tensor;
    return true;
}

static void check_run(Arena *arena, const Graph *graph) {
    Error err;
    Kernels kernels;
    Evaluator *evaluator;
    Tensor inputs[MOST_NODES];
    const Tensor *results;
    size_t count = 0;
    if (node_count(graph) > MOST_NODES)
        return;
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op == OP_INPUT && !zeros(arena, graph->nodes[n], &inputs[count++]))
            return;
    kernels_pick(cpu_detect(), &kernels);
    EvaluatorSettings settings = {&kernels, NULL, MOST_VALUE_BYTES};
    err.status = OK;
    if (evaluator_new(graph, &settings, &evaluator, &err) == OK) {
        for (int round = 0; round < 2; round++)
            if (evaluator_run(evaluator, inputs, &results, &err) == OK)
                for (size_t r = 0; r < graph->return_count; r++)
                    tensor_touch(&results[r]);
        evaluator_free(evaluator);
    }
    if (err.status == ERR_INTERNAL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    OnnxModel model;
    arena_init(&arena, 0);
    Status status = onnx_read_bytes(&arena, "fuzz", "/dev/null/none", (Bytes){data, size}, &model, &err);
    if (status == ERR_INTERNAL)
        abort();
    if (status == OK) {
        check_text(&arena, model.graph);
        check_run(&arena, model.graph);
    }
    arena_done(&arena);
    return 0;
}

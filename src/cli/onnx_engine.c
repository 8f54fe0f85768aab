// SPDX-License-Identifier: Apache-2.0
// The two engines: a graph in an evaluator, or a session of the library.
#include "cli/onnx_engine.h"

#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "exec/evaluator.h"
#include "format/onnx/onnx.h"
#include "pass/levels.h"
#include "pass/pass.h"

struct OnnxEngine {
    Arena arena;
    // hone's
    OnnxModel model;
    OrtInput *inputs;
    size_t input_count;
    Kernels kernels;
    Pool *pool;
    Evaluator *evaluator;
    // ONNX Runtime's
    OrtLibrary *library;
    OrtEngine *ort; // NULL: hone's
};

// Values may take most of the machine's memory.
static size_t memory_for_values(void) {
    return (size_t)sysconf(_SC_PHYS_PAGES) / 4 * 3 * (size_t)sysconf(_SC_PAGESIZE);
}

static OrtInput input_of(const Graph *graph, const Node *node) {
    const ValueType *type = &node->types[0];
    OrtInput input = {.name = node->names[0], .dtype = type->dtype, .rank = type->rank};
    for (int i = 0; i < type->rank; i++) {
        const Dim *dim = &type->dims[i];
        input.dims[i] = dim->variable ? -1 : dim->value;
        input.symbols[i] = dim->variable && dim->value != DIM_UNKNOWN ? graph->dims[dim->value] : "";
    }
    return input;
}

static Status hone_open(const CommandRun *run, const char *path, int level, OnnxEngine *engine, Error *err) {
    TRY(onnx_read(&engine->arena, path, &engine->model, err));
    const char *passes[LEVEL_MOST_PASSES];
    size_t count = level_passes((LevelWish){.level = level}, passes);
    TRY(passes_run(engine->model.graph, passes, count, &(PassInputs){0}, NULL, NULL, err));
    const Graph *graph = engine->model.graph;
    TRY_NEW(engine->inputs = arena_array(&engine->arena, graph->node_count, sizeof *engine->inputs, err));
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op == OP_INPUT)
            engine->inputs[engine->input_count++] = input_of(graph, graph->nodes[n]);
    kernels_pick(run->common.level, &engine->kernels);
    TRY(pool_new(run->common.threads, &engine->pool, err));
    EvaluatorSettings evaluate = {&engine->kernels, engine->pool, memory_for_values()};
    return evaluator_new(graph, &evaluate, &engine->evaluator, err);
}

static Status ort_open(const CommandRun *run, const char *path, const OrtFlags *flags, OnnxEngine *engine, Error *err) {
    OrtSettings settings;
    TRY(ort_flags_settings(run, flags, &settings, err));
    TRY(ort_library_open(flags->library, &engine->library, err));
    TRY(ort_engine_new(engine->library, path, &settings, &engine->ort, err));
    ort_notes_tell(run, ort_engine_notes(engine->ort));
    return OK;
}

Status onnx_engine_open(const CommandRun *run, const char *path, const OnnxSettings *settings, OnnxEngine **ret_engine,
                        Error *err) {
    OnnxEngine *engine = memory_new(1, sizeof *engine, err);
    TRY_NEW(engine);
    *engine = (OnnxEngine){0};
    arena_init(&engine->arena, 0);
    Status status = settings->kind == ENGINE_ORT ? ort_open(run, path, settings->flags, engine, err)
                                                 : hone_open(run, path, settings->level, engine, err);
    if (status == OK)
        *ret_engine = engine;
    else
        onnx_engine_free(engine);
    return status;
}

void onnx_engine_free(OnnxEngine *engine) {
    if (!engine)
        return;
    evaluator_free(engine->evaluator);
    if (engine->pool)
        pool_free(engine->pool);
    ort_engine_free(engine->ort);
    ort_library_close(engine->library);
    arena_done(&engine->arena);
    memory_free(engine);
}

size_t onnx_engine_input_count(const OnnxEngine *engine) {
    return engine->ort ? ort_engine_input_count(engine->ort) : engine->input_count;
}

const OrtInput *onnx_engine_inputs(const OnnxEngine *engine) {
    return engine->ort ? ort_engine_inputs(engine->ort) : engine->inputs;
}

size_t onnx_engine_output_count(const OnnxEngine *engine) {
    return engine->ort ? ort_engine_output_count(engine->ort) : engine->model.graph->return_count;
}

const char *onnx_engine_output_name(const OnnxEngine *engine, size_t index) {
    return engine->ort ? ort_engine_output_name(engine->ort, index) : engine->model.output_names[index];
}

const char *onnx_engine_version(const OnnxEngine *engine) {
    return engine->ort ? ort_library_version(engine->library) : HONE_VERSION;
}

const char *onnx_engine_providers(const OnnxEngine *engine) {
    return engine->ort ? ort_engine_providers(engine->ort) : "cpu";
}

static size_t graph_weight_bytes(const Graph *graph) {
    size_t sum = 0;
    for (size_t i = 0; i < graph->constant_count; i++) {
        size_t bytes = 0;
        sum += shape_bytes(&graph->constants[i]->shape, graph->constants[i]->dtype, &bytes) ? bytes : 0;
    }
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->attribute_count; i++)
            if (graph->nodes[n]->attributes[i].kind == ATTRIBUTE_GRAPH)
                sum += graph_weight_bytes(graph->nodes[n]->attributes[i].graph);
    return sum;
}

size_t onnx_engine_weight_bytes(const OnnxEngine *engine) {
    return engine->ort ? 0 : graph_weight_bytes(engine->model.graph);
}

Status onnx_engine_run(OnnxEngine *engine, const Tensor *inputs, const Tensor **ret_results, Error *err) {
    return engine->ort ? ort_engine_run(engine->ort, inputs, ret_results, err)
                       : evaluator_run(engine->evaluator, inputs, ret_results, err);
}

static void nothing(void *context, size_t index) {
    (void)context;
    (void)index;
}

void onnx_engine_rest(OnnxEngine *engine) {
    if (engine->pool)
        pool_run_last(engine->pool, (size_t)pool_threads(engine->pool), nothing, NULL);
}

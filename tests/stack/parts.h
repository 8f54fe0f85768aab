// SPDX-License-Identifier: Apache-2.0
// A model in parts (exec/seq2seq.h) run by hone's own evaluator over what `hone export` would write: what tests stand
// in for ONNX Runtime. It counts what it gave and did not get back, and what it was given.
#pragma once

#include "check.h"
#include "exec/evaluator.h"
#include "exec/seq2seq.h"
#include "format/onnx/export.h"
#include "model/model.h"

enum { PARTS_MOST = 32 };

typedef struct EvaluatorParts {
    Arena arena;
    Kernels kernels;
    Evaluator *evaluators[PART_COUNT];
    OrtInput inputs[PART_COUNT][PARTS_MOST];
    PartRunner runner;
    size_t live;                  // results that were not given back
    size_t runs[PART_COUNT];      // so far
    size_t most_rows[PART_COUNT]; // of one run
    size_t copied[PART_COUNT];    // keys, values and states that were not the results of an earlier run
    int fail_at;                  // the n-th run from now; 0: none
    bool freed;
} EvaluatorParts;

static bool parts_are_copied(const OrtInput *input, const HeldTensor *given) {
    return !given->held &&
           (strstr(input->name, "past_key_values") || strcmp(input->name, "encoder_hidden_states") == 0);
}

static Status evaluator_parts_run(void *context, SeqPart part, const HeldTensor *inputs, const bool *wanted,
                                  HeldTensor *ret_outputs, Error *err) {
    EvaluatorParts *parts = context;
    const PartShape *shape = &parts->runner.shapes[part];
    Tensor given[PARTS_MOST];
    const Tensor *results;
    parts->runs[part]++;
    for (size_t i = 0; i < shape->input_count; i++) {
        given[i] = inputs[i].tensor;
        parts->copied[part] += parts_are_copied(&shape->inputs[i], &inputs[i]);
        if (strcmp(shape->inputs[i].name, "input_ids") == 0 && (size_t)given[i].shape.dims[0] > parts->most_rows[part])
            parts->most_rows[part] = (size_t)given[i].shape.dims[0];
    }
    if (parts->fail_at && !--parts->fail_at)
        return FAIL(err, ERR_FORMAT, "the runner broke");
    TRY(evaluator_run(parts->evaluators[part], given, &results, err));
    for (size_t i = 0; i < shape->output_count; i++) {
        ret_outputs[i] = (HeldTensor){0};
        if (!wanted[i])
            continue;
        void *data = memory_new(results[i].bytes + 1, 1, err);
        ck_assert_ptr_nonnull(data);
        memcpy(data, results[i].data, results[i].bytes);
        ret_outputs[i] = (HeldTensor){results[i], data, data};
        ret_outputs[i].tensor.data = data;
        parts->live++;
    }
    return OK;
}

static void evaluator_parts_release(void *context, HeldTensor *tensor) {
    EvaluatorParts *parts = context;
    parts->live -= tensor->held != NULL;
    memory_free(tensor->held);
    *tensor = (HeldTensor){0};
}

static void evaluator_parts_free(void *context) {
    EvaluatorParts *parts = context;
    ck_assert_uint_eq(parts->live, 0);
    for (SeqPart part = 0; part < PART_COUNT; part++)
        if (part != PART_NEXT || parts->evaluators[PART_NEXT] != parts->evaluators[PART_FIRST])
            evaluator_free(parts->evaluators[part]);
    arena_done(&parts->arena);
    parts->freed = true;
}

static void evaluator_part_make(EvaluatorParts *parts, SeqPart part, ExportPart exported, const Model *model) {
    Error err;
    const SessionModel *session = model_session(model);
    ExportSource source = {session->encode, session->decode, session->head, 14};
    Graph *graph;
    const char **names;
    PartShape *shape = &parts->runner.shapes[part];
    CHECK_OK(export_part(&parts->arena, &source, exported, &graph, &names, &err));
    CHECK_OK(op_verify(graph, &err));
    CHECK_OK(evaluator_new(graph, &(EvaluatorSettings){.kernels = &parts->kernels}, &parts->evaluators[part], &err));
    *shape = (PartShape){export_part_files[exported], parts->inputs[part], 0, names, graph->return_count};
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        if (node->op != OP_INPUT)
            continue;
        ck_assert_uint_lt(shape->input_count, PARTS_MOST);
        OrtInput *input = &parts->inputs[part][shape->input_count++];
        *input = (OrtInput){.name = node->names[0], .dtype = node->types[0].dtype, .rank = node->types[0].rank};
        for (int i = 0; i < input->rank; i++)
            input->dims[i] = node->types[0].dims[i].variable ? -1 : node->types[0].dims[i].value;
    }
}

// `model` was opened without passes and must outlive it.
static void evaluator_parts_make(EvaluatorParts *parts, const Model *model, bool merged) {
    *parts = (EvaluatorParts){0};
    arena_init(&parts->arena, 0);
    kernels_pick(cpu_detect(), &parts->kernels);
    parts->runner.context = parts;
    parts->runner.run = evaluator_parts_run;
    parts->runner.release = evaluator_parts_release;
    parts->runner.free = evaluator_parts_free;
    evaluator_part_make(parts, PART_ENCODER, EXPORT_ENCODER, model);
    evaluator_part_make(parts, PART_FIRST, merged ? EXPORT_MERGED : EXPORT_DECODER, model);
    if (!merged) {
        evaluator_part_make(parts, PART_NEXT, EXPORT_DECODER_WITH_PAST, model);
        return;
    }
    parts->evaluators[PART_NEXT] = parts->evaluators[PART_FIRST];
    parts->runner.shapes[PART_NEXT] = parts->runner.shapes[PART_FIRST];
}

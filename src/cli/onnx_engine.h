// SPDX-License-Identifier: Apache-2.0
// An ONNX file in one of two engines, hone's own or ONNX Runtime, behind one face.
#pragma once

#include "cli/engine_choice.h"

typedef struct OnnxEngine OnnxEngine;

// What an engine makes of a file before it runs: hone rewrites its graph by the passes of `level` (pass/levels.h), ONNX
// Runtime does what `flags` say.
typedef struct OnnxSettings {
    EngineKind kind;
    int level;
    const OrtFlags *flags;
} OnnxSettings;

// Reads the model and makes it ready to run. What it leaves out of what was asked for is told on standard error, but
// not with --quiet.
MUST_CHECK Status onnx_engine_open(const CommandRun *run, const char *path, const OnnxSettings *settings,
                                   OnnxEngine **ret_engine, Error *err);
void onnx_engine_free(OnnxEngine *engine); // NULL is fine

// The model's inputs that are no initializers and its outputs, in its order.
size_t onnx_engine_input_count(const OnnxEngine *engine);
const OrtInput *onnx_engine_inputs(const OnnxEngine *engine);
size_t onnx_engine_output_count(const OnnxEngine *engine);
const char *onnx_engine_output_name(const OnnxEngine *engine, size_t index);

// The library's version, or hone's; where nodes run, "cpu" or "cuda,cpu"; bytes of the model's constants, 0 where the
// engine does not tell.
const char *onnx_engine_version(const OnnxEngine *engine);
const char *onnx_engine_providers(const OnnxEngine *engine);
size_t onnx_engine_weight_bytes(const OnnxEngine *engine);

// Inputs in the model's order; results [onnx_engine_output_count] until the next run.
MUST_CHECK Status onnx_engine_run(OnnxEngine *engine, const Tensor *inputs, const Tensor **ret_results, Error *err);

// Its threads wait asleep, so that another engine can have its turn.
void onnx_engine_rest(OnnxEngine *engine);

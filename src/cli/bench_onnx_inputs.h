// SPDX-License-Identifier: Apache-2.0
// Made-up inputs for an ONNX graph, the same for every engine that runs it.
#pragma once

#include "cli/onnx_engine.h"

typedef struct MadeInputs {
    int64_t batch;         // of variables called *batch*; where there is none, of the first variable
    int64_t source_tokens; // of all other variables; "past + length" is a sum
    int64_t vocabulary;    // integers are below it
} MadeInputs;

// Tensors in the engine's order, in the arena. By name: masks are ones, token types and segments zeros, positions
// count; other integers and reals are random, reals in [-1, 1), booleans false. ERR_UNSUPPORTED for an input of no
// known rank.
MUST_CHECK Status inputs_make(Arena *arena, const OnnxEngine *engine, const MadeInputs *made, Tensor **ret_tensors,
                              Error *err);

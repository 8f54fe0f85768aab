// SPDX-License-Identifier: Apache-2.0
// hone bench on ONNX files: every file in every engine asked for, each in a process of its own, in turns, on the same
// made-up inputs; times, memory, and how far the engines' outputs lie apart.
#pragma once

#include "cli/bench_onnx_inputs.h"

typedef struct BenchOnnx {
    const char *engines; // "hone", "ort" or "hone,ort"; NULL: hone
    int level;           // of the passes before hone runs a graph
    const OrtFlags *flags;
    MadeInputs inputs; // 0: as usual
    int64_t warmup, runs;
} BenchOnnx;

// The command's arguments are the files. Writes the report.
MUST_CHECK Status bench_onnx(CommandRun *run, const BenchOnnx *asked, Error *err);

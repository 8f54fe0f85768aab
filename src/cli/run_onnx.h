// SPDX-License-Identifier: Apache-2.0
// hone run on an ONNX file: its graph once, as it is, over tensors given as files.
#pragma once

#include "cli/onnx_engine.h"

typedef struct RunOnnx {
    EngineKind kind;
    const char *path;
    const OrtFlags *flags;
    const TextList *inputs; // NAME=FILE, NAME one of the graph's inputs or a position among them
    const char *folder;     // gets a file NAME.npy for each output, other than letters, digits, '.', '_', '-' as '_'
} RunOnnx;

MUST_CHECK Status run_onnx(CommandRun *run, const RunOnnx *asked, Error *err);

// SPDX-License-Identifier: Apache-2.0
// hone run on an ONNX file: its graph once over tensors given as files.
#pragma once

#include "cli/onnx_engine.h"

typedef struct RunOnnx {
    OnnxSettings engine;
    const char *path;
    const TextList *inputs; // NAME=FILE, NAME one of the graph's inputs or a position among them
    const char *folder;     // gets a file NAME.npy for each output, other than letters, digits, '.', '_', '-' as '_'
} RunOnnx;

MUST_CHECK Status run_onnx(CommandRun *run, const RunOnnx *asked, Error *err);

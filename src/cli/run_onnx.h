// SPDX-License-Identifier: Apache-2.0
// hone run on an ONNX file: its graph once, as it is, over tensors given as files.
#pragma once

#include "cli/command.h"

// `inputs` are NAME=FILE, NAME one of the graph's inputs or a position among them; `folder` gets a file NAME.npy for
// each output, characters other than letters, digits, '.', '_', '-' as '_'.
MUST_CHECK Status run_onnx(CommandRun *run, const char *path, const TextList *inputs, const char *folder, Error *err);

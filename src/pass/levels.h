// SPDX-License-Identifier: Apache-2.0
// Levels of optimization for graphs of tensor operators, as ONNX Runtime counts them: the table levels.def.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEVEL_MOST_PASSES = 64 };

typedef struct LevelWish {
    int level;
    bool only_onnx; // without passes that write operators of other domains
    bool int8;      // with dynamic quantization
    bool fp16;      // in half precision
    int64_t opset;  // without passes that write operators of a later one of ONNX's opsets; 0: any
} LevelWish;

// The names of a level's passes in order, for passes_run; how many there are.
size_t level_passes(LevelWish wish, const char *ret_names[LEVEL_MOST_PASSES]);

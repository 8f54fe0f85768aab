// SPDX-License-Identifier: Apache-2.0
// Which linear reads which value of a model's graphs, and the observer that adds each value to its statistics once.
#pragma once

#include "measure/calibration.h"

typedef struct GraphReaders {
    const Graph *graph;
    InputStatistics **first; // [nodes] where the node is the first linear of the graph to read a value; else NULL
} GraphReaders;

typedef struct Readers {
    InputStatistics *inputs;
    size_t input_count;
    const float **factors; // [inputs] or NULL each
    GraphReaders graphs[3];
    const Kernels *kernels;
    Pool *pool;
} Readers;

// Statistics live in `arena`, all else in `scratch`. Values that linears of one weight read share their statistics.
MUST_CHECK Status readers_make(Arena *arena, Arena *scratch, const SessionModel *model,
                               const CalibrationSettings *settings, const Kernels *kernels, Pool *pool,
                               Readers *ret_readers, Error *err);

// `readers` must outlive what observes with it.
PlanObserver readers_observer(Readers *readers);

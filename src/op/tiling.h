// SPDX-License-Identifier: Apache-2.0
// How a matrix product is shared out over threads: tiles of at most `most_rows` rows by `most_panels` panels, evened
// out. Any tiling gives the same bits; which is fastest depends on the machine, the shape and the number of rows, so a
// plan may time a few (exec/tune.h) and keep one for each class of rows.
#pragma once

#include "base/pool.h"
#include "kernel/kernels.h"

typedef struct LinearTiling {
    uint32_t most_rows, most_panels; // 0, 0: as usual
} LinearTiling;

// Numbers of rows that behave alike: 1; 2-4; 5-16; 17-64; more.
enum { ROW_CLASSES = 5 };
size_t row_class(size_t rows);
size_t row_class_typical(size_t row_class); // the number of rows that stands for a class when it is timed

typedef struct PackedWeights PackedWeights;

// What is used where nothing was timed. Few rows: panels in halves of a thread's share, so that a thread that comes
// late costs less. Many rows: tiles as the kernels like them, small enough that threads end together.
LinearTiling tiling_usual(const PackedWeights *weights, size_t rows, size_t threads);

// The tiling of weights->tilings for so many rows, where it has one, else the usual one.
LinearTiling tiling_choose(const PackedWeights *weights, size_t rows, size_t threads);

// Runs the whole product `whole` (panels, group and codes are filled in here) on the pool.
void tiling_run(const PackedWeights *weights, GemmTile whole, LinearTiling tiling, Pool *pool);

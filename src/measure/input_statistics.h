// SPDX-License-Identifier: Apache-2.0
// What passed into a linear: statistics of a value [rows, columns], added up over many steps. From them static
// quantization takes its scales (measure/threshold.h), SmoothQuant its factors, bias correction its means, Wanda its
// norms and GPTQ its Hessian (measure/gram.h).
//
// Nothing depends on the order in which rows come but the moving averages: the histogram's range is a power of two, and
// when it grows, bins of equal width fall together exactly.
#pragma once

#include "measure/gram.h"

enum { STATISTICS_BINS = 2048 };

typedef struct InputStatistics {
    const char **weights; // names of the weights that are multiplied with this value
    size_t weight_count;
    size_t columns;
    uint64_t rows;                     // seen
    uint64_t not_finite;               // elements that are NaN or infinite; they count nowhere else
    float least, most;                 // of all elements; 0 is between them
    float average_least, average_most; // moving averages of the batches' least and most
    float range;                       // a power of two, or 0 before anything but zeros was seen
    uint64_t *histogram;  // [STATISTICS_BINS] bin i counts |x| in [i, i + 1) * range / bins, the last |x| = range too
    float *column_absmax; // [columns] largest |x|
    double *column_sums, *column_squares; // [columns] of x and x * x
    Gram *gram;                           // or NULL
    // Of the batch that is being added.
    float batch_least, batch_most;
    uint64_t batch_rows;
} InputStatistics;

// All zero. Lives in `arena`; `gram` says whether to keep sums of products of columns too.
MUST_CHECK Status input_statistics_init(Arena *arena, size_t columns, bool gram, InputStatistics *ret_statistics,
                                        Error *err);

// Adds rows of x, each element times its column's factor where `factors` is not NULL. `kernels` and `pool` serve the
// Gram matrix only.
void input_statistics_add(InputStatistics *statistics, const Slab *x, const float *factors, const Kernels *kernels,
                          Pool *pool);

// Ends a batch: its least and most enter the moving averages with a weight of 0.01, the first batch's with all (as
// torch.ao's MovingAverageMinMaxObserver has it). A batch without rows is none.
void input_statistics_end_batch(InputStatistics *statistics);

// The largest magnitude seen.
float input_statistics_absmax(const InputStatistics *statistics);

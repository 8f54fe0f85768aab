// SPDX-License-Identifier: Apache-2.0
// INT8 with static activations: what is found out by running the model over data before weights are written.
//
//   scale        each value that linears read gets one, the threshold of a rule (measure/threshold.h) over 127
//   smoothing    SmoothQuant (Xiao et al., 2022): columns of activations whose outliers would waste the scale are made
//                smaller and the weights' columns larger by as much: s[j] = max|x[j]|^alpha / max|w[j]|^(1 - alpha).
//                Weights are multiplied before they are rounded; activations are divided while they are (a norm that is
//                also the next residual, as in BART, cannot do it for them). A second run measures what is left.
//   bias         what rounding the weights moves each output by on average, its row's error times the mean activation,
//                is added to the bias
#pragma once

#include "base/cpu.h"
#include "compress/weights.h"
#include "measure/threshold.h"

typedef struct StaticOptions {
    const char *data; // JSON lines (measure/data.h), or statistics of them (statistics_file.h); NULL: none was given
    const char *save; // where to write the statistics of unsmoothed activations; NULL: nowhere
    size_t samples;   // of them at most; 0: 128
    ThresholdRule rule;
    double percentile; // 0: 99.99
    double smooth;     // alpha, above 0 and below 1; 0: no smoothing
    bool correct_bias;
    int threads; // 0: 1
    CpuLevel level;
} StaticOptions;

// Fills the scales of all weights with static_input, and what changes them and their biases on their way. Nothing where
// there are none; ERR_USAGE for data without such weights, for such weights without data, and for smoothing by
// statistics alone. Other errors as of data_read, calibrate and statistics_read. `meter` is told of samples.
MUST_CHECK Status static_inputs_choose(Arena *arena, const Model *model, const StaticOptions *options,
                                       const WorkMeter *meter, WeightList *list, Error *err);

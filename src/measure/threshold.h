// SPDX-License-Identifier: Apache-2.0
// Thresholds: how far a static scale reaches. What lies beyond is cut off, what lies within is rounded; each rule
// weighs the two in its own way.
#pragma once

#include "measure/input_statistics.h"

typedef enum ThresholdRule {
    THRESHOLD_MINMAX,         // the largest magnitude seen
    THRESHOLD_MOVING_AVERAGE, // the moving averages of the batches' extremes: an outlier of one batch counts little
    THRESHOLD_PERCENTILE,     // a share of all magnitudes lies within
    THRESHOLD_ENTROPY,        // least Kullback-Leibler divergence between what was and what 128 levels leave of it
    THRESHOLD_MSE,            // least mean squared error of the rounded and cut-off values
    THRESHOLD_RULE_COUNT
} ThresholdRule;

// "minmax", "moving-average", "percentile", "entropy", "mse".
const char *threshold_rule_name(ThresholdRule rule);
// False, and *ret untouched, for an unknown name.
bool threshold_rule_from_name(const char *name, ThresholdRule *ret);

// The magnitude that 127 stands for; 0 where nothing but zeros was seen, never beyond the largest magnitude.
// `percentile` (99.99) is for that rule only. Sources:
//   entropy  TensorRT's calibration (S. Migacz, 8-bit inference with TensorRT, 2017), zeros weighed like their
//            neighbours, and windows whose last bin was empty passed over;
//   mse      every bin edge from 1/16 of the range is tried on the bins' centres.
float threshold_choose(const InputStatistics *statistics, ThresholdRule rule, double percentile);

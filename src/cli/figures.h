// SPDX-License-Identifier: Apache-2.0
// Measured figures as JSON, the same for all commands that tell them. NULL without memory; a number that is none is
// null.
#pragma once

#include <jansson.h>

#include "measure/statistics.h"

// {"mean":…,"low":…,"high":…}
json_t *interval_json(Interval interval);

// {"relative":…,"low":…,"high":…}
json_t *loss_json(RelativeLoss loss);

// {"mean":…,"p50":…,"p95":…,"p99":…}
json_t *latency_json(LatencySummary latency);

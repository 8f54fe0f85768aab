// SPDX-License-Identifier: Apache-2.0
// Figures as JSON.
#include "cli/figures.h"

#include <math.h>

static json_t *number_or_null(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *interval_json(Interval interval) {
    return json_pack("{s:o, s:o, s:o}", "mean", number_or_null(interval.mean), "low", number_or_null(interval.low),
                     "high", number_or_null(interval.high));
}

json_t *loss_json(RelativeLoss loss) {
    return json_pack("{s:o, s:o, s:o}", "relative", number_or_null(loss.relative), "low", number_or_null(loss.low),
                     "high", number_or_null(loss.high));
}

json_t *latency_json(LatencySummary latency) {
    return json_pack("{s:f, s:f, s:f, s:f}", "mean", latency.mean_ms, "p50", latency.p50_ms, "p95", latency.p95_ms,
                     "p99", latency.p99_ms);
}

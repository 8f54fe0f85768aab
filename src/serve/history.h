// SPDX-License-Identifier: Apache-2.0
// The recent past of one model's figures, so that the dashboard works without a Prometheus: a sample a second for 15
// minutes, one a minute for 24 hours, in two rings of fixed size. Where there is a file (measure/store.h), it is kept
// over a restart: minutes as they pass, seconds at the end. A file that cannot be used (damaged, a full disk) is left
// alone from then on, with one event in the log; the rings go on.
//
// Times are seconds since 1970.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "serve/log.h"
#include "serve/metrics.h"

typedef struct ServeHistory ServeHistory;

typedef enum HistoryFigure {
#define FIGURE(id, name, kind, metric, argument) id,
#include "serve/history.def"
#undef FIGURE
    FIGURE_COUNT
} HistoryFigure;

typedef struct HistorySample {
    double time;                  // the end of its second or minute
    double figures[FIGURE_COUNT]; // NaN: nothing to tell
} HistorySample;

typedef enum HistorySpan { HISTORY_15M, HISTORY_24H, HISTORY_SPANS } HistorySpan;

// `path` NULL: nothing is kept. Fails only for lack of memory. `log` may be NULL, and outlives the history.
MUST_CHECK Status history_new(const char *path, const char *model, double now, Log *log, ServeHistory **ret_history,
                              Error *err);
// Writes the seconds; NULL is fine.
void history_free(ServeHistory *history);

// Called once a second, by one thread that may wait for the disk, always with the same Metrics. The first call only
// begins. After a gap or a clock that was set back it begins again.
void history_sample(ServeHistory *history, const Metrics *metrics, double now);

// Any thread from here on.
bool history_is_kept(ServeHistory *history);
// The newest second; all NaN before the first.
HistorySample history_newest(ServeHistory *history);
const char *history_figure_name(HistoryFigure figure);

// The mean of a figure over the newest `seconds` of the ring of seconds; NaN where there is none.
double history_mean(ServeHistory *history, HistoryFigure figure, double seconds);

// {"span":"15m","step_s":1,"time":[...],"generated_tokens_per_s":[...],...}: a column per figure, null for NaN.
void history_print(ServeHistory *history, HistorySpan span, Buffer *out);
// {"time":...,"generated_tokens_per_s":...,...}
void history_print_sample(const HistorySample *sample, Buffer *out);
// The span of the query ("15m", "24h"); false for another.
bool history_span(const char *text, HistorySpan *ret_span);

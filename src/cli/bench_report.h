// SPDX-License-Identifier: Apache-2.0
// What `hone bench` tells of one model at one point: as JSON, as a row for people, as a picture, in the history.
#pragma once

#include "cli/bench_work.h"
#include "cli/engine_choice.h"
#include "measure/statistics.h"

// One model measured over one work.
typedef struct BenchResult {
    const char *model; // its path
    EngineKind engine;
    const BenchWork *work;
    size_t passes;
    double *times_ns; // [passes][batches], in the order of the calls
    int64_t beams;
    const Sweep *sweep; // NULL: none
    int64_t value;      // of what the sweep varies
    BenchReport report;
} BenchResult;

// The line of JSON. NULL and *err without memory. The caller drops the reference.
json_t *bench_report_json(const CommandRun *run, const BenchResult *result, Error *err);

// A row of the table, with its head where `first` is set.
void bench_report_people(const BenchResult *result, const json_t *report, bool first, Buffer *text);

// Appends the results to the history at `path`; `settings` is a JSON object of what was asked for. All or none.
MUST_CHECK Status bench_report_keep(CommandRun *run, const char *path, const BenchResult *results, size_t count,
                                    const json_t *settings, Error *err);

// Draws a sweep's results, [values][models], as milliseconds per sample over what varied, with the spread of the
// passes.
MUST_CHECK Status bench_report_draw(CommandRun *run, const char *path, const Sweep *sweep, const BenchResult *results,
                                    size_t models, Error *err);

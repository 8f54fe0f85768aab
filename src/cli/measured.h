// SPDX-License-Identifier: Apache-2.0
// What a written model is worth on data beside the one it was made from, for commands that write models: what it loses,
// how fast it is, what memory it takes.
//
//     Measured measured;
//     TRY(measured_open(run, &ask, &measured, err));   // before anything is written
//     ... writes `output`, tells of it ...
//     TRY(measured_people(run, output, "pruned", &measured, err));
//
// Both models run with the generation options of their folders. Scores are of all rows; times are of the first rows,
// one at a time, in turns.
#pragma once

#include "cli/command.h"
#include "compress/trial.h"

typedef struct MeasuredAsk {
    const char *data;       // JSON lines; NULL: nothing will be measured
    int64_t samples;        // rows of it at most; 0: 128
    const char *decided_on; // the file whose rows decide how the model is made; NULL: none
    bool new_ids;           // the written model has another vocabulary
    const char *without;    // an option with which rows need no reference, for the message; NULL: there is none
} MeasuredAsk;

typedef struct Measured {
    const char *data;         // the file's name; NULL: nothing is measured
    const char *not_measured; // why not; NULL: nothing to say
    bool decided;             // these rows also decided how the model was made
    int threads;
    DataSet rows;
    size_t timed_rows;
    Quality quality[2]; // of the original, and of what was made of it
    TrialLoss loss;
    Speed speed[2];
    Interval faster; // times
} Measured;

// Reads the rows and checks that run->arguments[0] can run them. ERR_USAGE for samples without data, ERR_FORMAT for
// rows without a reference, else as data_read and trial_check. Rows of ids mean nothing to a model with another
// vocabulary: they are not measured, and why is kept.
MUST_CHECK Status measured_open(CommandRun *run, const MeasuredAsk *ask, Measured *ret_measured, Error *err);

// Runs and times both models; nothing where nothing is to be measured. No thread or database may be open. What fails
// says that `output` is written.
MUST_CHECK Status measured_run(CommandRun *run, const char *output, Measured *measured, Error *err);

// Adds `,"measured":{…},"quality":…,"loss":…,"latency_ms":…,"samples_per_s":…,"peak_rss_mb":…,"speedup":…,"baseline":…`
// and, where it is not faster, `"note"`; or `,"not_measured":…`.
MUST_CHECK Status measured_json(CommandRun *run, const Measured *measured, Error *err);

// Writes what has been printed, measures, and prints a table; `made` is what became of the model: "pruned". Nothing
// where nothing is to be measured.
MUST_CHECK Status measured_people(CommandRun *run, const char *output, const char *made, Measured *measured,
                                  Error *err);

// SPDX-License-Identifier: Apache-2.0
// Trials: what a model is worth on data: its outputs and their scores, sample by sample, and its times in turns with
// others.
//
//     TRY(trial_quality(arena, "small", &options, &quality, err));
//     TrialLoss loss = trial_loss(&base, &quality);              // paired, 95 %
//     TRY(trial_speed(arena, models, count, &options, speeds, err));
//     Interval faster = trial_ratio(arena, &speeds[0], &speeds[1], err);
#pragma once

#include "measure/bench.h"
#include "measure/data.h"
#include "measure/statistics.h"

enum { TRIAL_METRICS_MOST = 3 };

typedef struct TrialOptions {
    const DataSet *data;       // rows that are run, with references or labels; a search gives parts of its data
    const char *data_name;     // for messages
    RuntimeSettings runtime;   // of trial_quality; batch 0: 16
    GenerationChange *options; // changes the model's own generation options; NULL: nothing
    const void *context;
    size_t speed_batch, speed_samples;                          // 0: 1; only the first rows, 0: all
    size_t speed_calls;                                         // timed calls of each model at least, in whole passes
    void (*tell)(void *context, uint64_t done, uint64_t total); // samples, or calls of all models; may be NULL
    void *tell_context;
} TrialOptions;

// Whether the MODEL can run all rows: they are tokenized, and ids, lengths and options checked, before anything is run.
// Failures as trial_quality's.
MUST_CHECK Status trial_check(const char *model, const TrialOptions *options, Error *err);

// Texts are scored by ROUGE-1, 2 and L (F-measure, no stemming, default tokenizer), labelled rows by exact match and
// token error, all as `hone eval` has them: a mean of scores is what it prints.
typedef struct Quality {
    size_t samples, metrics;
    const char *names[TRIAL_METRICS_MOST];   // "rouge1", "rouge2", "rougeL"; "exact", "token_error"
    bool less_is_better[TRIAL_METRICS_MOST]; // token_error
    double *scores[TRIAL_METRICS_MOST];      // [samples]
    char **texts;                            // [samples] outputs; NULL without a tokenizer
    const char *outputs_sha256;              // of all outputs' ids
} Quality;

// Runs the MODEL over the data. The result lives in `arena`. Fails as opening and running do; what is wrong with a row
// names model, data and sample. No thread is left behind.
MUST_CHECK Status trial_quality(Arena *arena, const char *model, const TrialOptions *options, Quality *ret_quality,
                                Error *err);

// What a candidate loses of each metric against a baseline on the same samples, and on average: `mean` is the mean of
// the metrics' relative losses, resampled together (statistics_paired_losses; labelled rows: the loss of exact alone).
// NaN where the baseline scores 0.
typedef struct TrialLoss {
    RelativeLoss metrics[TRIAL_METRICS_MOST], mean;
} TrialLoss;
TrialLoss trial_loss(const Quality *baseline, const Quality *candidate);

// A model with settings of its own (K/V, levers, threads), for trial_speed.
typedef struct TrialModel {
    const char *path;
    RuntimeSettings runtime; // batch is ignored
} TrialModel;

typedef struct Speed {
    LatencySummary latency; // of calls of `speed_batch` samples
    double ms_per_sample, samples_per_s;
    double weights_mb, peak_rss_mb, load_ms;
    double *calls_ms; // [calls], in turn with the others': call i of each stands beside call i of all
    size_t calls;
    char digest[13]; // of the outputs' ids (measure/bench.h)
} Speed;

// Times models in turns, each in a process of its own (measure/bench.h), from ids to ids: texts are encoded by each
// model's own tokenizer before the clock starts, cut where they are too long. Since processes are forked, the caller
// has no thread and no database open. Failures as trial_quality's.
MUST_CHECK Status trial_speed(Arena *arena, const TrialModel *models, size_t count, const TrialOptions *options,
                              Speed *ret_speeds, Error *err);

// How many times faster the candidate is than the baseline, from the ratios of calls side by side: their geometric mean
// with a 95 % interval; of one call alone, low and high are NaN. Without memory for the ratios all is NaN, and *err
// says so. Both come from one trial_speed.
Interval trial_ratio(Arena *arena, const Speed *baseline, const Speed *candidate, Error *err);

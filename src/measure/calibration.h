// SPDX-License-Identifier: Apache-2.0
// Calibration: a model runs over data, and what passes into each of its linears is added up (input_statistics.h). The
// decoder is seen as it will run, with its cache: on the reference outputs (teacher-forced) and on what it writes
// itself (greedy).
//
//     data rows -> ids -> encode -> decode the reference, 64 tokens a step -> decode greedily, 8 samples a step
//                           |               |                                     |
//                           +---- a plan's observer hands each linear's input to its statistics ----+
//
// Linears that read one value (q, k, v of a layer; k, v of every decoder layer over the encoder's output) share its
// statistics, so that scales chosen from them are equal and passes may join them. The same model and data give the same
// statistics on every machine and with any number of threads.
#pragma once

#include "measure/data.h"
#include "measure/input_statistics.h"
#include "model/model.h"

enum {
    CALIBRATION_BATCH = 8,          // samples that generate together: a batch of the moving averages
    CALIBRATION_LEAST_TOKENS = 256, // of all sources together, below which ranges mean nothing
};

typedef struct CalibrationSettings {
    const char *data_name;  // of the file, for messages
    size_t most_samples;    // 0: all rows
    size_t most_new_tokens; // generated for each sample; 0: 64
    // What a value is multiplied with, column by column, before it is counted (SmoothQuant), asked by the name of a
    // weight that reads it; NULL, or an answer of NULL: nothing.
    const float *(*input_factors)(void *context, const char *weight);
    // Whether to keep the Gram matrix of a weight's input; NULL: none. Each takes gram_bytes of its columns.
    bool (*wants_gram)(void *context, const char *weight);
    void *context;
    void (*tell)(void *context, uint64_t done, uint64_t total); // samples; may be NULL
    void *tell_context;
} CalibrationSettings;

typedef struct Calibration {
    InputStatistics *inputs; // one for each value that linears read, in the order of the graphs
    size_t count;
    size_t samples, source_tokens, reference_tokens, generated_tokens;
} Calibration;

// `model` must have been opened without passes, while every linear's weight is one tensor. The result lives in `arena`.
// ERR_FORMAT for data that is too short, that holds ids outside the vocabulary, that the tokenizer mostly does not know
// (it is in another language), or that drives a value to NaN or infinity; ERR_UNSUPPORTED for texts without a
// tokenizer.
MUST_CHECK Status calibrate(Arena *arena, const Model *model, const Kernels *kernels, Pool *pool, const DataSet *data,
                            const CalibrationSettings *settings, Calibration *ret_calibration, Error *err);

// Of the input of a weight; NULL where no linear has it.
const InputStatistics *calibration_find(const Calibration *calibration, const char *weight);

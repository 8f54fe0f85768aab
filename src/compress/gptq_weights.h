// SPDX-License-Identifier: Apache-2.0
// GPTQ over a model: it runs over data, and the linears that become int4 get codes that keep their outputs
// (compress/gptq.h). The word table and the head stay rounded to nearest: rows of a table are looked up, not
// multiplied.
#pragma once

#include "base/cpu.h"
#include "compress/weights.h"

typedef struct GptqOptions {
    const char *data; // JSON lines (measure/data.h); NULL: none was given
    size_t samples;   // of them at most; 0: 128
    int threads;      // 0: 1
    CpuLevel level;
} GptqOptions;

// How one linear came out: squared differences of its outputs on the data, the mean over outputs.
struct GptqLayer {
    double error, plain_error; // by GPTQ; rounded to nearest by the same rule for scales
    uint64_t samples;          // inputs it was given
    size_t plain_rows;         // that stayed rounded to nearest, for they were no worse so
    double damping;
};

// Gives the linears that become int4 their codes, scales and `gptq`. Their values must be the source's: neither cut nor
// changed. Gram matrices of all their inputs are in memory at once. ERR_USAGE where no linear becomes int4, and for
// want of data; other errors as of data_read, calibrate and gptq_round. `meter` is told of samples, then of weights.
MUST_CHECK Status gptq_weights_choose(Arena *arena, const Model *model, const GptqOptions *options,
                                      const WorkMeter *meter, WeightList *list, Error *err);

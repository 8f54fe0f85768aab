// SPDX-License-Identifier: Apache-2.0
// What holds a server back, from its figures, in words: one sentence of what is seen and one of what would help.
#pragma once

#include "base/buffer.h"
#include "serve/history.h"

typedef enum BottleneckKind {
    BOTTLENECK_UNKNOWN,  // nothing was measured yet
    BOTTLENECK_IDLE,     // no requests
    BOTTLENECK_CLIENT,   // clients ask for less than the server can give
    BOTTLENECK_KV,       // requests wait for pages of K/V
    BOTTLENECK_QUEUE,    // requests wait for a place in the engine
    BOTTLENECK_ENCODER,  // most time goes into encoding
    BOTTLENECK_HEAD,     // ... into the logits of the vocabulary
    BOTTLENECK_SCHEDULE, // ... into what is no arithmetic
    BOTTLENECK_WEIGHTS,  // decoding reads all weights for a few rows
    BOTTLENECK_ROWS,     // decoding has rows enough: its arithmetic
    BOTTLENECK_KINDS
} BottleneckKind;

// Means over the last seconds; NaN where nothing is known.
typedef struct BottleneckFigures {
    double requests_per_s, rejected_per_s;
    double running_requests, queued_requests, queue_mean_s;
    double most_requests;                                          // that the engine takes at once
    double rows_per_step;                                          // of decoder steps
    double encode_share, decode_share, head_share, schedule_share; // of the time
    double kv_used_share;
} BottleneckFigures;

// Of the newest ten seconds of a history.
BottleneckFigures bottleneck_figures(ServeHistory *history, double most_requests);

BottleneckKind bottleneck_find(const BottleneckFigures *figures);
const char *bottleneck_word(BottleneckKind kind); // "idle", "encoder" ...
void bottleneck_print(BottleneckKind kind, const BottleneckFigures *figures, Buffer *sentence, Buffer *advice);

// SPDX-License-Identifier: Apache-2.0
// From figures to sentences.
#include "serve/bottleneck.h"

#include <math.h>

enum { SECONDS = 10 };

// Below these nothing is worth a sentence.
static const double least_busy = 0.02, least_queued = 0.5;
// An engine that works less than this while nobody waits is not what limits.
static const double full_busy = 0.85;
static const double kv_full = 0.9;
// Parts of the engine's time from which on they are the one to look at.
static const double much_schedule = 0.3, much_encode = 0.5, much_head = 0.4;
// Multiplying a row by weights that come from memory takes as long as reading them once there are this many rows: 275
// GFLOP/s and 36.7 GB/s (FP32), or 1097 GOP/s and the same (INT8), on one thread of the machine of docs/performance.md.
static const double balanced_rows = 15;

BottleneckFigures bottleneck_figures(ServeHistory *history, double most_requests) {
    return (BottleneckFigures){
        .requests_per_s = history_mean(history, FIGURE_REQUESTS, SECONDS),
        .rejected_per_s = history_mean(history, FIGURE_REJECTED, SECONDS),
        .running_requests = history_mean(history, FIGURE_RUNNING_REQUESTS, SECONDS),
        .queued_requests = history_mean(history, FIGURE_QUEUED_REQUESTS, SECONDS),
        .queue_mean_s = history_mean(history, FIGURE_QUEUE_MEAN, SECONDS),
        .most_requests = most_requests,
        .rows_per_step = history_mean(history, FIGURE_STEP_ROWS, SECONDS),
        .encode_share = history_mean(history, FIGURE_ENCODE, SECONDS),
        .decode_share = history_mean(history, FIGURE_DECODE, SECONDS),
        .head_share = history_mean(history, FIGURE_HEAD, SECONDS),
        .schedule_share = history_mean(history, FIGURE_SCHEDULE, SECONDS),
        .kv_used_share = history_mean(history, FIGURE_KV_USED, SECONDS),
    };
}

static double busy_share(const BottleneckFigures *f) {
    return f->encode_share + f->decode_share + f->head_share + f->schedule_share;
}

BottleneckKind bottleneck_find(const BottleneckFigures *f) {
    double busy = busy_share(f);
    if (isnan(busy))
        return BOTTLENECK_UNKNOWN;
    bool waiting = f->queued_requests >= least_queued;
    if (busy < least_busy && !waiting)
        return f->running_requests >= least_queued || f->requests_per_s > 0 ? BOTTLENECK_CLIENT : BOTTLENECK_IDLE;
    if (waiting && f->kv_used_share >= kv_full)
        return BOTTLENECK_KV;
    if (waiting && f->running_requests >= f->most_requests - 0.5 && !(f->rows_per_step >= balanced_rows))
        return BOTTLENECK_QUEUE; // the engine could take more at little cost
    if (busy < full_busy && !waiting)
        return BOTTLENECK_CLIENT;
    if (f->schedule_share > much_schedule * busy)
        return BOTTLENECK_SCHEDULE;
    if (f->encode_share > much_encode * busy)
        return BOTTLENECK_ENCODER;
    if (f->head_share > much_head * busy)
        return BOTTLENECK_HEAD;
    return f->rows_per_step >= balanced_rows ? BOTTLENECK_ROWS : BOTTLENECK_WEIGHTS;
}

const char *bottleneck_word(BottleneckKind kind) {
    static const char *const words[BOTTLENECK_KINDS] = {
        [BOTTLENECK_UNKNOWN] = "unknown", [BOTTLENECK_IDLE] = "idle",         [BOTTLENECK_CLIENT] = "clients",
        [BOTTLENECK_KV] = "kv",           [BOTTLENECK_QUEUE] = "queue",       [BOTTLENECK_ENCODER] = "encoder",
        [BOTTLENECK_HEAD] = "head",       [BOTTLENECK_SCHEDULE] = "schedule", [BOTTLENECK_WEIGHTS] = "weights",
        [BOTTLENECK_ROWS] = "rows",
    };
    return words[kind];
}

// "3", "0.4", "1.5": two digits are enough to judge by.
static void add_number(Buffer *out, double value) {
    buffer_format(out, "%.*f", value < 9.95 && fabs(value - round(value)) >= 0.05 ? 1 : 0, value);
}

static void add_percent(Buffer *out, double share) {
    buffer_format(out, share > 0 && share < 0.005 ? "less than 1 %%" : "%.0f %%", share * 100);
}

static void add_seconds(Buffer *out, double seconds) {
    add_number(out, seconds < 1 ? seconds * 1000 : seconds);
    buffer_add_text(out, seconds < 1 ? " ms" : " s");
}

static void add_waiting(const BottleneckFigures *f, Buffer *out) {
    add_number(out, f->queued_requests);
    buffer_add_text(out, fabs(f->queued_requests - 1) < 0.05 ? " request waits" : " requests wait");
    if (f->queue_mean_s > 0) {
        buffer_add_text(out, ", for ");
        add_seconds(out, f->queue_mean_s);
        buffer_add_text(out, " on average");
    }
}

// How much of the engine's time a part takes.
static void add_part(const BottleneckFigures *f, const char *part, double share, Buffer *out) {
    buffer_format(out, "%s takes ", part);
    add_percent(out, share / busy_share(f));
    buffer_add_text(out, " of the engine's time");
    if (f->queued_requests >= least_queued) {
        buffer_add_text(out, "; ");
        add_waiting(f, out);
    }
    buffer_add_char(out, '.');
}

static void print_seen(BottleneckKind kind, const BottleneckFigures *f, Buffer *out) {
    switch (kind) {
    case BOTTLENECK_UNKNOWN:
        buffer_add_text(out, "The server has just started; there is nothing to judge by yet.");
        return;
    case BOTTLENECK_IDLE:
        buffer_add_text(out, "No requests in the last ten seconds.");
        return;
    case BOTTLENECK_CLIENT:
        buffer_add_text(out, "The engine works ");
        add_percent(out, busy_share(f));
        buffer_add_text(out, " of the time and nothing waits: clients ask for no more.");
        return;
    case BOTTLENECK_KV:
        add_waiting(f, out);
        buffer_add_text(out, ", because ");
        add_percent(out, f->kv_used_share);
        buffer_add_text(out, " of the K/V pages are in use.");
        return;
    case BOTTLENECK_QUEUE:
        add_waiting(f, out);
        buffer_add_text(out, ", while ");
        add_number(out, f->running_requests);
        buffer_add_text(out, " run, the most that the engine may take.");
        return;
    case BOTTLENECK_ENCODER:
        add_part(f, "Encoding sources", f->encode_share, out);
        return;
    case BOTTLENECK_HEAD:
        add_part(f, "Scoring the vocabulary", f->head_share, out);
        return;
    case BOTTLENECK_SCHEDULE:
        add_part(f, "Work between the steps", f->schedule_share, out);
        return;
    case BOTTLENECK_WEIGHTS:
        buffer_add_text(out, "Decoding reads all its weights for ");
        if (isfinite(f->rows_per_step))
            add_number(out, f->rows_per_step);
        else
            buffer_add_text(out, "few");
        buffer_add_text(out, " rows a step: the memory's speed limits it, not the arithmetic.");
        return;
    default:
        buffer_add_text(out, "Decoding has ");
        add_number(out, f->rows_per_step);
        buffer_add_text(out, " rows a step, enough to keep the arithmetic busy: the processor is the limit.");
        return;
    }
}

static const char *advice_of(BottleneckKind kind, bool waiting) {
    switch (kind) {
    case BOTTLENECK_UNKNOWN:
        return "";
    case BOTTLENECK_IDLE:
        return "The server is ready for requests.";
    case BOTTLENECK_CLIENT:
        return "For more throughput, send more requests at once; for lower latency, make the model smaller (hone "
               "optimize).";
    case BOTTLENECK_KV:
        return "Raise --memory-limit, keep K and V as 8 bits (--kv-type int8), or allow fewer output tokens.";
    case BOTTLENECK_QUEUE:
        return "Raise --max-batch-size: steps with more rows cost little more as long as reading the weights is what "
               "they wait for.";
    case BOTTLENECK_ENCODER:
        return "Prune or quantize the encoder (hone optimize), shorten sources, or add a server; repeated sources come "
               "from the encoder cache.";
    case BOTTLENECK_HEAD:
        return "Try --lm-head-screen, or trim the vocabulary to the tokens that the data uses (hone prune --method "
               "vocab).";
    case BOTTLENECK_SCHEDULE:
        return "Fewer beams and n-gram rules, or more rows a step; a faster processor rather than more cores.";
    case BOTTLENECK_WEIGHTS:
        return waiting ? "Raise --max-batch-size, or make the weights smaller: int8 or 4 bits (hone optimize)."
                       : "Send more requests at once, or make the weights smaller: int8 or 4 bits (hone optimize).";
    default:
        return "Add cores or servers, use fewer beams, or a smaller model (hone optimize).";
    }
}

void bottleneck_print(BottleneckKind kind, const BottleneckFigures *figures, Buffer *sentence, Buffer *advice) {
    print_seen(kind, figures, sentence);
    if (figures->rejected_per_s > 0) {
        buffer_add_char(sentence, ' ');
        if (figures->rejected_per_s < 0.1)
            buffer_add_text(sentence, "Now and then a request is turned away.");
        else {
            add_number(sentence, figures->rejected_per_s);
            buffer_add_text(sentence, " requests a second are turned away.");
        }
    }
    buffer_add_text(advice, advice_of(kind, figures->queued_requests >= least_queued));
}

// SPDX-License-Identifier: Apache-2.0
// What `hone top` shows: figures of one model from a server's /dashboard/state, and the lines that are drawn of them.
// The server is not trusted: its texts lose whatever could steer a terminal.
#pragma once

#include <stdbool.h>

#include "base/json.h"
#include "serve/history.h"

enum { TOP_PAST = 120 }; // seconds of the small charts

typedef struct TopFigures {
    char hone[40], state[20], model[80], sentence[400], advice[300];
    size_t models; // served
    double time, uptime_s, resident_bytes, memory_limit_bytes, most_requests;
    double now[FIGURE_COUNT];                          // NaN: nothing to tell
    double requests, failed, rejected, cancelled;      // so far
    double generated_tokens, source_tokens, deadlines; // so far
} TopFigures;

// `model` NULL: the first. ERR_FORMAT for what is no state of a server, ERR_USAGE for a model that it does not serve.
MUST_CHECK Status top_read(const json_t *state, const char *model, TopFigures *ret_figures, Error *err);

typedef struct TopPast {
    float values[FIGURE_COUNT][TOP_PAST]; // a ring; the newest before `next`
    size_t next, count;
} TopPast;
void top_remember(TopPast *past, const TopFigures *figures);
// The newest seconds of a /dashboard/history of 15 minutes; what is none leaves the past as it is.
void top_recall(TopPast *past, const json_t *history);

typedef struct TopStyle {
    size_t width;   // columns
    bool unicode;   // blocks for the small charts; ASCII without
    bool colour;    // bold and dim
    size_t charted; // columns of the small charts; 0: none
} TopStyle;

// The whole view, lines that end in "\n".
void top_draw(const TopFigures *figures, const TopPast *past, const char *address, const TopStyle *style, Buffer *out);
// The same in one line, for logs.
void top_draw_line(const TopFigures *figures, Buffer *out);
// What is known as one JSON object; NULL without memory.
json_t *top_json(const TopFigures *figures);

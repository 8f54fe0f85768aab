// SPDX-License-Identifier: Apache-2.0
// Answer: what a server sends, read as it comes: one HTTP/1.1 answer of /v1/completions, whole or as server-sent
// events. Keeps counts only, so an answer of any length takes the same memory.
//
//     answer_begin(&answer);
//     size_t used = answer_take(&answer, data, bytes);     // again and again, until answer.stage >= ANSWER_WHOLE
//     answer_close(&answer);                               // where the connection ended instead
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum AnswerStage {
    ANSWER_STATUS_LINE,
    ANSWER_HEADERS,
    ANSWER_BODY,       // `left` bytes of it
    ANSWER_REST,       // until the connection ends
    ANSWER_CHUNK_SIZE, // the line before a chunk
    ANSWER_CHUNK,
    ANSWER_CHUNK_END,
    ANSWER_TRAILER,
    ANSWER_WHOLE,
    ANSWER_BROKEN, // no HTTP, or cut off
} AnswerStage;

enum { ANSWER_WORDS = 4 };

typedef struct Answer {
    AnswerStage stage;
    int status;          // 0: not known yet
    bool closes;         // the connection ends with it
    bool sized, chunked; // how its end is told
    bool streams;        // it is text/event-stream
    uint64_t pieces;     // events so far that bring text
    uint64_t tokens;     // of the output, as `usage` tells; 0: not told
    bool done;           // "[DONE]" came
    bool failed;         // an event tells an error
    uint64_t bytes;      // of all that was taken
    uint64_t left;       // of the body or the chunk
    char line[512];      // of the head or before a chunk; what is longer is cut
    size_t line_bytes;
    size_t matched[ANSWER_WORDS]; // bytes of each word that were just seen
    bool counts_tokens;           // the number behind "completion_tokens": is being read
} Answer;

void answer_begin(Answer *answer);

// Returns how much of it belongs to this answer: all of it, unless the answer is whole.
size_t answer_take(Answer *answer, const char *data, size_t bytes);

void answer_close(Answer *answer);

// Whether it says 200 and everything that it was to bring has come.
bool answer_is_good(const Answer *answer);

// SPDX-License-Identifier: Apache-2.0
#include "bench/answer.h"

#include <string.h>
#include <strings.h>

// What is looked for in bodies. JSON escapes quotes and line ends in texts, so none of these is ever part of one. The
// first byte of each comes once more at most, never with the second behind it: a mismatch starts again at the byte.
static const struct {
    const char *text;
    size_t bytes;
} words[ANSWER_WORDS] = {
    {"\"finish_reason\":null", 20}, {"\"completion_tokens\":", 20}, {"\ndata: [DONE]", 13}, {"\ndata: {\"error\"", 15}};
enum { WORD_PIECE, WORD_TOKENS, WORD_DONE, WORD_ERROR };

void answer_begin(Answer *answer) {
    *answer = (Answer){.stage = ANSWER_STATUS_LINE};
    answer->matched[WORD_DONE] = answer->matched[WORD_ERROR] = 1; // a body begins as a line does
}

static void word_found(Answer *answer, int word) {
    if (word == WORD_PIECE)
        answer->pieces += answer->streams;
    else if (word == WORD_TOKENS)
        answer->counts_tokens = true, answer->tokens = 0;
    else if (word == WORD_DONE)
        answer->done = true;
    else
        answer->failed = true;
}

static void payload_take(Answer *answer, const char *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        char c = data[i];
        if (answer->counts_tokens) {
            answer->counts_tokens = c >= '0' && c <= '9' && answer->tokens < 1000000000;
            if (answer->counts_tokens)
                answer->tokens = answer->tokens * 10 + (uint64_t)(c - '0');
        }
        for (int word = 0; word < ANSWER_WORDS; word++) {
            size_t at = answer->matched[word];
            if (c != words[word].text[at]) {
                answer->matched[word] = c == words[word].text[0];
            } else if (++answer->matched[word] == words[word].bytes) {
                answer->matched[word] = 0;
                word_found(answer, word);
            }
        }
    }
}

// Adds to the line up to its end; true once it is whole, without its CR LF. *used is what was taken.
static bool line_take(Answer *answer, const char *data, size_t bytes, size_t *used) {
    const char *end = memchr(data, '\n', bytes);
    size_t part = end ? (size_t)(end - data) : bytes, room = sizeof answer->line - 1 - answer->line_bytes;
    memcpy(answer->line + answer->line_bytes, data, part < room ? part : room);
    answer->line_bytes += part < room ? part : room;
    *used = part + (end != NULL);
    if (!end)
        return false;
    if (answer->line_bytes && answer->line[answer->line_bytes - 1] == '\r')
        answer->line_bytes--;
    answer->line[answer->line_bytes] = '\0';
    answer->line_bytes = 0;
    return true;
}

// The value of a header with this name; NULL: it is another.
static const char *header_value(const char *line, const char *name) {
    size_t bytes = strlen(name);
    if (strncasecmp(line, name, bytes) != 0 || line[bytes] != ':')
        return NULL;
    line += bytes + 1;
    return line + strspn(line, " \t");
}

static void head_end(Answer *answer) {
    if (answer->status < 200) // 100 Continue: the answer comes behind it
        answer->stage = ANSWER_STATUS_LINE;
    else if (answer->chunked)
        answer->stage = ANSWER_CHUNK_SIZE;
    else if (answer->sized)
        answer->stage = answer->left ? ANSWER_BODY : ANSWER_WHOLE;
    else
        answer->stage = answer->status == 204 || answer->status == 304 ? ANSWER_WHOLE : ANSWER_REST;
    answer->closes |= answer->stage == ANSWER_REST;
}

static void header_take(Answer *answer) {
    const char *value, *line = answer->line;
    if ((value = header_value(line, "Content-Length"))) {
        answer->left = strtoull(value, NULL, 10);
        answer->sized = true;
    } else if ((value = header_value(line, "Transfer-Encoding"))) {
        answer->chunked = strcasecmp(value, "chunked") == 0;
    } else if ((value = header_value(line, "Connection"))) {
        answer->closes = strcasecmp(value, "close") == 0;
    } else if ((value = header_value(line, "Content-Type"))) {
        answer->streams = strncasecmp(value, "text/event-stream", 17) == 0;
    }
}

static void whole_line(Answer *answer) {
    switch (answer->stage) {
    case ANSWER_STATUS_LINE:
        answer->status = strncmp(answer->line, "HTTP/1.", 7) == 0 ? (int)strtol(answer->line + 8, NULL, 10) : 0;
        answer->stage = answer->status >= 100 && answer->status < 600 ? ANSWER_HEADERS : ANSWER_BROKEN;
        break;
    case ANSWER_HEADERS:
        if (*answer->line)
            header_take(answer);
        else
            head_end(answer);
        break;
    case ANSWER_CHUNK_SIZE:
        answer->left = strtoull(answer->line, NULL, 16);
        answer->stage = answer->left ? ANSWER_CHUNK : ANSWER_TRAILER;
        break;
    case ANSWER_CHUNK_END:
        answer->stage = *answer->line ? ANSWER_BROKEN : ANSWER_CHUNK_SIZE;
        break;
    default: // a trailer
        if (!*answer->line)
            answer->stage = ANSWER_WHOLE;
    }
}

size_t answer_take(Answer *answer, const char *data, size_t bytes) {
    size_t at = 0;
    while (at < bytes && answer->stage < ANSWER_WHOLE) {
        size_t used = bytes - at;
        if (answer->stage == ANSWER_BODY || answer->stage == ANSWER_CHUNK) {
            used = used < answer->left ? used : (size_t)answer->left;
            payload_take(answer, data + at, used);
            answer->left -= used;
            if (!answer->left)
                answer->stage = answer->stage == ANSWER_BODY ? ANSWER_WHOLE : ANSWER_CHUNK_END;
        } else if (answer->stage == ANSWER_REST) {
            payload_take(answer, data + at, used);
        } else if (line_take(answer, data + at, bytes - at, &used)) {
            whole_line(answer);
        }
        at += used;
    }
    answer->bytes += at;
    return at;
}

void answer_close(Answer *answer) {
    if (answer->stage < ANSWER_WHOLE)
        answer->stage = answer->stage == ANSWER_REST ? ANSWER_WHOLE : ANSWER_BROKEN;
}

bool answer_is_good(const Answer *answer) {
    return answer->stage == ANSWER_WHOLE && answer->status == 200 && !answer->failed &&
           (!answer->streams || answer->done) && answer->tokens > 0;
}

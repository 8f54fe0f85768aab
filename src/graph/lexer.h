// SPDX-License-Identifier: Apache-2.0
// The words of graph text: names, numbers, punctuation, ends of lines. Used by parse.c only.
#pragma once

#include "base/file.h"
#include "graph/graph.h"

typedef struct Lexer {
    Arena *arena;
    const char *name; // of the text, for messages
    const char *begin, *at, *end, *line_start;
    size_t line;
} Lexer;

void lexer_init(Lexer *lexer, Arena *arena, const char *name, Bytes text);

// ERR_FORMAT "name, line L, column C: <sentence>" for the place `at`.
Status lexer_fail(const Lexer *lexer, const char *at, Error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Skips spaces and a comment; returns the next byte, '\n' at the end of a line and of the text.
char lexer_peek(Lexer *lexer);

// Takes `c` if it is next.
bool lexer_take(Lexer *lexer, char c);
MUST_CHECK Status lexer_expect(Lexer *lexer, char c, Error *err);

// Ends a statement: nothing more on this line. Skips blank lines after it. True at the end of the text.
MUST_CHECK Status lexer_end_line(Lexer *lexer, Error *err);
bool lexer_at_end(Lexer *lexer);

// A name, bare or as a JSON string; copied into the arena. `what` is for the message.
MUST_CHECK Status lexer_name(Lexer *lexer, const char *what, const char **ret_name, Error *err);

// An identifier of at most `room` - 1 bytes.
MUST_CHECK Status lexer_word(Lexer *lexer, const char *what, char *ret_word, size_t room, Error *err);

// A number: *ret_integer says whether it was written as one that fits int64_t.
typedef struct Number {
    bool is_integer;
    int64_t integer;
    uint64_t bits; // an integer from 0 to 2^64 - 1, or the two's complement of a negative one
    double real;   // the value in any case; may be infinite or NaN
    char text[64]; // as written
} Number;
MUST_CHECK Status lexer_number(Lexer *lexer, Number *ret_number, Error *err);

// Bytes that can begin a number.
bool lexer_begins_number(char c);

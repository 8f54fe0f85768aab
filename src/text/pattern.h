// SPDX-License-Identifier: Apache-2.0
// Pattern: a literal or a regular expression of tokenizer.json, compiled. Expressions there are Oniguruma's (Ruby
// syntax); they run on PCRE2, rewritten where the two read the same text differently, refused where they cannot be:
//   \s \S       PCRE2's also holds U+180E: spelled out
//   \w \W \b \B PCRE2's knows no marks: spelled out by properties
//   \h \H       a hexadecimal digit there, a blank here: spelled out
//   ^ $         match at every line there: compiled as multi-line with LF alone
//   [a&&b] (?~) (?m) inside the expression: ERR_UNSUPPORTED
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct Pattern {
    const char *literal; // NULL: an expression
    size_t literal_bytes;
    void *code; // pcre2_code
    bool jit;
} Pattern;

typedef struct Matcher Matcher; // one thread's scratch for matching

// `name` begins messages. Literals must not be empty where they are searched: pattern_find then finds nothing.
MUST_CHECK Status pattern_make_literal(Arena *arena, const char *text, size_t bytes, Pattern *ret, Error *err);
MUST_CHECK Status pattern_make_regex(Arena *arena, const char *name, const char *text, size_t bytes, Pattern *ret,
                                     Error *err);

MUST_CHECK Status matcher_new(Matcher **ret, Error *err);
void matcher_free(Matcher *matcher);

typedef struct Match {
    size_t start, end;
    bool found;
} Match;

// The first match that begins at `from` or later. ERR_LIMIT when an expression backtracks without end.
MUST_CHECK Status pattern_find(const Pattern *pattern, Matcher *matcher, const char *text, size_t bytes, size_t from,
                               Match *ret, Error *err);

// Matches one after another, as onig's find_iter: an empty match right behind the match before it does not count.
typedef struct MatchWalk {
    size_t from;
    size_t last_end; // SIZE_MAX before the first
} MatchWalk;

MUST_CHECK Status pattern_next(const Pattern *pattern, Matcher *matcher, const char *text, size_t bytes,
                               MatchWalk *walk, Match *ret, Error *err);

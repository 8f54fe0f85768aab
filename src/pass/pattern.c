// SPDX-License-Identifier: Apache-2.0
// Globs by the two-pointer walk (the last star alone has to be tried again), regular expressions by PCRE2.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pass/pattern.h"

#include <pcre2.h>

#include "base/memory.h"
#include "base/utf8.h"

enum { BACKTRACKS_MOST = 100000 };

static size_t character_bytes(const char *text) {
    uint32_t code_point;
    return utf8_decode(text, strlen(text), &code_point);
}

static bool glob_matches(const char *pattern, const char *text) {
    const char *star = NULL, *resume = NULL; // the text after what the last star stands for
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == '?') {
            pattern++;
            text += character_bytes(text);
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            resume += character_bytes(resume);
            text = resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static void *pattern_new(PCRE2_SIZE bytes, void *context) {
    (void)context;
    Error err;
    return memory_new(bytes, 1, &err);
}

static void pattern_free(void *block, void *context) {
    (void)context;
    memory_free(block);
}

typedef struct Regex {
    pcre2_general_context *general;
    pcre2_compile_context *compile;
    pcre2_match_context *match;
    pcre2_code *code;
    pcre2_match_data *data;
} Regex;

static void regex_done(Regex *regex) {
    pcre2_match_data_free(regex->data);
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->match);
    pcre2_compile_context_free(regex->compile);
    pcre2_general_context_free(regex->general);
}

static Status regex_init(Regex *regex, const char *pattern, Error *err) {
    int code = 0;
    PCRE2_SIZE at = 0;
    regex->general = pcre2_general_context_create(pattern_new, pattern_free, NULL);
    regex->compile = regex->general ? pcre2_compile_context_create(regex->general) : NULL;
    regex->match = regex->general ? pcre2_match_context_create(regex->general) : NULL;
    if (!regex->compile || !regex->match)
        return FAIL(err, ERR_MEMORY, "no memory for the pattern 're:%s'", pattern);
    pcre2_set_match_limit(regex->match, BACKTRACKS_MOST);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C, &code, &at,
                                regex->compile);
    if (!regex->code) {
        PCRE2_UCHAR reason[120];
        pcre2_get_error_message(code, reason, sizeof reason);
        return FAIL(err, code == PCRE2_ERROR_NOMEMORY ? ERR_MEMORY : ERR_USAGE,
                    "the pattern 're:%s' is no regular expression: at character %zu, %s", pattern, (size_t)at + 1,
                    (const char *)reason);
    }
    regex->data = pcre2_match_data_create_from_pattern(regex->code, regex->general);
    return regex->data ? OK : FAIL(err, ERR_MEMORY, "no memory for the pattern 're:%s'", pattern);
}

static Status regex_matches(const char *pattern, const char *name, bool *ret_matches, Error *err) {
    Regex regex = {0};
    Status status = regex_init(&regex, pattern, err);
    if (status == OK) {
        int found = pcre2_match(regex.code, (PCRE2_SPTR)name, PCRE2_ZERO_TERMINATED, 0, 0, regex.data, regex.match);
        if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
            *ret_matches = found >= 0;
        else
            status = FAIL(err, ERR_LIMIT, "the pattern 're:%s' cannot be matched with '%s' in %d steps", pattern, name,
                          BACKTRACKS_MOST);
    }
    regex_done(&regex);
    return status;
}

Status pattern_matches(const char *pattern, const char *name, bool *ret_matches, Error *err) {
    if (strncmp(pattern, "re:", 3) == 0)
        return regex_matches(pattern + 3, name, ret_matches, err);
    *ret_matches = glob_matches(pattern, name);
    return OK;
}

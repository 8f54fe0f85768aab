// SPDX-License-Identifier: Apache-2.0
// Compiling and matching through PCRE2's JIT; without JIT (other CPUs) its interpreter does the same.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pattern.h"

#include <pcre2.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "text/chars.h"

enum {
    PATTERN_MAX_BYTES = 1 << 16,
    JIT_STACK_FIRST_BYTES = 32 << 10,
    JIT_STACK_MOST_BYTES = 8 << 20,
    MATCH_LIMIT = 10000000
};

struct Matcher {
    pcre2_general_context *general;
    pcre2_match_context *context;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
};

static void *pcre_new(PCRE2_SIZE bytes, void *context) {
    (void)context;
    Error err;
    return memory_new(bytes, 1, &err);
}

static void pcre_free(void *block, void *context) {
    (void)context;
    memory_free(block);
}

Status pattern_make_literal(Arena *arena, const char *text, size_t bytes, Pattern *ret, Error *err) {
    char *copy;
    TRY_NEW(copy = arena_copy_text(arena, text, bytes, err));
    *ret = (Pattern){.literal = copy, .literal_bytes = bytes};
    return OK;
}

#define SPACES                                                                                                         \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define WORDS_IN_SET "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
// Outside of a set, Oniguruma's table for Latin-1 counts superscript digits and fractions, too.
#define WORDS WORDS_IN_SET "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

// What an escape of Oniguruma means, outside and inside a class; NULL: as PCRE2 reads it.
static const struct {
    char letter;
    const char *outside, *inside;
} rewrites[] = {
    {'s', "[" SPACES "]", SPACES},
    {'S', "[^" SPACES "]", NULL},
    {'w', "[" WORDS "]", WORDS_IN_SET},
    {'W', "[^" WORDS "]", NULL},
    {'h', "[0-9A-Fa-f]", "0-9A-Fa-f"},
    {'H', "[^0-9A-Fa-f]", NULL},
    {'b', "(?:(?<=[" WORDS "])(?![" WORDS "])|(?<![" WORDS "])(?=[" WORDS "]))", NULL},
    {'B', "(?:(?<=[" WORDS "])(?=[" WORDS "])|(?<![" WORDS "])(?![" WORDS "]))", NULL},
};

static void escape_rewrite(char letter, bool inside, Buffer *out) {
    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites; i++) {
        const char *to = inside ? rewrites[i].inside : rewrites[i].outside;
        if (rewrites[i].letter == letter && to) {
            buffer_add_text(out, to);
            return;
        }
    }
    buffer_add_char(out, '\\');
    buffer_add_char(out, letter);
}

// Options between "(?" and ")" or ":" that turn on `m`, which is dotall there and multi-line here.
static bool turns_on_m(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes && (text[i] == 'i' || text[i] == 'm' || text[i] == 'x'); i++)
        if (text[i] == 'm')
            return true;
    return false;
}

static Status regex_rewrite(const char *name, const char *text, size_t bytes, Buffer *out, Error *err) {
    int depth = 0; // of nested classes
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < bytes) {
            escape_rewrite(text[++i], depth > 0, out);
            continue;
        }
        if (depth && c == '&' && i + 1 < bytes && text[i + 1] == '&')
            return FAIL(err, ERR_UNSUPPORTED,
                        "%s: the expression '%.80s' intersects sets with '&&', which is not supported", name, text);
        if (!depth && c == '(' && i + 2 < bytes && text[i + 1] == '?' &&
            (text[i + 2] == '~' || turns_on_m(text + i + 2, bytes - i - 2)))
            return FAIL(err, ERR_UNSUPPORTED, "%s: the expression '%.80s' uses '(?%c', which is not supported", name,
                        text, text[i + 2]);
        if (c == '[' && (!depth || (i + 1 < bytes && text[i + 1] == ':'))) {
            depth++;
        } else if (c == '[') {
            return FAIL(err, ERR_UNSUPPORTED, "%s: the expression '%.80s' nests sets, which is not supported", name,
                        text);
        } else if (c == ']' && depth) {
            depth--;
        }
        buffer_add_char(out, c);
    }
    return buffer_status(out, err);
}

static void code_free(void *code) {
    pcre2_code_free(code);
}

static Status regex_compile(Arena *arena, const char *name, const char *text, const Buffer *rewritten, Pattern *ret,
                            Error *err) {
    int problem;
    PCRE2_SIZE offset;
    pcre2_general_context *general = pcre2_general_context_create(pcre_new, pcre_free, NULL);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    pcre2_code *code = NULL;
    bool memory = context != NULL;
    if (memory) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        pcre2_set_max_pattern_length(context, 16 * PATTERN_MAX_BYTES);
        uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
        code = pcre2_compile((PCRE2_SPTR)rewritten->data, rewritten->bytes, options, &problem, &offset, context);
        memory = code || problem != PCRE2_ERROR_HEAP_FAILED;
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    if (!memory)
        return FAIL(err, ERR_MEMORY, "%s: no memory to compile the expression '%.80s'", name, text);
    if (!code) {
        char reason[120];
        pcre2_get_error_message(problem, (PCRE2_UCHAR *)reason, sizeof reason);
        return FAIL(err, ERR_FORMAT, "%s: the expression '%.80s' does not compile: %s", name, text, reason);
    }
    TRY(arena_on_free(arena, code_free, code, err));
    *ret = (Pattern){.code = code, .jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0};
    return OK;
}

Status pattern_make_regex(Arena *arena, const char *name, const char *text, size_t bytes, Pattern *ret, Error *err) {
    if (bytes > PATTERN_MAX_BYTES)
        return FAIL(err, ERR_LIMIT, "%s: an expression is %zu bytes long, the limit is %d", name, bytes,
                    PATTERN_MAX_BYTES);
    Buffer rewritten = {0};
    buffer_add(&rewritten, "", 0);
    Status status = regex_rewrite(name, text, bytes, &rewritten, err);
    if (status == OK)
        status = regex_compile(arena, name, text, &rewritten, ret, err);
    buffer_done(&rewritten);
    return status;
}

Status matcher_new(Matcher **ret, Error *err) {
    Matcher *matcher = memory_new(1, sizeof *matcher, err);
    TRY_NEW(matcher);
    *matcher = (Matcher){.general = pcre2_general_context_create(pcre_new, pcre_free, NULL)};
    if (matcher->general) {
        matcher->context = pcre2_match_context_create(matcher->general);
        matcher->data = pcre2_match_data_create(1, matcher->general);
        matcher->stack = pcre2_jit_stack_create(JIT_STACK_FIRST_BYTES, JIT_STACK_MOST_BYTES, matcher->general);
    }
    if (!matcher->context || !matcher->data) {
        matcher_free(matcher);
        return FAIL(err, ERR_MEMORY, "no memory for matching regular expressions");
    }
    pcre2_set_match_limit(matcher->context, MATCH_LIMIT);
    pcre2_set_heap_limit(matcher->context, 64 << 10); // KiB
    if (matcher->stack)
        pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    *ret = matcher;
    return OK;
}

void matcher_free(Matcher *matcher) {
    if (!matcher)
        return;
    pcre2_jit_stack_free(matcher->stack);
    pcre2_match_data_free(matcher->data);
    pcre2_match_context_free(matcher->context);
    pcre2_general_context_free(matcher->general);
    memory_free(matcher);
}

static Match literal_find(const Pattern *pattern, const char *text, size_t bytes, size_t from) {
    size_t length = pattern->literal_bytes;
    const char *at = text + from, *end = text + bytes;
    while (length && (size_t)(end - at) >= length) {
        at = memchr(at, pattern->literal[0], (size_t)(end - at) - length + 1);
        if (!at)
            break;
        if (!memcmp(at, pattern->literal, length))
            return (Match){(size_t)(at - text), (size_t)(at - text) + length, true};
        at++;
    }
    return (Match){0};
}

Status pattern_find(const Pattern *pattern, Matcher *matcher, const char *text, size_t bytes, size_t from, Match *ret,
                    Error *err) {
    if (pattern->literal) {
        *ret = literal_find(pattern, text, bytes, from);
        return OK;
    }
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int found = pattern->jit ? pcre2_jit_match(pattern->code, subject, bytes, from, 0, matcher->data, matcher->context)
                             : pcre2_match(pattern->code, subject, bytes, from, PCRE2_NO_UTF_CHECK, matcher->data,
                                           matcher->context);
    if (found == PCRE2_ERROR_NOMATCH) {
        *ret = (Match){0};
        return OK;
    }
    if (found == PCRE2_ERROR_NOMEMORY)
        return FAIL(err, ERR_MEMORY, "no memory to match a regular expression of the tokenizer");
    if (found < 0)
        return FAIL(err, ERR_LIMIT,
                    "a regular expression of the tokenizer gave up on this text at byte %zu (PCRE2 code %d)", from,
                    found);
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(matcher->data);
    *ret = (Match){range[0] < range[1] ? range[0] : range[1], range[1], true};
    return OK;
}

Status pattern_next(const Pattern *pattern, Matcher *matcher, const char *text, size_t bytes, MatchWalk *walk,
                    Match *ret, Error *err) {
    while (walk->from <= bytes) {
        TRY(pattern_find(pattern, matcher, text, bytes, walk->from, ret, err));
        if (!ret->found) {
            walk->from = bytes + 1;
            return OK;
        }
        if (ret->start < ret->end || ret->end != walk->last_end) {
            walk->from = walk->last_end = ret->end;
            return OK;
        }
        walk->from += walk->from < bytes ? char_bytes(text[walk->from]) : 1;
    }
    *ret = (Match){0};
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Takes graph text apart. Every step moves forward, so the time is linear in the text.
#include "graph/lexer.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "graph/names.h"

void lexer_init(Lexer *lexer, Arena *arena, const char *name, Bytes text) {
    const char *data = text.size ? (const char *)text.data : "";
    *lexer = (Lexer){arena, name, data, data, data + text.size, data, 1};
}

Status lexer_fail(const Lexer *lexer, const char *at, Error *err, const char *format, ...) {
    char sentence[ERROR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    size_t line = lexer->line;
    const char *start = lexer->line_start;
    while (at < start) // a statement that bodies have stretched over lines is faulted where it begins
        for (start--, line--; start > lexer->begin && start[-1] != '\n';)
            start--;
    return FAIL(err, ERR_FORMAT, "%s, line %zu, column %td: %s", lexer->name, line, at - start + 1, sentence);
}

char lexer_peek(Lexer *lexer) {
    while (lexer->at < lexer->end && (*lexer->at == ' ' || *lexer->at == '\t' || *lexer->at == '\r'))
        lexer->at++;
    if (lexer->end - lexer->at >= 2 && lexer->at[0] == '/' && lexer->at[1] == '/')
        while (lexer->at < lexer->end && *lexer->at != '\n')
            lexer->at++;
    return lexer->at < lexer->end ? *lexer->at : '\n';
}

bool lexer_take(Lexer *lexer, char c) {
    if (lexer_peek(lexer) != c || lexer->at == lexer->end)
        return false;
    lexer->at++;
    return true;
}

// What is next, for messages.
static const char *found(const Lexer *lexer, char text[16]) {
    if (lexer->at == lexer->end)
        return "the end of the text";
    char c = *lexer->at;
    if (c == '\n')
        return "the end of the line";
    snprintf(text, 16, c >= 0x20 && c < 0x7F ? "'%c'" : "byte %u", c >= 0x20 && c < 0x7F ? c : (unsigned char)c);
    return text;
}

Status lexer_expect(Lexer *lexer, char c, Error *err) {
    char text[16];
    if (!lexer_take(lexer, c))
        return lexer_fail(lexer, lexer->at, err, "expected '%c', found %s", c, found(lexer, text));
    return OK;
}

bool lexer_at_end(Lexer *lexer) {
    while (lexer_peek(lexer) == '\n' && lexer->at < lexer->end) {
        lexer->line_start = ++lexer->at;
        lexer->line++;
    }
    return lexer->at == lexer->end;
}

Status lexer_end_line(Lexer *lexer, Error *err) {
    char text[16];
    if (lexer_peek(lexer) != '\n')
        return lexer_fail(lexer, lexer->at, err, "expected the end of the line, found %s", found(lexer, text));
    lexer_at_end(lexer);
    return OK;
}

// A JSON string: found up to its closing quote here, read by base/json.h.
static Status quoted(Lexer *lexer, const char **ret_text, Error *err) {
    const char *start = lexer->at, *p = start + 1;
    while (p < lexer->end && *p != '"' && *p != '\n')
        p += *p == '\\' && lexer->end - p > 1 && p[1] != '\n' ? 2 : 1;
    if (p >= lexer->end || *p != '"')
        return lexer_fail(lexer, start, err, "this string has no closing quote on its line");
    json_t *value;
    Bytes slice = {(const unsigned char *)start, (size_t)(p + 1 - start)};
    Status status = json_parse(lexer->arena, "string", slice, false, &value, err);
    if (status == ERR_FORMAT)
        return lexer_fail(lexer, start, err, "not a valid JSON string");
    if (status != OK)
        return status;
    TRY_NEW(*ret_text = arena_copy_text(lexer->arena, json_string_value(value), json_string_length(value), err));
    lexer->at = p + 1;
    return OK;
}

Status lexer_name(Lexer *lexer, const char *what, const char **ret_name, Error *err) {
    char text[16];
    const char *start = lexer->at;
    if (start < lexer->end && *start == '"') {
        TRY(quoted(lexer, ret_name, err));
        return **ret_name ? OK : lexer_fail(lexer, start, err, "%s is empty", what);
    }
    while (lexer->at < lexer->end && name_is_bare_char(*lexer->at))
        lexer->at++;
    if (lexer->at == start)
        return lexer_fail(lexer, start, err, "expected %s, found %s", what, found(lexer, text));
    TRY_NEW(*ret_name = arena_copy_text(lexer->arena, start, (size_t)(lexer->at - start), err));
    return OK;
}

// Copies the bytes that `belongs` accepts; false when there are none or too many.
static bool run_of(Lexer *lexer, bool (*belongs)(char c), char *ret_text, size_t room) {
    size_t bytes = 0;
    lexer_peek(lexer);
    while (lexer->at + bytes < lexer->end && belongs(lexer->at[bytes]))
        bytes++;
    if (bytes == 0 || bytes >= room)
        return false;
    memcpy(ret_text, lexer->at, bytes);
    ret_text[bytes] = '\0';
    lexer->at += bytes;
    return true;
}

static bool word_char(char c) {
    return name_is_bare_char(c) && c != '.' && c != '-';
}

Status lexer_word(Lexer *lexer, const char *what, char *ret_word, size_t room, Error *err) {
    char text[16];
    lexer_peek(lexer);
    const char *start = lexer->at;
    if (!run_of(lexer, word_char, ret_word, room) || !name_is_identifier(ret_word)) {
        lexer->at = start;
        return lexer_fail(lexer, start, err, "expected %s, found %s", what, found(lexer, text));
    }
    return OK;
}

bool lexer_begins_number(char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';
}

static bool number_char(char c) {
    return name_is_bare_char(c) || c == '+';
}

Status lexer_number(Lexer *lexer, Number *ret_number, Error *err) {
    char text[16];
    lexer_peek(lexer);
    const char *start = lexer->at;
    Number number = {0};
    if (!run_of(lexer, number_char, number.text, sizeof number.text))
        return lexer_fail(lexer, start, err, "expected a number, found %s", found(lexer, text));
    char *stop;
    number.real = strtod(number.text, &stop);
    if (*stop)
        return lexer_fail(lexer, start, err, "'%s' is no number", number.text);
    const char *digits = number.text + (number.text[0] == '-');
    if (strspn(digits, "0123456789") == strlen(digits)) {
        errno = 0;
        number.bits = (uint64_t)strtoll(number.text, NULL, 10);
        number.is_integer = errno == 0;
        number.integer = (int64_t)number.bits;
        if (!number.is_integer) { // beyond int64_t, perhaps within uint64_t
            errno = 0;
            number.bits = strtoull(number.text, NULL, 10);
            if (errno || number.text[0] == '-')
                return lexer_fail(lexer, start, err, "%s does not fit 64 bits", number.text);
        }
    }
    *ret_number = number;
    return OK;
}

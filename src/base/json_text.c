// SPDX-License-Identifier: Apache-2.0
// The scanner may be simple, since the text is known to be JSON; bounds are checked all the same.
#include "base/json_text.h"

#include <string.h>

static bool is_blank(unsigned char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blanks(Bytes text, size_t at) {
    while (at < text.size && is_blank(text.data[at]))
        at++;
    return at;
}

static unsigned char char_at(Bytes text, size_t at) {
    return at < text.size ? text.data[at] : '\0';
}

// Past the string that begins at `at`.
static size_t skip_string(Bytes text, size_t at) {
    for (at++; at < text.size && text.data[at] != '"'; at++)
        at += text.data[at] == '\\';
    return at < text.size ? at + 1 : text.size;
}

// Past a number or a word.
static size_t skip_scalar(Bytes text, size_t at) {
    while (at < text.size && !is_blank(text.data[at]) && !strchr(",]}", text.data[at]))
        at++;
    return at;
}

// Past the value that begins at `at`.
static size_t skip_value(Bytes text, size_t at) {
    if (char_at(text, at) == '"')
        return skip_string(text, at);
    if (char_at(text, at) != '{' && char_at(text, at) != '[')
        return skip_scalar(text, at);
    size_t depth = 0;
    do {
        unsigned char c = char_at(text, at);
        if (c == '"') {
            at = skip_string(text, at);
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        at++;
    } while (depth && at < text.size);
    return at;
}

size_t json_text_start(Bytes text) {
    return skip_blanks(text, 0);
}

JsonWalk json_walk_begin(Bytes text, size_t start) {
    return (JsonWalk){text, start + 1};
}

bool json_walk_next(JsonWalk *walk, JsonItem *ret_item) {
    Bytes text = walk->text;
    size_t at = skip_blanks(text, walk->at);
    JsonItem item = {.from = walk->at};
    if (char_at(text, at) == ',') {
        item.from = at + 1;
        at = skip_blanks(text, at + 1);
    }
    if (at >= text.size || text.data[at] == ']' || text.data[at] == '}') {
        walk->at = at < text.size ? at + 1 : text.size;
        return false;
    }
    item.key = item.key_end = item.start = at;
    if (text.data[at] == '"') {
        size_t end = skip_string(text, at), next = skip_blanks(text, end);
        if (char_at(text, next) == ':') {
            item.key_end = end;
            item.start = skip_blanks(text, next + 1);
        }
    }
    item.end = walk->at = skip_value(text, item.start);
    *ret_item = item;
    return true;
}

bool json_item_is(Bytes text, const JsonItem *item, const char *key) {
    size_t length = strlen(key);
    return item->key_end - item->key == length + 2 && memcmp(text.data + item->key + 1, key, length) == 0;
}

bool json_text_find(Bytes text, size_t start, const char *key, JsonItem *ret_item) {
    if (char_at(text, start) != '{')
        return false;
    JsonWalk walk = json_walk_begin(text, start);
    for (JsonItem item; json_walk_next(&walk, &item);)
        if (json_item_is(text, &item, key)) {
            *ret_item = item;
            return true;
        }
    return false;
}

// Past the value that begins at `at`; its numbers are reported where `wanted`. As deep as json_parse lets texts nest.
static size_t numbers_walk(Bytes text, size_t at, bool wanted, const JsonNumbers *numbers) {
    unsigned char c = char_at(text, at);
    if (c == '"')
        return skip_string(text, at);
    if (c != '{' && c != '[') {
        size_t end = skip_scalar(text, at);
        if (wanted && (c == '-' || (c >= '0' && c <= '9')))
            numbers->found(numbers->context, at, end);
        return end > at ? end : at + 1;
    }
    for (at = skip_blanks(text, at + 1); at < text.size && text.data[at] != ']' && text.data[at] != '}';) {
        bool inside = wanted;
        if (c == '{') {
            size_t end = skip_string(text, at);
            inside = end - at >= 2 && numbers->wanted((const char *)text.data + at + 1, end - at - 2);
            at = skip_blanks(text, skip_blanks(text, end) + 1);
        }
        at = skip_blanks(text, numbers_walk(text, at, inside, numbers));
        if (char_at(text, at) == ',')
            at = skip_blanks(text, at + 1);
    }
    return at < text.size ? at + 1 : text.size;
}

void json_text_numbers(Bytes text, size_t start, const JsonNumbers *numbers) {
    numbers_walk(text, start, false, numbers);
}

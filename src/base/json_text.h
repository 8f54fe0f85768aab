// SPDX-License-Identifier: Apache-2.0
// JSON as text: where members, elements and numbers lie, so that a file can be changed in a few places and stay as its
// writer had it elsewhere. Everything here takes text that json_parse has accepted, and is linear in it.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"

// A member of an object or an element of an array. Its text is [from, end), blanks behind the comma before it included.
typedef struct JsonItem {
    size_t from;
    size_t key, key_end; // quotes included; equal for an element
    size_t start, end;   // of the value
} JsonItem;

typedef struct JsonWalk {
    Bytes text;
    size_t at; // behind the last item; after the last one, behind the closing bracket
} JsonWalk;

// Where the text's value begins.
size_t json_text_start(Bytes text);

// Over the items of the object or array that begins at `start`:
//     JsonWalk walk = json_walk_begin(text, start);
//     for (JsonItem item; json_walk_next(&walk, &item);)
JsonWalk json_walk_begin(Bytes text, size_t start);
bool json_walk_next(JsonWalk *walk, JsonItem *ret_item);

// Whether the item's key is spelled so, without escapes.
bool json_item_is(Bytes text, const JsonItem *item, const char *key);

// The object's member of that name; false when it has none, or when `start` begins no object.
bool json_text_find(Bytes text, size_t start, const char *key, JsonItem *ret_item);

// Calls `found` for every number that stands under a key that `wanted` accepts, directly or in arrays, wherever in the
// value at `start` the key is.
typedef struct JsonNumbers {
    bool (*wanted)(const char *key, size_t bytes);
    void (*found)(void *context, size_t start, size_t end);
    void *context;
} JsonNumbers;
void json_text_numbers(Bytes text, size_t start, const JsonNumbers *numbers);

// SPDX-License-Identifier: Apache-2.0
// Questions to a pickle's tree; every one survives NULL and values of the wrong kind.
#include "format/torch/pickle.h"

#include <string.h>

const PickleValue *pickle_item(const PickleValue *value, size_t index) {
    bool sequence = value && (value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST);
    return sequence && index < value->count ? value->items[index] : NULL;
}

bool pickle_text_is(const PickleValue *value, const char *text) {
    return value && value->kind == PICKLE_TEXT && value->text.size == strlen(text) &&
           memcmp(value->text.data, text, value->text.size) == 0;
}

const PickleValue *pickle_get(const PickleValue *dict, const char *key) {
    if (!dict || dict->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = dict->count; i >= 2; i -= 2)
        if (pickle_text_is(dict->items[i - 2], key))
            return dict->items[i - 1];
    return NULL;
}

const PickleGlobal *pickle_global(const PickleValue *value) {
    return value && value->kind == PICKLE_GLOBAL ? value->global : NULL;
}

const PickleValue *pickle_arguments(const PickleValue *call) {
    return call && call->kind == PICKLE_CALL ? call->items[1] : NULL;
}

const PickleGlobal *pickle_callee(const PickleValue *call) {
    return call && call->kind == PICKLE_CALL ? pickle_global(call->items[0]) : NULL;
}

bool pickle_integer(const PickleValue *value, int64_t *ret) {
    if (!value || (value->kind != PICKLE_INTEGER && value->kind != PICKLE_BOOL))
        return false;
    *ret = value->integer;
    return true;
}

const char *pickle_kind_name(const PickleValue *value) {
    static const char *const names[] = {
        [PICKLE_NONE] = "None",       [PICKLE_BOOL] = "a bool",          [PICKLE_INTEGER] = "an integer",
        [PICKLE_LONG] = "an integer", [PICKLE_REAL] = "a float",         [PICKLE_TEXT] = "a string",
        [PICKLE_BYTES] = "bytes",     [PICKLE_TUPLE] = "a tuple",        [PICKLE_LIST] = "a list",
        [PICKLE_SET] = "a set",       [PICKLE_DICT] = "a dict",          [PICKLE_GLOBAL] = "a name",
        [PICKLE_CALL] = "an object",  [PICKLE_PERSISTENT] = "a storage",
    };
    return value ? names[value->kind] : "nothing";
}

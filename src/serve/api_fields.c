// SPDX-License-Identifier: Apache-2.0
// The tables, and what can be told of a value by its field's row alone.
#include "serve/api_fields.h"

#include <math.h>
#include <string.h>

#define REQUIRED "required"

// The words of fields.def.
enum {
    COMPLETION = 1 << OBJECT_COMPLETION,
    CHAT = 1 << OBJECT_CHAT,
    SUMMARIZE = 1 << OBJECT_SUMMARIZE,
    INFER = 1 << OBJECT_INFER,
    GENERATE = 1 << OBJECT_GENERATE,
    TGI = 1 << OBJECT_TGI,
    TOKENIZE = 1 << OBJECT_TOKENIZE,
    DETOKENIZE = 1 << OBJECT_DETOKENIZE,
    PARAMETERS = 1 << OBJECT_PARAMETERS,
    STREAM_OPTIONS = 1 << OBJECT_STREAM_OPTIONS,
    MESSAGE = 1 << OBJECT_MESSAGE,
    PART = 1 << OBJECT_PART,
    DIALOGUE = 1 << OBJECT_DIALOGUE,
    TURN = 1 << OBJECT_TURN,
    TENSOR = 1 << OBJECT_TENSOR,
    OUTPUT = 1 << OBJECT_OUTPUT
};
enum {
    STRING = TYPE_STRING,
    INTEGER = TYPE_INTEGER,
    NUMBER = TYPE_NUMBER,
    BOOLEAN = TYPE_BOOLEAN,
    OBJECT = TYPE_OBJECT,
    STRINGS = TYPE_STRINGS,
    IDS = TYPE_IDS,
    ID_LISTS = TYPE_ID_LISTS,
    OBJECTS = TYPE_OBJECTS,
    SIZES = TYPE_SIZES,
    ANY_LIST = TYPE_ANY_LIST
};

static const ApiField fields[] = {
#define FIELD(objects, name, types, low, high, choices, use, option, otherwise, meaning)                               \
    {objects, #name, types, low, high, choices, USE_##use, option, otherwise, meaning},
#include "serve/fields.def"
};

static const ApiRoute routes[] = {
#define ROUTE(method, path, shape, object, streams, key, handle, summary)                                              \
    {method, path, API_##shape, streams, key, handle, OBJECT_##object, summary},
#include "serve/routes.def"
};

const ApiField *api_fields(size_t *ret_count) {
    *ret_count = sizeof fields / sizeof *fields;
    return fields;
}

const ApiRoute *api_routes(size_t *ret_count) {
    *ret_count = sizeof routes / sizeof *routes;
    return routes;
}

const ApiField *api_field(ApiObject object, const char *name) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].objects >> object & 1 && strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

bool api_field_known(const char *name) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].name, name) == 0)
            return true;
    return false;
}

static const char *const object_names[OBJECT_COUNT] = {
    "",         "Completion", "Chat",       "Summarize",     "Infer",   "Generate", "TextGeneration",
    "Tokenize", "Detokenize", "Parameters", "StreamOptions", "Message", "Part",     "Dialogue",
    "Turn",     "Tensor",     "Output"};

const char *api_object_name(ApiObject object) {
    return object_names[object];
}

ApiObject api_field_object(const ApiField *field) {
    for (ApiObject i = OBJECT_NONE; field->use == USE_CALL && field->option && i < OBJECT_COUNT; i++)
        if (strcmp(object_names[i], field->option) == 0)
            return i;
    return OBJECT_NONE;
}

bool api_field_required(const ApiField *field) {
    return strcmp(field->otherwise, REQUIRED) == 0;
}

static void add_bound(double bound, Buffer *out) {
    if (fabs(bound) < 1e15 && bound == floor(bound))
        buffer_format(out, "%.0f", bound);
    else if (bound == floor(bound))
        buffer_add_text(out, bound < 0 ? "-2^63" : "2^63-1");
    else
        buffer_format(out, "%g", bound);
}

static void add_range(const ApiField *field, const char *what, Buffer *out) {
    buffer_add_text(out, what);
    buffer_add_text(out, " from ");
    add_bound(field->low, out);
    buffer_add_text(out, " to ");
    add_bound(field->high, out);
}

static void add_list(const ApiField *field, const char *items, Buffer *out) {
    bool of_ids = strcmp(items, "token ids") == 0 && field->types & TYPE_ID_LISTS; // one source of any length
    if (of_ids || field->types & (TYPE_INTEGER | TYPE_NUMBER))                     // the range is others'
        buffer_format(out, "a list of %s", items);
    else if (field->low == field->high)
        buffer_format(out, "a list of %.0f %s", field->low, items);
    else if (field->high >= 2147483647.0)
        buffer_format(out, "a list of %s", items);
    else if (field->low > 0)
        buffer_format(out, "a list of %.0f to %.0f %s", field->low, field->high, items);
    else
        buffer_format(out, "a list of at most %.0f %s", field->high, items);
}

static void add_string(const ApiField *field, Buffer *out) {
    if (field->choices) {
        for (const char *at = field->choices; *at;) {
            size_t length = strcspn(at, "|");
            bool last = !at[length];
            if (at != field->choices)
                buffer_add_text(out, last ? " or " : ", ");
            buffer_format(out, "\"%.*s\"", (int)length, at);
            at += length + !last;
        }
    } else if (field->types & TYPE_LISTS || field->high >= 1e9)
        buffer_add_text(out, "a string");
    else if (field->low > 0)
        buffer_format(out, "a string of %.0f to %.0f bytes", field->low, field->high);
    else
        buffer_format(out, "a string of at most %.0f bytes", field->high);
}

static void add_type(const ApiField *field, unsigned type, Buffer *out) {
    switch (type) {
    case TYPE_STRING:
        add_string(field, out);
        break;
    case TYPE_INTEGER:
        add_range(field, "an integer", out);
        break;
    case TYPE_NUMBER:
        add_range(field, "a number", out);
        break;
    case TYPE_BOOLEAN:
        buffer_add_text(out, "true or false");
        break;
    case TYPE_OBJECT:
        buffer_add_text(out, "an object");
        break;
    case TYPE_STRINGS:
        add_list(field, "strings", out);
        break;
    case TYPE_IDS:
        add_list(field, "token ids", out);
        break;
    case TYPE_ID_LISTS:
        add_list(field, "lists of token ids", out);
        break;
    case TYPE_SIZES:
        add_list(field, "non-negative integers", out);
        break;
    case TYPE_OBJECTS:
        add_list(field, "objects", out);
        break;
    default:
        add_list(field, "values", out);
    }
}

void api_field_expected(const ApiField *field, Buffer *out) {
    bool first = true;
    for (unsigned type = 1; type <= TYPE_ANY_LIST; type <<= 1) {
        if (!(field->types & type))
            continue;
        if (!first)
            buffer_add_text(out, field->types & ~(2 * type - 1) ? ", " : " or "); // more to come, or the last
        first = false;
        add_type(field, type, out);
    }
}

static bool is_id(const json_t *value) {
    return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= INT32_MAX;
}

static bool items_are(const json_t *list, unsigned type) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (type == TYPE_STRINGS && !json_is_string(item))
            return false;
        if ((type == TYPE_IDS || type == TYPE_SIZES) && !is_id(item))
            return false;
        if (type == TYPE_OBJECTS && !json_is_object(item))
            return false;
        if (type == TYPE_ID_LISTS && !(json_is_array(item) && items_are(item, TYPE_IDS)))
            return false;
    }
    return true;
}

// Of objects and strings one list may hold both, where both are fine alone (turns beside texts).
static bool items_are_mixed(const ApiField *field, const json_t *list) {
    if (!(field->types & TYPE_STRINGS && field->types & TYPE_OBJECTS))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i)) && !json_is_object(json_array_get(list, i)))
            return false;
    return true;
}

static bool list_fits(const ApiField *field, const json_t *list) {
    double count = (double)json_array_size(list);
    bool counted = !(field->types & (TYPE_INTEGER | TYPE_NUMBER));
    // A list of ids is one source, whose length is the model's affair, where lists of lists are counted.
    bool of_ids = field->types & TYPE_IDS && count > 0 && items_are(list, TYPE_IDS);
    if (of_ids && field->types & TYPE_ID_LISTS)
        return true;
    if (counted && (count < field->low || count > field->high))
        return false;
    if (of_ids)
        return true;
    for (unsigned type = TYPE_STRINGS; type <= TYPE_ANY_LIST; type <<= 1)
        if (field->types & type && items_are(list, type))
            return true;
    return items_are_mixed(field, list);
}

static bool choice_fits(const char *choices, const char *text) {
    size_t length = strlen(text);
    for (const char *at = choices; *at;) {
        size_t bytes = strcspn(at, "|");
        if (bytes == length && memcmp(at, text, bytes) == 0)
            return true;
        at += bytes + (at[bytes] != '\0');
    }
    return false;
}

static bool string_fits(const ApiField *field, const json_t *value) {
    if (field->choices)
        return choice_fits(field->choices, json_string_value(value));
    double bytes = (double)json_string_length(value);
    return field->types & TYPE_LISTS || (bytes >= field->low && bytes <= field->high);
}

static bool number_fits(const ApiField *field, const json_t *value) {
    double number = json_number_value(value);
    bool whole = json_is_integer(value) || (number == floor(number) && fabs(number) < 0x1p53);
    return (whole || field->types & TYPE_NUMBER) && number >= field->low && number <= field->high;
}

bool api_field_accepts(const ApiField *field, const json_t *value) {
    if (json_is_string(value))
        return field->types & TYPE_STRING && string_fits(field, value);
    if (json_is_number(value))
        return field->types & (TYPE_INTEGER | TYPE_NUMBER) && number_fits(field, value);
    if (json_is_boolean(value))
        return field->types & TYPE_BOOLEAN;
    if (json_is_object(value))
        return field->types & TYPE_OBJECT;
    return json_is_array(value) && field->types & TYPE_LISTS && list_fits(field, value);
}

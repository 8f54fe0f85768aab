// SPDX-License-Identifier: Apache-2.0
// The rows of routes.def and fields.def, for the files of the API and for tests that go through all of them.
#pragma once

#include "serve/api.h"

// A body, or a part of one, with members.
typedef enum ApiObject {
    OBJECT_NONE,
    OBJECT_COMPLETION,
    OBJECT_CHAT,
    OBJECT_SUMMARIZE,
    OBJECT_INFER,
    OBJECT_GENERATE,
    OBJECT_TGI,
    OBJECT_TOKENIZE,
    OBJECT_DETOKENIZE,
    OBJECT_PARAMETERS,
    OBJECT_STREAM_OPTIONS,
    OBJECT_MESSAGE,
    OBJECT_PART,
    OBJECT_DIALOGUE,
    OBJECT_TURN,
    OBJECT_TENSOR,
    OBJECT_OUTPUT,
    OBJECT_COUNT
} ApiObject;

typedef enum ApiType {
    TYPE_STRING = 1,
    TYPE_INTEGER = 2,
    TYPE_NUMBER = 4,
    TYPE_BOOLEAN = 8,
    TYPE_OBJECT = 16,
    TYPE_STRINGS = 32, // lists
    TYPE_IDS = 64,
    TYPE_ID_LISTS = 128,
    TYPE_OBJECTS = 256,
    TYPE_SIZES = 512,
    TYPE_ANY_LIST = 1024,
    TYPE_LISTS = TYPE_STRINGS | TYPE_IDS | TYPE_ID_LISTS | TYPE_OBJECTS | TYPE_SIZES | TYPE_ANY_LIST
} ApiType;

typedef enum ApiUse { USE_OPTION, USE_CALL, USE_IGNORED, USE_REFUSED } ApiUse;

typedef struct ApiField {
    unsigned objects; // bits 1 << ApiObject
    const char *name;
    unsigned types;      // ApiTypes
    double low, high;    // of a number; of the count of a list's items; of a text's bytes
    const char *choices; // of a text: "a|b"; NULL: any
    ApiUse use;
    const char *option;    // OPTION: the generation option; CALL: the name of the object or objects it holds
    const char *otherwise; // "required": it has to be given; REFUSED: the values that are fine
    const char *meaning;
} ApiField;

const ApiField *api_fields(size_t *ret_count);
const ApiRoute *api_routes(size_t *ret_count);

// The row of a member of an object; NULL where it is not known there.
const ApiField *api_field(ApiObject object, const char *name);
// Whether any object knows a member of that name.
bool api_field_known(const char *name);

const char *api_object_name(ApiObject object); // "Completion"
ApiObject api_field_object(const ApiField *field);
bool api_field_required(const ApiField *field);

// "an integer from 1 to 8", "a string or a list of at most 4 strings".
void api_field_expected(const ApiField *field, Buffer *out);

// Whether a value has one of the field's types, and is within its range and choices.
bool api_field_accepts(const ApiField *field, const json_t *value);

// A body that the route takes, with what is required, or with every member that it knows: for the documentation, and as
// a seed of fuzzers.
void api_print_example(const ApiRoute *route, bool full, Buffer *out);

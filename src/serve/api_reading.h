// SPDX-License-Identifier: Apache-2.0
// A body while it is read, shared by the files that read one.
#pragma once

#include "serve/api_fields.h"

typedef struct Reading {
    Arena *arena;
    ApiCall *call;
    json_t *options;   // generation options by Hugging Face's names, and settings that only Hugging Face has
    const char *param; // the field being read
} Reading;

// Checks every known member of an object, and takes what is no source: options and how the request is served. `name` is
// how messages call the object.
MUST_CHECK Status reading_object(Reading *reading, const json_t *object, ApiObject which, const char *name, Error *err);

// Takes the sources of a body that reading_object has accepted.
MUST_CHECK Status reading_sources(Reading *reading, const json_t *body, Error *err);

// The member, NULL where it is absent or null.
const json_t *reading_member(const json_t *object, const char *key);

// What the whole body is called in messages.
#define REQUEST "the request"

// SPDX-License-Identifier: Apache-2.0
// What answers, streams and errors write alike.
#pragma once

#include "serve/api.h"

// "\"id\":\"cmpl-...\",\"object\":\"...\",\"created\":...,\"model\":\"...\"", as the shape has it.
void writing_head(const ApiCall *call, const ApiMeta *meta, const char *object, Buffer *out);

// "\"usage\":{...}" of all results together.
void writing_usage(const ApiCall *call, const ApiResult *results, Buffer *out);

// ",\"timings\":{...}": of several results the longest of each. Nothing where they are not known.
void writing_timings(const ApiResult *results, size_t count, Buffer *out);

// A sequence's text as a JSON string.
void writing_text(const ApiSequence *sequence, Buffer *out);

// How a shape calls the end of a sequence.
const char *writing_finish(ApiShape shape, ApiFinish finish);

// TGI's details of a sequence: "{...}".
void writing_details(const ApiCall *call, const ApiSequence *sequence, Buffer *out);

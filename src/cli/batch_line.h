// SPDX-License-Identifier: Apache-2.0
// One line of a batch: {"custom_id","method","url","body"}, as OpenAI has it, becomes a call.
#pragma once

#include "serve/api.h"

// What is wrong with a line as such: said in the answer's `error`. What is wrong with its body is said in the answer's
// `response`, with the HTTP status a server would have given.
typedef struct BatchLine {
    const char *id;   // custom_id; NULL: there is none
    const char *code; // of what is wrong with the line; NULL: nothing
    bool served;      // the call is there
    ApiCall call;
    const char *param; // the field that is wrong in the body
    const ApiRoute *route;
    Error error; // where it is not served
} BatchLine;

// Custom ids seen so far.
typedef struct BatchIds BatchIds;
MUST_CHECK Status batch_ids_new(BatchIds **ret_ids, Error *err);
void batch_ids_free(BatchIds *ids);

// Reads a line into the arena and notes its id; `whole` false: only the id. ERR_MEMORY alone is returned, everything
// else that is wrong is in *ret.
MUST_CHECK Status batch_line_read(Arena *arena, BatchIds *ids, Bytes text, const char *name, bool whole,
                                  const GenerationOptions *own, BatchLine *ret, Error *err);

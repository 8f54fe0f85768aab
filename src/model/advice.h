// SPDX-License-Identifier: Apache-2.0
// Advice: what a model's hone.json says about running it, as whoever made the model found it best.
//
//     "runtime": {"kv_type": "int8", "lm_head_screen": true, "lookup_decoding": true}
//
// Every member may be missing; members that this hone does not know are left alone.
#pragma once

#include "base/buffer.h"
#include "base/json.h"
#include "exec/session.h"

typedef struct RuntimeAdvice {
    bool kv_told; // kv_kind is advice; without it K and V are kept as usual
    KvKind kv_kind;
    bool lm_head_screen, lookup_decoding; // for greedy decoding
} RuntimeAdvice;

// Reads the member "runtime" (NULL or null: no advice) of the manifest that messages call `name`. ERR_FORMAT for a
// wrong type, or a kv_type that is none.
MUST_CHECK Status advice_read(const json_t *runtime, const char *name, RuntimeAdvice *ret_advice, Error *err);

// Whether there is any.
bool advice_is_there(const RuntimeAdvice *advice);

// "K/V as int8, screen of the lm head, lookup decoding"; "nothing" without advice.
void advice_print(const RuntimeAdvice *advice, Buffer *text);

// The same as an object with the members of hone.json; NULL: no memory.
json_t *advice_json(const RuntimeAdvice *advice);

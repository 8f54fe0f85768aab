// SPDX-License-Identifier: Apache-2.0
// Keys: who may ask, and how much. A file holds a line for each:
//
//     NAME SHA256 [requests-per-minute=N] [requests=N] [priority=0..9]
//     # a comment
//
// SHA256 is that of the key in 64 hexadecimal digits (`printf %s KEY | sha256sum`), so that the file gives no key away.
// `requests`: at once. `priority`: the most urgent class that the key's requests may name, and what they have by
// default.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct Keys Keys;
typedef struct Key Key;

// ERR_IO, ERR_FORMAT naming file and line, and for a file that everybody may read.
MUST_CHECK Status keys_new(const char *path, Keys **ret_keys, Error *err);
void keys_free(Keys *keys);

// Reads the file again. Keys that are still there keep their counts, others go when their requests have ended. On
// failure all stays.
MUST_CHECK Status keys_reload(Keys *keys, Error *err);

// The key of "Authorization: Bearer KEY", or of X-Api-Key; NULL: none of them. Takes as long whoever it is. A key that
// is found has to be given back.
Key *keys_find(Keys *keys, const char *authorization, const char *api_key);
void key_release(Keys *keys, Key *key);

const char *key_name(const Key *key);
uint64_t key_tenant(const Key *key); // never 0
int key_priority(Keys *keys, const Key *key, int asked);

// Counts one more request. ERR_LIMIT says which limit is reached, *ret_retry_s when to come back.
MUST_CHECK Status key_begin(Keys *keys, Key *key, uint64_t now_ns, unsigned *ret_retry_s, Error *err);
void key_end(Keys *keys, Key *key);

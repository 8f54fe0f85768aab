// SPDX-License-Identifier: Apache-2.0
// For fuzz targets whose result is a tokenizer: encodes and decodes a few texts with it.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/tokenizer.h"

static inline void encode_touch(const Tokenizer *tokenizer) {
    static const char *const texts[] = {"", "Hello, world!  don't\n",
                                        "caf\xC3\xA9 \xEC\x95\x88\xEB\x85\x95 \xE2\x96\x81x e\xCC\x81\xCC\xA3",
                                        "<s>12 34</s> \xF0\x9F\x98\x80"};
    Error err;
    Encoder *encoder = NULL;
    Buffer decoded = {0};
    if (encoder_new(tokenizer, &encoder, &err) != OK)
        return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Encoding encoding;
        EncodeOptions options = {.add_special = true, .truncation = i % 2 ? tokenizer_truncation(tokenizer) : NULL};
        if (encoder_encode(encoder, texts[i], strlen(texts[i]), i == 1 ? texts[2] : NULL, i == 1 ? strlen(texts[2]) : 0,
                           options, &encoding, &err) != OK)
            continue;
        buffer_clear(&decoded);
        if (encoder_decode(encoder, encoding.ids, encoding.count,
                           (DecodeOptions){.skip_special = i % 2, .clean_up = true}, &decoded, &err) == OK &&
            utf8_valid_prefix(decoded.data ? decoded.data : "", decoded.bytes) != decoded.bytes)
            abort();
    }
    buffer_done(&decoded);
    encoder_free(encoder);
}

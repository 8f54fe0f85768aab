// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a SentencePiece model. What loads has to encode and decode, or refuse, a few texts.
#include "base/memory.h"
#include "encode_touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const Tokenizer *tokenizer;
    if (tokenizer_parse_sentencepiece(&arena, "fuzz", (Bytes){data, size}, &tokenizer, &err) == OK)
        encode_touch(tokenizer);
    arena_done(&arena);
    return 0;
}

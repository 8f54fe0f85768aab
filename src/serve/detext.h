// SPDX-License-Identifier: Apache-2.0
// Detext: token ids become text while they are generated. Each id gives the text that is certain by then: no half of a
// character, and nothing that a later token may still spell otherwise. All of it together is what decoding all ids at
// once gives. An id costs the decoding of a window of the last ones, however long the text is.
//
//     Detext *detext;
//     TRY(detext_new(tokenizer, encoder, &detext, err));
//     for each id:
//         TRY(detext_add(detext, id, &text, err));
//     TRY(detext_end(detext, &text, err));          // what was held back; ready for another text
//     detext_free(detext);
#pragma once

#include "text/tokenizer.h"

typedef struct Detext Detext;

// Special tokens are left out, spaces cleaned up where the tokenizer asks for it: as runtime_decode. The encoder may be
// used for other things in between, and another one of the tokenizer's lent for the calls that follow; the tokenizer
// must outlive the detext.
MUST_CHECK Status detext_new(const Tokenizer *tokenizer, Encoder *encoder, Detext **ret_detext, Error *err);
void detext_free(Detext *detext);
void detext_lend(Detext *detext, Encoder *encoder);

MUST_CHECK Status detext_add(Detext *detext, int32_t id, Buffer *out, Error *err);
MUST_CHECK Status detext_end(Detext *detext, Buffer *out, Error *err);

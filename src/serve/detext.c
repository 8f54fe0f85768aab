// SPDX-License-Identifier: Apache-2.0
// A window over the last ids, decoded anew with each.
//
//   ids      ... | p ................ n |       the window
//   text         | ---- sent ---- | -- rest -- |
//                                 E            its decoding
//
// Decoders look at neighbours only, so far enough behind its beginning a window decodes as the whole does. The window
// moves when its text, from some characters behind its new beginning on, is the end of the old window's text.
#include "serve/detext.h"

#include <string.h>

#include "base/memory.h"

enum {
    WINDOW_MOST = 48,  // ids; then it moves
    WINDOW_LEAST = 24, // ids it keeps
    MARGIN = 16,       // bytes at its beginning that may be others than in the whole text
    CLEANED = 8        // bytes at the end that cleaning up may still change: " do not" is the longest it looks for
};

struct Detext {
    const Tokenizer *tokenizer;
    Encoder *encoder;
    DecodeOptions options;
    Buffer ids;    // int32_t, of the window
    Buffer text;   // its decoding
    Buffer sent;   // the first bytes of that, as they were sent
    Buffer work;   // the decoding of a shorter window
    bool in_bytes; // the last token is one byte of a run
};

Status detext_new(const Tokenizer *tokenizer, Encoder *encoder, Detext **ret_detext, Error *err) {
    Detext *detext = memory_new(1, sizeof *detext, err);
    TRY_NEW(detext);
    *detext = (Detext){.tokenizer = tokenizer,
                       .encoder = encoder,
                       .options = {.skip_special = true, .clean_up = tokenizer_cleans_up(tokenizer)}};
    *ret_detext = detext;
    return OK;
}

void detext_free(Detext *detext) {
    if (!detext)
        return;
    buffer_done(&detext->ids);
    buffer_done(&detext->text);
    buffer_done(&detext->sent);
    buffer_done(&detext->work);
    memory_free(detext);
}

void detext_lend(Detext *detext, Encoder *encoder) {
    detext->encoder = encoder;
}

static size_t id_count(const Detext *detext) {
    return detext->ids.bytes / sizeof(int32_t);
}

static Status decode_from(Detext *detext, size_t first, Buffer *ret_text, Error *err) {
    buffer_clear(ret_text);
    const int32_t *ids = (const int32_t *)(const void *)detext->ids.data;
    return encoder_decode(detext->encoder, ids + first, id_count(detext) - first, detext->options, ret_text, err);
}

// A run of byte tokens ("<0x41>") is one text or, with one byte wrong, none: its end has to be seen.
static bool is_byte(const Detext *detext, int32_t id) {
    size_t bytes;
    const char *token = tokenizer_token(detext->tokenizer, id, &bytes);
    return token && bytes == 6 && memcmp(token, "<0x", 3) == 0 && token[5] == '>';
}

// What of the window's text is certain. U+FFFD at the end may be a character of which bytes are missing.
static size_t certain_bytes(const Detext *detext) {
    const Buffer *text = &detext->text;
    size_t end = text->bytes;
    if (detext->in_bytes)
        return 0;
    for (size_t i = 0; i < 4 && end >= 3 && memcmp(text->data + end - 3, "\xEF\xBF\xBD", 3) == 0; i++)
        end -= 3;
    // Cleaning up may join what follows a space; an apostrophe at the end may have lost one that a point would bring
    // back.
    while (detext->options.clean_up && end && text->data[end - 1] == '\'')
        end--;
    if (detext->options.clean_up) {
        size_t least = end > CLEANED ? end - CLEANED : 0;
        for (size_t i = least; i < end; i++)
            if (text->data[i] == ' ')
                return i;
    }
    return end;
}

static bool sent_is_beginning(const Detext *detext) {
    const Buffer *sent = &detext->sent, *text = &detext->text;
    return sent->bytes <= text->bytes && (!sent->bytes || memcmp(sent->data, text->data, sent->bytes) == 0);
}

static void send_until(Detext *detext, size_t end, Buffer *out) {
    size_t sent = detext->sent.bytes;
    if (end <= sent || !sent_is_beginning(detext))
        return;
    buffer_add(out, detext->text.data + sent, end - sent);
    buffer_add(&detext->sent, detext->text.data + sent, end - sent);
}

// Moves the window's beginning to id `first` if the text that is left of it lies within what both decodings share.
static Status window_move(Detext *detext, size_t first, Error *err) {
    TRY(decode_from(detext, first, &detext->work, err));
    const Buffer *whole = &detext->text, *part = &detext->work;
    size_t rest = whole->bytes - detext->sent.bytes;
    if (!sent_is_beginning(detext) || part->bytes > whole->bytes || part->bytes < rest + 2 * MARGIN)
        return OK;
    size_t shared = part->bytes - MARGIN;
    if (memcmp(whole->data + whole->bytes - shared, part->data + MARGIN, shared) != 0)
        return OK;
    buffer_clear(&detext->sent);
    buffer_add(&detext->sent, part->data, part->bytes - rest);
    Buffer old = detext->text;
    detext->text = detext->work;
    detext->work = old;
    size_t kept = detext->ids.bytes - first * sizeof(int32_t);
    memmove(detext->ids.data, detext->ids.data + first * sizeof(int32_t), kept);
    detext->ids.bytes = kept;
    return buffer_status(&detext->sent, err);
}

Status detext_add(Detext *detext, int32_t id, Buffer *out, Error *err) {
    if (!tokenizer_token(detext->tokenizer, id, &(size_t){0}) || tokenizer_is_special(detext->tokenizer, id))
        return OK; // says nothing
    buffer_add(&detext->ids, &id, sizeof id);
    TRY(buffer_status(&detext->ids, err));
    detext->in_bytes = is_byte(detext, id);
    TRY(decode_from(detext, 0, &detext->text, err));
    send_until(detext, certain_bytes(detext), out);
    TRY(buffer_status(out, err));
    size_t count = id_count(detext);
    // Where it cannot move it grows, and tries again now and then.
    if (count >= WINDOW_MOST && count % (WINDOW_MOST - WINDOW_LEAST) == 0 && !detext->in_bytes)
        TRY(window_move(detext, count - WINDOW_LEAST, err));
    return OK;
}

Status detext_end(Detext *detext, Buffer *out, Error *err) {
    send_until(detext, detext->text.bytes, out);
    buffer_clear(&detext->ids);
    buffer_clear(&detext->text);
    buffer_clear(&detext->sent);
    detext->in_bytes = false;
    return buffer_status(out, err);
}

// SPDX-License-Identifier: Apache-2.0
// Decoders: each turns the list of token texts into another. A list is one buffer of text and one of where each item
// ends.
#include <string.h>

#include "base/utf8.h"
#include "text/encoder.h"

// The list being read and the one being written.
typedef struct Lists {
    const char *text;
    const size_t *ends;
    size_t count;
    Buffer *out, *out_ends;
    Matcher *matcher;
} Lists;

static void item_end(Lists *lists) {
    buffer_add(lists->out_ends, &lists->out->bytes, sizeof lists->out->bytes);
}

static Text item_at(const Lists *lists, size_t i) {
    size_t start = i ? lists->ends[i - 1] : 0;
    return (Text){lists->text + start, lists->ends[i] - start};
}

static void add_text(Buffer *out, Text text) {
    buffer_add(out, text.data, text.bytes);
}

// Appends `text` with every `from` (not empty) replaced.
static void add_replaced(Buffer *out, Text text, Text from, const char *to) {
    Pattern literal = {.literal = from.data, .literal_bytes = from.bytes};
    size_t copied = 0;
    Match match;
    Error err;
    while (pattern_find(&literal, NULL, text.data, text.bytes, copied, &match, &err) == OK && match.found) {
        buffer_add(out, text.data + copied, match.start - copied);
        buffer_add_text(out, to);
        copied = match.end;
    }
    buffer_add(out, text.data + copied, text.bytes - copied);
}

// Replaces in place, from byte `start` of the buffer on; no replacement is longer than what it replaces.
static void buffer_shrink(Buffer *buffer, size_t start, const char *from, const char *to) {
    size_t from_bytes = strlen(from), to_bytes = strlen(to), write = start;
    for (size_t read = start; read < buffer->bytes;) {
        if (buffer->bytes - read >= from_bytes && !memcmp(buffer->data + read, from, from_bytes)) {
            memcpy(buffer->data + write, to, to_bytes);
            read += from_bytes;
            write += to_bytes;
        } else {
            buffer->data[write++] = buffer->data[read++];
        }
    }
    if (buffer->data)
        buffer->data[write] = '\0';
    buffer->bytes = write;
}

void text_clean_up(Buffer *text, size_t from, bool do_not) {
    static const char *const pairs[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                           {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                           {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (do_not || strcmp(pairs[i][0], " do not"))
            buffer_shrink(text, from, pairs[i][0], pairs[i][1]);
}

// Bytes that are not UTF-8 become U+FFFD, one for each longest beginning of a character (as Unicode recommends).
static void add_lossy(Buffer *out, const char *bytes, size_t count) {
    for (size_t at = 0; at < count;) {
        size_t valid = utf8_valid_prefix(bytes + at, count - at);
        buffer_add(out, bytes + at, valid);
        at += valid;
        if (at == count)
            break;
        unsigned char c = (unsigned char)bytes[at], low = 0x80, high = 0xBF;
        size_t more = c >= 0xC2 && c < 0xE0 ? 1 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : 0;
        if (c == 0xE0)
            low = 0xA0;
        else if (c == 0xED)
            high = 0x9F;
        else if (c == 0xF0)
            low = 0x90;
        else if (c == 0xF4)
            high = 0x8F;
        at++;
        for (; more && at < count && (unsigned char)bytes[at] >= low && (unsigned char)bytes[at] <= high; more--) {
            at++;
            low = 0x80;
            high = 0xBF;
        }
        buffer_add_code_point(out, UTF8_REPLACEMENT);
    }
}

static void decode_byte_level(Lists *lists, Buffer *work) {
    buffer_clear(work);
    for (size_t i = 0; i < lists->count; i++) {
        Text item = item_at(lists, i);
        size_t before = work->bytes, at = 0;
        while (at < item.bytes) {
            int byte = char_to_byte(char_next(item.data, &at));
            if (byte < 0) { // a token outside the alphabet stands for itself
                work->bytes = before;
                add_text(work, item);
                break;
            }
            buffer_add_char(work, (char)byte);
        }
    }
    add_lossy(lists->out, work->data ? work->data : "", work->bytes);
    item_end(lists);
}

static int fallback_byte(Text item) {
    static const char digits[] = "0123456789abcdef";
    if (item.bytes != 6 || memcmp(item.data, "<0x", 3) || item.data[5] != '>')
        return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        char c = item.data[i];
        const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        // Rust's from_str_radix takes a leading plus sign, too.
        if (!digit && !(i == 3 && c == '+'))
            return -1;
        value = value * 16 + (digit ? (int)(digit - digits) : 0);
    }
    return value;
}

static void held_bytes_add(Lists *lists, Buffer *work) {
    if (!work->bytes)
        return;
    if (utf8_valid_prefix(work->data, work->bytes) == work->bytes) {
        buffer_add(lists->out, work->data, work->bytes);
        item_end(lists);
    } else {
        for (size_t i = 0; i < work->bytes; i++) {
            buffer_add_code_point(lists->out, UTF8_REPLACEMENT);
            item_end(lists);
        }
    }
    work->bytes = 0;
}

static void decode_byte_fallback(Lists *lists, Buffer *work) {
    buffer_clear(work);
    for (size_t i = 0; i < lists->count; i++) {
        Text item = item_at(lists, i);
        int byte = fallback_byte(item);
        if (byte >= 0) {
            buffer_add_char(work, (char)byte);
            continue;
        }
        held_bytes_add(lists, work);
        add_text(lists->out, item);
        item_end(lists);
    }
    held_bytes_add(lists, work);
}

static void decode_word_piece(const Decoder *decoder, Lists *lists) {
    for (size_t i = 0; i < lists->count; i++) {
        Text item = item_at(lists, i);
        size_t start = lists->out->bytes;
        bool continues =
            item.bytes >= decoder->prefix.bytes && !memcmp(item.data, decoder->prefix.data, decoder->prefix.bytes);
        if (i && continues) {
            item.data += decoder->prefix.bytes;
            item.bytes -= decoder->prefix.bytes;
        } else if (i) {
            buffer_add_char(lists->out, ' ');
        }
        add_text(lists->out, item);
        if (decoder->cleanup && lists->out->failed == OK)
            text_clean_up(lists->out, start, true);
        item_end(lists);
    }
}

static void decode_metaspace(const Decoder *decoder, Lists *lists) {
    for (size_t i = 0; i < lists->count; i++) {
        Text item = item_at(lists, i);
        for (size_t at = 0; at < item.bytes;) {
            size_t from = at;
            if (char_next(item.data, &at) != decoder->character)
                buffer_add(lists->out, item.data + from, at - from);
            else if (i || !decoder->prefixed)
                buffer_add_char(lists->out, ' ');
        }
        item_end(lists);
    }
}

static void decode_bpe(const Decoder *decoder, Lists *lists) {
    for (size_t i = 0; i < lists->count; i++) {
        const char *to = i + 1 == lists->count ? "" : " ";
        Text item = item_at(lists, i);
        if (decoder->prefix.bytes) {
            add_replaced(lists->out, item, decoder->prefix, to);
        } else { // an empty suffix lies between all characters
            for (size_t at = 0; at < item.bytes; at += char_bytes(item.data[at])) {
                buffer_add_text(lists->out, to);
                buffer_add(lists->out, item.data + at, char_bytes(item.data[at]));
            }
            buffer_add_text(lists->out, to);
        }
        item_end(lists);
    }
}

static void decode_ctc(const Decoder *decoder, Lists *lists, Buffer *work) {
    Text before = {NULL, 0};
    for (size_t i = 0; i < lists->count; i++) {
        Text item = item_at(lists, i);
        if (i && item.bytes == before.bytes && !memcmp(item.data, before.data, item.bytes))
            continue;
        before = item;
        buffer_clear(work);
        add_replaced(work, item, decoder->pad, "");
        if (work->failed != OK || !work->bytes)
            continue;
        size_t start = lists->out->bytes;
        if (decoder->cleanup) {
            text_clean_up(work, 0, true);
            add_replaced(lists->out, (Text){work->data, work->bytes}, decoder->delimiter, " ");
        } else {
            buffer_add(lists->out, work->data, work->bytes);
        }
        if (lists->out->bytes > start)
            item_end(lists);
    }
}

static void decode_strip(const Decoder *decoder, Lists *lists) {
    for (size_t i = 0; i < lists->count; i++) {
        Text item = item_at(lists, i);
        size_t start = 0, end = item.bytes;
        for (size_t cut = 0; cut < decoder->start && start < end; cut++) {
            size_t next = start;
            if (char_next(item.data, &next) != decoder->character)
                break;
            start = next;
        }
        for (size_t cut = 0; cut < decoder->stop && end > start; cut++) {
            size_t before = char_before(item.data, end), next = before;
            if (char_next(item.data, &next) != decoder->character)
                break;
            end = before;
        }
        buffer_add(lists->out, item.data + start, end - start);
        item_end(lists);
    }
}

static Status decode_replace(const Decoder *decoder, Lists *lists, Error *err) {
    for (size_t i = 0; i < lists->count; i++) {
        Text item = item_at(lists, i);
        MatchWalk walk = {0, SIZE_MAX};
        size_t copied = 0;
        while (item.bytes) {
            Match match;
            TRY(pattern_next(&decoder->pattern, lists->matcher, item.data, item.bytes, &walk, &match, err));
            if (!match.found)
                break;
            buffer_add(lists->out, item.data + copied, match.start - copied);
            add_text(lists->out, decoder->content);
            copied = match.end;
        }
        buffer_add(lists->out, item.data + copied, item.bytes - copied);
        item_end(lists);
    }
    return OK;
}

static Status decoder_run(const Decoder *decoder, Lists *lists, Buffer *work, Error *err) {
    switch (decoder->type) {
    case DECODER_BPE:
        decode_bpe(decoder, lists);
        break;
    case DECODER_BYTE_FALLBACK:
        decode_byte_fallback(lists, work);
        break;
    case DECODER_BYTE_LEVEL:
        decode_byte_level(lists, work);
        break;
    case DECODER_CTC:
        decode_ctc(decoder, lists, work);
        break;
    case DECODER_FUSE:
        buffer_add(lists->out, lists->text, lists->count ? lists->ends[lists->count - 1] : 0);
        item_end(lists);
        break;
    case DECODER_METASPACE:
        decode_metaspace(decoder, lists);
        break;
    case DECODER_REPLACE:
        TRY(decode_replace(decoder, lists, err));
        break;
    case DECODER_STRIP:
        decode_strip(decoder, lists);
        break;
    case DECODER_WORD_PIECE:
        decode_word_piece(decoder, lists);
        break;
    case DECODER_SEQUENCE: // flattened at load
    case DECODER_COUNT:
        break;
    }
    TRY(buffer_status(work, err));
    TRY(buffer_status(lists->out, err));
    return buffer_status(lists->out_ends, err);
}

Status decoders_run(Encoder *encoder, Error *err) {
    const Tokenizer *tokenizer = encoder->tokenizer;
    for (size_t i = 0; i < tokenizer->decoder_count; i++) {
        buffer_clear(&encoder->tokens[1]);
        buffer_clear(&encoder->ends[1]);
        buffer_clear(&encoder->work);
        Lists lists = {.text = encoder->tokens[0].data ? encoder->tokens[0].data : "",
                       .ends = BUFFER_ITEMS(size_t, &encoder->ends[0]),
                       .count = BUFFER_COUNT(size_t, &encoder->ends[0]),
                       .out = &encoder->tokens[1],
                       .out_ends = &encoder->ends[1],
                       .matcher = encoder->matcher};
        TRY(decoder_run(&tokenizer->decoders[i], &lists, &encoder->work, err));
        Buffer tokens = encoder->tokens[0], ends = encoder->ends[0];
        encoder->tokens[0] = encoder->tokens[1];
        encoder->ends[0] = encoder->ends[1];
        encoder->tokens[1] = tokens;
        encoder->ends[1] = ends;
    }
    return OK;
}

Status encoder_decode(Encoder *encoder, const int32_t *ids, size_t count, DecodeOptions options, Buffer *ret_text,
                      Error *err) {
    const Tokenizer *tokenizer = encoder->tokenizer;
    Buffer *tokens = &encoder->tokens[0], *ends = &encoder->ends[0];
    buffer_clear(tokens);
    buffer_clear(ends);
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        const char *token = tokenizer_token(tokenizer, ids[i], &bytes);
        if (!token || (options.skip_special && tokenizer_is_special(tokenizer, ids[i])))
            continue;
        if (!tokenizer->decoder_count && tokens->bytes + ends->bytes)
            buffer_add_char(tokens, ' '); // without a decoder, tokens are joined by spaces
        buffer_add(tokens, token, bytes);
        buffer_add(ends, &tokens->bytes, sizeof tokens->bytes);
    }
    TRY(buffer_status(tokens, err));
    TRY(buffer_status(ends, err));
    if (ends->bytes)
        TRY(decoders_run(encoder, err));
    size_t start = ret_text->bytes;
    buffer_add(ret_text, encoder->tokens[0].data ? encoder->tokens[0].data : "", encoder->tokens[0].bytes);
    if (options.clean_up && ret_text->failed == OK)
        text_clean_up(ret_text, start, false);
    return buffer_status(ret_text, err);
}

// SPDX-License-Identifier: Apache-2.0
// Encoding of prompts, and the cutting of long ones. Where a text is cut is found by halving: encoding is the only
// judge of how many tokens a text has.
#include "serve/sources.h"

#include <string.h>

typedef struct Cutter {
    Arena *arena;
    const Tokenizer *tokenizer;
    Encoder *encoder;
    const char *text;
    size_t bytes, limit; // tokens of a part
} Cutter;

// Where a text may be cut, best first.
typedef enum CutKind { CUT_SENTENCE, CUT_WORD, CUT_CHARACTER, CUT_KINDS } CutKind;

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Whether a sentence ends before byte `at`: a point and what may close it, or an ideographic one.
static bool sentence_ends(const char *text, size_t at) {
    static const char *const wide[] = {"\xE3\x80\x82", "\xEF\xBC\x81", "\xEF\xBC\x9F"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (at >= 3 && memcmp(text + at - 3, wide[i], 3) == 0)
            return true;
    while (at && strchr("\"')]", text[at - 1]) && text[at - 1])
        at--;
    return at && (text[at - 1] == '.' || text[at - 1] == '!' || text[at - 1] == '?');
}

// Whether a part may end at byte `at`, 0 < at < bytes.
static bool may_cut(const Cutter *cutter, size_t at, CutKind kind) {
    const char *text = cutter->text;
    char before = text[at - 1];
    if (kind == CUT_CHARACTER)
        return ((unsigned char)text[at] & 0xC0) != 0x80;
    if (kind == CUT_WORD)
        return is_blank(before);
    bool wide = (unsigned char)before >= 0x80; // no space follows an ideographic point
    return before == '\n' || (sentence_ends(text, at) && (wide || is_blank(text[at])));
}

// The last place to cut in (from, at], else the first in (at, end); `from`: there is none.
static size_t cut_near(const Cutter *cutter, size_t from, size_t at, size_t end, CutKind kind) {
    for (size_t i = at; i > from; i--)
        if (may_cut(cutter, i, kind))
            return i;
    for (size_t i = at + 1; i < end; i++)
        if (may_cut(cutter, i, kind))
            return i;
    return from;
}

// The text [from, end) without the blanks around it, encoded.
static Status encode_span(const Cutter *cutter, size_t from, size_t end, Encoding *ret, Error *err) {
    while (from < end && is_blank(cutter->text[from]))
        from++;
    while (end > from && is_blank(cutter->text[end - 1]))
        end--;
    return encoder_encode(cutter->encoder, cutter->text + from, end - from, NULL, 0,
                          (EncodeOptions){.add_special = true}, ret, err);
}

static Status fits(const Cutter *cutter, size_t from, size_t end, bool *ret, Error *err) {
    Encoding encoding;
    TRY(encode_span(cutter, from, end, &encoding, err));
    *ret = encoding.count <= cutter->limit;
    return OK;
}

// The largest part [from, end) that fits and ends where `kind` says, below `high`, which is known not to fit.
static Status largest(const Cutter *cutter, size_t from, size_t high, CutKind kind, size_t *ret_end, Error *err) {
    size_t low = from;
    for (;;) {
        size_t cut = high - low > 1 ? cut_near(cutter, low, low + (high - low) / 2, high, kind) : low;
        if (cut == low) {
            *ret_end = low;
            return OK;
        }
        bool fine;
        TRY(fits(cutter, from, cut, &fine, err));
        if (fine)
            low = cut;
        else
            high = cut;
    }
}

static Status part_end(const Cutter *cutter, size_t from, size_t *ret_end, Error *err) {
    size_t end = from;
    for (size_t step = 4 * cutter->limit;; step *= 2) { // past what fits
        end = cutter->bytes - from > step ? from + step : cutter->bytes;
        while (end < cutter->bytes && !may_cut(cutter, end, CUT_CHARACTER))
            end++;
        bool fine;
        TRY(fits(cutter, from, end, &fine, err));
        if (!fine)
            break;
        if (end == cutter->bytes) {
            *ret_end = end;
            return OK;
        }
    }
    size_t cut = from;
    for (CutKind kind = CUT_SENTENCE; kind < CUT_KINDS && cut == from; kind++)
        TRY(largest(cutter, from, end, kind, &cut, err));
    if (cut == from)
        return FAIL(err, ERR_LIMIT, "the model's %zu positions are too few for one character of the source",
                    cutter->limit);
    *ret_end = cut;
    return OK;
}

static Status part_keep(Arena *arena, const int32_t *ids, size_t count, SourcePart *ret, Error *err) {
    int32_t *copy = arena_array(arena, count, sizeof *copy, err);
    TRY_NEW(copy);
    if (count)
        memcpy(copy, ids, count * sizeof *copy);
    *ret = (SourcePart){copy, count};
    return OK;
}

static Status cut_text(const Cutter *cutter, ApiSource *source, Error *err) {
    TRY_NEW(source->parts = arena_array(cutter->arena, CHUNKS_MOST, sizeof *source->parts, err));
    size_t from = 0;
    while (from < cutter->bytes) {
        size_t end = from;
        Encoding encoding;
        if (is_blank(cutter->text[from])) {
            from++;
            continue;
        }
        if (source->part_count == CHUNKS_MOST)
            return FAIL(err, ERR_LIMIT, "the source has more than %d parts of %zu tokens: shorten it", CHUNKS_MOST,
                        cutter->limit);
        TRY(part_end(cutter, from, &end, err));
        TRY(encode_span(cutter, from, end, &encoding, err));
        TRY(part_keep(cutter->arena, encoding.ids, encoding.count, &source->parts[source->part_count], err));
        source->tokens += encoding.count;
        source->part_count++;
        from = end;
    }
    return OK;
}

static Status one_part(Arena *arena, const int32_t *ids, size_t count, ApiSource *source, Error *err) {
    if (!count)
        return FAIL(err, ERR_USAGE, "the source is empty: it has no tokens");
    TRY_NEW(source->parts = arena_array(arena, 1, sizeof *source->parts, err));
    TRY(part_keep(arena, ids, count, source->parts, err));
    source->part_count = 1;
    source->tokens = count;
    return OK;
}

static Status too_long(size_t count, size_t limit, Error *err) {
    return FAIL(err, ERR_LIMIT,
                "the source has %zu tokens and the model has %zu positions: shorten it, or set 'truncation'", count,
                limit);
}

static Status text_source(Cutter *cutter, ApiTruncation truncation, ApiSource *source, Error *err) {
    if (!cutter->encoder)
        return FAIL(err, ERR_UNSUPPORTED, "the model has no tokenizer: give token ids instead of text");
    bool cuts = truncation == API_TRUNCATE_END || truncation == API_TRUNCATE_START;
    Truncation cut = {.max_tokens = cutter->limit,
                      .side = truncation == API_TRUNCATE_START ? TRUNCATE_LEFT : TRUNCATE_RIGHT};
    Encoding encoding;
    EncodeOptions options = {.add_special = true};
    TRY(encoder_encode(cutter->encoder, cutter->text, cutter->bytes, NULL, 0, options, &encoding, err));
    if (encoding.count <= cutter->limit)
        return one_part(cutter->arena, encoding.ids, encoding.count, source, err);
    if (truncation == API_TRUNCATE_CHUNK)
        return cut_text(cutter, source, err);
    if (!cuts)
        return too_long(encoding.count, cutter->limit, err);
    options.truncation = &cut;
    TRY(encoder_encode(cutter->encoder, cutter->text, cutter->bytes, NULL, 0, options, &encoding, err));
    source->truncated = true;
    return one_part(cutter->arena, encoding.ids, encoding.count, source, err);
}

// Ids are used as they are; to be cut in parts at the ends of sentences they have to become a text first.
static Status ids_source(Cutter *cutter, ApiTruncation truncation, const ApiPrompt *prompt, ApiSource *source,
                         Error *err) {
    size_t limit = cutter->limit, over = prompt->count > limit ? prompt->count - limit : 0;
    if (!over)
        return one_part(cutter->arena, prompt->ids, prompt->count, source, err);
    if (truncation == API_TRUNCATE_ERROR)
        return too_long(prompt->count, limit, err);
    if (truncation != API_TRUNCATE_CHUNK) {
        source->truncated = true;
        return one_part(cutter->arena, prompt->ids + (truncation == API_TRUNCATE_START ? over : 0), limit, source, err);
    }
    if (!cutter->encoder)
        return FAIL(err, ERR_UNSUPPORTED, "the model has no tokenizer: its sources cannot be cut in parts");
    Buffer text = {0};
    DecodeOptions options = {.skip_special = true, .clean_up = tokenizer_cleans_up(cutter->tokenizer)};
    Status status = encoder_decode(cutter->encoder, prompt->ids, prompt->count, options, &text, err);
    cutter->text = text.data ? text.data : "";
    cutter->bytes = text.bytes;
    if (status == OK)
        status = cut_text(cutter, source, err);
    buffer_done(&text);
    return status;
}

Status source_make(Arena *arena, const Tokenizer *tokenizer, Encoder *encoder, const ApiCall *call,
                   const ApiPrompt *prompt, size_t positions, ApiSource *ret, Error *err) {
    size_t limit = call->most_source_tokens;
    Cutter cutter = {.arena = arena,
                     .tokenizer = tokenizer,
                     .encoder = encoder,
                     .text = prompt->text,
                     .bytes = prompt->bytes,
                     .limit = limit && limit < positions ? limit : positions};
    ApiSource source = {0};
    if (prompt->text)
        TRY(text_source(&cutter, call->truncation, &source, err));
    else
        TRY(ids_source(&cutter, call->truncation, prompt, &source, err));
    if (!source.part_count)
        return FAIL(err, ERR_USAGE, "the source is empty: it has no tokens");
    *ret = source;
    return OK;
}

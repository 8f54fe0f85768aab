// SPDX-License-Identifier: Apache-2.0
// Pre-tokenizers: cut pieces into smaller ones. Those that rewrite (Metaspace, ByteLevel) copy the text of all pieces
// to the other text buffer; the others only cut. Empty pieces vanish; added tokens pass untouched.
#include <string.h>

#include "base/utf8.h"
#include "text/encoder.h"

// One pre-tokenizer at work on one piece.
typedef struct Cutter {
    const PreTokenizer *part;
    Matcher *matcher;
    const char *text; // in which pieces lie
    Piece piece;      // being cut
    Buffer *pieces;   // out
    Buffer *rewritten;
    SplitBehavior behavior;
    size_t held_start, held_end; // a stretch that the next one may join
    bool held, held_match;
} Cutter;

static void piece_cut(Cutter *cutter, size_t start, size_t end) {
    if (start >= end)
        return;
    size_t before = start - cutter->piece.start;
    Piece piece = {(uint32_t)start, (uint32_t)(end - start),
                   cutter->piece.origin > before ? cutter->piece.origin - (uint32_t)before : 0, ID_NONE};
    buffer_add(cutter->pieces, &piece, sizeof piece);
}

static void held_flush(Cutter *cutter) {
    if (cutter->held)
        piece_cut(cutter, cutter->held_start, cutter->held_end);
    cutter->held = false;
}

static void held_set(Cutter *cutter, size_t start, size_t end, bool match) {
    held_flush(cutter);
    cutter->held_start = start;
    cutter->held_end = end;
    cutter->held = true;
    cutter->held_match = match;
}

// Takes the next stretch, a match of the delimiter or what lies between. `held_match` is whether the stretch before
// this one was a match (false at first), except for MERGED_WITH_NEXT, which holds back a match until it sees what
// follows.
static void stretch_add(Cutter *cutter, size_t start, size_t end, bool match) {
    bool before = cutter->held_match;
    switch (cutter->behavior) {
    case SPLIT_REMOVED:
        if (!match)
            piece_cut(cutter, start, end);
        return;
    case SPLIT_ISOLATED:
        piece_cut(cutter, start, end);
        return;
    case SPLIT_CONTIGUOUS:
        if (cutter->held && match == before)
            cutter->held_end = end;
        else
            held_set(cutter, start, end, match);
        return;
    case SPLIT_MERGED_WITH_PREVIOUS:
        if (cutter->held && match && !before)
            cutter->held_end = end;
        else
            held_set(cutter, start, end, match);
        cutter->held_match = match;
        return;
    case SPLIT_MERGED_WITH_NEXT:
        if (match) {
            held_set(cutter, start, end, true);
        } else if (cutter->held) {
            piece_cut(cutter, cutter->held_start, end);
            cutter->held = false;
        } else {
            piece_cut(cutter, start, end);
        }
        return;
    }
}

static void stretches_begin(Cutter *cutter, SplitBehavior behavior) {
    cutter->behavior = behavior;
    cutter->held = cutter->held_match = false;
}

// Cuts by single characters: those with one of the flags are matches.
static void cut_by_flags(Cutter *cutter, unsigned flags, SplitBehavior behavior) {
    stretches_begin(cutter, behavior);
    size_t start = cutter->piece.start, end = start + cutter->piece.bytes, from = start;
    for (size_t at = start; at < end;) {
        size_t here = at;
        if (!(char_flags(char_next(cutter->text, &at)) & flags))
            continue;
        if (from < here)
            stretch_add(cutter, from, here, false);
        stretch_add(cutter, here, at, true);
        from = at;
    }
    if (from < end)
        stretch_add(cutter, from, end, false);
    held_flush(cutter);
}

static void cut_by_character(Cutter *cutter, uint32_t character, SplitBehavior behavior) {
    char spelled[4];
    size_t length = utf8_encode(character, spelled);
    stretches_begin(cutter, behavior);
    size_t at = cutter->piece.start, end = at + cutter->piece.bytes;
    while (at < end) {
        const char *found = cutter->text + at;
        while ((found = memchr(found, spelled[0], (size_t)(cutter->text + end - found))) &&
               ((size_t)(cutter->text + end - found) < length || memcmp(found, spelled, length)))
            found++;
        size_t here = found ? (size_t)(found - cutter->text) : end;
        if (at < here)
            stretch_add(cutter, at, here, false);
        if (!found)
            break;
        stretch_add(cutter, here, here + length, true);
        at = here + length;
    }
    held_flush(cutter);
}

static Status cut_by_pattern(Cutter *cutter, Error *err) {
    const PreTokenizer *part = cutter->part;
    const char *text = cutter->text + cutter->piece.start;
    size_t base = cutter->piece.start, bytes = cutter->piece.bytes, from = 0;
    MatchWalk walk = {0, SIZE_MAX};
    stretches_begin(cutter, part->behavior);
    for (;;) {
        Match match;
        TRY(pattern_next(&part->pattern, cutter->matcher, text, bytes, &walk, &match, err));
        if (!match.found)
            break;
        if (from != match.start)
            stretch_add(cutter, base + from, base + match.start, part->invert);
        stretch_add(cutter, base + match.start, base + match.end, !part->invert);
        from = match.end;
    }
    if (from != bytes)
        stretch_add(cutter, base + from, base + bytes, part->invert);
    held_flush(cutter);
    return OK;
}

// White space goes, punctuation stands alone.
static void cut_bert(Cutter *cutter) {
    size_t at = cutter->piece.start, end = at + cutter->piece.bytes, from = at;
    while (at < end) {
        size_t here = at;
        unsigned flags = char_flags(char_next(cutter->text, &at));
        if (!(flags & (CHAR_SPACE | CHAR_PUNCTUATION)))
            continue;
        piece_cut(cutter, from, here);
        if (!(flags & CHAR_SPACE))
            piece_cut(cutter, here, at);
        from = at;
    }
    piece_cut(cutter, from, end);
}

// \w+|[^\w\s]+
static void cut_words(Cutter *cutter) {
    size_t at = cutter->piece.start, end = at + cutter->piece.bytes, from = at;
    unsigned before = CHAR_SPACE;
    while (at < end) {
        size_t here = at;
        unsigned kind = char_flags(char_next(cutter->text, &at)) & (CHAR_WORD | CHAR_SPACE);
        if (kind == before)
            continue;
        if (before != CHAR_SPACE)
            piece_cut(cutter, from, here);
        from = here;
        before = kind;
    }
    if (before != CHAR_SPACE)
        piece_cut(cutter, from, end);
}

static void cut_scripts(Cutter *cutter) {
    size_t at = cutter->piece.start, end = at + cutter->piece.bytes, from = at;
    unsigned last = 0;
    bool any = false;
    while (at < end) {
        size_t here = at;
        unsigned script = char_script(char_next(cutter->text, &at));
        if (!script)
            continue;
        if (!any && here > from)
            from = here; // what joins any script is lost before the first script, as in the package
        if (any && script != last) {
            piece_cut(cutter, from, here);
            from = here;
        }
        last = script;
        any = true;
    }
    if (any)
        piece_cut(cutter, from, end);
}

static void cut_lengths(Cutter *cutter) {
    size_t at = cutter->piece.start, end = at + cutter->piece.bytes;
    while (at < end) {
        size_t from = at;
        for (size_t i = 0; i < cutter->part->length && at < end; i++)
            at += char_bytes(cutter->text[at]);
        piece_cut(cutter, from, at);
    }
}

size_t gpt2_piece_end(const char *text, size_t bytes, size_t at) {
    enum { KINDS = CHAR_SPACE | CHAR_LETTER | CHAR_NUMBER };
    size_t start = at;
    if (text[at] == '\'' && at + 1 < bytes) {
        char c = text[at + 1], d = at + 2 < bytes ? text[at + 2] : '\0';
        if (c == 's' || c == 't' || c == 'm' || c == 'd')
            return at + 2;
        if ((c == 'r' && d == 'e') || (c == 'v' && d == 'e') || (c == 'l' && d == 'l'))
            return at + 3;
    }
    unsigned kind = char_flags(char_next(text, &at)) & KINDS;
    if (text[start] == ' ' && at < bytes) {
        size_t next = at;
        unsigned behind = char_flags(char_next(text, &next)) & KINDS;
        if (behind != CHAR_SPACE) {
            kind = behind;
            at = next;
        }
    }
    size_t last = start; // where the run's last character begins
    while (at < bytes) {
        size_t next = at;
        if ((char_flags(char_next(text, &next)) & KINDS) != kind)
            break;
        last = at;
        at = next;
    }
    return kind == CHAR_SPACE && at < bytes && last > start ? last : at;
}

// Copies the piece to the text that is being written, behind `prefix`; the cutter then works there.
static void piece_rewrite(Cutter *cutter, const char *prefix, size_t prefix_bytes) {
    size_t start = cutter->rewritten->bytes;
    buffer_add(cutter->rewritten, prefix, prefix_bytes);
    buffer_add(cutter->rewritten, cutter->text + cutter->piece.start, cutter->piece.bytes);
    cutter->text = cutter->rewritten->data;
    cutter->piece.start = (uint32_t)start;
    cutter->piece.bytes = (uint32_t)(cutter->rewritten->bytes - start);
    if (cutter->piece.origin)
        cutter->piece.origin += (uint32_t)prefix_bytes;
}

static void cut_byte_level(Cutter *cutter) {
    if (cutter->part->add_prefix_space)
        piece_rewrite(cutter, " ", cutter->text[cutter->piece.start] == ' ' ? 0 : 1);
    size_t at = cutter->piece.start, end = at + cutter->piece.bytes;
    if (!cutter->part->gpt2_split) {
        piece_cut(cutter, at, end);
        return;
    }
    while (at < end) {
        size_t next = at + gpt2_piece_end(cutter->text + at, end - at, 0);
        piece_cut(cutter, at, next);
        at = next;
    }
}

static void cut_metaspace(Cutter *cutter) {
    const PreTokenizer *part = cutter->part;
    char mark[4];
    size_t mark_bytes = utf8_encode(part->character, mark);
    const char *from = cutter->text + cutter->piece.start, *end = from + cutter->piece.bytes;
    bool marked = *from == ' ' || ((size_t)(end - from) >= mark_bytes && !memcmp(from, mark, mark_bytes));
    bool prepend =
        !marked && (part->prepend == PREPEND_ALWAYS || (part->prepend == PREPEND_FIRST && cutter->piece.origin));
    size_t start = cutter->rewritten->bytes, origin = cutter->piece.origin;
    const char *origin_end = from + origin;
    if (prepend) {
        buffer_add(cutter->rewritten, mark, mark_bytes);
        origin += origin ? mark_bytes : 0;
    }
    while (from < end) {
        const char *blank = memchr(from, ' ', (size_t)(end - from));
        const char *upto = blank ? blank : end;
        buffer_add(cutter->rewritten, from, (size_t)(upto - from));
        from = upto;
        if (blank) {
            origin += blank < origin_end ? mark_bytes - 1 : 0;
            buffer_add(cutter->rewritten, mark, mark_bytes);
            from++;
        }
    }
    cutter->text = cutter->rewritten->data;
    cutter->piece = (Piece){(uint32_t)start, (uint32_t)(cutter->rewritten->bytes - start), (uint32_t)origin, ID_NONE};
    if (part->split)
        cut_by_character(cutter, part->character, SPLIT_MERGED_WITH_NEXT);
    else
        piece_cut(cutter, start, cutter->rewritten->bytes);
}

static Status piece_pre_tokenize(Cutter *cutter, Error *err) {
    const PreTokenizer *part = cutter->part;
    switch (part->type) {
    case PRE_TOKENIZER_BERT:
        cut_bert(cutter);
        break;
    case PRE_TOKENIZER_BYTE_LEVEL:
        cut_byte_level(cutter);
        break;
    case PRE_TOKENIZER_DELIMITER:
        cut_by_character(cutter, part->character, SPLIT_REMOVED);
        break;
    case PRE_TOKENIZER_DIGITS:
        cut_by_flags(cutter, CHAR_NUMERIC, part->individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS);
        break;
    case PRE_TOKENIZER_FIXED_LENGTH:
        cut_lengths(cutter);
        break;
    case PRE_TOKENIZER_METASPACE:
        cut_metaspace(cutter);
        break;
    case PRE_TOKENIZER_PUNCTUATION:
        cut_by_flags(cutter, CHAR_PUNCTUATION, part->behavior);
        break;
    case PRE_TOKENIZER_SPLIT:
        return cut_by_pattern(cutter, err);
    case PRE_TOKENIZER_UNICODE_SCRIPTS:
        cut_scripts(cutter);
        break;
    case PRE_TOKENIZER_WHITESPACE:
        cut_words(cutter);
        break;
    case PRE_TOKENIZER_WHITESPACE_SPLIT:
        cut_by_flags(cutter, CHAR_SPACE, SPLIT_REMOVED);
        break;
    case PRE_TOKENIZER_SEQUENCE: // flattened at load
    case PRE_TOKENIZER_COUNT:
        break;
    }
    return OK;
}

// Spells every piece in GPT-2's alphabet.
static void pieces_spell_bytes(Encoder *encoder, const char *text, Buffer *rewritten) {
    Piece *pieces = BUFFER_ITEMS(Piece, &encoder->pieces[0]);
    size_t count = BUFFER_COUNT(Piece, &encoder->pieces[0]);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].token != ID_NONE)
            continue;
        size_t start = rewritten->bytes, origin = pieces[i].origin;
        for (uint32_t j = 0; j < pieces[i].bytes; j++) {
            if (j == pieces[i].origin)
                origin = rewritten->bytes - start;
            buffer_add_code_point(rewritten, char_of_byte((unsigned char)text[pieces[i].start + j]));
        }
        pieces[i].start = (uint32_t)start;
        if (pieces[i].origin >= pieces[i].bytes)
            origin = rewritten->bytes - start;
        pieces[i].bytes = (uint32_t)(rewritten->bytes - start);
        pieces[i].origin = (uint32_t)origin;
    }
}

static void buffers_swap(Buffer *two) {
    Buffer first = two[0];
    two[0] = two[1];
    two[1] = first;
}

// encoder->texts[1] is written while *text may lie in texts[0].
static Status pre_tokenizer_run(Encoder *encoder, const PreTokenizer *part, const char **text, Error *err) {
    Buffer *out = &encoder->pieces[1];
    buffer_clear(out);
    buffer_clear(&encoder->texts[1]);
    bool rewrites =
        part->type == PRE_TOKENIZER_METASPACE || (part->type == PRE_TOKENIZER_BYTE_LEVEL && part->add_prefix_space);
    const Piece *pieces = BUFFER_ITEMS(Piece, &encoder->pieces[0]);
    size_t count = BUFFER_COUNT(Piece, &encoder->pieces[0]);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].token != ID_NONE) {
            buffer_add(out, &pieces[i], sizeof pieces[i]);
            continue;
        }
        Cutter cutter = {.part = part,
                         .matcher = encoder->matcher,
                         .text = *text,
                         .piece = pieces[i],
                         .pieces = out,
                         .rewritten = &encoder->texts[1]};
        TRY(piece_pre_tokenize(&cutter, err));
        TRY(buffer_status(&encoder->texts[1], err));
    }
    TRY(buffer_status(out, err));
    buffers_swap(encoder->pieces);
    if (rewrites) {
        buffers_swap(encoder->texts);
        *text = encoder->texts[0].data;
    }
    if (part->type == PRE_TOKENIZER_BYTE_LEVEL && !part->raw) {
        buffer_clear(&encoder->texts[1]);
        pieces_spell_bytes(encoder, *text, &encoder->texts[1]);
        TRY(buffer_status(&encoder->texts[1], err));
        buffers_swap(encoder->texts);
        *text = encoder->texts[0].data;
    }
    return OK;
}

Status pre_tokenizers_run(Encoder *encoder, const char **text, Error *err) {
    const Tokenizer *tokenizer = encoder->tokenizer;
    for (size_t i = 0; i < tokenizer->pre_tokenizer_count; i++)
        TRY(pre_tokenizer_run(encoder, &tokenizer->pre_tokenizers[i], text, err));
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Normalizers: each reads the whole text of the flow and writes it anew. ASCII goes through tight loops; `origin` is
// carried along as the package's alignments would say.
#include <string.h>

#include "base/utf8.h"
#include "text/encoder.h"

void flow_turn(Flow *flow) {
    flow->text = flow->out->data ? flow->out->data : "";
    flow->bytes = flow->out->bytes;
    Buffer *written = flow->out;
    flow->out = flow->spare;
    flow->spare = written;
    Status failed = flow->spare->failed;
    buffer_clear(flow->out);
    flow->out->failed = failed; // a failure stays visible in the buffer that is written next
}

static void flow_finish(Flow *flow, size_t origin) {
    flow->origin = origin;
    flow_turn(flow);
}

// Where the origin lies in the output once the input position `at` passes it.
#define MARK_ORIGIN(flow, at, mark)                                                                                    \
    do {                                                                                                               \
        if ((at) < (flow)->origin)                                                                                     \
            (mark) = SIZE_MAX;                                                                                         \
        else if ((mark) == SIZE_MAX)                                                                                   \
            (mark) = (flow)->out->bytes;                                                                               \
    } while (0)

// Applies `map` to every character: it appends what replaces the character.
typedef void CharMap(uint32_t c, const char *bytes, size_t count, Buffer *out);

static void flow_map(Flow *flow, CharMap *map) {
    size_t mark = flow->origin ? SIZE_MAX : 0;
    for (size_t at = 0; at < flow->bytes;) {
        MARK_ORIGIN(flow, at, mark);
        size_t from = at;
        uint32_t c = char_next(flow->text, &at);
        map(c, flow->text + from, at - from, flow->out);
    }
    flow_finish(flow, mark == SIZE_MAX ? flow->out->bytes : mark);
}

static void map_clean(uint32_t c, const char *bytes, size_t count, Buffer *out) {
    unsigned flags = char_flags(c);
    if (c == '\t' || c == '\n' || c == '\r' || (flags & CHAR_SPACE && !(flags & CHAR_BERT_DROPS)))
        buffer_add_char(out, ' ');
    else if (!(flags & CHAR_BERT_DROPS))
        buffer_add(out, bytes, count);
}

static void map_chinese(uint32_t c, const char *bytes, size_t count, Buffer *out) {
    bool apart = char_is_chinese(c);
    if (apart)
        buffer_add_char(out, ' ');
    buffer_add(out, bytes, count);
    if (apart)
        buffer_add_char(out, ' ');
}

static void map_strip_nonspacing(uint32_t c, const char *bytes, size_t count, Buffer *out) {
    if (!(char_flags(c) & CHAR_NONSPACING))
        buffer_add(out, bytes, count);
}

static void map_strip_combining(uint32_t c, const char *bytes, size_t count, Buffer *out) {
    if (!(char_flags(c) & CHAR_COMBINING))
        buffer_add(out, bytes, count);
}

static void map_lower(uint32_t c, const char *bytes, size_t count, Buffer *out) {
    if (c < 0x80) {
        buffer_add_char(out, (char)char_lower(c));
    } else if (!(char_flags(c) & CHAR_LOWERS)) {
        buffer_add(out, bytes, count);
    } else {
        buffer_add_code_point(out, char_lower(c));
        if (c == 0x130)
            buffer_add_code_point(out, 0x307);
    }
}

static void map_nmt(uint32_t c, const char *bytes, size_t count, Buffer *out) {
    bool drop = (c >= 1 && c <= 8) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
    bool blank = c == 9 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                 c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    if (blank)
        buffer_add_char(out, ' ');
    else if (!drop)
        buffer_add(out, bytes, count);
}

static void map_byte_level(uint32_t c, const char *bytes, size_t count, Buffer *out) {
    (void)c;
    for (size_t i = 0; i < count; i++)
        buffer_add_code_point(out, char_of_byte((unsigned char)bytes[i]));
}

static void flow_form(Flow *flow, NormalForm form, Buffer *work) {
    if (flow->origin) { // the form of the characters at the origin alone tells how long they become
        chars_normalize(form, flow->text, flow->origin, work, flow->out);
        flow->origin = flow->out->bytes;
        buffer_clear(flow->out);
    }
    chars_normalize(form, flow->text, flow->bytes, work, flow->out);
    flow_finish(flow, flow->origin);
}

// The usual text: ASCII alone, in one pass.
static bool bert_ascii(const Normalizer *n, Flow *flow) {
    for (size_t i = 0; i < flow->bytes; i++)
        if ((unsigned char)flow->text[i] >= 0x80)
            return false;
    char *to = buffer_extend(flow->out, flow->bytes);
    if (!to)
        return false;
    size_t count = 0, origin = 0;
    for (size_t i = 0; i < flow->bytes; i++) {
        if (i == flow->origin)
            origin = count;
        unsigned char c = (unsigned char)flow->text[i];
        if (n->clean_text && (c < 0x20 || c == 0x7F)) {
            if (c != '\t' && c != '\n' && c != '\r')
                continue;
            c = ' ';
        }
        to[count++] = (char)(n->lowercase && c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    flow->out->bytes = count;
    flow_finish(flow, flow->origin >= flow->bytes ? count : origin);
    return true;
}

static void bert_run(const Normalizer *n, Buffer *work, Flow *flow) {
    if (bert_ascii(n, flow))
        return;
    if (n->clean_text)
        flow_map(flow, map_clean);
    if (n->chinese)
        flow_map(flow, map_chinese);
    if (n->strip_accents) {
        flow_form(flow, FORM_NFD, work);
        flow_map(flow, map_strip_nonspacing);
    }
    if (n->lowercase)
        flow_map(flow, map_lower);
}

static void strip_run(const Normalizer *n, Flow *flow) {
    size_t start = 0, end = flow->bytes;
    while (n->left && start < end) {
        size_t next = start;
        if (!(char_flags(char_next(flow->text, &next)) & CHAR_SPACE))
            break;
        start = next;
    }
    while (n->right && end > start) {
        size_t before = char_before(flow->text, end), next = before;
        if (!(char_flags(char_next(flow->text, &next)) & CHAR_SPACE))
            break;
        end = before;
    }
    flow->text += start;
    flow->bytes = end - start;
    flow->origin = flow->origin > start ? flow->origin - start : 0;
}

static Status replace_run(const Normalizer *n, Matcher *matcher, Flow *flow, Error *err) {
    MatchWalk walk = {0, SIZE_MAX};
    size_t copied = 0, origin = SIZE_MAX;
    for (;;) {
        Match match;
        TRY(pattern_next(&n->pattern, matcher, flow->text, flow->bytes, &walk, &match, err));
        if (!match.found)
            break;
        if (origin == SIZE_MAX && match.end > flow->origin) { // the replacement stems from the match's last character
            size_t upto = match.start < flow->origin ? match.start : flow->origin;
            origin = flow->out->bytes + (upto - copied);
        }
        buffer_add(flow->out, flow->text + copied, match.start - copied);
        buffer_add(flow->out, n->content.data, n->content.bytes);
        copied = match.end;
    }
    if (!copied && !flow->out->bytes)
        return OK; // nothing matched: the text stays where it is
    if (origin == SIZE_MAX)
        origin = flow->out->bytes + (flow->origin > copied ? flow->origin - copied : 0);
    buffer_add(flow->out, flow->text + copied, flow->bytes - copied);
    flow_finish(flow, origin);
    return OK;
}

static void prepend_run(const Normalizer *n, Flow *flow) {
    if (!flow->bytes)
        return;
    buffer_add(flow->out, n->content.data, n->content.bytes);
    buffer_add(flow->out, flow->text, flow->bytes);
    flow_finish(flow, flow->origin ? flow->origin + n->content.bytes : 0);
}

static Status normalizer_run(const Normalizer *n, Matcher *matcher, Buffer *work, Flow *flow, Error *err) {
    switch (n->type) {
    case NORMALIZER_BERT:
        bert_run(n, work, flow);
        break;
    case NORMALIZER_STRIP:
        strip_run(n, flow);
        break;
    case NORMALIZER_STRIP_ACCENTS:
        flow_map(flow, map_strip_combining);
        break;
    case NORMALIZER_NFC:
        flow_form(flow, FORM_NFC, work);
        break;
    case NORMALIZER_NFD:
        flow_form(flow, FORM_NFD, work);
        break;
    case NORMALIZER_NFKC:
        flow_form(flow, FORM_NFKC, work);
        break;
    case NORMALIZER_NFKD:
        flow_form(flow, FORM_NFKD, work);
        break;
    case NORMALIZER_LOWERCASE:
        flow_map(flow, map_lower);
        break;
    case NORMALIZER_NMT:
        flow_map(flow, map_nmt);
        break;
    case NORMALIZER_PRECOMPILED:
        charsmap_run(n, flow);
        break;
    case NORMALIZER_PREPEND:
        prepend_run(n, flow);
        break;
    case NORMALIZER_REPLACE:
        TRY(replace_run(n, matcher, flow, err));
        break;
    case NORMALIZER_BYTE_LEVEL:
        flow_map(flow, map_byte_level);
        break;
    case NORMALIZER_SEQUENCE: // flattened at load
    case NORMALIZER_COUNT:
        break;
    }
    if (flow->out->failed != OK)
        return buffer_status(flow->out, err);
    return buffer_status(work, err);
}

Status normalizers_run(const Normalizer *normalizers, size_t count, Matcher *matcher, Buffer *work, Flow *flow,
                       Error *err) {
    buffer_clear(flow->out);
    buffer_clear(flow->spare);
    buffer_clear(work);
    for (size_t i = 0; i < count; i++)
        TRY(normalizer_run(&normalizers[i], matcher, work, flow, err));
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Precompiled: SentencePiece's table of replacements, a darts-clone trie (github.com/s-yata/darts-clone) over
// NUL-separated texts. Hugging Face tries whole grapheme clusters under 6 bytes, then single characters, and takes the
// shortest key that begins there (so a mark behind a replaced letter is lost); SentencePiece takes the longest at every
// position.
#include <string.h>
#include <utf8proc.h>

#include "text/encoder.h"

enum { CLUSTER_BYTES = 6 };

static inline size_t unit_offset(uint32_t unit) {
    return (size_t)(unit >> 10) << ((unit & (1u << 9)) >> 6);
}

// A hostile table may cut characters apart: such keys and replacements do not count, so that texts stay UTF-8.
static inline bool begins_inside(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

// The replacement of a key that begins `text` (the shortest, or the longest with its length in *ret_used); NULL: none.
static const char *charsmap_find(const Normalizer *n, const char *text, size_t bytes, size_t *ret_used,
                                 size_t *ret_bytes) {
    size_t value = SIZE_MAX;
    size_t at = unit_offset(n->units[0]);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        at ^= c;
        if (!c || at >= n->unit_count)
            break;
        uint32_t unit = n->units[at];
        if ((unit & (1u << 31 | 0xFF)) != c)
            break;
        at ^= unit_offset(unit);
        bool whole = i + 1 == bytes || !begins_inside(text[i + 1]);
        if (unit >> 8 & 1 && at < n->unit_count && whole) {
            value = n->units[at] & 0x7FFFFFFF;
            *ret_used = i + 1;
            if (!n->longest)
                break;
        }
    }
    if (value >= n->replacements.bytes || begins_inside(n->replacements.data[value]))
        return NULL;
    const char *found = n->replacements.data + value;
    *ret_bytes = strnlen(found, n->replacements.bytes - value);
    return found;
}

// Unassigned characters that are ignorable by default break on both sides; utf8proc 2.8 takes them for letters.
static bool stands_alone(uint32_t c) {
    return c == 0x2065 || (c >= 0xFFF0 && c <= 0xFFF8) ||
           (c >= 0xE0000 && c <= 0xE0FFF && !(c >= 0xE0020 && c <= 0xE007F) && !(c >= 0xE0100 && c <= 0xE01EF));
}

// Where the grapheme cluster that begins at `at` ends. U+0897, a mark since Unicode 16, is shown to utf8proc as
// another.
static size_t cluster_end(const char *text, size_t bytes, size_t at) {
    int32_t state = 0;
    uint32_t c = char_next(text, &at);
    while (at < bytes) {
        size_t next = at;
        uint32_t d = char_next(text, &next);
        d = d == 0x897 ? 0x300 : d;
        if (stands_alone(c) || stands_alone(d) || utf8proc_grapheme_break_stateful((int32_t)c, (int32_t)d, &state))
            break;
        at = next;
        c = d;
    }
    return at;
}

static void one_run(const Normalizer *n, const char *text, size_t bytes, Buffer *out) {
    size_t used, made;
    const char *found = charsmap_find(n, text, bytes, &used, &made);
    if (found)
        buffer_add(out, found, made);
    else
        buffer_add(out, text, bytes);
}

static void cluster_run(const Normalizer *n, const char *text, size_t bytes, Buffer *out) {
    if (bytes < CLUSTER_BYTES) {
        size_t used, made;
        const char *found = charsmap_find(n, text, bytes, &used, &made);
        if (found) {
            buffer_add(out, found, made);
            return;
        }
    }
    for (size_t at = 0; at < bytes; at += char_bytes(text[at]))
        one_run(n, text + at, char_bytes(text[at]), out);
}

static size_t longest_run(const Normalizer *n, const char *text, size_t bytes, Buffer *out) {
    size_t used, made;
    const char *found = charsmap_find(n, text, bytes, &used, &made);
    if (!found)
        buffer_add(out, text, used = char_bytes(text[0]));
    else
        buffer_add(out, found, made);
    return used;
}

void charsmap_run(const Normalizer *n, Flow *flow) {
    const char *text = flow->text;
    size_t origin = flow->origin ? SIZE_MAX : 0;
    for (size_t at = 0; at < flow->bytes;) {
        if (at >= flow->origin && origin == SIZE_MAX)
            origin = flow->out->bytes;
        // Between ASCII characters there is always a boundary, but for CR LF; what a key may begin with ends the run.
        size_t run = at;
        while (run < flow->bytes && text[run] >= 0x20 && text[run] < 0x7F &&
               (run + 1 == flow->bytes || (unsigned char)text[run + 1] < 0x80) && n->plain[(unsigned char)text[run]])
            run++;
        if (run > at && origin != SIZE_MAX) {
            buffer_add(flow->out, text + at, run - at);
            at = run;
        } else if (n->longest) {
            at += longest_run(n, text + at, flow->bytes - at, flow->out);
        } else {
            size_t end = cluster_end(text, flow->bytes, at);
            cluster_run(n, text + at, end - at, flow->out);
            at = end;
        }
    }
    flow->origin = origin == SIZE_MAX ? flow->out->bytes : origin;
    flow_turn(flow);
}

// Whether some key begins with these two characters.
static bool pair_begins_key(const Normalizer *n, unsigned char first, unsigned char second) {
    size_t at = unit_offset(n->units[0]) ^ first;
    if (at >= n->unit_count || (n->units[at] & (1u << 31 | 0xFF)) != first)
        return false;
    at ^= unit_offset(n->units[at]) ^ second;
    return at < n->unit_count && (n->units[at] & (1u << 31 | 0xFF)) == second;
}

void charsmap_prepare(Normalizer *n) {
    for (unsigned char c = 0x20; c < 0x7F; c++) {
        char text[1] = {(char)c};
        size_t used, made;
        n->plain[c] = !charsmap_find(n, text, 1, &used, &made);
        for (unsigned char d = 1; n->longest && d < 128; d++)
            n->plain[c] = n->plain[c] && !pair_begins_key(n, c, d);
    }
}

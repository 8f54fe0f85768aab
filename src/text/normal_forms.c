// SPDX-License-Identifier: Apache-2.0
// NFC, NFD, NFKC and NFKD. Text is copied until a character that the form may touch; from the character before it to
// the next inert one, utf8proc decomposes, marks are sorted here (utf8proc's own sort is quadratic), utf8proc composes.
#include <utf8proc.h>

#include "base/utf8.h"
#include "text/chars.h"

enum { DECOMPOSED_MOST = 32 }; // the longest decomposition has 18 characters

// Stable sort of marks by combining class: insertion for the usual few, counting for hostile runs.
static void marks_sort(int32_t *marks, size_t count, Buffer *work) {
    if (count > 24) {
        size_t starts[257] = {0};
        size_t at = work->bytes;
        int32_t *copy = buffer_extend(work, count * sizeof *copy);
        if (!copy)
            return;
        for (size_t i = 0; i < count; i++) {
            copy[i] = marks[i];
            starts[1 + (unsigned char)utf8proc_get_property(marks[i])->combining_class]++;
        }
        for (size_t i = 1; i < 257; i++)
            starts[i] += starts[i - 1];
        for (size_t i = 0; i < count; i++)
            marks[starts[(unsigned char)utf8proc_get_property(copy[i])->combining_class]++] = copy[i];
        work->bytes = at;
        return;
    }
    for (size_t i = 1; i < count; i++) {
        int32_t mark = marks[i];
        utf8proc_propval_t class = utf8proc_get_property(mark)->combining_class;
        size_t j = i;
        for (; j > 0 && utf8proc_get_property(marks[j - 1])->combining_class > class; j--)
            marks[j] = marks[j - 1];
        marks[j] = mark;
    }
}

static size_t decompose(const char *text, size_t bytes, utf8proc_option_t options, Buffer *work) {
    int boundary = 0;
    size_t count = 0;
    for (size_t at = 0; at < bytes;) {
        int32_t parts[DECOMPOSED_MOST];
        utf8proc_ssize_t made =
            utf8proc_decompose_char((int32_t)char_next(text, &at), parts, DECOMPOSED_MOST, options, &boundary);
        if (made > 0 && made <= DECOMPOSED_MOST) {
            buffer_add(work, parts, (size_t)made * sizeof *parts);
            count += (size_t)made;
        }
    }
    return count;
}

static void region_normalize(NormalForm form, const char *text, size_t bytes, Buffer *work, Buffer *out) {
    bool compatible = form == FORM_NFKC || form == FORM_NFKD;
    bool composes = form == FORM_NFC || form == FORM_NFKC;
    buffer_clear(work);
    size_t count = decompose(text, bytes, UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0), work);
    size_t room = count; // marks_sort may need as much again, without moving what is there
    if (!buffer_extend(work, room * sizeof(int32_t))) {
        out->failed = work->failed;
        return;
    }
    work->bytes -= room * sizeof(int32_t);
    int32_t *codes = (void *)work->data;
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && utf8proc_get_property(codes[end])->combining_class)
            end++;
        if (end > i + 1)
            marks_sort(codes + i, end - i, work);
        i = end > i ? end : i + 1;
    }
    utf8proc_ssize_t left = (utf8proc_ssize_t)count;
    if (composes)
        left = utf8proc_normalize_utf32(codes, left, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < left; i++)
        buffer_add_code_point(out, (unsigned)codes[i]);
}

void chars_normalize(NormalForm form, const char *text, size_t bytes, Buffer *work, Buffer *out) {
    unsigned active = (unsigned)CHAR_NFC_ACTIVE << form;
    size_t copied = 0, last = 0; // copied up to; the character before `at`
    bool last_frozen = true;
    for (size_t at = 0; at < bytes;) {
        if ((unsigned char)text[at] < 0x80) {
            last = at++;
            last_frozen = false;
            continue;
        }
        size_t here = at;
        unsigned flags = char_flags(char_next(text, &at));
        if (!(flags & active)) {
            last = here;
            last_frozen = flags & CHAR_FROZEN;
            continue;
        }
        size_t start = last_frozen ? here : last;
        size_t end = at;
        while (end < bytes) {
            size_t next = end;
            if (!(char_flags(char_next(text, &next)) & active))
                break;
            end = next;
        }
        buffer_add(out, text + copied, start - copied);
        region_normalize(form, text + start, end - start, work, out);
        copied = at = end;
        last_frozen = true; // the region's end is done with: what follows is inert
    }
    buffer_add(out, text + copied, bytes - copied);
}

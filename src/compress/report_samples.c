// SPDX-License-Identifier: Apache-2.0
// Sample outputs side by side: the words in which the chosen model's differ from the original's are marked, by a
// longest common subsequence of both.
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "compress/report_part.h"
#include "measure/lcs.h"
#include "measure/plot_svg.h"

// A text that would take more steps (nanoseconds, about) is shown unmarked, as are those after all steps are used up.
static const uint64_t STEPS_MOST = 1 << 28;

typedef struct Word {
    const char *text;
    size_t bytes;
    bool common;
} Word;

typedef struct Words {
    Word *items;
    size_t count;
} Words;

typedef struct Sample {
    const char *source, *reference, *original, *chosen; // "": not there
} Sample;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Characters that are words by themselves: punctuation at a word's end or start is told from the word, and scripts
// without blanks are compared by character.
static bool is_single(uint32_t c) {
    return (c < 0x80 && strchr(".,;:!?()[]\"'", (int)c)) || (c >= 0x2E80 && c < 0xA000) ||
           (c >= 0xF900 && c < 0xFB00) || (c >= 0xFF00 && c < 0xFFF0) || (c >= 0x20000 && c < 0x40000);
}

// The bytes of the word at `text`. Inside a word, ASCII punctuation stays: "11:45", "don't".
static size_t word_bytes(const char *text, size_t bytes) {
    size_t used = 0, kept = 0; // up to the last character that is no punctuation
    while (used < bytes && !is_blank(text[used])) {
        uint32_t c;
        size_t step = utf8_decode(text + used, bytes - used, &c);
        bool single = is_single(c);
        if (!used && single)
            return step;
        if (single && c >= 0x80)
            break;
        used += step;
        if (!single)
            kept = used;
    }
    return kept;
}

static Status words_split(Arena *arena, const char *text, Words *ret, Error *err) {
    size_t bytes = strlen(text);
    Word *items = arena_array(arena, bytes, sizeof *items, err);
    TRY_NEW(items);
    size_t count = 0;
    for (size_t at = 0; at < bytes;) {
        size_t length = is_blank(text[at]) ? 0 : word_bytes(text + at, bytes - at);
        if (length)
            items[count++] = (Word){text + at, length, false};
        at += length ? length : 1;
    }
    *ret = (Words){items, count};
    return OK;
}

static int by_text(const void *a, const void *b) {
    const Word *left = *(Word *const *)a, *right = *(Word *const *)b;
    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? -1 : 1;
    return memcmp(left->text, right->text, left->bytes);
}

// Gives equal words of both texts the same id; `ret_ids` [a.count + b.count].
static Status words_number(Arena *arena, const Words *a, const Words *b, uint32_t *ret_ids, size_t *ret_id_count,
                           Error *err) {
    size_t count = a->count + b->count;
    Word **sorted = arena_array(arena, count, sizeof *sorted, err);
    TRY_NEW(sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = i < a->count ? &a->items[i] : &b->items[i - a->count];
    qsort(sorted, count, sizeof *sorted, by_text);
    uint32_t id = 0;
    for (size_t i = 0; i < count; i++) {
        if (i && by_text(&sorted[i - 1], &sorted[i]) != 0)
            id++;
        const Word *word = sorted[i];
        bool in_a = a->count && word >= a->items && word < a->items + a->count;
        ret_ids[in_a ? (size_t)(word - a->items) : a->count + (size_t)(word - b->items)] = id;
    }
    *ret_id_count = (size_t)id + 1;
    return OK;
}

// Finds the words that both have in the same order; `steps` is what may still be spent. False in *ret_marked where that
// is too little.
static Status words_compare(Arena *arena, Words *a, Words *b, uint64_t *steps, bool *ret_marked, Error *err) {
    uint64_t need = 3 * lcs_steps(a->count, b->count);
    *ret_marked = need <= *steps;
    if (!*ret_marked || !a->count || !b->count)
        return OK;
    *steps -= need;
    uint32_t *ids = arena_array(arena, a->count + b->count, sizeof *ids, err);
    TRY_NEW(ids);
    bool *hits = arena_array(arena, a->count, sizeof *hits, err);
    TRY_NEW(hits);
    size_t id_count = 0;
    TRY(words_number(arena, a, b, ids, &id_count, err));
    LcsSpace *space = lcs_make(arena, a->count, b->count, id_count, true, err);
    TRY_NEW(space);
    lcs_load(space, ids, a->count);
    lcs_mark(space, ids + a->count, b->count, hits);
    for (size_t i = 0, k = 0; i < a->count; i++) {
        a->items[i].common = hits[i];
        if (!hits[i])
            continue;
        while (ids[a->count + k] != ids[i])
            k++;
        b->items[k++].common = true;
    }
    return OK;
}

// The text with the words that are not common inside <tag>, neighbours together.
static void add_marked(Buffer *out, const char *text, const Words *words, const char *tag) {
    const char *at = text;
    bool marked = false;
    for (size_t i = 0; i < words->count; i++) {
        const Word *word = &words->items[i];
        if (marked && word->common) {
            buffer_format(out, "</%s>", tag);
            marked = false;
        }
        svg_escape_bytes(out, at, (size_t)(word->text - at));
        if (!marked && !word->common) {
            buffer_format(out, "<%s>", tag);
            marked = true;
        }
        svg_escape_bytes(out, word->text, word->bytes);
        at = word->text + word->bytes;
    }
    if (marked)
        buffer_format(out, "</%s>", tag);
    svg_escape(out, at);
}

static void add_text(Buffer *out, const char *name, const char *text) {
    buffer_format(out, "<div><dt>%s</dt><dd dir=\"auto\">", name);
    svg_escape(out, text);
    buffer_add_text(out, "</dd></div>\n");
}

static Status add_outputs(Buffer *out, Arena *arena, const Sample *sample, uint64_t *steps, Error *err) {
    Words a, b;
    bool marked = false;
    bool both = *sample->original && *sample->chosen && strcmp(sample->original, sample->chosen) != 0;
    if (both) {
        TRY(words_split(arena, sample->original, &a, err));
        TRY(words_split(arena, sample->chosen, &b, err));
        TRY(words_compare(arena, &a, &b, steps, &marked, err));
    }
    if (!marked) {
        add_text(out, "Original model", sample->original);
        add_text(out, "Chosen model", sample->chosen);
        return OK;
    }
    buffer_add_text(out, "<div><dt>Original model</dt><dd dir=\"auto\">");
    add_marked(out, sample->original, &a, "del");
    buffer_add_text(out, "</dd></div>\n<div><dt>Chosen model</dt><dd dir=\"auto\">");
    add_marked(out, sample->chosen, &b, "ins");
    buffer_add_text(out, "</dd></div>\n");
    return OK;
}

static Status add_sample(Buffer *out, size_t number, const Sample *sample, uint64_t *steps, Error *err) {
    bool same = strcmp(sample->original, sample->chosen) == 0;
    buffer_format(out,
                  "<article class=\"sample\">\n<h3>Sample %zu<span class=\"badge%s\">%s</span></h3>\n"
                  "<dl class=\"texts\">\n",
                  number, same ? "" : " over", same ? "the same" : "differs");
    if (*sample->reference)
        add_text(out, "Reference", sample->reference);
    Arena scratch;
    arena_init(&scratch, 0);
    Status status = add_outputs(out, &scratch, sample, steps, err);
    arena_done(&scratch);
    TRY(status);
    buffer_add_text(out, "</dl>\n");
    if (*sample->source) {
        buffer_add_text(out, "<details><summary>Source</summary>\n<p class=\"source\" dir=\"auto\">");
        svg_escape(out, sample->source);
        buffer_add_text(out, "</p></details>\n");
    }
    buffer_add_text(out, "</article>\n");
    return OK;
}

Status report_samples(Report *report, Error *err) {
    const json_t *array;
    size_t count;
    TRY(report_array(report, "samples", &array, &count, err));
    buffer_add_text(report->out,
                    "<p class=\"lead\">Where the chosen model's words differ from the original's, both are "
                    "marked: <del>gone</del>, <ins>new</ins>.</p>\n");
    uint64_t steps = STEPS_MOST;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = NULL;
        char where[REPORT_WHERE_BYTES];
        Sample sample;
        TRY(report_item(array, "samples", i, where, &item, err));
        TRY(report_text(item, where, "source", &sample.source, err));
        TRY(report_text(item, where, "reference", &sample.reference, err));
        TRY(report_text(item, where, "original", &sample.original, err));
        TRY(report_text(item, where, "chosen", &sample.chosen, err));
        TRY(add_sample(report->out, i + 1, &sample, &steps, err));
    }
    return OK;
}

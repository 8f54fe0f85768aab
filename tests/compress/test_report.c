// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "compress/report.h"
#include "markup.h"

static Error err;

typedef struct Page {
    Arena arena;
    json_t *evidence;
    Buffer html;
} Page;

// The golden document (tools/goldens/compress/evidence.py); `keep` items of each list at most.
static void lists_cut(json_t *value, size_t keep) {
    const char *key;
    json_t *child;
    size_t index;
    json_object_foreach(value, key, child) {
        lists_cut(child, keep);
    }
    while (json_array_size(value) > keep)
        json_array_remove(value, keep);
    json_array_foreach(value, index, child) {
        lists_cut(child, keep);
    }
}

static Page page_open(size_t keep) {
    Page page = {0};
    arena_init(&page.arena, 0);
    const char *source = getenv("HONE_SOURCE");
    char *path = arena_format(&page.arena, &err, "%s/tests/golden/compress/evidence.json", source ? source : ".");
    CHECK_OK(json_read(&page.arena, path, false, &page.evidence, &err));
    lists_cut(page.evidence, keep);
    return page;
}

static Status page_draw(Page *page) {
    Arena scratch;
    arena_init(&scratch, 0);
    buffer_clear(&page->html);
    Status status = report_html(&scratch, page->evidence, &page->html, &err);
    arena_done(&scratch);
    return status;
}

static void page_done(Page *page) {
    buffer_done(&page->html);
    arena_done(&page->arena);
}

static bool has(const Page *page, const char *text) {
    return strstr(page->html.data, text) != NULL;
}

// What every page has to be, whatever it was drawn from.
static void check_page(const Page *page, const char *what) {
    const char *html = page->html.data;
    ck_assert_msg(is_well_formed(html), "%s: not well-formed:\n%s", what, html);
    ck_assert_uint_eq(utf8_valid_prefix(html, page->html.bytes), page->html.bytes);
    ck_assert_uint_eq(count(html, "<script"), 1);
    ck_assert_uint_eq(count(html, "http"), count(html, "http-equiv") + count(html, "http://www.w3.org/2000/svg"));
    const char *body = strstr(html, "<body>"), *script = strstr(html, "<script>");
    for (const char *p = body; p < script; p++)
        ck_assert_msg(strncmp(p, "nan", 3) != 0 || (p > body && p[-1] >= 'a' && p[-1] <= 'z'), "%s: %.30s", what, p);
    ck_assert_msg(!strstr(body, "inf\"") && !strstr(body, ">inf") && !strstr(body, ">-inf"), "%s", what);
}

// Headings and foldings in their order, and how many rows and cells each table has.
static void outline(const char *html, Buffer *out) {
    static const char *const tags[] = {"<section id=", "<h1", "<h2", "<h3", "<summary", "<svg", "<table", "<footer"};
    size_t rows = 0, cells = 0;
    for (const char *p = strstr(html, "<body>"); (p = strchr(p, '<')); p++) {
        rows += strncmp(p, "<tr", 3) == 0;
        cells += strncmp(p, "<td", 3) == 0 || strncmp(p, "<th ", 4) == 0;
        if (strncmp(p, "</table>", 8) == 0)
            buffer_format(out, "  %zu rows, %zu cells\n", rows, cells);
        for (size_t i = 0; i < ARRAY_COUNT(tags); i++) {
            if (strncmp(p, tags[i], strlen(tags[i])) != 0)
                continue;
            bool texts = p[1] == 'h' || strncmp(p, "<su", 3) == 0;
            const char *text = texts ? strchr(p, '>') + 1 : i == 0 ? strchr(p, '"') + 1 : p + 1;
            buffer_format(out, "%s%.*s\n", i == 0 ? "# " : "", (int)strcspn(text, texts ? "<" : "\" >"), text);
            rows = cells = 0;
        }
    }
}

START_TEST(full_document) {
    Page page = page_open(SIZE_MAX);
    CHECK_OK(page_draw(&page));
    check_page(&page, "full");
    Buffer got = {0};
    outline(page.html.data, &got);
    const char *source = getenv("HONE_SOURCE");
    char *path = arena_format(&page.arena, &err, "%s/tests/golden/compress/report_outline.txt", source ? source : ".");
    Bytes want;
    CHECK_OK(file_map(&page.arena, path, &want, &err));
    ck_assert_str_eq(got.data, arena_copy_text(&page.arena, (const char *)want.data, want.size, &err));
    buffer_done(&got);
    page_done(&page);
}
END_TEST

START_TEST(figures_are_where_they_belong) {
    Page page = page_open(SIZE_MAX);
    CHECK_OK(page_draw(&page));
    // tiles
    ck_assert(has(&page, "<dt>Speed-up</dt><dd class=\"figure\">2.68<small>times</small></dd><dd>[2.65,\xC2\xA0"
                         "2.71]</dd><dd>5.31\xC2\xA0\xE2\x86\x92\xC2\xA0"
                         "1.98\xC2\xA0ms</dd>"));
    ck_assert(has(&page, "<dt>Smaller by</dt><dd class=\"figure\">75.9<small>%</small>"));
    ck_assert(has(&page, "<dt>Loss of quality</dt><dd class=\"figure\">0.49<small>%</small></dd><dd>[0.25,\xC2\xA0"
                         "0.74] of 1\xC2\xA0% allowed</dd>"));
    ck_assert(has(&page, "<dt>Memory</dt><dd class=\"figure\">47.6<small>MB</small>"));
    // rows: one chosen, one slower, one beyond the budget; a loss below zero with a true minus
    ck_assert_uint_eq(count(page.html.data,
                            "<tr class=\"chosen\"><th scope=\"row\" class=\"text\"><span class=\"name\">"
                            "chosen</span><small>int8; int4 fc2; ffn -30 %; head screen</small></th>"),
                      2);
    ck_assert_uint_eq(count(page.html.data, "<span class=\"name\">nf4</span><small class=\"over\">slower here: no "
                                            "optimization</small>"),
                      2);
    ck_assert_uint_eq(count(page.html.data, "<small class=\"over\">beyond the budget</small>"), 2);
    ck_assert(has(&page, "<td class=\"group\">\xE2\x88\x92"
                         "0.04<small>[\xE2\x88\x92"
                         "0.11,"));
    ck_assert(has(&page, "<th scope=\"col\">ROUGE-2</th>"));
    // the frontier: one axis of losses for both pictures, and what has no place in one is counted
    ck_assert_uint_eq(count(page.html.data, ">relative loss, % (finer near 0)</text>"), 2);
    ck_assert_uint_eq(count(page.html.data, "Not drawn: 3 of 22 recipes, which were not timed."), 1);
    ck_assert_uint_eq(count(page.html.data, ">chosen</text>"), 2);
    ck_assert_uint_eq(count(page.html.data, "<g class=\"in\"><title>int8; heads -2\n"),
                      0); // its interval leaves the budget
    ck_assert_uint_eq(count(page.html.data, "<g class=\"out\"><title>int8; heads -2\n"), 2);
    // how it was measured
    ck_assert(has(&page, "over 1,707 tokens of 64 references.</p>"));
    ck_assert(has(&page, "<td class=\"text\">which recipe is taken<br/><span class=\"hash\">SHA-256 c2d77e10c2d77e10"));
    ck_assert(has(&page, "small<br/><span class=\"hash\">its weights: SHA-256 52404bc3"));
    ck_assert(has(&page, "<dt>Generation</dt><dd>num_beams 4</dd>") &&
              has(&page, "<h1 class=\"long\">int8; int4 fc2;"));
    // samples: the words that differ, punctuation apart
    ck_assert(has(&page, "at <del>6:50</del> pm") && has(&page, "at <ins>5:50</ins> pm"));
    ck_assert(has(&page, "brings <del>sparkling water</del>.") && has(&page, "brings <ins>onion platter</ins>."));
    ck_assert_uint_eq(count(page.html.data, "the same</span>"), 1);
    // layers: strips by stem, blocks by weight
    ck_assert(has(&page, "<span>decoder.layers.2</span><span class=\"at\">"));
    ck_assert_uint_eq(count(page.html.data, "<span class=\"block k"), 49);
    ck_assert(has(&page, "int4</text>") && has(&page, "encoder.layers.0.fc2, int4: "));
    ck_assert(has(&page, "&quot;amount&quot;: 0.3\n"));
    page_done(&page);
}
END_TEST

// The page's policy lets its own script run and no other.
START_TEST(policy_names_the_script) {
    Page page = page_open(1);
    CHECK_OK(page_draw(&page));
    const char *script = strstr(page.html.data, "<script>") + strlen("<script>"), *end = strstr(script, "</script>");
    Sha256 hash;
    char hex[SHA256_TEXT_BYTES], decoded[80] = "";
    sha256_init(&hash);
    sha256_add(&hash, script, (size_t)(end - script));
    sha256_text(&hash, hex);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char before[] = "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-";
    const char *policy = strstr(page.html.data, before);
    ck_assert_ptr_nonnull(policy);
    unsigned bits = 0, held = 0;
    for (const char *p = policy + strlen(before); *p != '\''; p++) {
        const char *digit = strchr(digits, *p);
        bits = bits << 6 | (digit ? (unsigned)(digit - digits) : 0);
        for (held += 6; held >= 8; held -= 8)
            snprintf(decoded + strlen(decoded), 3, "%02x", bits >> (held - 8) & 255);
    }
    decoded[64] = '\0';
    ck_assert_str_eq(decoded, hex);
    page_done(&page);
}
END_TEST

static const char *const smallest[] = {
    "{\"answer\":{\"met\":null}}",
    "{\"answer\":{\"met\":false}}",
    "{\"answer\":{\"sentence\":\"Nothing was found.\"},\"rows\":null,\"frontier\":[],\"layers\":{}}",
    "{\"rows\":[{}]}",
    "{\"rows\":[{\"chosen\":true}]}",
    "{\"rows\":[{\"chosen\":true,\"loss\":{\"mean\":{\"relative\":0}}}],\"budget\":1e-320}",
    "{\"rows\":[{\"chosen\":true,\"loss\":{\"mean\":{\"relative\":0.5}}}],\"budget\":0.1}",
    "{\"frontier\":[{}]}",
    "{\"frontier\":[{\"ms\":1,\"loss\":{\"relative\":0}}]}",
    "{\"frontier\":[{\"ms\":0,\"mb\":0,\"loss\":{\"relative\":0,\"low\":0,\"high\":0}}],\"budget\":0}",
    "{\"frontier\":[{\"ms\":1e15,\"mb\":-1e15,\"loss\":{\"relative\":-1e15,\"low\":-1e15,\"high\":1e15},"
    "\"chosen\":true},{\"ms\":-1e-300,\"mb\":1e-300,\"loss\":{\"relative\":1e-300}}],\"budget\":1e-300}",
    "{\"frontier\":[{\"ms\":1e-320,\"mb\":5e-324,\"loss\":{\"relative\":1e-320}},{\"ms\":0,\"mb\":0,\"loss\":{"
    "\"relative\":0}}],\"budget\":1e-321}",
    "{\"sensitivity\":{\"rows\":null,\"x\":1}}",
    "{\"sensitivity\":{\"rows\":[{}]}}",
    "{\"sensitivity\":{\"rows\":[{\"loss_change\":-1e12},{\"loss_change\":1e-15,\"kind\":\"layer\"}]}}",
    "{\"layers\":[{}]}",
    "{\"layers\":[{\"name\":\"a.1.\",\"original_mb\":0,\"mb\":1e15},{\"name\":\".2\",\"mb\":0}]}",
    "{\"waterfall\":[{}]}",
    "{\"waterfall\":[{\"ms\":1e-320},{\"ms\":1e-321}]}",
    "{\"waterfall\":[{\"ms\":1e-300},{\"ms\":1e15},{\"ms\":1e-300}]}",
    "{\"waterfall\":[{\"ms\":0},{\"ms\":0,\"low\":5,\"high\":0}]}",
    "{\"samples\":[{}]}",
    "{\"samples\":[{\"original\":\" . \",\"chosen\":\"a\"},{\"original\":\"b\",\"chosen\":\"a\\n\"}]}",
    "{\"phases\":[{}]}",
    "{\"phases\":[{\"seconds\":0}],\"seconds\":0,\"data\":{\"split\":[{}]},\"machine\":{},\"model\":{}}",
};

static Status draw_text(Page *page, const char *text) {
    page->evidence = NULL;
    CHECK_OK(json_parse(&page->arena, "text", (Bytes){(const unsigned char *)text, strlen(text)}, false,
                        &page->evidence, &err));
    return page_draw(page);
}

START_TEST(small_documents) {
    Page page = page_open(0);
    for (size_t i = 0; i < ARRAY_COUNT(smallest); i++) {
        CHECK_OK(draw_text(&page, smallest[i]));
        check_page(&page, smallest[i]);
    }
    CHECK_OK(draw_text(&page, smallest[0]));
    ck_assert(!has(&page, "<section id=\"measured\"") && !has(&page, "class=\"tiles\"") && has(&page, "id=\"method\""));
    CHECK_OK(draw_text(&page, "{\"budget\":0.01,\"rows\":[{\"loss\":{\"mean\":{\"relative\":0,\"high\":0.02}}}]}"));
    ck_assert_uint_eq(count(page.html.data, "<small class=\"over\">its interval leaves the budget</small>"), 1);
    CHECK_OK(draw_text(&page, "{\"rows\":[{\"name\":\"original\"},{\"name\":\"x\",\"speedup\":{\"mean\":0.9}}]}"));
    ck_assert(has(&page, "<h1>No answer: the search ended before it had one</h1>"));
    ck_assert(has(&page, "<span class=\"name\">x</span><small class=\"over\">slower here: no optimization</small>"));
    page_done(&page);
}
END_TEST

START_TEST(no_evidence) {
    Page page = page_open(0);
    static const char *const none[] = {"{}", "{\"model_type\":\"bart\"}", "{\"rows\":[],\"answer\":null}",
                                       "{\"seed\":1,\"budget\":0.01}"};
    for (size_t i = 0; i < ARRAY_COUNT(none); i++)
        CHECK_FAILS(draw_text(&page, none[i]), ERR_FORMAT, "evidence: has none of 'answer', 'rows'");
    CHECK_FAILS(draw_text(&page, "[]"), ERR_FORMAT, "evidence: expected a JSON object");
    ck_assert_uint_eq(page.html.bytes, 0);
    page_done(&page);
}
END_TEST

// Calls `check` with every member of the document in turn, whatever the depth.
typedef struct Walk {
    Page *page;
    size_t members;
    void (*check)(struct Walk *walk, json_t *object, const char *key);
} Walk;

static void walk(Walk *w, json_t *value) {
    enum { MEMBERS_MOST = 32 };
    const char *key, *keys[MEMBERS_MOST]; // first, since members are taken out and put back
    json_t *child;
    size_t index, key_count = 0;
    json_array_foreach(value, index, child) {
        walk(w, child);
    }
    json_object_foreach(value, key, child) {
        if (strcmp(key, "recipe") == 0) // holds anything
            continue;
        ck_assert_uint_lt(key_count, MEMBERS_MOST);
        keys[key_count++] = arena_copy_text(&w->page->arena, key, strlen(key), &err);
    }
    for (size_t i = 0; i < key_count; i++) {
        child = json_incref(json_object_get(value, keys[i]));
        walk(w, child);
        w->check(w, value, keys[i]);
        json_object_set_new(value, keys[i], child);
        w->members++;
    }
}

static void check_missing(Walk *w, json_t *object, const char *key) {
    json_object_del(object, key);
    CHECK_OK(page_draw(w->page));
    check_page(w->page, key);
    json_object_set_new(object, key, json_null());
    CHECK_OK(page_draw(w->page));
    check_page(w->page, key);
}

START_TEST(any_member_may_be_missing) {
    Page page = page_open(3);
    Walk w = {&page, 0, check_missing};
    walk(&w, page.evidence);
    ck_assert_uint_gt(w.members, 150);
    page_done(&page);
}
END_TEST

static void check_mistyped(Walk *w, json_t *object, const char *key) {
    char expected[80];
    if (!json_is_array(json_object_get(object, key)))
        snprintf(expected, sizeof expected, "'%s' is [[]], expected ", key);
    else
        snprintf(expected, sizeof expected, "%s[0] is no %s", key, strcmp(key, "metrics") == 0 ? "string" : "object");
    json_object_set_new(object, key, json_pack("[[]]"));
    ck_assert_msg(page_draw(w->page) == ERR_FORMAT, "'%s' may be an array", key);
    ck_assert_msg(strstr(err.message, expected) != NULL, "%s: %s lacks %s", key, err.message, expected);
    ck_assert(strncmp(err.message, "evidence: ", 10) == 0);
    ck_assert_uint_eq(w->page->html.bytes, 0);
}

START_TEST(what_is_mistyped_is_named) {
    Page page = page_open(3);
    Walk w = {&page, 0, check_mistyped};
    walk(&w, page.evidence);
    ck_assert_uint_gt(w.members, 150);
    CHECK_FAILS(draw_text(&page, "{\"rows\":[{\"latency_ms\":{\"p50\":\"3\"}}]}"), ERR_FORMAT,
                "evidence: rows[0].latency_ms: 'p50' is \"3\", expected a number from -1e+15 to 1e+15");
    CHECK_FAILS(draw_text(&page, "{\"rows\":[{\"speedup\":{\"low\":2,\"high\":1}}]}"), ERR_FORMAT,
                "evidence: rows[0].speedup: 'low' is 2, above 'high', 1");
    CHECK_FAILS(draw_text(&page, "{\"waterfall\":[{\"ms\":-1}]}"), ERR_FORMAT,
                "evidence: waterfall[0]: 'ms' is -1, expected a number from 0 to 1e+15");
    page_done(&page);
}
END_TEST

START_TEST(limits) {
    Page page = page_open(2);
    json_t *metrics = json_object_get(page.evidence, "metrics");
    for (int i = 0; i < 7; i++)
        json_array_append_new(metrics, json_string("m"));
    CHECK_FAILS(page_draw(&page), ERR_LIMIT, "evidence: 'metrics' has 9 items, it may have 8");
    json_array_clear(metrics);
    json_t *frontier = json_object_get(page.evidence, "frontier");
    while (json_array_size(frontier) < 4097)
        json_array_append(frontier, json_array_get(frontier, 0));
    CHECK_FAILS(page_draw(&page), ERR_LIMIT, "evidence: 'frontier' has 4097 items, it may have 4096");
    json_array_clear(frontier);
    json_t *changes = json_object_get(json_object_get(page.evidence, "sensitivity"), "rows");
    for (int i = 0; i < 40; i++)
        json_array_append_new(changes, json_pack("{s:s+, s:f}", "change", "c", i < 26 ? "a" : "b", "loss_change", 1.0));
    CHECK_OK(page_draw(&page)); // the same change again
    for (int i = 0; i < 33; i++) {
        char name[8];
        snprintf(name, sizeof name, "c%d", i);
        json_array_append_new(changes, json_pack("{s:s, s:f}", "change", name, "loss_change", 1.0));
    }
    CHECK_FAILS(page_draw(&page), ERR_LIMIT, "'sensitivity' has more than 1024 layers or 32 changes");
    page_done(&page);
}
END_TEST

// Replaces every text by `text`, but those that say what kind of thing something is.
static void texts_set(json_t *value, const char *text) {
    const char *key;
    json_t *child;
    void *next;
    size_t index;
    json_object_foreach_safe(value, next, key, child) {
        if (json_is_string(child) && strcmp(key, "kind") != 0)
            json_object_set_new(value, key, json_string_nocheck(text));
        else
            texts_set(child, text);
    }
    json_array_foreach(value, index, child) {
        if (json_is_string(child))
            json_array_set_new(value, index, json_string_nocheck(text));
        else
            texts_set(child, text);
    }
}

START_TEST(hostile_texts_are_escaped) {
    static const char *const texts[] = {
        "\"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;",
        "</style></title></svg></pre><b onclick='x'>",
        "]]>--><!--\x01\x1F\x7F\xFF\xFE\xED\xA0\x80\xC0\x80\xF4\x90\x80\x80\xEF\xBF\xBF",
        "&#x3C;script&#x3E;",
        "",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        Page page = page_open(3);
        size_t index;
        json_t *row;
        json_array_foreach(json_object_get(page.evidence, "rows"), index, row) {
            json_object_set_new_nocheck(json_object_get(row, "quality"), texts[i], json_object());
        }
        texts_set(page.evidence, texts[i]);
        if (utf8_valid_prefix(texts[i], strlen(texts[i])) != strlen(texts[i])) // jansson prints no such recipe
            json_object_del(json_object_get(page.evidence, "answer"), "recipe");
        CHECK_OK(page_draw(&page));
        check_page(&page, texts[i]);
        ck_assert(!has(&page, "alert(1)<") && !has(&page, "<img") && !has(&page, "<b ") && !has(&page, "<!--"));
        ck_assert(!has(&page, "\x01") && !has(&page, "\x1F"));
        ck_assert_uint_eq(count(page.html.data, "</style>"), count(page.html.data, "<style>"));
        if (i == 0)
            ck_assert(has(&page, "<h1>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x "
                                 "onerror=alert(1)&gt;&amp;amp;</h1>"));
        page_done(&page);
    }
}
END_TEST

// Words are told apart by what readers take for words; the same words elsewhere do not count.
START_TEST(differences) {
    static const struct {
        const char *original, *chosen, *marked, *inserted;
    } cases[] = {
        {"a b c", "a x c", "a <del>b</del> c", "a <ins>x</ins> c"},
        {"a b", "b a", "a <del>b</del>", "<ins>b</ins> a"},
        {"Hello, you.", "Hello you", "Hello<del>,</del> you<del>.</del>", "Hello you"},
        {"don't \"go\"", "don't go", "don't <del>&quot;</del>go<del>&quot;</del>", "don't go"},
        {"x y z", "q", "<del>x y z</del>", "<ins>q</ins>"},
        {"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", "\xE6\x97\xA5\xE8\xAA\x9E",
         "\xE6\x97\xA5<del>\xE6\x9C\xAC</del>\xE8\xAA\x9E", "\xE6\x97\xA5\xE8\xAA\x9E"},
        {"\xEC\xA0\x9C \xEB\xAA\xA9", "\xEC\xA0\x9C \xEB\xAA\xA8", "\xEC\xA0\x9C <del>\xEB\xAA\xA9</del>",
         "\xEC\xA0\x9C <ins>\xEB\xAA\xA8</ins>"},
        {"a", "", "a", ""},
    };
    Page page = page_open(1);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        page.evidence =
            json_pack("{s:[{s:s, s:s}]}", "samples", "original", cases[i].original, "chosen", cases[i].chosen);
        CHECK_OK(page_draw(&page));
        char expected[400];
        snprintf(
            expected, sizeof expected,
            "<dt>Original model</dt><dd dir=\"auto\">%s</dd></div>\n<div><dt>Chosen model</dt><dd dir=\"auto\">%s</dd>",
            cases[i].marked, cases[i].inserted);
        ck_assert_msg(has(&page, expected), "no %s", expected);
        json_decref(page.evidence);
    }
    page_done(&page);
}
END_TEST

// Texts so long that comparing them would take seconds are shown as they are, at once.
START_TEST(long_texts_are_not_compared) {
    enum { WORDS = 200000 };
    Page page = page_open(1);
    Buffer text = {0};
    for (size_t i = 0; i < WORDS; i++)
        buffer_format(&text, "w%zu ", i % 97);
    page.evidence = json_pack("{s:[{s:s, s:s+}, {s:s, s:s}]}", "samples", "original", text.data, "chosen", text.data,
                              "x", "original", "a b", "chosen", "a c");
    CHECK_OK(page_draw(&page));
    ck_assert_uint_eq(count(page.html.data, "<del>"), 2); // in the explanation, and in the short sample
    json_decref(page.evidence);
    buffer_done(&text);
    page_done(&page);
}
END_TEST

START_TEST(faults) {
    Page page = page_open(2);
    size_t failures = 0;
    for (uint64_t nth = 1;; nth++) {
        Buffer out = {0};
        buffer_add_text(&out, "before");
        Arena scratch;
        arena_init(&scratch, 0);
        fault_arm(FAULT_ALLOCATION, nth);
        Status status = report_html(&scratch, page.evidence, &out, &err);
        bool reached = fault_seen(FAULT_ALLOCATION) >= nth;
        fault_arm(FAULT_ALLOCATION, 0);
        ck_assert_msg(status == OK || status == ERR_MEMORY, "allocation %llu: %s", (unsigned long long)nth,
                      err.message);
        ck_assert(status == OK ? strncmp(out.data, "before<!doctype html>", 21) == 0 : strcmp(out.data, "before") == 0);
        failures += status != OK;
        arena_done(&scratch);
        buffer_done(&out);
        if (!reached)
            break;
    }
    ck_assert_uint_gt(failures, 10);
    page_done(&page);
}
END_TEST

TEST_MAIN("compress/report", full_document, figures_are_where_they_belong, policy_names_the_script, small_documents,
          no_evidence, any_member_may_be_missing, what_is_mistyped_is_named, limits, hostile_texts_are_escaped,
          differences, long_texts_are_not_compared, faults)

// SPDX-License-Identifier: Apache-2.0
// Every pass by text: each tests/golden/pass/<pass>/*.hir holds `pass NAME`, perhaps `rule PATTERN=SCHEME` lines, the
// graph before, `---`, and exactly the graph after. A second run must change nothing. HONE_BLESS=1 rewrites the files.
#include <stdio.h>

#include "base/file.h"
#include "check.h"
#include "graph/print.h"
#include "op/op.h"
#include "pass/pass.h"

static Arena arena;
static Error err;

typedef struct Golden {
    const char *path;
    char *head;   // everything up to the end of the `---` line
    char *pass;   // its name
    char *before; // text of the graph
    const char *after;
    QuantizeRule rules[8];
    size_t rule_count;
} Golden;

static char *text_at(const char *from, const char *to) {
    char *text = arena_copy_text(&arena, from, (size_t)(to - from), &err);
    ck_assert_ptr_nonnull(text);
    return text;
}

static Golden golden_read(const char *path) {
    Golden golden = {.path = path};
    Bytes bytes;
    CHECK_OK(file_map(&arena, path, &bytes, &err));
    const char *text = text_at((const char *)bytes.data, (const char *)bytes.data + bytes.size);
    const char *rule = strchr(text, '\n'), *marker = strstr(text, "\n---\n");
    ck_assert_msg(strncmp(text, "pass ", 5) == 0 && rule && marker, "%s: expected 'pass NAME' ... '---'", path);
    golden.pass = text_at(text + 5, rule);
    for (rule++; strncmp(rule, "rule ", 5) == 0; rule = strchr(rule, '\n') + 1) {
        const char *equals = strchr(rule, '='), *end = strchr(rule, '\n');
        bool int8 = strncmp(equals, "=int8", 5) == 0;
        ck_assert(golden.rule_count < ARRAY_COUNT(golden.rules) && equals < end);
        golden.rules[golden.rule_count++] =
            (QuantizeRule){text_at(rule + 5, equals), int8 ? SCHEME_INT8_ROW : SCHEME_DENSE};
    }
    golden.before = text_at(rule, marker + 1);
    golden.head = text_at(text, marker + 5);
    golden.after = marker + 5;
    return golden;
}

static const char *run_and_print(const Golden *golden, Graph *graph) {
    PassInputs inputs = {.rules = golden->rules, .rule_count = golden->rule_count, .verify = true};
    CHECK_OK(passes_run(graph, (const char *const *)&golden->pass, 1, &inputs, NULL, NULL, &err));
    Buffer buffer = {0};
    graph_print(graph, true, &buffer);
    CHECK_OK(buffer_status(&buffer, &err));
    const char *text = text_at(buffer.data, buffer.data + buffer.bytes);
    buffer_done(&buffer);
    return text;
}

static void golden_check(const char *path) {
    Golden golden = golden_read(path);
    Graph *graph;
    CHECK_OK(graph_parse(&arena, path, (Bytes){(unsigned char *)golden.before, strlen(golden.before)}, &graph, &err));
    CHECK_OK(op_verify(graph, &err));
    const char *after = run_and_print(&golden, graph);
    const char *bless = getenv("HONE_BLESS");
    if (bless && strcmp(bless, "1") == 0) {
        char *whole = arena_format(&arena, &err, "%s%s", golden.head, after);
        ck_assert_ptr_nonnull(whole);
        CHECK_OK(file_replace(path, whole, strlen(whole), &err));
    } else {
        ck_assert_msg(strcmp(after, golden.after) == 0, "%s:\n%s--- expected\n%s", path, after, golden.after);
    }
    ck_assert_msg(strcmp(run_and_print(&golden, graph), after) == 0, "%s: a second run changes more", path);
}

START_TEST(test_goldens) {
    arena_init(&arena, 0);
    const char *source = getenv("HONE_SOURCE");
    ck_assert_msg(source != NULL, "HONE_SOURCE names the source tree");
    size_t pass_count, file_count;
    const PassInfo *passes = passes_all(&pass_count);
    for (size_t p = 0; p < pass_count; p++) {
        char **names, *folder = arena_format(&arena, &err, "%s/tests/golden/pass/%s", source, passes[p].name);
        CHECK_OK(folder_list(&arena, folder, &names, &file_count, &err));
        ck_assert_msg(file_count > 0, "pass %s has no golden", passes[p].name);
        for (size_t i = 0; i < file_count; i++)
            golden_check(path_join(&arena, folder, names[i], &err));
    }
    arena_done(&arena);
}
END_TEST

TEST_MAIN("golden", test_goldens)

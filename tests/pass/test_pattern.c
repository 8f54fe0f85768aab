// SPDX-License-Identifier: Apache-2.0
// Patterns over names: globs, regular expressions, what cannot be a pattern.
#include "pass/pattern.h"

#include <stdbool.h>

#include "check.h"

static Error err;

static bool matches(const char *pattern, const char *name) {
    bool result = false;
    CHECK_OK(pattern_matches(pattern, name, &result, &err));
    return result;
}

START_TEST(test_globs) {
    ck_assert(matches("", "") && matches("*", "") && matches("**", "abc") && !matches("", "a") && !matches("?", ""));
    ck_assert(matches("model.*.fc?.weight", "model.encoder.layers.0.fc1.weight"));
    ck_assert(!matches("model.*.fc?.weight", "model.encoder.layers.0.fc1.bias"));
    ck_assert(!matches("fc1", "model.fc1") && !matches("fc1", "fc10") && matches("*fc1*", "model.fc1.weight"));
    ck_assert(matches("a*b*c", "aXbXbXc") && !matches("a*b*c", "aXbXbX") && matches("*aab", "aaaab"));
    ck_assert(matches("?", "\xC3\xA9") && !matches("??", "\xC3\xA9") && matches("*?x", "\xC3\xA9x"));
    ck_assert(matches("a.b", "a.b") && !matches("a.b", "aXb") && matches("[x]", "[x]")); // no other wildcards
    char name[2001], pattern[64] = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
    memset(name, 'a', 2000);
    name[2000] = '\0';
    ck_assert(!matches(pattern, name)); // linear in each star, not exponential
}
END_TEST

START_TEST(test_regular_expressions) {
    ck_assert(matches("re:.*fc[12]\\.weight", "model.fc1.weight") && !matches("re:fc1", "model.fc1"));
    ck_assert(!matches("re:fc1", "fc10") && matches("re:a|ab", "ab") && matches("re:", ""));
    ck_assert(matches("re:.", "\xC3\xA9"));
    bool result;
    CHECK_FAILS(pattern_matches("re:a(b", "x", &result, &err), ERR_USAGE,
                "the pattern 're:a(b' is no regular expression: at character 4, missing closing parenthesis");
    CHECK_FAILS(pattern_matches("re:(a+)+(b|c)", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &result, &err), ERR_LIMIT,
                "cannot be matched with 'aaaa");
    CHECK_FAILS(pattern_matches("re:\xff", "x", &result, &err), ERR_USAGE, "is no regular expression");
    CHECK_FAILS(pattern_matches("re:x", "\xff", &result, &err), ERR_LIMIT, "cannot be matched");
}
END_TEST

TEST_MAIN("pattern", test_globs, test_regular_expressions)

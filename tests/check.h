// SPDX-License-Identifier: Apache-2.0
// What every unit test shares: Check's assertions, one for error texts, and a main from a list of test functions.
#pragma once

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

// The call succeeds; if not, its message is shown. Needs `Error err` in scope, as do those below.
#define CHECK_OK(call)                                                                                                 \
    do {                                                                                                               \
        err.message[0] = '\0';                                                                                         \
        Status check_status_ = (call);                                                                                 \
        ck_assert_msg(check_status_ == OK, "%s failed: %s", #call, err.message);                                       \
    } while (0)

// The call fails with `status` and its message contains `text`.
#define CHECK_FAILS(call, expected_status, text)                                                                       \
    do {                                                                                                               \
        err.message[0] = '\0';                                                                                         \
        Status check_status_ = (call);                                                                                 \
        ck_assert_msg(check_status_ == (expected_status), "%s: status '%s', expected '%s': %s", #call,                 \
                      status_name(check_status_), status_name(expected_status), err.message);                          \
        ck_assert_msg(strstr(err.message, (text)) != NULL, "%s: message '%s' lacks '%s'", #call, err.message, (text)); \
    } while (0)

// Ends a test that lacks what it needs (data that is not part of the repository) and says so; it counts as skipped.
#define CHECK_SKIP(reason)                                                                                             \
    do {                                                                                                               \
        printf("# SKIP %s: %s\n", __func__, (reason));                                                                 \
        fflush(stdout);                                                                                                \
        return;                                                                                                        \
    } while (0)

#define ARRAY_COUNT(array) (sizeof(array) / sizeof *(array))

// The suite as a function, for a program with a main of its own: `TEST_SUITE(run_suite, name, test_a, test_b)`. Each
// test runs in a process of its own with a timeout. Returns main's exit status.
#define TEST_SUITE(function, name, ...)                                                                                \
    static int function(void) {                                                                                        \
        memory_init();                                                                                                 \
        const TTest *tests[] = {__VA_ARGS__};                                                                          \
        Suite *suite = suite_create(name);                                                                             \
        TCase *all = tcase_create(name);                                                                               \
        tcase_set_timeout(all, 240);                                                                                   \
        for (size_t i = 0; i < ARRAY_COUNT(tests); i++)                                                                \
            tcase_add_test(all, tests[i]);                                                                             \
        suite_add_tcase(suite, all);                                                                                   \
        SRunner *runner = srunner_create(suite);                                                                       \
        srunner_run_all(runner, CK_ENV);                                                                               \
        int failed = srunner_ntests_failed(runner);                                                                    \
        srunner_free(runner);                                                                                          \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                                   \
    }

// The program's main: `TEST_MAIN(name, test_a, test_b)`.
#define TEST_MAIN(name, ...)                                                                                           \
    TEST_SUITE(run_suite, name, __VA_ARGS__)                                                                           \
    int main(void) {                                                                                                   \
        return run_suite();                                                                                            \
    }

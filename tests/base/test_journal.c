// SPDX-License-Identifier: Apache-2.0
// A journal keeps whole lines, whatever happened to who wrote them.
#include "base/journal.h"

#include "base/fault.h"
#include "base/scratch.h"

static Error err;

static void expect(Scratch *scratch, const char *path, const char *want) {
    Bytes got;
    CHECK_OK(file_map(&scratch->arena, path, &got, &err));
    ck_assert_msg(got.size == strlen(want) && !memcmp(got.data, want, got.size), "'%.*s' is not '%s'", (int)got.size,
                  (const char *)got.data, want);
}

START_TEST(test_goes_on) {
    Scratch scratch = scratch_make();
    char *part = scratch_path(&scratch, "out.part"), *whole = scratch_path(&scratch, "out");
    Journal *journal;
    CHECK_OK(journal_open(part, &journal, &err));
    CHECK_OK(journal_add(journal, "one\n", 4, &err));
    Journal *second;
    CHECK_FAILS(journal_open(part, &second, &err), ERR_IO, "another process is writing file");
    journal_close(journal);
    expect(&scratch, part, "one\n");
    CHECK_OK(file_replace(part, "one\ntwo\ntor", 11, &err));
    CHECK_OK(journal_open(part, &journal, &err));
    expect(&scratch, part, "one\ntwo\n");
    CHECK_OK(journal_add(journal, "three\n", 6, &err));
    CHECK_OK(journal_commit(journal, whole, &err));
    expect(&scratch, whole, "one\ntwo\nthree\n");
    ck_assert(path_kind(part) == PATH_NONE);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_torn_only) {
    Scratch scratch = scratch_make();
    char *part = scratch_path(&scratch, "out.part");
    char *text = arena_array(&scratch.arena, 200000, 1, &err);
    memset(text, 'x', 200000);
    CHECK_OK(file_replace(part, text, 200000, &err)); // more than one block without a newline
    Journal *journal;
    CHECK_OK(journal_open(part, &journal, &err));
    journal_close(journal);
    expect(&scratch, part, "");
    text[5] = '\n';
    CHECK_OK(file_replace(part, text, 200000, &err));
    CHECK_OK(journal_open(part, &journal, &err));
    journal_close(journal);
    expect(&scratch, part, "xxxxx\n");
    CHECK_FAILS(journal_open(scratch.path, &journal, &err), ERR_IO, "cannot be created");
    scratch_done(&scratch);
}
END_TEST

// Each write that fails is told, and what was there before stays.
START_TEST(test_faults) {
    Scratch scratch = scratch_make();
    char *part = scratch_path(&scratch, "out.part"), *whole = scratch_path(&scratch, "out");
    CHECK_OK(file_replace(part, "one\ntor", 7, &err));
    for (uint64_t nth = 1;; nth++) {
        Journal *journal;
        fault_arm(FAULT_WRITE, nth);
        Status status = journal_open(part, &journal, &err);
        if (status == OK) {
            status = journal_add(journal, "two\n", 4, &err);
            if (status == OK)
                status = journal_commit(journal, whole, &err);
        }
        bool struck = fault_seen(FAULT_WRITE) >= nth;
        fault_arm(FAULT_WRITE, 0);
        ck_assert_int_eq(status, struck ? ERR_IO : OK);
        if (!struck) {
            ck_assert_uint_gt(nth, 3);
            break;
        }
        Bytes got;
        CHECK_OK(file_map(&scratch.arena, part, &got, &err));
        ck_assert(got.size >= 4 && memcmp(got.data, "one\n", 4) == 0);
        CHECK_OK(file_replace(part, "one\ntor", 7, &err));
    }
    expect(&scratch, whole, "one\ntwo\n");
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("journal", test_goes_on, test_torn_only, test_faults)

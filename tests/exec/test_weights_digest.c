// SPDX-License-Identifier: Apache-2.0
// Digests of weight files: remembered by stamp, never for a file that changed a moment ago, and never believed once the
// file or the records changed.
#include "exec/weights_digest.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/scratch.h"

static Error err;
static Scratch scratch;
static DigestKey key;
static char *weights, *records;

static void set_up(void) {
    scratch = scratch_make();
    CHECK_OK(digest_key_draw(&key, &err));
    weights = scratch_path(&scratch, "weights");
    records = scratch_path(&scratch, "files");
    CHECK_OK(file_replace(weights, "contents", 8, &err));
}

static Digest digest_of(const char *contents) {
    Digest digest;
    CHECK_OK(weights_digest(&key, NULL, scratch.path, weights,
                            (Bytes){(const unsigned char *)contents, strlen(contents)}, &digest, &err));
    return digest;
}

START_TEST(test_young_files_are_not_remembered) {
    set_up();
    Digest a = digest_of("contents"), b = digest_of("Contents");
    ck_assert(!digest_equal(&a, &b));
    ck_assert(path_kind(records) == PATH_NONE);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_still_files_are_remembered) {
    set_up();
    usleep(2200000);
    Digest a = digest_of("contents"), b;
    ck_assert(path_kind(records) == PATH_FILE);
    b = digest_of("CONTENTS"); // not looked at: the stamp says that the file is the same
    ck_assert(digest_equal(&a, &b));
    b = digest_of("other size");
    ck_assert(!digest_equal(&a, &b));
    // Records that were damaged count as none.
    Bytes text;
    CHECK_OK(file_map(&scratch.arena, records, &text, &err));
    ck_assert_uint_gt(text.size, DIGEST_TEXT_BYTES + 40);
    char *copy = arena_copy_text(&scratch.arena, (const char *)text.data, text.size, &err);
    for (size_t at = 0; at < text.size; at += 5) {
        copy[at] ^= 1;
        CHECK_OK(file_replace(records, copy, text.size, &err));
        b = digest_of("CONTENTS");
        ck_assert(!digest_equal(&a, &b));
        copy[at] ^= 1;
    }
    CHECK_OK(file_replace(records, copy, text.size, &err));
    b = digest_of("CONTENTS");
    ck_assert(digest_equal(&a, &b));
    // The same bytes, size and time of modification, written again: the time of change tells.
    struct stat info;
    ck_assert_int_eq(stat(weights, &info), 0);
    FILE *file = fopen(weights, "w");
    ck_assert(file && fputs("KONTENTS", file) >= 0 && fclose(file) == 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, weights, (struct timespec[]){info.st_atim, info.st_mtim}, 0), 0);
    b = digest_of("KONTENTS");
    ck_assert(!digest_equal(&a, &b));
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("weights_digest", test_young_files_are_not_remembered, test_still_files_are_remembered)

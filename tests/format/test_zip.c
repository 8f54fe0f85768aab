// SPDX-License-Identifier: Apache-2.0
#include "format/craft.h"
#include "format/torch/zip.h"

static Error err;

// Opens the archive of these entries and reads its entry `name` (NULL: only opens).
static Status try_zip(const CraftEntry *entries, size_t count, bool zip64, const char *name) {
    Arena arena;
    arena_init(&arena, 0);
    Buffer b = {0};
    craft_zip(&b, entries, count, zip64);
    Bytes tight = tight_copy(buffer_bytes(&b)), data;
    Zip zip;
    Status status = zip_open(&arena, tight, &zip, &err);
    if (status == OK && name) {
        ZipEntry *entry = zip_find(&zip, name);
        ck_assert_ptr_nonnull(entry);
        status = zip_data(entry, &data, &err);
        if (status == OK) { // a view of the file itself
            ck_assert(data.data > tight.data && data.data + data.size <= tight.data + tight.size);
            ck_assert_mem_eq(data.data, entries[0].data, entries[0].bytes);
        }
    }
    memory_free((void *)tight.data);
    buffer_done(&b);
    arena_done(&arena);
    return status;
}

START_TEST(good_archives_are_read_in_place) {
    CraftEntry entries[] = {{"x/a", "hello", 5}, {"x/b", "", 0}, {"x/c", "worlds", 6}};
    CHECK_OK(try_zip(entries, 3, false, "x/a"));
    CHECK_OK(try_zip(entries, 3, true, "x/a"));
    CHECK_OK(try_zip(entries, 0, false, NULL));
    entries[0].zip64 = entries[2].zip64 = true;
    CHECK_OK(try_zip(entries, 3, true, "x/a"));
    entries[0].flags = 8;
    CHECK_OK(try_zip(entries, 3, false, "x/a"));
}
END_TEST

START_TEST(bad_archives_are_refused) {
    static const struct {
        CraftEntry entry;
        Status status;
        const char *message;
    } cases[] = {
        {{"b", "xy", 2, .crc_change = 1}, ERR_FORMAT, "zip entry 'b' is damaged: its CRC is"},
        {{"b", "xy", 2, .method = 8}, ERR_UNSUPPORTED, "zip entry 'b' is compressed"},
        {{"b", "xy", 2, .flags = 1}, ERR_UNSUPPORTED, "zip entry 'b' is encrypted"},
        {{"b", "xy", 2, .local_name = "c"}, ERR_FORMAT, "zip entry 'b' differs between the directory and its header"},
        {{"a", "xy", 2}, ERR_FORMAT, "zip entry 'a' is there twice"},
        {{"b", "xy", 2, .claim_bytes = 3}, ERR_FORMAT, "zip entry 'b' claims 3 bytes, but there are only 2"},
        {{"b", "xy", 2, .claim_bytes = UINT64_C(100) << 30, .zip64 = true},
         ERR_FORMAT,
         "claims 107374182400 bytes, but there are only 2"},
        {{"b", "xy", 2, .claim_bytes = UINT64_MAX, .zip64 = true},
         ERR_FORMAT,
         "zip entry 'b' claims 18446744073709551615 bytes"},
        {{"b", "xy", 2, .offset_change = 1}, ERR_FORMAT, "zip entry 'b' is said to begin at byte"},
        {{"b", "xy", 2, .offset_change = UINT64_MAX / 2, .zip64 = true},
         ERR_FORMAT,
         "zip entry 'b' is said to begin at byte"},
        {{"", "xy", 2}, ERR_FORMAT, "entry 1 of the zip directory has no name"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CraftEntry entries[] = {{"a", "hello", 5}, cases[i].entry};
        CHECK_FAILS(try_zip(entries, 2, false, cases[i].entry.name), cases[i].status, cases[i].message);
    }
}
END_TEST

START_TEST(overlapping_entries_are_refused) {
    // The first entry's data holds a whole second entry, whose directory record points into it.
    Buffer inner = {0};
    CraftEntry one = {"b", "xy", 2};
    craft_zip(&inner, &one, 1, false);
    CraftEntry entries[] = {{"a", inner.data, 33}, {"b", "xy", 2}};
    entries[1].offset_change = (uint64_t)-33; // into a's data, where b's local header is as well
    CHECK_FAILS(try_zip(entries, 2, false, NULL), ERR_FORMAT, "zip entries 'a' and 'b' overlap");
    buffer_done(&inner);
}
END_TEST

START_TEST(every_truncation_and_every_flipped_byte_ends_well) {
    Arena arena;
    arena_init(&arena, 0);
    Bytes file = golden(&arena, "strided.pt");
    for (size_t size = 0; size < file.size; size++) {
        Bytes cut = tight_copy((Bytes){file.data, size});
        Zip zip;
        Status status = zip_open(&arena, cut, &zip, &err);
        ck_assert_msg(status == ERR_FORMAT, "%zu bytes: %s", size, status_name(status));
        memory_free((void *)cut.data);
    }
    Bytes bent = tight_copy(file);
    unsigned char *bytes = (unsigned char *)bent.data;
    for (size_t i = 0; i < bent.size; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            bytes[i] ^= (unsigned char)(1 << bit);
            Zip zip;
            Bytes data;
            if (zip_open(&arena, bent, &zip, &err) == OK)
                for (size_t e = 0; e < zip.count; e++)
                    IGNORE_STATUS(zip_data(&zip.entries[e], &data, &err)); // whatever it says, nothing outside is read
            bytes[i] ^= (unsigned char)(1 << bit);
        }
    memory_free(bytes);
    arena_done(&arena);
}
END_TEST

START_TEST(end_records_that_lie) {
    Buffer b = {0};
    Arena arena;
    arena_init(&arena, 0);
    CraftEntry entry = {"a", "hello", 5};
    craft_zip(&b, &entry, 1, true);
    Zip zip;
    size_t end = b.bytes - 22, end64 = end - 20 - 56;
    static const struct {
        size_t at; // from end64 on
        unsigned char byte;
        const char *message;
    } cases[] = {
        {39, 0x7F, "the zip directory claims"},                     // entries, top byte; both counts
        {47, 1, "does not end where the end record begins"},        // directory bytes
        {55, 1, "does not end where the end record begins"},        // directory offset
        {56 + 15, 1, "the zip64 end record is said to be at byte"}, // locator
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char kept = b.data[end64 + cases[i].at], kept_here = b.data[end64 + 31];
        b.data[end64 + cases[i].at] = (char)cases[i].byte;
        if (cases[i].at == 39)
            b.data[end64 + 31] = (char)cases[i].byte;
        CHECK_FAILS(zip_open(&arena, buffer_bytes(&b), &zip, &err), ERR_FORMAT, cases[i].message);
        b.data[end64 + cases[i].at] = kept;
        b.data[end64 + 31] = kept_here;
    }
    b.data[end64 + 16] = 1;
    CHECK_FAILS(zip_open(&arena, buffer_bytes(&b), &zip, &err), ERR_UNSUPPORTED, "one of several parts");
    buffer_done(&b);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("format/zip", good_archives_are_read_in_place, bad_archives_are_refused, overlapping_entries_are_refused,
          every_truncation_and_every_flipped_byte_ends_well, end_records_that_lie)

// SPDX-License-Identifier: Apache-2.0
// Zip directories: find the end record, walk the central directory, hold each entry against its local header, then
// check that the entries, sorted by place, do not overlap.
#include "format/torch/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    MOST_COMMENT_BYTES = 65535,
    FLAG_ENCRYPTED = 1,
    FLAG_SIZES_FOLLOW = 8, // sizes and CRC stand behind the data; the local header may hold zeros
    EXTRA_ZIP64 = 1,
};

static const char end_magic[] = "PK\5\6", end64_magic[] = "PK\6\6", locator_magic[] = "PK\6\7",
                  central_magic[] = "PK\1\2", local_magic[] = "PK\3\4";

static uint16_t u16(const unsigned char *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const unsigned char *p) {
    return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t u64(const unsigned char *p) {
    return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static bool magic_at(Bytes file, uint64_t at, const char *magic) {
    return at <= file.size && file.size - at >= 4 && memcmp(file.data + at, magic, 4) == 0;
}

bool zip_recognise(Bytes file) {
    return magic_at(file, 0, local_magic) || magic_at(file, 0, end_magic);
}

// Where the central directory lies, by the end records.
typedef struct Directory {
    uint64_t begin, bytes, entries;
    uint64_t end; // where the end records begin
} Directory;

static Status end_find(Bytes file, size_t *ret_at, Error *err) {
    if (file.size >= END_BYTES) {
        size_t lowest = file.size > END_BYTES + MOST_COMMENT_BYTES ? file.size - END_BYTES - MOST_COMMENT_BYTES : 0;
        for (size_t at = file.size - END_BYTES;; at--) {
            if (magic_at(file, at, end_magic) && at + END_BYTES + u16(file.data + at + 20) == file.size) {
                *ret_at = at;
                return OK;
            }
            if (at == lowest)
                break;
        }
    }
    return FAIL(err, ERR_FORMAT,
                "the zip archive has no end record in its last bytes: the file of %zu bytes is cut off or damaged",
                file.size);
}

static Status directory_find(Bytes file, Directory *ret, Error *err) {
    size_t end = 0;
    TRY(end_find(file, &end, err));
    const unsigned char *p = file.data + end;
    Directory d = {.begin = u32(p + 16), .bytes = u32(p + 12), .entries = u16(p + 10), .end = end};
    uint32_t disk = u16(p + 4), directory_disk = u16(p + 6);
    uint64_t entries_here = u16(p + 8);
    if (end >= LOCATOR_BYTES && magic_at(file, end - LOCATOR_BYTES, locator_magic)) {
        uint64_t at = u64(file.data + end - LOCATOR_BYTES + 8);
        if (!magic_at(file, at, end64_magic) || at > end - LOCATOR_BYTES || end - LOCATOR_BYTES - at < END64_BYTES)
            return FAIL(err, ERR_FORMAT, "the zip64 end record is said to be at byte %llu of %zu, but is not",
                        (unsigned long long)at, file.size);
        p = file.data + at;
        d = (Directory){.begin = u64(p + 48), .bytes = u64(p + 40), .entries = u64(p + 32), .end = at};
        disk = u32(p + 16);
        directory_disk = u32(p + 20);
        entries_here = u64(p + 24);
    }
    if (disk || directory_disk || entries_here != d.entries)
        return FAIL(err, ERR_UNSUPPORTED, "the zip archive is one of several parts");
    if (d.begin > d.end || d.bytes != d.end - d.begin)
        return FAIL(
            err, ERR_FORMAT,
            "the zip directory of %llu bytes at byte %llu does not end where the end record begins, at byte %llu",
            (unsigned long long)d.bytes, (unsigned long long)d.begin, (unsigned long long)d.end);
    if (d.entries > d.bytes / CENTRAL_BYTES)
        return FAIL(err, ERR_FORMAT, "the zip directory claims %llu entries in %llu bytes",
                    (unsigned long long)d.entries, (unsigned long long)d.bytes);
    *ret = d;
    return OK;
}

// One record of the central directory.
typedef struct Central {
    uint64_t stored, size, local; // bytes stored, bytes unpacked, offset of the local header
    size_t name_bytes, record_bytes;
    uint16_t flags, method;
    uint32_t crc;
} Central;

// The 64-bit values that stand in for those of `c` that are all ones.
static bool zip64_apply(const unsigned char *extra, size_t bytes, Central *c) {
    uint64_t *wide[] = {&c->size, &c->stored, &c->local};
    while (bytes >= 4) {
        size_t field = u16(extra + 2);
        if (field > bytes - 4)
            return false;
        if (u16(extra) == EXTRA_ZIP64) {
            const unsigned char *value = extra + 4;
            for (int i = 0; i < 3; i++) {
                if (*wide[i] != UINT32_MAX)
                    continue;
                if (field < 8)
                    return false;
                *wide[i] = u64(value);
                value += 8;
                field -= 8;
            }
            return true;
        }
        extra += 4 + field;
        bytes -= 4 + field;
    }
    return c->size != UINT32_MAX && c->stored != UINT32_MAX && c->local != UINT32_MAX;
}

static Status central_read(const unsigned char *p, uint64_t left, uint64_t index, Central *ret, Error *err) {
    unsigned long long entry = index;
    if (left < CENTRAL_BYTES || memcmp(p, central_magic, 4) != 0)
        return FAIL(err, ERR_FORMAT, "entry %llu of the zip directory is cut off or damaged", entry);
    Central c = {.flags = u16(p + 8),
                 .method = u16(p + 10),
                 .crc = u32(p + 16),
                 .stored = u32(p + 20),
                 .size = u32(p + 24),
                 .local = u32(p + 42),
                 .name_bytes = u16(p + 28)};
    size_t extra_bytes = u16(p + 30);
    c.record_bytes = CENTRAL_BYTES + c.name_bytes + extra_bytes + u16(p + 32);
    if (c.record_bytes > left)
        return FAIL(err, ERR_FORMAT, "entry %llu of the zip directory ends beyond the directory", entry);
    if (c.name_bytes == 0 || memchr(p + CENTRAL_BYTES, '\0', c.name_bytes))
        return FAIL(err, ERR_FORMAT, "entry %llu of the zip directory has no name, or one with a NUL", entry);
    if (!zip64_apply(p + CENTRAL_BYTES + c.name_bytes, extra_bytes, &c))
        return FAIL(err, ERR_FORMAT, "entry %llu of the zip directory has a damaged zip64 field", entry);
    *ret = c;
    return OK;
}

// Holds an entry against its local header and finds its data, which has to end before `limit`.
static Status local_read(Bytes file, const Central *c, const char *name, uint64_t limit, Bytes *ret_data, Error *err) {
    if (c->flags & FLAG_ENCRYPTED)
        return FAIL(err, ERR_UNSUPPORTED, "zip entry '%s' is encrypted", name);
    if (!magic_at(file, c->local, local_magic) || c->local > limit || limit - c->local < LOCAL_BYTES)
        return FAIL(err, ERR_FORMAT, "zip entry '%s' is said to begin at byte %llu, but does not", name,
                    (unsigned long long)c->local);
    const unsigned char *p = file.data + c->local;
    uint64_t left = limit - c->local - LOCAL_BYTES, names = (uint64_t)u16(p + 26) + u16(p + 28);
    if (u16(p + 26) != c->name_bytes || names > left || memcmp(p + LOCAL_BYTES, name, c->name_bytes) != 0 ||
        u16(p + 8) != c->method || (!(u16(p + 6) & FLAG_SIZES_FOLLOW) && u32(p + 14) != c->crc))
        return FAIL(err, ERR_FORMAT, "zip entry '%s' differs between the directory and its header at byte %llu", name,
                    (unsigned long long)c->local);
    if (c->stored > left - names)
        return FAIL(err, ERR_FORMAT, "zip entry '%s' claims %llu bytes, but there are only %llu before the directory",
                    name, (unsigned long long)c->stored, (unsigned long long)(left - names));
    if (c->method == 0 && c->stored != c->size)
        return FAIL(err, ERR_FORMAT, "zip entry '%s' is stored in %llu bytes but claims %llu", name,
                    (unsigned long long)c->stored, (unsigned long long)c->size);
    *ret_data = (Bytes){p + LOCAL_BYTES + names, (size_t)c->stored};
    return OK;
}

static int by_place(const void *a, const void *b) {
    const unsigned char *left = ((const ZipEntry *)a)->data.data, *right = ((const ZipEntry *)b)->data.data;
    return left < right ? -1 : left > right;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ZipEntry *)a)->name, ((const ZipEntry *)b)->name);
}

// No two entries share a byte (headers included), no two have one name. Leaves them sorted by name.
static Status entries_check(Zip *zip, Error *err) {
    ZipEntry *entries = zip->entries;
    if (zip->count)
        qsort(entries, zip->count, sizeof *entries, by_place);
    for (size_t i = 1; i < zip->count; i++) {
        const unsigned char *end = entries[i - 1].data.data + entries[i - 1].data.size;
        size_t header = LOCAL_BYTES + strlen(entries[i].name); // at least
        if (entries[i].data.data < end || (size_t)(entries[i].data.data - end) < header)
            return FAIL(err, ERR_FORMAT, "zip entries '%s' and '%s' overlap", entries[i - 1].name, entries[i].name);
    }
    if (zip->count)
        qsort(entries, zip->count, sizeof *entries, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (strcmp(entries[i - 1].name, entries[i].name) == 0)
            return FAIL(err, ERR_FORMAT, "zip entry '%s' is there twice", entries[i].name);
    return OK;
}

Status zip_open(Arena *arena, Bytes file, Zip *ret_zip, Error *err) {
    Directory directory = {0};
    TRY(directory_find(file, &directory, err));
    Zip zip = {.count = (size_t)directory.entries, .first = ""};
    TRY_NEW(zip.entries = arena_array(arena, zip.count, sizeof *zip.entries, err));
    const unsigned char *p = file.data + directory.begin;
    uint64_t left = directory.bytes;
    for (size_t i = 0; i < zip.count; i++) {
        Central c = {0};
        TRY(central_read(p, left, i, &c, err));
        char *name = arena_copy_text(arena, (const char *)p + CENTRAL_BYTES, c.name_bytes, err);
        TRY_NEW(name);
        zip.entries[i] = (ZipEntry){.name = name, .crc = c.crc, .method = c.method};
        TRY(local_read(file, &c, name, directory.begin, &zip.entries[i].data, err));
        p += c.record_bytes;
        left -= c.record_bytes;
        if (i == 0)
            zip.first = name;
    }
    if (left)
        return FAIL(err, ERR_FORMAT, "the zip directory has %llu bytes behind its last entry",
                    (unsigned long long)left);
    TRY(entries_check(&zip, err));
    *ret_zip = zip;
    return OK;
}

ZipEntry *zip_find(const Zip *zip, const char *name) {
    ZipEntry key = {.name = name};
    return zip->count ? bsearch(&key, zip->entries, zip->count, sizeof key, by_name) : NULL;
}

Status zip_data(ZipEntry *entry, Bytes *ret_data, Error *err) {
    if (entry->method != 0)
        return FAIL(err, ERR_UNSUPPORTED,
                    "zip entry '%s' is compressed; torch.save stores entries as they are, save the file anew with it",
                    entry->name);
    if (!entry->checked) {
        uint32_t crc = (uint32_t)crc32_z(0, entry->data.data, entry->data.size);
        if (crc != entry->crc)
            return FAIL(err, ERR_FORMAT, "zip entry '%s' is damaged: its CRC is %08x, expected %08x", entry->name, crc,
                        entry->crc);
        entry->checked = true;
    }
    *ret_data = entry->data;
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Records of files: one line each, newest first, under a line with the digest of the rest.
#include "exec/weights_digest.h"

#include <inttypes.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/own.h"

enum { MOST_RECORDS = 256, LINE_BYTES = 160, STILL_NS = 2000000000 };

static const char name[] = "files";

// "device inode bytes modified changed " as records begin.
static int stamp_text(const FileStamp *stamp, char ret_text[LINE_BYTES]) {
    return snprintf(ret_text, LINE_BYTES, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " ", stamp->device,
                    stamp->inode, stamp->bytes, (uint64_t)stamp->modified_ns, (uint64_t)stamp->changed_ns);
}

// The lines of records, without the first; empty when there are none that can be trusted.
static Bytes records_read(Arena *arena, const DigestKey *key, const char *path) {
    Error ignored;
    Bytes file, none = {(const unsigned char *)"", 0};
    if (path_kind(path) != PATH_FILE || file_map_own(arena, path, &file, &ignored) != OK ||
        file.size < DIGEST_TEXT_BYTES || file.size > (size_t)2 * MOST_RECORDS * LINE_BYTES)
        return none;
    Bytes records = {file.data + DIGEST_TEXT_BYTES, file.size - DIGEST_TEXT_BYTES};
    char expected[DIGEST_TEXT_BYTES];
    Digest digest = digest_make(key, records.data, records.size);
    digest_text(&digest, expected);
    return memcmp(file.data, expected, DIGEST_TEXT_BYTES - 1) == 0 ? records : none;
}

static bool digest_parse(const unsigned char *text, size_t bytes, Digest *ret) {
    Digest digest;
    for (size_t i = 0; i < sizeof digest.bytes; i++) {
        char pair[3] = {0}, *end;
        if (bytes < 2 * i + 2)
            return false;
        memcpy(pair, text + 2 * i, 2);
        digest.bytes[i] = (unsigned char)strtoul(pair, &end, 16);
        if (end != pair + 2)
            return false;
    }
    *ret = digest;
    return true;
}

static bool record_find(Bytes records, const char *stamp, size_t length, Digest *ret) {
    for (size_t at = 0; at < records.size;) {
        const unsigned char *line = records.data + at, *end = memchr(line, '\n', records.size - at);
        size_t bytes = end ? (size_t)(end - line) : records.size - at;
        if (bytes > length && memcmp(line, stamp, length) == 0)
            return digest_parse(line + length, bytes - length, ret);
        at += bytes + 1;
    }
    return false;
}

// The new record first, then as many of the old as there is room for, those of the same file left out.
static void record_add(const DigestKey *key, const char *path, Bytes records, const char *stamp, const Digest *digest) {
    Error ignored;
    char text[DIGEST_TEXT_BYTES];
    Buffer rest = {0}, file = {0};
    digest_text(digest, text);
    buffer_format(&rest, "%s%s\n", stamp, text);
    const char *same = strchr(strchr(stamp, ' ') + 1, ' '); // device and inode
    size_t lines = 1;
    for (size_t at = 0; at < records.size && lines < MOST_RECORDS;) {
        const unsigned char *line = records.data + at, *end = memchr(line, '\n', records.size - at);
        size_t bytes = end ? (size_t)(end - line) + 1 : records.size - at;
        if (bytes < (size_t)(same - stamp) || memcmp(line, stamp, (size_t)(same - stamp)) != 0) {
            buffer_add(&rest, (const char *)line, bytes);
            lines++;
        }
        at += bytes;
    }
    if (buffer_status(&rest, &ignored) == OK) {
        Digest whole = digest_make(key, rest.data, rest.bytes);
        digest_text(&whole, text);
        buffer_format(&file, "%s\n", text);
        buffer_add(&file, rest.data, rest.bytes);
        FileWriter *writer;
        if (buffer_status(&file, &ignored) == OK && file_create(path, &writer, &ignored) == OK) {
            if (file_write(writer, file.data, file.bytes, &ignored) == OK)
                IGNORE_STATUS(file_commit_soon(writer, &ignored));
            else
                file_discard(writer);
            file_restrict(path);
        }
    }
    buffer_done(&rest);
    buffer_done(&file);
}

static Status contents_digest(const DigestKey *key, Pool *pool, Bytes contents, Digest *ret, Error *err) {
    size_t pieces = digest_pieces(contents.size);
    Digest *digests = memory_new(pieces + 1, sizeof *digests, err);
    TRY_NEW(digests);
    digest_make_pieces(key, pool, contents.data, contents.size, true, digests);
    *ret = digest_make(key, digests, pieces * sizeof *digests);
    memory_free(digests);
    return OK;
}

Status weights_digest(const DigestKey *key, Pool *pool, const char *folder, const char *path, Bytes contents,
                      Digest *ret_digest, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    FileStamp stamp;
    char text[LINE_BYTES];
    Status status = OK;
    char *records_path = path_join(&arena, folder, name, err);
    bool stamped = records_path && file_stamp(path, &stamp, err) == OK && stamp.bytes == contents.size;
    int length = stamped ? stamp_text(&stamp, text) : 0;
    Bytes records = stamped ? records_read(&arena, key, records_path) : (Bytes){0};
    if (!stamped || !record_find(records, text, (size_t)length, ret_digest)) {
        Digest digest;
        status = contents_digest(key, pool, contents, &digest, err);
        int64_t still = file_clock_ns() - STILL_NS;
        if (status == OK)
            *ret_digest = digest;
        if (status == OK && stamped && stamp.modified_ns < still && stamp.changed_ns < still)
            record_add(key, records_path, records, text, &digest);
    }
    arena_done(&arena);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
// Lines are shuffled and written, then read back as rows.
#include "compress/split.h"

#include <string.h>

#include "base/random.h"

const char *split_part_name(SplitPart part) {
    static const char *const names[SPLIT_PARTS] = {"tuning", "selection", "final"};
    return names[part];
}

// The lines that hold rows.
static Status lines_find(Arena *arena, Bytes file, Bytes **ret_lines, size_t *ret_count, Error *err) {
    size_t most = 1, count = 0;
    for (size_t i = 0; i < file.size; i++)
        most += file.data[i] == '\n';
    Bytes *lines = arena_array(arena, most, sizeof *lines, err);
    TRY_NEW(lines);
    for (size_t at = 0; at < file.size;) {
        const unsigned char *end = memchr(file.data + at, '\n', file.size - at);
        size_t size = end ? (size_t)(end - file.data) - at : file.size - at;
        lines[count] = (Bytes){file.data + at, size};
        count += !data_line_is_blank(lines[count]);
        at += size + 1;
    }
    *ret_lines = lines;
    *ret_count = count;
    return OK;
}

// Fisher and Yates.
static void shuffle(Bytes *lines, size_t count, uint64_t seed) {
    Random random = {seed};
    for (size_t left = count; left > 1; left--) {
        size_t at = random_below(&random, (uint32_t)left);
        Bytes line = lines[at];
        lines[at] = lines[left - 1];
        lines[left - 1] = line;
    }
}

static Status part_write(const char *path, const Bytes *lines, size_t count, char ret_sha256[SHA256_TEXT_BYTES],
                         Error *err) {
    FileWriter *writer;
    Sha256 hash;
    sha256_init(&hash);
    TRY(file_create(path, &writer, err));
    for (size_t i = 0; i < count; i++) {
        Status status = file_write(writer, lines[i].data, lines[i].size, err);
        if (status == OK)
            status = file_write(writer, "\n", 1, err);
        if (status != OK) {
            file_discard(writer);
            return status;
        }
        sha256_add(&hash, lines[i].data, lines[i].size);
        sha256_add(&hash, "\n", 1);
    }
    sha256_text(&hash, ret_sha256);
    return file_commit_soon(writer, err);
}

Status split_make(Arena *arena, const char *data, const char *folder, uint64_t seed, Split *ret_split, Error *err) {
    Split split = {0};
    DataSet all;
    TRY(data_read(arena, data, 0, true, &all, err));
    Bytes file, *lines = NULL;
    TRY(file_map(arena, data, &file, err));
    TRY(lines_find(arena, file, &lines, &split.rows, err));
    if (split.rows < SPLIT_LEAST_ROWS || split.rows > UINT32_MAX)
        return FAIL(err, ERR_FORMAT,
                    "file '%s' has %zu rows, expected at least %d: some to tune on, some to choose by, and some to "
                    "judge the choice",
                    data, split.rows, SPLIT_LEAST_ROWS);
    Sha256 hash;
    sha256_init(&hash);
    sha256_add(&hash, file.data, file.size);
    sha256_text(&hash, split.data_sha256);
    shuffle(lines, split.rows, seed);
    size_t tuning = split.rows / 4 < SPLIT_MOST_TUNING ? split.rows / 4 : SPLIT_MOST_TUNING;
    size_t ends[SPLIT_PARTS] = {tuning, tuning + (split.rows - tuning) / 2, split.rows};
    for (SplitPart part = 0; part < SPLIT_PARTS; part++) {
        size_t first = part ? ends[part - 1] : 0;
        char *name = arena_format(arena, err, "%s.jsonl", split_part_name(part)), *path;
        TRY_NEW(name);
        TRY_NEW(path = path_join(arena, folder, name, err));
        TRY(part_write(path, lines + first, ends[part] - first, split.sha256[part], err));
        TRY(data_read(arena, path, 0, true, &split.parts[part], err));
        split.files[part] = path;
    }
    *ret_split = split;
    return OK;
}

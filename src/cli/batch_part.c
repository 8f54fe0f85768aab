// SPDX-License-Identifier: Apache-2.0
// What is kept beside a batch's output while it grows.
#include "cli/batch_part.h"

#include <string.h>
#include <unistd.h>

#include "base/json.h"

static Status side_write(const char *side, const BatchWork *work, Error *err) {
    Buffer text = {0};
    const char *const names[] = {"input", "model", "shard", "options"};
    const char *const values[] = {work->input_digest, work->model_digest, work->shard, work->options};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        buffer_format(&text, "%s\"%s\":", i ? "," : "{", names[i]);
        buffer_add_json(&text, values[i], strlen(values[i]));
    }
    buffer_add_text(&text, "}\n");
    Status status = buffer_status(&text, err);
    if (status == OK)
        status = file_replace(side, text.data, text.bytes, err);
    buffer_done(&text);
    return status;
}

static Status side_compare(Arena *arena, const char *part, const char *side, const BatchWork *work, Error *err) {
    json_t *value;
    TRY(json_read(arena, side, true, &value, err));
    if (!value)
        return FAIL(err, ERR_USAGE,
                    "'%s' has no '%s' beside it that says what it is of: remove it, or give another OUT", part, side);
    const struct {
        const char *name, *says, *wanted;
    } members[] = {{"input", "another input", work->input_digest},
                   {"model", "another model", work->model_digest},
                   {"shard", "another shard", work->shard},
                   {"options", "other options", work->options}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *was = "";
        TRY(json_get_text(value, side, members[i].name, &was, err));
        bool shown = i >= 2 && *was; // digests tell people nothing
        if (strcmp(was, members[i].wanted) != 0)
            return FAIL(err, ERR_USAGE, "'%s' is of %s%s%s%s: remove it, or give another OUT", part, members[i].says,
                        shown ? " ('" : "", shown ? was : "", shown ? "')" : "");
    }
    return OK;
}

Status batch_part_open(Arena *arena, const char *output, bool resume, const BatchWork *work, BatchPart *ret,
                       Error *err) {
    char *part = arena_format(arena, err, "%s.part", output);
    TRY_NEW(part);
    char *side = arena_format(arena, err, "%s.of", part);
    TRY_NEW(side);
    if (path_kind(output) == PATH_FOLDER)
        return FAIL(err, ERR_IO, "file '%s' cannot be created: it is a folder", output);
    bool there = path_kind(part) != PATH_NONE;
    if (there && !resume)
        return FAIL(err, ERR_USAGE, "'%s' is there from an earlier run: give --resume to go on with it, or remove it",
                    part);
    TRY(there ? side_compare(arena, part, side, work, err) : side_write(side, work, err));
    BatchPart opened = {.output = output, .side = side};
    TRY(journal_open(part, &opened.journal, err));
    Status status = file_map(arena, part, &opened.done, err);
    if (status != OK) {
        journal_close(opened.journal);
        return status;
    }
    *ret = opened;
    return OK;
}

Status batch_part_commit(BatchPart *part, Error *err) {
    Journal *journal = part->journal;
    part->journal = NULL;
    TRY(journal_commit(journal, part->output, err));
    unlink(part->side); // one that stays is written over by the next run
    return OK;
}

Status batch_part_line(Arena *arena, Bytes line, const char *name, const char **ret_id, bool *ret_good, Error *err) {
    json_t *value;
    TRY(json_parse(arena, name, line, false, &value, err));
    const char *id = NULL;
    const json_t *response = NULL;
    int64_t code = 0;
    if (!json_is_object(value) || !json_object_get(value, "custom_id") || !json_object_get(value, "response"))
        return FAIL(err, ERR_FORMAT, "%s: this is no line of a batch's answers", name);
    TRY(json_get_text(value, name, "custom_id", &id, err));
    TRY(json_get_object(value, name, "response", &response, err));
    TRY(json_get_int(response, name, "status_code", 0, 999, &code, err));
    *ret_id = id;
    *ret_good = code == 200;
    return OK;
}

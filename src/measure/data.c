// SPDX-License-Identifier: Apache-2.0
// Reading data rows.
#include "measure/data.h"

#include <string.h>

bool data_line_is_blank(Bytes line) {
    size_t at = 0;
    while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t' || line.data[at] == '\r'))
        at++;
    return at == line.size;
}

Status data_ids_parse(Arena *arena, const json_t *array, const char *name, const char *member, const int32_t **ret_ids,
                      size_t *ret_count, Error *err) {
    size_t count = json_array_size(array);
    if (!json_is_array(array))
        return FAIL(err, ERR_FORMAT, "%s: '%s' must be an array of token ids", name, member);
    int32_t *ids = arena_array(arena, count + 1, sizeof *ids, err);
    TRY_NEW(ids);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id > INT32_MAX)
            return FAIL(err, ERR_FORMAT, "%s: %s[%zu] is no token id", name, member, i);
        ids[i] = (int32_t)id;
    }
    *ret_ids = ids;
    *ret_count = count;
    return OK;
}

static Status references_parse(Arena *arena, const json_t *value, const char *name, DataRow *row, Error *err) {
    const json_t *one = json_object_get(value, "summary"), *many = json_object_get(value, "summaries");
    size_t count = json_is_string(one) ? 1 : json_array_size(many);
    TRY_NEW(row->references = arena_array(arena, count + 1, sizeof *row->references, err));
    for (size_t i = 0; i < count; i++) {
        const json_t *text = json_is_string(one) ? one : json_array_get(many, i);
        if (!json_is_string(text))
            return FAIL(err, ERR_FORMAT, "%s: summaries[%zu] is no string", name, i);
        row->references[i] = (Bytes){(const unsigned char *)json_string_value(text), json_string_length(text)};
    }
    row->reference_count = count;
    return OK;
}

static Status row_fill(Arena *arena, const json_t *value, const char *name, DataRow *row, Error *err) {
    static const char *const sources[] = {"text", "dialogue", "document"};
    const json_t *ids = json_object_get(value, "input_ids");
    if (ids) {
        TRY(data_ids_parse(arena, ids, name, "input_ids", &row->ids, &row->id_count, err));
        if (!row->id_count)
            return FAIL(err, ERR_FORMAT, "%s: input_ids is empty", name);
        const json_t *labels = json_object_get(value, "label_ids");
        if (labels)
            TRY(data_ids_parse(arena, labels, name, "label_ids", &row->labels, &row->label_count, err));
        return OK;
    }
    for (size_t i = 0; i < sizeof sources / sizeof *sources && !row->source; i++) {
        const json_t *text = json_object_get(value, sources[i]);
        if (text && !json_is_string(text))
            return FAIL(err, ERR_FORMAT, "%s: '%s' must be a string", name, sources[i]);
        row->source = json_string_value(text);
        row->source_bytes = json_string_length(text);
    }
    if (!row->source)
        return FAIL(err, ERR_FORMAT, "%s: expected a source under 'text', 'dialogue', 'document' or 'input_ids'", name);
    return references_parse(arena, value, name, row, err);
}

Status data_row_parse(Arena *arena, const char *name, Bytes line, bool needs_reference, DataRow *ret_row, Error *err) {
    json_t *value;
    TRY(json_parse(arena, name, line, false, &value, err));
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: expected a JSON object", name);
    DataRow row = {0};
    TRY(row_fill(arena, value, name, &row, err));
    if (needs_reference && row.source && !row.reference_count)
        return FAIL(err, ERR_FORMAT, "%s: expected a reference under 'summary' or 'summaries'", name);
    if (needs_reference && row.ids && !row.labels)
        return FAIL(err, ERR_FORMAT, "%s: expected 'label_ids' beside 'input_ids'", name);
    *ret_row = row;
    return OK;
}

Status data_read(Arena *arena, const char *path, size_t limit, bool needs_reference, DataSet *ret_set, Error *err) {
    Bytes file;
    TRY(file_map(arena, path, &file, err));
    size_t lines = 1;
    for (size_t i = 0; i < file.size; i++)
        lines += file.data[i] == '\n';
    DataSet set = {0};
    TRY_NEW(set.rows = arena_array(arena, limit && limit < lines ? limit : lines, sizeof *set.rows, err));
    size_t number = 0;
    for (size_t at = 0; at < file.size && !(limit && set.count == limit);) {
        const unsigned char *end = memchr(file.data + at, '\n', file.size - at);
        size_t length = end ? (size_t)(end - file.data) - at : file.size - at;
        Bytes line = {file.data + at, length};
        at += length + 1;
        number++;
        if (data_line_is_blank(line))
            continue;
        char *name = arena_format(arena, err, "file '%s', line %zu", path, number);
        TRY_NEW(name);
        TRY(data_row_parse(arena, name, line, needs_reference, &set.rows[set.count], err));
        bool labelled = set.rows[set.count].ids != NULL;
        if (set.count && labelled != set.labelled)
            return FAIL(err, ERR_FORMAT, "%s: texts and input_ids cannot be mixed in one data set", name);
        set.labelled = labelled;
        set.count++;
    }
    if (!set.count)
        return FAIL(err, ERR_FORMAT, "file '%s' holds no rows", path);
    *ret_set = set;
    return OK;
}

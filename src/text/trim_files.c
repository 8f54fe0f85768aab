// SPDX-License-Identifier: Apache-2.0
// A tokenizer's files with the kept tokens under their new ids: the text is copied, but for dropped items and for
// numbers that are ids.
#include <string.h>

#include "base/json_text.h"
#include "text/build.h"
#include "text/trim.h"

// A text on its way: what lies before `copied` has been written to `out`, or left away.
typedef struct Rewriting {
    Arena *arena;
    const char *name; // begins messages
    Bytes text;
    const json_t *value; // the same, parsed; NULL for files that are no JSON
    const Trim *trim;
    const int32_t *now;
    Buffer out;
    size_t copied;
    Status status; // of the first id that could not be replaced
    Error *err;
} Rewriting;

typedef Status Rewrite(Rewriting *r);

static void copy_to(Rewriting *r, size_t end) {
    if (end > r->copied)
        buffer_add(&r->out, r->text.data + r->copied, end - r->copied);
    r->copied = end;
}

static void number_put(Rewriting *r, size_t start, size_t end, int64_t id) {
    copy_to(r, start);
    buffer_format(&r->out, "%lld", (long long)id);
    r->copied = end;
}

// The number at [start, end) as an old id; -1 when it is none.
static int64_t id_parse(const Rewriting *r, size_t start, size_t end) {
    int64_t id = 0;
    for (size_t at = start; at < end; at++) {
        unsigned char c = r->text.data[at];
        if (c < '0' || c > '9' || id >= (int64_t)r->trim->rows)
            return -1;
        id = 10 * id + (c - '0');
    }
    return start < end && id < (int64_t)r->trim->rows ? id : -1;
}

// The new id of the number there; TOKEN_NONE when it was dropped or never was one.
static int64_t id_now(const Rewriting *r, size_t start, size_t end) {
    int64_t id = id_parse(r, start, end);
    return id < 0 ? TOKEN_NONE : r->now[id];
}

// A number that has to be a kept id (JsonNumbers.found).
static void id_replace(void *context, size_t start, size_t end) {
    Rewriting *r = context;
    int64_t now = id_now(r, start, end);
    if (now >= 0)
        number_put(r, start, end, now);
    else if (r->status == OK)
        r->status = FAIL(r->err, ERR_FORMAT, "%s: %.*s at byte %zu is the id of no token that is special", r->name,
                         end - start < 20 ? (int)(end - start) : 20, (const char *)r->text.data + start, start);
}

// A number that may be one.
static void id_update(void *context, size_t start, size_t end) {
    Rewriting *r = context;
    int64_t now = id_now(r, start, end);
    if (now >= 0)
        number_put(r, start, end, now);
}

typedef struct Keeping {
    Rewriting reading;
    Trim *trim;
} Keeping;

static void id_keep(void *context, size_t start, size_t end) {
    Keeping *keeping = context;
    int64_t id = id_parse(&keeping->reading, start, end);
    if (id >= 0)
        trim_keep(keeping->trim, (size_t)id, KEEP_SPECIAL, keeping->trim->rows);
}

void trim_keep_ids(Trim *trim, Bytes text, TrimKey *is_id) {
    Keeping keeping = {{.text = text, .trim = trim}, trim};
    json_text_numbers(text, json_text_start(text), &(JsonNumbers){is_id, id_keep, &keeping});
}

// The rest of the text behind what was rewritten; all of it in the arena.
static Status rewriting_end(Rewriting *r, Bytes *ret_text, Error *err) {
    copy_to(r, r->text.size);
    Status status = buffer_status(&r->out, err);
    char *text = status == OK ? arena_copy_text(r->arena, r->out.data ? r->out.data : "", r->out.bytes, err) : NULL;
    if (text)
        *ret_text = (Bytes){(const unsigned char *)text, r->out.bytes};
    buffer_done(&r->out);
    return text || status != OK ? status : err->status;
}

Status trim_set_ids(Arena *arena, const Trim *trim, const int32_t *now, Bytes text, TrimKey *is_id, Bytes *ret_text,
                    Error *err) {
    Rewriting r = {.arena = arena, .text = text, .trim = trim, .now = now};
    json_text_numbers(text, json_text_start(text), &(JsonNumbers){is_id, id_update, &r});
    return rewriting_end(&r, ret_text, err);
}

// A list that is being filtered: between two neighbours that stay the text stays too, else one comma is written.
typedef struct Filter {
    bool any, adjoining; // whether an item has stayed; whether the one before did
} Filter;

static Filter filter_begin(Rewriting *r, size_t start) {
    copy_to(r, start + 1);
    return (Filter){false, true};
}

static bool item_stays(Rewriting *r, const JsonItem *item, bool stays, Filter *filter) {
    if (stays && filter->adjoining) {
        copy_to(r, item->from);
    } else if (stays) {
        if (filter->any)
            buffer_add_char(&r->out, ',');
        r->copied = item->from;
    }
    filter->any |= stays;
    filter->adjoining = stays;
    return stays;
}

static bool is_layout_key(const char *key, size_t bytes) {
    return bytes == 3 && (!memcmp(key, "ids", 3) || !memcmp(key, "cls", 3) || !memcmp(key, "sep", 3));
}

// What encoding adds around a text.
static void layout_rewrite(Rewriting *r, size_t start) {
    json_text_numbers(r->text, start, &(JsonNumbers){is_layout_key, id_replace, r});
}

// The id under which loading knows the token that a JSON string spells; TOKEN_NONE without one.
static int64_t id_find(const Rewriting *r, const json_t *token) {
    return token ? tokenizer_find(r->trim->tokenizer, json_string_value(token), json_string_length(token)) : TOKEN_NONE;
}

// The padding's id is its token's; without one it means nothing and becomes 0 if its number is gone.
static void padding_rewrite(Rewriting *r, size_t start) {
    JsonItem id;
    if (!json_text_find(r->text, start, "pad_id", &id))
        return;
    const json_t *token = json_object_get(json_object_get(r->value, "padding"), "pad_token");
    int64_t old = json_is_string(token) ? id_find(r, token) : TOKEN_NONE;
    int64_t now = old >= 0 ? r->now[old] : id_now(r, id.start, id.end);
    number_put(r, id.start, id.end, now >= 0 ? now : 0);
}

// {"token": id, ...}
static void vocab_filter(Rewriting *r, size_t start) {
    Filter filter = filter_begin(r, start);
    JsonWalk walk = json_walk_begin(r->text, start);
    for (JsonItem item; json_walk_next(&walk, &item); r->copied = item.end) {
        int64_t now = id_now(r, item.start, item.end);
        if (item_stays(r, &item, now >= 0, &filter))
            number_put(r, item.start, item.end, now);
    }
}

// [["token", score], ...]: the place is the id.
static void scores_filter(Rewriting *r, size_t start) {
    Filter filter = filter_begin(r, start);
    JsonWalk walk = json_walk_begin(r->text, start);
    size_t id = 0;
    for (JsonItem item; json_walk_next(&walk, &item); r->copied = item.end) {
        size_t place = id++;
        if (item_stays(r, &item, place < r->trim->rows && r->now[place] >= 0, &filter))
            copy_to(r, item.end);
    }
}

static Status merge_stays(const Rewriting *r, const MergeText *merge, Buffer *joined, bool *ret_stays, Error *err) {
    MergeIds ids;
    TRY(merge_find(&r->trim->tokenizer->model, merge, joined, &ids, err));
    *ret_stays = ids.result < r->trim->rows && r->now[ids.result] >= 0;
    return OK;
}

static Status merges_filter(Rewriting *r, size_t start, const json_t *merges, Buffer *joined) {
    Filter filter = filter_begin(r, start);
    JsonWalk walk = json_walk_begin(r->text, start);
    size_t rank = 0;
    for (JsonItem item; json_walk_next(&walk, &item); r->copied = item.end) {
        const json_t *value = json_array_get(merges, rank++);
        MergeText merge;
        bool stays = json_is_string(value) && merge_is_comment(json_string_value(value), json_string_length(value));
        if (!stays) {
            TRY(merge_read(r->name, value, rank - 1, &merge, r->err));
            TRY(merge_stays(r, &merge, joined, &stays, r->err));
        }
        if (item_stays(r, &item, stays, &filter))
            copy_to(r, item.end);
    }
    return OK;
}

static Status model_rewrite(Rewriting *r, size_t start, Buffer *joined) {
    const json_t *model = json_object_get(r->value, "model");
    JsonWalk walk = json_walk_begin(r->text, start);
    for (JsonItem item; json_walk_next(&walk, &item);) {
        unsigned char c = r->text.data[item.start];
        if (json_item_is(r->text, &item, "vocab") && c == '{')
            vocab_filter(r, item.start);
        else if (json_item_is(r->text, &item, "vocab") && c == '[')
            scores_filter(r, item.start);
        else if (json_item_is(r->text, &item, "unk_id") && c != 'n')
            id_replace(r, item.start, item.end);
        else if (json_item_is(r->text, &item, "merges") && c == '[')
            TRY(merges_filter(r, item.start, json_object_get(model, "merges"), joined));
    }
    return OK;
}

// The ids of added tokens are those that loading gave them, whatever the file says.
static void added_rewrite(Rewriting *r, size_t start) {
    const json_t *added = json_object_get(r->value, "added_tokens");
    JsonWalk walk = json_walk_begin(r->text, start);
    size_t place = 0;
    for (JsonItem item, id; json_walk_next(&walk, &item);) {
        int64_t old = id_find(r, json_object_get(json_array_get(added, place++), "content"));
        if (old >= 0 && json_text_find(r->text, item.start, "id", &id))
            number_put(r, id.start, id.end, r->now[old]);
    }
}

static Status tokenizer_rewrite(Rewriting *r) {
    Buffer joined = {0};
    Status status = OK;
    bool model = false;
    JsonWalk walk = json_walk_begin(r->text, json_text_start(r->text));
    for (JsonItem item; status == OK && json_walk_next(&walk, &item);) {
        unsigned char c = r->text.data[item.start];
        if (json_item_is(r->text, &item, "added_tokens") && c == '[')
            added_rewrite(r, item.start);
        else if (json_item_is(r->text, &item, "post_processor"))
            layout_rewrite(r, item.start);
        else if (json_item_is(r->text, &item, "padding"))
            padding_rewrite(r, item.start);
        else if (json_item_is(r->text, &item, "model") && (model = true))
            status = model_rewrite(r, item.start, &joined);
    }
    buffer_done(&joined);
    TRY(status);
    return model ? OK : FAIL(r->err, ERR_UNSUPPORTED, "%s: the key 'model' is spelled with escapes", r->name);
}

static Status vocab_json_rewrite(Rewriting *r) {
    vocab_filter(r, json_text_start(r->text));
    return OK;
}

static Status added_json_rewrite(Rewriting *r) {
    JsonWalk walk = json_walk_begin(r->text, json_text_start(r->text));
    for (JsonItem item; json_walk_next(&walk, &item);)
        id_replace(r, item.start, item.end);
    return OK;
}

// {"added_tokens_decoder": {"50264": {...}}}
static Status config_rewrite(Rewriting *r) {
    JsonItem decoder;
    if (!json_text_find(r->text, json_text_start(r->text), "added_tokens_decoder", &decoder) ||
        r->text.data[decoder.start] != '{')
        return OK;
    JsonWalk walk = json_walk_begin(r->text, decoder.start);
    for (JsonItem item; json_walk_next(&walk, &item);)
        id_replace(r, item.key + 1, item.key_end - 1);
    return OK;
}

// The end of the line that begins at `at`, its newline included.
static size_t line_end(Bytes text, size_t at) {
    const unsigned char *end = memchr(text.data + at, '\n', text.size - at);
    return end ? (size_t)(end - text.data) + 1 : text.size;
}

static Status vocab_lines_rewrite(Rewriting *r) {
    size_t id = 0;
    for (size_t at = 0, end; at < r->text.size; at = end) {
        end = line_end(r->text, at);
        if (id < r->trim->rows && r->now[id] >= 0)
            copy_to(r, end);
        r->copied = end;
        id++;
    }
    return OK;
}

static Status merge_lines_rewrite(Rewriting *r) {
    Buffer joined = {0};
    Status status = OK;
    size_t rank = 0;
    for (size_t at = 0, end; at < r->text.size && status == OK; at = end) {
        end = line_end(r->text, at);
        const char *line = (const char *)r->text.data + at;
        size_t bytes = end - at;
        while (bytes && (line[bytes - 1] == '\n' || line[bytes - 1] == '\r'))
            bytes--;
        bool stays = !bytes || merge_is_comment(line, bytes);
        MergeText merge;
        if (!stays)
            status = merge_split(r->name, line, bytes, rank++, &merge, r->err);
        if (status == OK && !stays)
            status = merge_stays(r, &merge, &joined, &stays, r->err);
        if (stays)
            copy_to(r, end);
        r->copied = end;
    }
    buffer_done(&joined);
    return status;
}

// One file of the folder; `ret_file` stays untouched when there is none of that name.
static Status file_rewrite(const Rewriting *common, const char *folder, const char *name, bool json, Rewrite *rewrite,
                           TrimmedFile *ret_file, Error *err) {
    Rewriting r = *common;
    char *path = path_join(r.arena, folder, name, err);
    TRY_NEW(path);
    if (path_kind(path) != PATH_FILE)
        return OK;
    TRY_NEW(r.name = arena_format(r.arena, err, "file '%s'", path));
    TRY(file_map(r.arena, path, &r.text, err));
    json_t *value = NULL;
    if (json)
        TRY(json_parse(r.arena, r.name, r.text, true, &value, err));
    if (json && !json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: expected a JSON object", r.name);
    r.value = value;
    r.err = err;
    Status status = rewrite(&r);
    if (status == OK)
        status = r.status;
    Bytes text;
    if (status == OK)
        status = rewriting_end(&r, &text, err);
    if (status == OK)
        *ret_file = (TrimmedFile){name, text, false};
    buffer_done(&r.out);
    return status;
}

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && !strcmp(text + length - tail, ending);
}

Status trim_files(Arena *arena, const char *folder, const Trim *trim, const int32_t *now, TrimmedFile **ret_files,
                  size_t *ret_count, Error *err) {
    static const struct {
        const char *name;
        bool json, vocabulary;
        Rewrite *rewrite;
    } kinds[] = {
        {"tokenizer.json", true, true, tokenizer_rewrite},      {"vocab.json", true, true, vocab_json_rewrite},
        {"vocab.txt", false, true, vocab_lines_rewrite},        {"merges.txt", false, false, merge_lines_rewrite},
        {"added_tokens.json", true, false, added_json_rewrite}, {"tokenizer_config.json", true, false, config_rewrite}};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    Rewriting common = {.arena = arena, .trim = trim, .now = now};
    char **names;
    size_t name_count, count = 0;
    bool vocabulary = false;
    TRY(folder_list(arena, folder, &names, &name_count, err));
    TrimmedFile *files = arena_array(arena, KINDS + name_count, sizeof *files, err);
    TRY_NEW(files);
    for (size_t i = 0; i < KINDS; i++) {
        TRY(file_rewrite(&common, folder, kinds[i].name, kinds[i].json, kinds[i].rewrite, &files[count], err));
        vocabulary |= kinds[i].vocabulary && files[count].name;
        count += files[count].name != NULL;
    }
    for (size_t i = 0; i < name_count; i++)
        if (ends_with(names[i], ".model") || ends_with(names[i], ".spm"))
            files[count++] = (TrimmedFile){names[i], {NULL, 0}, true};
    if (!vocabulary)
        return FAIL(err, ERR_UNSUPPORTED,
                    "folder '%s': its tokenizer is a SentencePiece model, which is not rewritten; save it with its "
                    "tokenizer.json first",
                    folder);
    *ret_files = files;
    *ret_count = count;
    return OK;
}

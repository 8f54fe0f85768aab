// SPDX-License-Identifier: Apache-2.0
// The front door: opening by what lies there, and look-ups.
#include "text/tokenizer.h"

#include <string.h>

#include "text/build.h"

const char *const token_roles[ROLE_COUNT] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                             "pad_token", "cls_token", "mask_token"};

enum { FILE_MAX_BYTES = 1 << 30 };

// Runs one reader between load_begin and load_finish; `text` for those that read one file.
typedef Status Reader(Load *load, Bytes text, Error *err);

static Status load_run(Arena *arena, const char *name, Bytes text, Reader *read, const Tokenizer **ret, Error *err) {
    Arena scratch;
    arena_init(&scratch, 0);
    Load load;
    Status status = OK;
    if (text.size > FILE_MAX_BYTES)
        status = FAIL(err, ERR_LIMIT, "%s: %zu bytes, the limit is %d", name, text.size, FILE_MAX_BYTES);
    if (status == OK)
        status = load_begin(arena, &scratch, name, &load, err);
    if (status == OK)
        status = read(&load, text, err);
    if (status == OK)
        status = load_finish(&load, err);
    arena_done(&scratch);
    if (status == OK)
        *ret = load.tokenizer;
    return status;
}

static Status json_reader(Load *load, Bytes text, Error *err) {
    json_t *value;
    TRY(json_parse(load->scratch, load->name, text, true, &value, err));
    return read_tokenizer(load, value, err);
}

Status tokenizer_parse_json(Arena *arena, const char *name, Bytes text, const Tokenizer **ret, Error *err) {
    return load_run(arena, name, text, json_reader, ret, err);
}

Status tokenizer_parse_sentencepiece(Arena *arena, const char *name, Bytes data, const Tokenizer **ret, Error *err) {
    return load_run(arena, name, data, read_sentencepiece, ret, err);
}

static Status folder_reader(Load *load, Bytes path, Error *err) {
    return read_folder(load, (const char *)path.data, err);
}

Status tokenizer_open(Arena *arena, const char *path, const Tokenizer **ret, Error *err) {
    PathKind kind = path_kind(path);
    char *name;
    TRY_NEW(name = arena_format(arena, err, "%s '%s'", kind == PATH_FOLDER ? "folder" : "file", path));
    if (kind == PATH_FOLDER)
        return load_run(arena, name, (Bytes){(const unsigned char *)path, strlen(path)}, folder_reader, ret, err);
    Bytes text;
    TRY(file_map(arena, path, &text, err));
    size_t first = 0;
    while (first < text.size && text.data[first] && strchr(" \t\r\n", text.data[first]))
        first++;
    bool json = first < text.size && text.data[first] == '{';
    return load_run(arena, name, text, json ? json_reader : read_sentencepiece, ret, err);
}

size_t tokenizer_id_bound(const Tokenizer *tokenizer) {
    return tokenizer->id_bound;
}

size_t tokenizer_token_count(const Tokenizer *tokenizer) {
    return tokenizer->token_count;
}

const char *tokenizer_token(const Tokenizer *tokenizer, int64_t id, size_t *ret_bytes) {
    if (id < 0 || id >= tokenizer->id_bound || !tokenizer->spellings[id].text)
        return NULL;
    *ret_bytes = tokenizer->spellings[id].bytes;
    return tokenizer->spellings[id].text;
}

int64_t tokenizer_find(const Tokenizer *tokenizer, const char *token, size_t bytes) {
    uint32_t position = vocab_find(&tokenizer->added_vocab, token, bytes);
    if (position != ID_NONE)
        return tokenizer->added[position].id;
    uint32_t id = vocab_find(&tokenizer->model.vocab, token, bytes);
    return id == ID_NONE ? TOKEN_NONE : (int64_t)id;
}

bool tokenizer_is_special(const Tokenizer *tokenizer, int64_t id) {
    return id >= 0 && id < tokenizer->id_bound && tokenizer->special[id];
}

int64_t tokenizer_special_id(const Tokenizer *tokenizer, const char *role) {
    for (int i = 0; i < ROLE_COUNT; i++)
        if (!strcmp(role, token_roles[i]))
            return tokenizer->roles[i];
    return TOKEN_NONE;
}

bool tokenizer_cleans_up(const Tokenizer *tokenizer) {
    return tokenizer->cleans_up;
}

const Truncation *tokenizer_truncation(const Tokenizer *tokenizer) {
    return tokenizer->truncates ? &tokenizer->truncation : NULL;
}

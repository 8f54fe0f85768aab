// SPDX-License-Identifier: Apache-2.0
// Model folders: tokenizer.json, or the files of the time before it, read by the class that tokenizer_config.json or
// config.json names, with the settings that transformers' converters give that class.
#include <string.h>

#include "base/utf8.h"
#include "text/build.h"

typedef struct Folder {
    const char *path;
    const json_t *config, *model_config, *map, *added; // NULL: no such file
    const char *class;                                 // "Bart" of BartTokenizerFast; NULL: not named
} Folder;

static Status folder_json(Load *load, const char *folder, const char *name, const json_t **ret, Error *err) {
    char *path;
    json_t *value;
    TRY_NEW(path = path_join(load->scratch, folder, name, err));
    TRY(json_read(load->scratch, path, true, &value, err));
    *ret = json_is_object(value) ? value : NULL;
    return OK;
}

// A special token is a string, or an object with its content and flags.
static const json_t *role_token(const Folder *folder, const char *role) {
    const json_t *value = json_object_get(folder->config, role);
    if (!json_is_string(value) && !json_is_object(value))
        value = json_object_get(folder->map, role);
    return value;
}

static Text token_text(const json_t *value) {
    const json_t *content = json_is_object(value) ? json_object_get(value, "content") : value;
    return (Text){json_string_value(content), json_string_length(content)};
}

static int64_t text_find(Load *load, Text text) {
    if (!text.data)
        return TOKEN_NONE;
    for (size_t i = 0; i < load->tokenizer->added_count; i++) {
        const AddedToken *token = &load->tokenizer->added[i];
        if (token->content.bytes == text.bytes && !memcmp(token->content.data, text.data, text.bytes))
            return token->id;
    }
    uint32_t id = vocab_find(&load->tokenizer->model.vocab, text.data, text.bytes);
    return id == ID_NONE ? TOKEN_NONE : (int64_t)id;
}

static int64_t role_find(Load *load, const Folder *folder, const char *role, const char *otherwise) {
    int64_t id = text_find(load, token_text(role_token(folder, role)));
    return id == TOKEN_NONE && otherwise ? text_find(load, (Text){otherwise, strlen(otherwise)}) : id;
}

static Status class_find(Load *load, Folder *folder, Error *err) {
    const char *class = json_string_value(json_object_get(folder->config, "tokenizer_class"));
    class = class ? class : json_string_value(json_object_get(folder->model_config, "tokenizer_class"));
    if (class) {
        const char *end = strstr(class, "Tokenizer");
        TRY_NEW(folder->class =
                    arena_copy_text(load->scratch, class, end ? (size_t)(end - class) : strlen(class), err));
        return OK;
    }
    static const char *const families[][2] = {{"bart", "Bart"},
                                              {"gpt2", "GPT2"},
                                              {"roberta", "Roberta"},
                                              {"bert", "Bert"},
                                              {"distilbert", "DistilBert"},
                                              {"t5", "T5"},
                                              {"mt5", "T5"},
                                              {"mbart", "MBart"},
                                              {"xlm-roberta", "XLMRoberta"},
                                              {"llama", "Llama"},
                                              {"electra", "Electra"},
                                              {"led", "LED"},
                                              {"pegasus", "Pegasus"}};
    const char *family = json_string_value(json_object_get(folder->model_config, "model_type"));
    for (size_t i = 0; family && i < sizeof families / sizeof *families; i++)
        if (!strcmp(family, families[i][0]))
            folder->class = families[i][1];
    return OK;
}

static bool class_is(const Folder *folder, const char *const *names) {
    for (size_t i = 0; folder->class && names[i]; i++)
        if (!strcmp(folder->class, names[i]))
            return true;
    return false;
}

static Status class_refuse(Load *load, const Folder *folder, const char *file, Error *err) {
    return FAIL(err, ERR_UNSUPPORTED,
                "%s: a '%.40sTokenizer' from %s is not supported; save it with its tokenizer.json", load->name,
                folder->class, file);
}

static Status token_add(Load *load, const json_t *value, bool special, Error *err) {
    AddedToken token = {.content = token_text(value), .special = special};
    if (!token.content.data)
        return OK;
    if (json_is_object(value)) {
        TRY(json_get_bool(value, load->name, "special", &token.special, err));
        TRY(json_get_bool(value, load->name, "normalized", &token.normalized, err));
        TRY(json_get_bool(value, load->name, "single_word", &token.single_word, err));
        TRY(json_get_bool(value, load->name, "lstrip", &token.lstrip, err));
        TRY(json_get_bool(value, load->name, "rstrip", &token.rstrip, err));
    }
    return added_token_add(load, token, err);
}

typedef struct Numbered {
    int64_t id;
    const char *key;
    const json_t *value;
} Numbered;

static int numbered_compare(const void *a, const void *b) {
    const Numbered *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

// added_tokens_decoder ({"50264": {...}}) in the order of ids; added_tokens.json ({"<x>": 50265}) likewise.
static Status numbered_add(Load *load, const json_t *object, bool key_is_id, Error *err) {
    Numbered *tokens;
    size_t count = 0;
    if (json_object_size(object) > ADDED_MAX)
        return FAIL(err, ERR_LIMIT, "%s: more than %d added tokens", load->name, ADDED_MAX);
    TRY_NEW(tokens = arena_array(load->scratch, json_object_size(object), sizeof *tokens, err));
    for (void *at = json_object_iter((json_t *)object); at; at = json_object_iter_next((json_t *)object, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        int64_t id = key_is_id ? strtoll(key, NULL, 10) : json_integer_value(value);
        tokens[count++] = (Numbered){id, key, value};
    }
    qsort(tokens, count, sizeof *tokens, numbered_compare);
    for (size_t i = 0; i < count; i++) {
        AddedToken token = {.content = {tokens[i].key, strlen(tokens[i].key)}};
        TRY(key_is_id ? token_add(load, tokens[i].value, false, err) : added_token_add(load, token, err));
    }
    return OK;
}

// What the configuration files add to a vocabulary without tokenizer.json.
static Status specials_add(Load *load, const Folder *folder, Error *err) {
    TRY(numbered_add(load, json_object_get(folder->config, "added_tokens_decoder"), true, err));
    TRY(numbered_add(load, folder->added, false, err));
    for (int i = 0; i < ROLE_COUNT; i++) {
        const json_t *value = role_token(folder, token_roles[i]);
        if (text_find(load, token_text(value)) == TOKEN_NONE ||
            !json_object_get(folder->config, "added_tokens_decoder"))
            TRY(token_add(load, value, true, err));
    }
    const json_t *more = json_object_get(folder->config, "additional_special_tokens");
    more = json_array_size(more) ? more : json_object_get(folder->map, "additional_special_tokens");
    for (size_t i = 0; i < json_array_size(more) && i < ADDED_MAX; i++)
        TRY(token_add(load, json_array_get(more, i), true, err));
    return OK;
}

static Status special_add(Load *load, const char *text, bool lstrip, Error *err) {
    if (vocab_find(&load->tokenizer->model.vocab, text, strlen(text)) == ID_NONE)
        return OK;
    return added_token_add(load, (AddedToken){.content = {text, strlen(text)}, .special = true, .lstrip = lstrip}, err);
}

// merges.txt as the "merges" of a tokenizer.json.
static Status merges_read(Load *load, const char *path, json_t *model, Error *err) {
    Bytes text;
    TRY(file_map(load->scratch, path, &text, err));
    json_t *merges = json_array();
    bool good = merges && json_object_set_new(model, "merges", merges) == 0;
    for (size_t at = 0; at < text.size && good;) {
        const char *line = (const char *)text.data + at;
        const char *end = memchr(line, '\n', text.size - at);
        size_t bytes = end ? (size_t)(end - line) : text.size - at;
        at += bytes + 1;
        if (bytes && line[bytes - 1] == '\r')
            bytes--;
        if (!bytes || merge_is_comment(line, bytes))
            continue;
        json_t *merge = json_stringn(line, bytes);
        if (!merge)
            return FAIL(err, ERR_FORMAT, "file '%s': the line at byte %zu is not UTF-8", path, at - bytes - 1);
        good = json_array_append_new(merges, merge) == 0;
    }
    return good ? OK : FAIL(err, ERR_MEMORY, "no memory for the merges of '%s'", path);
}

static void json_free(void *value) {
    json_decref(value);
}

// GPT-2 and its kin: vocab.json and merges.txt.
static Status byte_level_read(Load *load, const Folder *folder, Error *err) {
    static const char *const known[] = {"GPT2", "Bart",       "Roberta",    "LED", "Longformer",
                                        "Mvp",  "Blenderbot", "PreTrained", NULL};
    static const char *const plain[] = {"GPT2", "PreTrained", NULL};
    if (folder->class && !class_is(folder, known))
        return class_refuse(load, folder, "vocab.json and merges.txt", err);
    char *vocab_path, *merges_path;
    json_t *vocab, *model = json_object();
    TRY_NEW(vocab_path = path_join(load->scratch, folder->path, "vocab.json", err));
    TRY_NEW(merges_path = path_join(load->scratch, folder->path, "merges.txt", err));
    if (!model)
        return FAIL(err, ERR_MEMORY, "no memory for a JSON object");
    TRY(arena_on_free(load->scratch, json_free, model, err));
    TRY(json_read(load->scratch, vocab_path, false, &vocab, err));
    TRY(merges_read(load, merges_path, model, err));
    if (json_object_set(model, "vocab", vocab) || json_object_set_new(model, "type", json_string("BPE")))
        return FAIL(err, ERR_MEMORY, "no memory for a JSON object");
    TRY(read_model(load, model, err));
    PreTokenizer *p;
    TRY_NEW(p = pre_tokenizer_add(load, PRE_TOKENIZER_BYTE_LEVEL, err));
    p->gpt2_split = true;
    TRY(json_get_bool(folder->config, load->name, "add_prefix_space", &p->add_prefix_space, err));
    TRY_NEW(decoder_add(load, DECODER_BYTE_LEVEL, err));
    bool has_ends = text_find(load, (Text){"<s>", 3}) >= 0 && text_find(load, (Text){"</s>", 4}) >= 0;
    bool is_plain = folder->class ? class_is(folder, plain) : !has_ends;
    static const char *const bart[] = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
    for (size_t i = 0; i < 5 && !is_plain; i++)
        TRY(special_add(load, bart[i], i == 4, err));
    if (is_plain)
        TRY(special_add(load, "<|endoftext|>", false, err));
    TRY(specials_add(load, folder, err));
    if (is_plain)
        return read_post_processor(load, NULL, err);
    int64_t cls = role_find(load, folder, "cls_token", "<s>"), sep = role_find(load, folder, "sep_token", "</s>");
    if (folder->class && !strcmp(folder->class, "Blenderbot"))
        return post_around(load, (Around){-1, sep, {sep, -1}, sep}, err);
    return post_around(load, (Around){cls, sep, {sep, sep}, sep}, err);
}

// BERT and its kin: vocab.txt, one token a line.
static Status word_piece_read(Load *load, const Folder *folder, const char *path, Error *err) {
    static const char *const known[] = {"Bert", "DistilBert", "Electra", "MobileBert", "LayoutLM", "PreTrained", NULL};
    if (folder->class && !class_is(folder, known))
        return class_refuse(load, folder, "vocab.txt", err);
    Bytes text;
    TRY(file_map(load->scratch, path, &text, err));
    size_t lines = 0, count = 0;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    Spelling *entries;
    TRY_NEW(entries = arena_array(load->scratch, lines + 1, sizeof *entries, err));
    for (size_t at = 0; at < text.size; count++) {
        const char *line = (const char *)text.data + at;
        const char *end = memchr(line, '\n', text.size - at);
        size_t bytes = end ? (size_t)(end - line) : text.size - at;
        at += bytes + 1;
        while (bytes && strchr(" \t\r\v\f", line[bytes - 1]) && line[bytes - 1])
            bytes--;
        char *copy;
        TRY_NEW(copy = arena_copy_text(load->scratch, line, bytes, err));
        if (bytes > SPELLING_MAX_BYTES || utf8_valid_prefix(copy, bytes) < bytes)
            return FAIL(err, ERR_FORMAT, "file '%s': line %zu is not UTF-8, or longer than %d bytes", path, count + 1,
                        SPELLING_MAX_BYTES);
        entries[count] = (Spelling){copy, (uint32_t)bytes, (uint32_t)count};
    }
    Model *model = &load->tokenizer->model;
    model->type = MODEL_WORD_PIECE;
    model->word_piece.unk_token = (Text){"[UNK]", 5};
    model->word_piece.max_chars = 100;
    TRY(vocab_make(load->arena, load->name, entries, count, &model->vocab, err));
    TRY(word_piece_build(load, (Text){"##", 2}, err));
    Normalizer *n;
    TRY_NEW(n = normalizer_add(load, NORMALIZER_BERT, err));
    n->clean_text = n->chinese = n->lowercase = true;
    TRY(json_get_bool(folder->config, load->name, "do_lower_case", &n->lowercase, err));
    TRY(json_get_bool(folder->config, load->name, "tokenize_chinese_chars", &n->chinese, err));
    n->strip_accents = n->lowercase;
    TRY(json_get_bool(folder->config, load->name, "strip_accents", &n->strip_accents, err));
    TRY_NEW(pre_tokenizer_add(load, PRE_TOKENIZER_BERT, err));
    Decoder *d;
    TRY_NEW(d = decoder_add(load, DECODER_WORD_PIECE, err));
    d->prefix = (Text){"##", 2};
    d->cleanup = true;
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (size_t i = 0; i < 5; i++)
        TRY(special_add(load, specials[i], false, err));
    TRY(specials_add(load, folder, err));
    int64_t cls = role_find(load, folder, "cls_token", "[CLS]"), sep = role_find(load, folder, "sep_token", "[SEP]");
    return post_around(load, (Around){cls, sep, {sep, -1}, sep}, err);
}

// mBART's language codes: where src_lang stands decides which of the two layouts a text gets.
static Status languages_place(Load *load, const Folder *folder, Error *err) {
    static const char *const behind[] = {"MBart", NULL}, *const before[] = {"MBart50", NULL};
    if (!class_is(folder, behind) && !class_is(folder, before))
        return OK;
    const char *language = "en_XX";
    TRY(json_get_text(folder->config, load->name, "src_lang", &language, err));
    int64_t code = text_find(load, (Text){language, strlen(language)}),
            eos = role_find(load, folder, "eos_token", "</s>");
    if (code == TOKEN_NONE)
        return FAIL(err, ERR_FORMAT, "%s: the vocabulary lacks src_lang '%.40s'", load->name, language);
    if (class_is(folder, before))
        return post_around(load, (Around){code, eos, {-1, -1}, eos}, err);
    int32_t *ends;
    TRY(post_around(load, (Around){-1, eos, {-1, -1}, eos}, err));
    TRY_NEW(ends = arena_array(load->arena, 2, sizeof *ends, err));
    ends[0] = (int32_t)eos;
    ends[1] = (int32_t)code;
    PostTemplate *templates[] = {&load->tokenizer->post.single, &load->tokenizer->post.pair};
    for (int i = 0; i < 2; i++) {
        TemplatePiece *last = (TemplatePiece *)&templates[i]->pieces[templates[i]->count - 1];
        *last = (TemplatePiece){-1, ends, 2};
        templates[i]->added = 2;
    }
    return OK;
}

// The codes that mBART (the first 25) and mBART-50 append to their vocabulary, in the order of their ids.
static const char *const language_codes[] = {
    "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT",
    "ja_XX", "kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK",
    "tr_TR", "vi_VN", "zh_CN", "af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE",
    "km_KH", "mk_MK", "ml_IN", "mn_MN", "mr_IN", "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN",
    "te_IN", "th_TH", "tl_XX", "uk_UA", "ur_PK", "xh_ZA", "gl_ES", "sl_SI"};

// mBART and XLM-R: the ids of fairseq, language codes and <mask> behind them.
static Status fairseq_read(Load *load, const Folder *folder, Bytes data, Error *err) {
    load->fairseq = true;
    TRY(read_sentencepiece(load, data, err));
    static const char *const specials[] = {"<s>", "<pad>", "</s>", "<unk>"};
    for (size_t i = 0; i < 4; i++)
        TRY(special_add(load, specials[i], false, err));
    bool xlm = !strcmp(folder->class, "XLMRoberta");
    size_t codes = xlm ? 0 : !strcmp(folder->class, "MBart") ? 25 : sizeof language_codes / sizeof *language_codes;
    for (size_t i = 0; i < codes; i++)
        TRY(added_token_add(load, (AddedToken){.content = {language_codes[i], 5}, .special = true}, err));
    TRY(added_token_add(load, (AddedToken){.content = {"<mask>", 6}, .special = true, .lstrip = true}, err));
    TRY(specials_add(load, folder, err));
    int64_t bos = role_find(load, folder, "bos_token", "<s>"), eos = role_find(load, folder, "eos_token", "</s>");
    return xlm ? post_around(load, (Around){bos, eos, {eos, eos}, eos}, err) : languages_place(load, folder, err);
}

// SentencePiece in a folder: the file's ids, the class's special tokens around them.
static Status sentencepiece_read(Load *load, const Folder *folder, const char *path, Error *err) {
    static const char *const eos_kin[] = {"T5", "MT5", NULL}, *const llama_kin[] = {"Llama", "CodeLlama", "Gemma",
                                                                                    NULL};
    static const char *const bare[] = {"PreTrained", NULL};
    static const char *const fairseq_kin[] = {"MBart", "MBart50", "XLMRoberta", NULL};
    bool fairseq = class_is(folder, fairseq_kin);
    if (folder->class && !class_is(folder, eos_kin) && !class_is(folder, llama_kin) && !class_is(folder, bare) &&
        !fairseq)
        return class_refuse(load, folder, path_name(path), err);
    Bytes data;
    TRY(file_map(load->scratch, path, &data, err));
    if (fairseq)
        return fairseq_read(load, folder, data, err);
    TRY(read_sentencepiece(load, data, err));
    static const char *const specials[] = {"<pad>", "</s>", "<unk>", "<s>"};
    for (size_t i = 0; folder->class && i < 4; i++)
        TRY(special_add(load, specials[i], false, err));
    int64_t extra = class_is(folder, eos_kin) ? 100 : 0;
    TRY(json_get_int(folder->config, load->name, "extra_ids", 0, 100000, &extra, err));
    for (int64_t i = extra - 1; i >= 0; i--) { // T5's sentinels, the last one first
        char text[40];
        snprintf(text, sizeof text, "<extra_id_%lld>", (long long)i);
        TRY(added_token_add(load, (AddedToken){.content = {text, strlen(text)}, .special = true}, err));
    }
    TRY(specials_add(load, folder, err));
    int64_t eos = role_find(load, folder, "eos_token", "</s>"), bos = role_find(load, folder, "bos_token", "<s>");
    if (class_is(folder, eos_kin))
        return post_around(load, (Around){-1, eos, {eos, -1}, eos}, err);
    bool add_bos = class_is(folder, llama_kin), add_eos = false;
    TRY(json_get_bool(folder->config, load->name, "add_bos_token", &add_bos, err));
    TRY(json_get_bool(folder->config, load->name, "add_eos_token", &add_eos, err));
    bos = add_bos ? bos : -1;
    eos = add_eos ? eos : -1;
    return post_around(load, (Around){bos, eos, {eos, bos}, eos}, err);
}

// The first of SentencePiece's usual names, or the only *.model; NULL: none.
static Status model_file_find(Load *load, const char *folder, const char **ret, Error *err) {
    static const char *const usual[] = {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model"};
    char **names;
    size_t count;
    const char *found = NULL;
    TRY(folder_list(load->scratch, folder, &names, &count, err));
    for (size_t i = 0; i < 3 && !found; i++)
        for (size_t j = 0; j < count && !found; j++)
            found = strcmp(names[j], usual[i]) ? NULL : names[j];
    size_t others = 0;
    for (size_t j = 0; j < count && (!found || others); j++) {
        size_t bytes = strlen(names[j]);
        if (bytes > 6 && !strcmp(names[j] + bytes - 6, ".model") && ++others)
            found = names[j];
    }
    if (others > 1)
        return FAIL(err, ERR_FORMAT, "folder '%s' holds %zu SentencePiece models; name the file", folder, others);
    if (found)
        TRY_NEW(found = path_join(load->scratch, folder, found, err));
    *ret = found;
    return OK;
}

static Status vocabulary_read(Load *load, const Folder *folder, Error *err) {
    char *tokenizer, *vocab, *merges, *lines;
    TRY_NEW(tokenizer = path_join(load->scratch, folder->path, "tokenizer.json", err));
    TRY_NEW(vocab = path_join(load->scratch, folder->path, "vocab.json", err));
    TRY_NEW(merges = path_join(load->scratch, folder->path, "merges.txt", err));
    TRY_NEW(lines = path_join(load->scratch, folder->path, "vocab.txt", err));
    if (path_kind(tokenizer) == PATH_FILE) {
        json_t *value;
        TRY(json_read(load->scratch, tokenizer, false, &value, err));
        const char *name = load->name;
        TRY_NEW(load->name = arena_format(load->scratch, err, "file '%s'", tokenizer));
        TRY(read_tokenizer(load, value, err));
        load->name = name;
        return languages_place(load, folder, err);
    }
    if (path_kind(vocab) == PATH_FILE && path_kind(merges) == PATH_FILE)
        return byte_level_read(load, folder, err);
    if (path_kind(lines) == PATH_FILE)
        return word_piece_read(load, folder, lines, err);
    const char *model = NULL;
    TRY(model_file_find(load, folder->path, &model, err));
    if (model)
        return sentencepiece_read(load, folder, model, err);
    return FAIL(
        err, ERR_FORMAT,
        "folder '%s' has no tokenizer: expected tokenizer.json, vocab.json with merges.txt, vocab.txt or a *.model",
        folder->path);
}

Status read_folder(Load *load, const char *path, Error *err) {
    Folder folder = {.path = path};
    TRY(folder_json(load, path, "tokenizer_config.json", &folder.config, err));
    TRY(folder_json(load, path, "config.json", &folder.model_config, err));
    TRY(folder_json(load, path, "special_tokens_map.json", &folder.map, err));
    TRY(folder_json(load, path, "added_tokens.json", &folder.added, err));
    TRY(class_find(load, &folder, err));
    TRY(vocabulary_read(load, &folder, err));
    for (int i = 0; i < ROLE_COUNT; i++)
        load->tokenizer->roles[i] = role_find(load, &folder, token_roles[i], NULL);
    return json_get_bool(folder.config, load->name, "clean_up_tokenization_spaces", &load->tokenizer->cleans_up, err);
}

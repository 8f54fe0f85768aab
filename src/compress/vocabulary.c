// SPDX-License-Identifier: Apache-2.0
// Counting, choosing, cutting, and reading back.
#include "compress/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "compress/quantize.h"
#include "measure/data.h"
#include "measure/known.h"

enum { OUTPUTS_HELD = 64 }; // requests in flight or waiting for an earlier one's answer

typedef struct Work {
    Arena *arena;
    const Model *model;
    const ModelInfo *info;
    const VocabularyOptions *options;
    DataSet data, held_out;
    uint64_t *counts; // [rows] tokens of the data
    Known known;      // of its texts
    Trim trim;
    int32_t *now; // [rows] new ids
    VocabularyReport report;
} Work;

// Calls `take` with the tokens of every text of the data, special tokens included; in the second form with its ids.
typedef Status TokensTake(Work *w, Encoding tokens, Error *err);

static Status row_tokens(Work *w, const DataRow *row, Encoder *encoder, TokensTake *take, Error *err) {
    if (row->ids) {
        TRY(take(w, (Encoding){row->ids, row->id_count}, err));
        return take(w, (Encoding){row->labels, row->label_count}, err);
    }
    for (size_t i = 0; i <= row->reference_count; i++) {
        Bytes text = i ? row->references[i - 1] : (Bytes){(const unsigned char *)row->source, row->source_bytes};
        Encoding tokens;
        TRY(encoder_encode(encoder, (const char *)text.data, text.size, NULL, 0, (EncodeOptions){.add_special = true},
                           &tokens, err));
        TRY(take(w, tokens, err));
    }
    return OK;
}

static Status tokens_count(Work *w, Encoding tokens, Error *err) {
    for (size_t i = 0; i < tokens.count; i++) {
        if ((size_t)tokens.ids[i] >= w->info->vocabulary)
            return FAIL(err, ERR_FORMAT, "file '%s' has the token id %d, and the model's ids end at %zu",
                        w->options->data, tokens.ids[i], w->info->vocabulary - 1);
        w->counts[tokens.ids[i]]++;
    }
    w->report.data_tokens += tokens.count;
    return OK;
}

static Status text_count(Work *w, Encoding tokens, Error *err) {
    TRY(tokens_count(w, tokens, err));
    return known_count(&w->known, tokens.ids, tokens.count, err);
}

static Status data_count(Work *w, Error *err) {
    Encoder *encoder = NULL;
    Status status = known_begin(&w->known, w->arena, model_tokenizer(w->model), err);
    if (status == OK)
        status = encoder_new(model_tokenizer(w->model), &encoder, err);
    for (size_t i = 0; i < w->data.count && status == OK; i++)
        status = row_tokens(w, &w->data.rows[i], encoder, w->data.labelled ? tokens_count : text_count, err);
    if (status == OK)
        status = known_check(&w->known, "file", w->options->data, err);
    encoder_free(encoder);
    known_done(&w->known);
    return status;
}

static Status answer_count(void *context, const Answer *answer, Error *err) {
    Work *w = context;
    if (answer->error) {
        *err = *answer->error;
        return error_context(err, "sample %zu of '%s'", (size_t)(uintptr_t)answer->user, w->options->data);
    }
    for (size_t i = 0; i < answer->sequence_count; i++) {
        const Sequence *sequence = &answer->sequences[i];
        w->report.generated_tokens += sequence->count;
        TRY(tokens_count(w, (Encoding){sequence->ids, sequence->count}, err));
    }
    return OK;
}

static Status rows_push(Work *w, Stream *stream, Error *err) {
    for (size_t i = 0; i < w->data.count; i++) {
        const DataRow *row = &w->data.rows[i];
        Encoding source = {row->ids, row->id_count};
        if (!row->ids)
            TRY(runtime_encode(w->options->runtime, row->source, row->source_bytes, true, &source, err));
        TRY(stream_push(stream, source.ids, source.count, model_generation(w->model), (void *)(uintptr_t)(i + 1), err));
    }
    return stream_finish(stream, err);
}

// With the options that the model's settings name.
static Status outputs_count(Work *w, Error *err) {
    if (!w->options->runtime)
        return OK;
    Stream *stream;
    TRY(stream_new(w->options->runtime->engine, OUTPUTS_HELD, answer_count, w, &stream, err));
    Status status = rows_push(w, stream, err);
    stream_free(stream);
    return status;
}

// Keys of config.json and generation_config.json whose numbers are ids.
static bool is_id_key(const char *key, size_t bytes) {
    static const char *const endings[] = {"_token_id", "_token_ids", "bad_words_ids"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = strlen(endings[i]);
        if (bytes >= length && memcmp(key + bytes - length, endings[i], length) == 0)
            return true;
    }
    return false;
}

static const char *const settings_names[] = {"config.json", "generation_config.json"};
enum { SETTINGS = sizeof settings_names / sizeof *settings_names };

// The text of a settings file, without a size when there is none.
static Status settings_read(Work *w, const char *name, Bytes *ret_text, Error *err) {
    static const char *const mixed[] = {"forced_decoder_ids", "lang_to_id", "task_to_id", "lang_code_to_id"};
    char *path = path_join(w->arena, w->info->folder, name, err);
    TRY_NEW(path);
    *ret_text = (Bytes){0};
    if (path_kind(path) != PATH_FILE)
        return OK;
    json_t *value;
    char *said = arena_format(w->arena, err, "file '%s'", path);
    TRY_NEW(said);
    TRY(file_map(w->arena, path, ret_text, err));
    TRY(json_parse(w->arena, said, *ret_text, true, &value, err));
    for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++) {
        const json_t *member = json_object_get(value, mixed[i]);
        if (member && !json_is_null(member))
            return FAIL(err, ERR_UNSUPPORTED, "%s: '%s' holds ids among other numbers, which are not rewritten", said,
                        mixed[i]);
    }
    return OK;
}

static Status settings_keep(Work *w, Error *err) {
    for (size_t i = 0; i < SETTINGS; i++) {
        Bytes text;
        TRY(settings_read(w, settings_names[i], &text, err));
        if (text.size)
            trim_keep_ids(&w->trim, text, is_id_key);
    }
    return OK;
}

typedef struct Candidate {
    uint64_t count;
    uint32_t id;
} Candidate;

// The most frequent first; of equal ones the lower id, which merges made earlier and other vocabularies list by
// frequency.
static int by_count(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : (x->id > y->id) - (x->id < y->id);
}

// Whether a text can lead to the id: some token is spelled so, and no later one is.
static bool is_reachable(const Tokenizer *tokenizer, uint32_t id) {
    size_t bytes;
    const char *token = tokenizer_token(tokenizer, id, &bytes);
    return token && tokenizer_find(tokenizer, token, bytes) == (int64_t)id;
}

static size_t step_up(size_t rows) {
    return (rows + VOCABULARY_STEP - 1) / VOCABULARY_STEP * VOCABULARY_STEP;
}

// The rows that may stay, all of them where no amount was given.
static Status rows_allowed(Work *w, size_t *ret_most, Error *err) {
    size_t rows = w->info->vocabulary, removed = 0;
    if (!w->options->amount) {
        *ret_most = rows;
        return OK;
    }
    char *what = arena_format(w->arena, err, "the vocabulary has %zu rows", rows);
    TRY_NEW(what);
    TRY(prune_amount_of(w->options->amount, rows, what, &removed, err));
    size_t most = step_up(rows - removed);
    most = most < rows ? most : rows;
    if (w->trim.kept > most)
        return FAIL(err, ERR_USAGE,
                    "the amount leaves %zu of %zu tokens, and those that every text may need are %zu already", most,
                    rows, w->trim.kept);
    *ret_most = most;
    return OK;
}

static Status tokens_choose(Work *w, Error *err) {
    size_t rows = w->info->vocabulary, most = rows;
    TRY(trim_begin(w->arena, model_tokenizer(w->model), rows, &w->trim, err));
    TRY(settings_keep(w, err));
    TRY(rows_allowed(w, &most, err));
    Candidate *order = arena_array(w->arena, rows, sizeof *order, err);
    TRY_NEW(order);
    for (size_t id = 0; id < rows; id++)
        order[id] = (Candidate){w->counts[id], (uint32_t)id};
    qsort(order, rows, sizeof *order, by_count);
    size_t least = w->options->min_count ? w->options->min_count : 1;
    for (size_t i = 0; i < rows && order[i].count >= least; i++)
        trim_keep(&w->trim, order[i].id, KEEP_USED, most);
    size_t wanted = w->options->amount ? most : step_up(w->trim.kept);
    wanted = wanted <= rows ? wanted : w->trim.kept;
    for (size_t i = 0; i < rows && w->trim.kept < wanted; i++)
        if (is_reachable(w->trim.tokenizer, order[i].id))
            trim_keep(&w->trim, order[i].id, KEEP_ROUNDING, wanted);
    if (w->trim.kept == rows)
        return FAIL(err, ERR_NO, "all %zu tokens of the vocabulary are needed: there is nothing to trim", rows);
    for (size_t id = 0; id < rows; id++) {
        w->report.by_reason[w->trim.reasons[id]]++;
        w->report.covered_tokens += w->trim.reasons[id] ? w->counts[id] : 0;
    }
    w->report.rows = rows;
    w->report.kept = w->trim.kept;
    return trim_number(w->arena, &w->trim, &w->now, err);
}

// The head's bias, where the graph has one.
static const char *bias_name(const Model *model) {
    const Graph *head = model_session(model)->head;
    const Node *linear = head->return_count ? head->returns[0].node : NULL;
    bool biased = linear && linear->op == OP_LINEAR && linear->input_count > 2 && linear->inputs[2].constant;
    return biased ? linear->inputs[2].constant->name : NULL;
}

// A table's rows, and a bias's elements, which lie along one row. Tensors that no graph reads are cut where they have
// the form of one or the other: a bias of zeros, a table under a further name.
static void weight_trim(const Work *w, const uint32_t *kept, const char *bias, Weight *weight) {
    int64_t rows = (int64_t)w->info->vocabulary;
    const Shape *shape = &weight->shape;
    bool unused = weight->role == ROLE_UNUSED, matrix = shape->rank == 2;
    bool table = matrix && shape->dims[0] == rows &&
                 (weight->role == ROLE_EMBEDDING || (unused && shape->dims[1] == (int64_t)w->info->width));
    bool vector =
        (matrix && shape->dims[0] == 1 && shape->dims[1] == rows) || (shape->rank == 1 && shape->dims[0] == rows);
    bool biases = vector && (unused || (bias && strcmp(weight->source->name, bias) == 0));
    if (!table && !biases)
        return;
    if (table)
        weight->kept_rows = kept;
    else
        weight->kept_columns = kept;
    *(table ? &weight->rows : &weight->columns) = w->trim.kept;
    weight->shape.dims[table || !matrix ? 0 : 1] = (int64_t)w->trim.kept;
    weight->bytes = weight->rows * weight->columns * dtype_bytes(weight->dtype);
}

static Status weights_trim(Work *w, WeightList *list, Error *err) {
    TRY(weights_assign(w->arena, w->model, &(QuantizeOptions){0}, list, err));
    uint32_t *kept = arena_array(w->arena, w->trim.kept, sizeof *kept, err);
    TRY_NEW(kept);
    size_t count = 0;
    for (size_t id = 0; id < w->trim.rows; id++)
        if (w->now[id] >= 0)
            kept[count++] = (uint32_t)id;
    const char *bias = bias_name(w->model);
    for (size_t i = 0; i < list->count; i++)
        weight_trim(w, kept, bias, &list->items[i]);
    return OK;
}

static Status files_trim(Work *w, Rewrite *rewrite, Error *err) {
    TrimmedFile *tokenizer, *files;
    size_t count;
    TRY(trim_files(w->arena, w->info->folder, &w->trim, w->now, &tokenizer, &count, err));
    TRY_NEW(files = arena_array(w->arena, count + SETTINGS, sizeof *files, err));
    memcpy(files, tokenizer, count * sizeof *files);
    for (size_t i = 0; i < SETTINGS; i++) {
        Bytes text;
        TRY(settings_read(w, settings_names[i], &text, err));
        if (!text.size)
            continue;
        TRY(trim_set_ids(w->arena, &w->trim, w->now, text, is_id_key, &text, err));
        files[count++] = (TrimmedFile){settings_names[i], text, false};
    }
    for (size_t i = 0; i < count; i++)
        if (files[i].left_out)
            TRY(notes_add(&rewrite->weights.notes, w->arena, err,
                          "'%s' was left out: the ids in it are the old ones, and hone does not rewrite such files",
                          files[i].name));
    rewrite->files = files;
    rewrite->file_count = count;
    return OK;
}

static Status text_compare(const Work *w, Encoder *encoders[2], Bytes text, VocabularyTexts *texts, Error *err) {
    Encoding tokens[2];
    for (int e = 0; e < 2; e++)
        TRY(encoder_encode(encoders[e], (const char *)text.data, text.size, NULL, 0,
                           (EncodeOptions){.add_special = true}, &tokens[e], err));
    bool same = tokens[0].count == tokens[1].count;
    for (size_t i = 0; i < tokens[0].count && same; i++)
        same = w->now[tokens[0].ids[i]] == tokens[1].ids[i];
    texts->texts++;
    texts->changed += !same;
    texts->tokens += tokens[0].count;
    texts->tokens_now += tokens[1].count;
    return OK;
}

static Status texts_compare(const Work *w, Encoder *encoders[2], const DataSet *set, VocabularyTexts *texts,
                            Error *err) {
    for (size_t r = 0; r < set->count && !set->labelled; r++) {
        const DataRow *row = &set->rows[r];
        TRY(text_compare(w, encoders, (Bytes){(const unsigned char *)row->source, row->source_bytes}, texts, err));
        for (size_t i = 0; i < row->reference_count; i++)
            TRY(text_compare(w, encoders, row->references[i], texts, err));
    }
    return OK;
}

// The staged folder's tokenizer against the model's.
static Status folder_check(void *context, const char *folder, Error *err) {
    Work *w = context;
    const Tokenizer *trimmed;
    TRY(tokenizer_open(w->arena, folder, &trimmed, err));
    TRY(trim_check(&w->trim, w->now, trimmed, err));
    Encoder *encoders[2] = {NULL, NULL};
    Status status = encoder_new(w->trim.tokenizer, &encoders[0], err);
    if (status == OK)
        status = encoder_new(trimmed, &encoders[1], err);
    if (status == OK)
        status = texts_compare(w, encoders, &w->data, &w->report.data, err);
    if (status == OK)
        status = texts_compare(w, encoders, &w->held_out, &w->report.held_out, err);
    encoder_free(encoders[0]);
    encoder_free(encoders[1]);
    return status;
}

static Status recipe_make(Work *w, const char **ret_recipe, Error *err) {
    Bytes data;
    TRY(file_map(w->arena, w->options->data, &data, err));
    Sha256 hash;
    char sha256[SHA256_TEXT_BYTES];
    sha256_init(&hash);
    sha256_add(&hash, data.data, data.size);
    sha256_text(&hash, sha256);
    TRY_NEW(*ret_recipe =
                arena_format(w->arena, err,
                             "{\"command\": \"prune\", \"method\": \"vocab\", \"rows\": %zu, \"kept\": %zu, "
                             "\"min_count\": %zu, \"generated\": %s, \"data\": {\"bytes\": %zu, \"sha256\": \"%s\"}}",
                             w->report.rows, w->report.kept, w->options->min_count ? w->options->min_count : 1,
                             w->options->runtime ? "true" : "false", data.size, sha256));
    return OK;
}

static Status data_open(Work *w, Error *err) {
    if (!model_tokenizer(w->model))
        return FAIL(err, ERR_UNSUPPORTED,
                    "folder '%s' has no tokenizer: only ids name its tokens, in your data and elsewhere, and trimming "
                    "would give them others",
                    w->info->folder);
    if (strncmp(w->info->quantization, "none", 4) != 0)
        return FAIL(err, ERR_UNSUPPORTED,
                    "model '%s' is quantized already (%s): trim the model that it was made from, then quantize that",
                    w->info->path, w->info->quantization);
    TRY(data_read(w->arena, w->options->data, 0, false, &w->data, err));
    if (w->options->held_out)
        TRY(data_read(w->arena, w->options->held_out, 0, false, &w->held_out, err));
    TRY_NEW(w->counts = arena_array(w->arena, w->info->vocabulary, sizeof *w->counts, err));
    return OK;
}

Status vocabulary_trim(Arena *arena, const char *path, const char *output, const VocabularyOptions *options,
                       VocabularyReport *ret_report, Error *err) {
    Work w = {.arena = arena, .options = options};
    TRY(model_open(arena, path, false, &w.model, err));
    w.info = model_info(w.model);
    TRY(data_open(&w, err));
    TRY(data_count(&w, err));
    TRY(outputs_count(&w, err));
    TRY(tokens_choose(&w, err));
    char *rows = arena_format(arena, err, "%zu", w.report.kept);
    TRY_NEW(rows);
    Rewrite rewrite = {.model = w.model,
                       .edits = &(ConfigEdit){"vocab_size", rows},
                       .edit_count = 1,
                       .check = folder_check,
                       .check_context = &w,
                       .size = "pruned_bytes",
                       .meter = options->meter};
    TRY(weights_trim(&w, &rewrite.weights, err));
    TRY(files_trim(&w, &rewrite, err));
    TRY(recipe_make(&w, &rewrite.recipe, err));
    TRY(rewrite_model(arena, &rewrite, output, &w.report.files, err));
    *ret_report = w.report;
    return OK;
}

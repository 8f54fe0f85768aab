// SPDX-License-Identifier: Apache-2.0
// The library's promise over the engine's runtime: one lock per model, errors in public form, tokenizing.
#include <pthread.h>
#include <string.h>

#include "api/model.h"
#include "base/memory.h"

enum { USUAL_BATCH = 8, MOST_BATCH = 4096 };

static HoneStatus public_status(Status status) {
    switch (status) {
    case OK:
        return HONE_OK;
    case ERR_USAGE:
        return HONE_ERROR_USAGE;
    case ERR_FORMAT:
        return HONE_ERROR_FORMAT;
    case ERR_LIMIT:
        return HONE_ERROR_LIMIT;
    case ERR_IO:
        return HONE_ERROR_IO;
    case ERR_UNSUPPORTED:
        return HONE_ERROR_UNSUPPORTED;
    case ERR_MEMORY:
        return HONE_ERROR_MEMORY;
    default:
        return HONE_ERROR_INTERNAL;
    }
}

HoneStatus error_publish(Status status, const Error *err, HoneError *ret_error) {
    HoneStatus result = public_status(status);
    if (status != OK && ret_error) {
        *ret_error = (HoneError){.status = result, .exit_code = status_exit_code(status)};
        snprintf(ret_error->message, sizeof ret_error->message, "%s", err->message);
    }
    return result;
}

const char *hone_status_name(HoneStatus status) {
    for (Status s = OK; s < STATUS_COUNT; s++)
        if (public_status(s) == status && (status != HONE_ERROR_INTERNAL || s == ERR_INTERNAL))
            return status_name(s);
    return "unknown";
}

static void info_fill(HoneModel *model) {
    const Runtime *runtime = model->runtime;
    const ModelInfo *info = runtime->info;
    SessionMemory memory = session_memory(engine_session(runtime->engine));
    model->info = (HoneModelInfo){
        .family = info->family,
        .quantization = info->quantization,
        .parameters = info->parameters,
        .weight_bytes = info->weight_bytes,
        .memory_bytes = memory.packed_bytes + memory.activation_bytes + memory.kv_bytes,
        .vocabulary = info->vocabulary,
        .width = info->width,
        .encoder_layers = info->encoder_layers,
        .decoder_layers = info->decoder_layers,
        .most_positions = info->most_positions,
        .has_tokenizer = runtime->encoder != NULL,
    };
}

static Status settings_read(const HoneModelOptions *options, RuntimeSettings *ret, Error *err) {
    HoneModelOptions given = options ? *options : (HoneModelOptions){0};
    RuntimeSettings settings = {.threads = given.threads ? given.threads : cpu_cores(),
                                .batch = given.batch ? given.batch : USUAL_BATCH,
                                .plain = given.plain_runtime != 0,
                                .engine_cache = given.engine_cache};
    if (settings.batch > MOST_BATCH)
        return FAIL(err, ERR_USAGE, "batch is %zu, expected 1 to %d", settings.batch, MOST_BATCH);
    TRY(cpu_choose(given.cpu, &settings.level, err));
    *ret = settings;
    return OK;
}

static Status model_new(const char *path, const HoneModelOptions *options, HoneModel **ret_model, Error *err) {
    RuntimeSettings settings;
    TRY(settings_read(options, &settings, err));
    HoneModel *model = memory_new(1, sizeof *model, err);
    TRY_NEW(model);
    *model = (HoneModel){.batch = settings.batch};
    Status status = runtime_new(path, &settings, &model->runtime, err);
    if (status == OK && pthread_mutex_init(&model->lock, NULL) != 0) {
        runtime_free(model->runtime);
        status = FAIL(err, ERR_MEMORY, "the system gives no lock");
    }
    if (status != OK) {
        memory_free(model);
        return status;
    }
    info_fill(model);
    *ret_model = model;
    return OK;
}

HoneStatus hone_model_open(const char *path, const HoneModelOptions *options, HoneModel **ret_model,
                           HoneError *ret_error) {
    Error err;
    memory_init();
    return error_publish(model_new(path, options, ret_model, &err), &err, ret_error);
}

void hone_model_free(HoneModel *model) {
    if (!model)
        return;
    runtime_free(model->runtime);
    pthread_mutex_destroy(&model->lock);
    memory_free(model);
}

const HoneModelInfo *hone_model_info(const HoneModel *model) {
    return &model->info;
}

static Status need_tokenizer(const HoneModel *model, Error *err) {
    if (!model->runtime->encoder)
        return FAIL(err, ERR_UNSUPPORTED, "model '%s' has no tokenizer files", model->runtime->info->path);
    return OK;
}

static Status tokenize(HoneModel *model, const char *text, size_t bytes, bool plain, int32_t **ret_ids,
                       size_t *ret_count, Error *err) {
    TRY(need_tokenizer(model, err));
    Encoding encoding;
    TRY(encoder_encode(model->runtime->encoder, text, bytes, NULL, 0, (EncodeOptions){.add_special = !plain}, &encoding,
                       err));
    int32_t *ids = memory_new(encoding.count, sizeof *ids, err);
    TRY_NEW(ids);
    if (encoding.count)
        memcpy(ids, encoding.ids, encoding.count * sizeof *ids);
    *ret_ids = ids;
    *ret_count = encoding.count;
    return OK;
}

HoneStatus hone_tokenize(HoneModel *model, const char *text, size_t bytes, int plain, int32_t **ret_ids,
                         size_t *ret_count, HoneError *ret_error) {
    Error err;
    pthread_mutex_lock(&model->lock);
    Status status = tokenize(model, text, bytes, plain != 0, ret_ids, ret_count, &err);
    pthread_mutex_unlock(&model->lock);
    return error_publish(status, &err, ret_error);
}

static Status detokenize(HoneModel *model, const int32_t *ids, size_t count, bool keep, Buffer *text, Error *err) {
    TRY(need_tokenizer(model, err));
    DecodeOptions options = {.skip_special = !keep,
                             .clean_up = tokenizer_cleans_up(model_tokenizer(model->runtime->model))};
    TRY(encoder_decode(model->runtime->encoder, ids, count, options, text, err));
    buffer_add(text, "", 0); // an empty text is a text too
    return buffer_status(text, err);
}

HoneStatus hone_detokenize(HoneModel *model, const int32_t *ids, size_t count, int keep_special, char **ret_text,
                           size_t *ret_bytes, HoneError *ret_error) {
    Error err;
    Buffer text = {0};
    pthread_mutex_lock(&model->lock);
    Status status = detokenize(model, ids, count, keep_special != 0, &text, &err);
    pthread_mutex_unlock(&model->lock);
    if (status == OK) {
        *ret_text = text.data;
        *ret_bytes = text.bytes;
    } else
        buffer_done(&text);
    return error_publish(status, &err, ret_error);
}

void hone_free(void *memory) {
    memory_free(memory);
}

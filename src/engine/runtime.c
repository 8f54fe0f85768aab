// SPDX-License-Identifier: Apache-2.0
// Setting up and taking down what runs a model.
#include "engine/runtime.h"

#include <string.h>

#include "base/memory.h"

void runtime_free(Runtime *runtime) {
    if (!runtime)
        return;
    engine_free(runtime->engine);
    seq2seq_free(runtime->parts);
    encoder_free(runtime->encoder);
    arena_done(&runtime->arena);
    pool_free(runtime->pool);
    memory_free(runtime);
}

RuntimeSettings runtime_follow(const RuntimeSettings *asked, const RuntimeAdvice *advice) {
    RuntimeSettings settings = *asked;
    if (asked->parts) {
        settings.kv_kind = KV_F32;
        settings.lm_head_screen = settings.lookup_decoding = false;
        settings.engine_cache = NULL;
    }
    if (asked->plain || asked->parts)
        return settings;
    if (advice->kv_told && !asked->kv_said)
        settings.kv_kind = advice->kv_kind;
    settings.screen_greedy_only |= advice->lm_head_screen && !asked->lm_head_screen;
    settings.lm_head_screen |= advice->lm_head_screen;
    settings.lookup_decoding |= advice->lookup_decoding;
    return settings;
}

static Status fill(Runtime *runtime, const char *path, CpuLevel level, int threads, const PartsOpener *parts,
                   bool passes, Error *err) {
    kernels_pick(level, &runtime->kernels);
    TRY(pool_new(threads, &runtime->pool, err));
    TRY(parts ? model_open_settings(&runtime->arena, path, &runtime->model, err)
              : model_open(&runtime->arena, path, passes, &runtime->model, err));
    runtime->info = model_info(runtime->model);
    runtime->session = *model_session(runtime->model);
    if (parts) {
        TRY(parts->open(parts->context, path, runtime->info->vocabulary, &runtime->parts, err));
        runtime->session = session_model_in_parts(&runtime->session, runtime->parts);
    }
    return model_tokenizer(runtime->model) ? encoder_new(model_tokenizer(runtime->model), &runtime->encoder, err) : OK;
}

static Status open_with(const char *path, CpuLevel level, int threads, const PartsOpener *parts, bool passes,
                        Runtime **ret_runtime, Error *err) {
    Runtime *runtime = memory_new(1, sizeof *runtime, err);
    TRY_NEW(runtime);
    *runtime = (Runtime){0};
    arena_init(&runtime->arena, 0);
    Status status = fill(runtime, path, level, threads, parts, passes, err);
    if (status != OK) {
        runtime_free(runtime);
        return status;
    }
    *ret_runtime = runtime;
    return OK;
}

Status runtime_open(const char *path, CpuLevel level, int threads, bool passes, Runtime **ret_runtime, Error *err) {
    return open_with(path, level, threads, NULL, passes, ret_runtime, err);
}

EngineSettings runtime_engine_settings(const RuntimeSettings *settings) {
    return (EngineSettings){.kv_kind = settings->kv_kind,
                            .engine_cache = settings->engine_cache,
                            .lm_head_screen = settings->lm_head_screen,
                            .screen_greedy_only = settings->screen_greedy_only,
                            .lookup_decoding = settings->lookup_decoding,
                            .skips_scores = settings->skips_scores};
}

Status runtime_start(Runtime *runtime, const EngineSettings *settings, Error *err) {
    return engine_new(&runtime->session, &runtime->kernels, runtime->pool, settings, &runtime->engine, err);
}

size_t runtime_weight_bytes(const Runtime *runtime) {
    return runtime->parts ? seq2seq_weight_bytes(runtime->parts) : runtime->info->weight_bytes;
}

// Rows that begin together stay one run of the parts: a batch is encoded at once, and the next begins when it has
// ended. Pages, which hold nothing then, are there for all of it, whatever they would take: what bounds memory is the
// batch, its rows of at most most_positions tokens each, and its sources as long as the longest of them.
static void engine_batch_whole(const Runtime *runtime, EngineSettings *engine) {
    engine->whole_batches = true;
    engine->kv_bytes = SIZE_MAX;
    if (!size_multiply(engine->most_requests, runtime->session.most_positions, &engine->most_source_tokens))
        engine->most_source_tokens = 0;
}

Status runtime_new(const char *path, const RuntimeSettings *asked, Runtime **ret_runtime, Error *err) {
    Runtime *runtime = NULL;
    TRY(open_with(path, asked->level, asked->threads, asked->parts, true, &runtime, err));
    const RuntimeSettings *settings = &runtime->settings;
    runtime->settings = runtime_follow(asked, &runtime->info->advice);
    EngineSettings engine = runtime_engine_settings(settings);
    engine.most_requests = settings->batch;
    if (runtime->parts)
        engine_batch_whole(runtime, &engine);
    Status status = runtime_start(runtime, &engine, err);
    if (status != OK) {
        runtime_free(runtime);
        return status;
    }
    *ret_runtime = runtime;
    return OK;
}

Status generation_change(const Model *model, Arena *arena, GenerationChange *change, const void *context,
                         GenerationOptions *ret, Error *err) {
    const GenerationOptions *own = model_generation(model);
    GenerationOptions options = *own;
    size_t vocabulary = model_info(model)->vocabulary;
    if (change)
        TRY(change(context, arena, &options, err));
    Status status = generation_check(&options, vocabulary, err);
    Error of_model;
    if (status == ERR_USAGE && generation_check(own, vocabulary, &of_model) == ERR_USAGE &&
        strcmp(err->message, of_model.message) == 0) { // not the caller's doing
        err->status = ERR_FORMAT;
        return error_context(err, "model '%s', generation settings", model_info(model)->path);
    }
    TRY(status);
    *ret = options;
    return OK;
}

static Status need_tokenizer(const ModelInfo *info, const Encoder *encoder, Error *err) {
    if (!encoder)
        return FAIL(err, ERR_UNSUPPORTED, "model '%s' has no tokenizer files: give input_ids instead of text",
                    info->path);
    return OK;
}

Status source_encode(const ModelInfo *info, Encoder *encoder, const char *text, size_t bytes, bool truncate,
                     Encoding *ret, Error *err) {
    TRY(need_tokenizer(info, encoder, err));
    size_t most = info->most_positions;
    Truncation cut = {.max_tokens = most};
    EncodeOptions options = {.add_special = true, .truncation = truncate ? &cut : NULL};
    Encoding encoding;
    TRY(encoder_encode(encoder, text, bytes, NULL, 0, options, &encoding, err));
    if (encoding.count > most)
        return FAIL(err, ERR_LIMIT,
                    "the text has %zu tokens and the model has %zu positions: shorten it, or give --truncate",
                    encoding.count, most);
    if (!encoding.count)
        return FAIL(err, ERR_FORMAT, "the text is empty: it has no tokens");
    *ret = encoding;
    return OK;
}

Status runtime_encode(Runtime *runtime, const char *text, size_t bytes, bool truncate, Encoding *ret, Error *err) {
    return source_encode(runtime->info, runtime->encoder, text, bytes, truncate, ret, err);
}

Status runtime_decode(Runtime *runtime, const int32_t *ids, size_t count, Buffer *ret_text, Error *err) {
    TRY(need_tokenizer(runtime->info, runtime->encoder, err));
    DecodeOptions options = {.skip_special = true, .clean_up = tokenizer_cleans_up(model_tokenizer(runtime->model))};
    return encoder_decode(runtime->encoder, ids, count, options, ret_text, err);
}

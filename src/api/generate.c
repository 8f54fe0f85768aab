// SPDX-License-Identifier: Apache-2.0
// hone_generate and hone_summarize: inputs through a stream of the model's engine; all of a call's results live in one
// arena. The stream always runs to its end, so that the engine is empty again whatever happened.
#include <string.h>

#include "api/model.h"
#include "base/memory.h"

typedef struct OwnedResults {
    HoneResults results; // first: the public pointer points here
    Arena arena;
} OwnedResults;

typedef struct Generation {
    HoneModel *model;
    bool summarize;
    GenerationOptions options;
    OwnedResults *owned;
    HoneResult *items;
    Buffer text;
    Status failed; // what ends the whole call: lack of memory
    Error error;
} Generation;

static bool is_margin(char c) {
    return c == ' ' || c == '\n';
}

static Status text_keep(Generation *g, const Sequence *sequence, HoneSequence *ret, Error *err) {
    buffer_clear(&g->text);
    TRY(runtime_decode(g->model->runtime, sequence->ids, sequence->count, &g->text, err));
    const char *start = g->text.data ? g->text.data : "";
    size_t bytes = g->text.bytes;
    while (g->summarize && bytes && is_margin(*start))
        start++, bytes--;
    while (g->summarize && bytes && is_margin(start[bytes - 1]))
        bytes--;
    TRY_NEW(ret->text = arena_copy_text(&g->owned->arena, start, bytes, err));
    ret->text_bytes = bytes;
    return OK;
}

static Status sequences_keep(Generation *g, const Answer *answer, HoneResult *result, Error *err) {
    Arena *arena = &g->owned->arena;
    HoneSequence *sequences = arena_array(arena, answer->sequence_count, sizeof *sequences, err);
    TRY_NEW(sequences);
    for (size_t i = 0; i < answer->sequence_count; i++) {
        const Sequence *from = &answer->sequences[i];
        int32_t *ids = arena_array(arena, from->count, sizeof *ids, err);
        TRY_NEW(ids);
        memcpy(ids, from->ids, from->count * sizeof *ids);
        sequences[i] = (HoneSequence){.ids = ids,
                                      .id_count = from->count,
                                      .score = from->score,
                                      .finish = from->finish == FINISH_STOP ? HONE_FINISH_STOP : HONE_FINISH_LENGTH};
        if (g->model->runtime->encoder)
            TRY(text_keep(g, from, &sequences[i], err));
    }
    result->sequences = sequences;
    result->sequence_count = answer->sequence_count;
    return OK;
}

static Status error_keep(Generation *g, const Error *error, HoneResult *result, Error *err) {
    TRY_NEW(result->error = arena_copy_text(&g->owned->arena, error->message, strlen(error->message), err));
    result->status = error_publish(error->status, error, NULL);
    return OK;
}

// A failure here is remembered; what still runs is run to its end and thrown away.
static Status sink(void *context, const Answer *answer, Error *err) {
    (void)err;
    Generation *g = context;
    HoneResult *result = answer->user;
    if (g->failed != OK)
        return OK;
    if (answer->error && answer->error->status == ERR_MEMORY) {
        g->error = *answer->error;
        g->failed = ERR_MEMORY;
    } else if (answer->error)
        g->failed = error_keep(g, answer->error, result, &g->error);
    else
        g->failed = sequences_keep(g, answer, result, &g->error);
    return OK;
}

static Status push(Generation *g, Stream *stream, const HoneInput *input, HoneResult *result, Error *err) {
    Encoding encoding = {input->ids, input->id_count};
    Error refused;
    Status status = OK;
    if (!input->ids && !input->text)
        status = FAIL(&refused, ERR_USAGE, "an input has neither text nor ids");
    else if (!input->ids)
        status = runtime_encode(g->model->runtime, input->text, input->text_bytes, g->summarize, &encoding, &refused);
    if (status != OK)
        return stream_push_error(stream, &refused, result, err);
    result->source_tokens = encoding.count;
    return stream_push(stream, encoding.ids, encoding.count, &g->options, result, err);
}

static Status run(Generation *g, const HoneInput *inputs, size_t count, Error *err) {
    Stream *stream;
    TRY(stream_new(g->model->runtime->engine, 4 * g->model->batch, sink, g, &stream, err));
    Status status = OK;
    for (size_t i = 0; i < count && status == OK && g->failed == OK; i++)
        status = push(g, stream, &inputs[i], &g->items[i], err);
    if (status == OK)
        status = stream_finish(stream, err);
    stream_free(stream);
    if (status == OK && g->failed != OK)
        *err = g->error;
    return status == OK ? g->failed : status;
}

static Status options_read(Generation *g, Arena *arena, const char *json, Error *err) {
    const Model *model = g->model->runtime->model;
    g->options = *model_generation(model);
    json_t *object = NULL;
    Status status = OK;
    if (json)
        status = json_parse(arena, "options", (Bytes){(const unsigned char *)json, strlen(json)}, false, &object, err);
    if (status == OK && json && !json_is_object(object))
        return FAIL(err, ERR_USAGE, "options: expected a JSON object such as {\"num_beams\": 4}");
    if (status == OK && json)
        status = generation_read(arena, object, "options", &g->options, err);
    if (status == ERR_FORMAT) // the caller's argument, not a file
        status = err->status = ERR_USAGE;
    TRY(status);
    return generation_check(&g->options, model_info(model)->vocabulary, err);
}

static Status generate_owned(Generation *g, const HoneInput *inputs, size_t count, const char *json, Error *err) {
    Arena *arena = &g->owned->arena;
    TRY(options_read(g, arena, json, err));
    TRY_NEW(g->items = arena_array(arena, count, sizeof *g->items, err));
    g->owned->results = (HoneResults){g->items, count};
    return run(g, inputs, count, err);
}

static Status generate(HoneModel *model, bool summarize, const HoneInput *inputs, size_t count, const char *json,
                       HoneResults **ret_results, Error *err) {
    Generation g = {.model = model, .summarize = summarize};
    TRY_NEW(g.owned = memory_new(1, sizeof *g.owned, err));
    arena_init(&g.owned->arena, 0);
    Status status = generate_owned(&g, inputs, count, json, err);
    buffer_done(&g.text);
    if (status != OK) {
        hone_results_free(&g.owned->results);
        return status;
    }
    *ret_results = &g.owned->results;
    return OK;
}

static HoneStatus generate_locked(HoneModel *model, bool summarize, const HoneInput *inputs, size_t count,
                                  const char *json, HoneResults **ret_results, HoneError *ret_error) {
    Error err;
    pthread_mutex_lock(&model->lock);
    Status status = generate(model, summarize, inputs, count, json, ret_results, &err);
    pthread_mutex_unlock(&model->lock);
    return error_publish(status, &err, ret_error);
}

HoneStatus hone_generate(HoneModel *model, const HoneInput *inputs, size_t count, const char *options_json,
                         HoneResults **ret_results, HoneError *ret_error) {
    return generate_locked(model, false, inputs, count, options_json, ret_results, ret_error);
}

HoneStatus hone_summarize(HoneModel *model, const HoneInput *inputs, size_t count, const char *options_json,
                          HoneResults **ret_results, HoneError *ret_error) {
    return generate_locked(model, true, inputs, count, options_json, ret_results, ret_error);
}

void hone_results_free(HoneResults *results) {
    if (!results)
        return;
    OwnedResults *owned = (OwnedResults *)results;
    arena_done(&owned->arena);
    memory_free(owned);
}

// SPDX-License-Identifier: Apache-2.0
// Routes that generate: from a body to jobs, and from their ends to an answer.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/completion.h"

static void count_refusal(Visit *visit, MetricRejected reason) {
    Slot *slot = visit->slot ? visit->slot : &visit->server->slots[0];
    metrics_add(slot->metrics, METRIC_REQUESTS_REJECTED, reason, 1);
}

// What can be refused before the body is read: it need not even be sent.
void complete_begin(Visit *visit) {
    Server *server = visit->server;
    Error error;
    if (atomic_load(&server->draining)) {
        error_set(&error, ERR_BUSY, __FILE__, __LINE__, "the server is shutting down: it takes no new requests");
        count_refusal(visit, REJECTED_DRAINING);
        exchange_set_closes(visit->exchange);
        visit_error(visit, 503, NULL, 1, &error);
        return;
    }
    unsigned retry_s;
    if (visit->key && key_begin(server->keys, visit->key, clock_ns(), &retry_s, &error) != OK) {
        count_refusal(visit, REJECTED_KEY_LIMIT);
        visit_error(visit, 429, NULL, retry_s, &error);
        return;
    }
    visit->key_counted = visit->key != NULL;
    if (server->slot_count > 1)
        return; // the body names the model
    visit->slot = &server->slots[0];
    visit->instance = slot_hold(visit->slot);
    if (!service_is_full(visit->instance->service))
        return;
    error_set(&error, ERR_BUSY, __FILE__, __LINE__, "the queue is full: %zu requests wait, which is the limit",
              service_settings(visit->instance->service)->most_queued);
    count_refusal(visit, REJECTED_QUEUE_FULL);
    visit_refuse(visit, &error, NULL);
}

static Completion *completion_new(Visit *visit, Error *err) {
    Completion *completion = arena_array(&visit->arena, 1, sizeof *completion, err);
    if (!completion)
        return NULL;
    *completion = (Completion){.visit = visit, .failure = {.status = OK}};
    pthread_mutex_init(&completion->lock, NULL);
    return completion;
}

// The model that the body or the path names. What a body means depends on its model's own settings, so it may have to
// be read again.
static Status choose_model(Visit *visit, Completion *completion, int *ret_status, const char **ret_param, Error *err) {
    Server *server = visit->server;
    ApiCall *call = &completion->call;
    Slot *slot = visit->slot ? visit->slot : &server->slots[0];
    Bytes body = exchange_body(visit->exchange);
    for (int round = 0; round < 2; round++) {
        if (slot != visit->slot || !visit->instance) {
            if (visit->instance)
                instance_drop(visit->instance);
            visit->slot = slot;
            visit->instance = slot_hold(slot);
        }
        const GenerationOptions *own = model_generation(service_model(visit->instance->service));
        TRY(api_read(&visit->arena, visit->route, body, own, call, ret_param, err));
        const char *name = *visit->name ? visit->name : call->model;
        Slot *named = server_slot(server, name, err);
        if (!named) {
            *ret_status = 404;
            *ret_param = *visit->name ? NULL : "model";
            return err->status;
        }
        if (named == slot)
            return OK;
        slot = named;
    }
    return FAIL(err, ERR_INTERNAL, "the body names another model each time it is read");
}

static size_t most_new_tokens(const ApiCall *call) {
    int64_t length = generation_max_length(&call->options);
    return length > 1 ? (size_t)length - 1 : 1;
}

// About as many as the source will have: four bytes of text make a token or more.
static size_t estimate_tokens(const Completion *completion, const ApiPrompt *prompt) {
    size_t positions = service_info(completion->visit->instance->service)->most_positions;
    size_t tokens = prompt->text ? prompt->bytes / 4 + 1 : prompt->count;
    return (tokens < positions ? tokens : positions) + most_new_tokens(&completion->call);
}

static uint64_t tenant_of(const Visit *visit) {
    return visit->key ? key_tenant(visit->key) : 0;
}

// Of the tenant and of what the body says; keyed, so that no tenant can say what gives the salt of another.
static Status choose_salt(Completion *completion, Error *err) {
    uint64_t tenant = tenant_of(completion->visit);
    const char *said = completion->call.cache_salt ? completion->call.cache_salt : "";
    Buffer text = {0};
    buffer_add(&text, &tenant, sizeof tenant);
    buffer_add_text(&text, said);
    Status status = buffer_status(&text, err);
    if (status == OK) {
        Digest digest = digest_make(&completion->visit->server->digest_key, text.data, text.bytes);
        memcpy(&completion->salt, digest.bytes, sizeof completion->salt);
    }
    buffer_done(&text);
    return status;
}

static void job_changed(void *context) {
    exchange_wake(context);
}

static uint64_t deadline_of(const Completion *completion) {
    const Visit *visit = completion->visit;
    const ApiCall *call = &completion->call;
    uint64_t allowed = call->timeout_said ? call->timeout_ms * 1000000 : visit->server->settings.request_ns;
    return allowed ? exchange_begun_ns(visit->exchange) + allowed : 0;
}

// One job for each part of the source. What was reserved for the source is the first one's.
static Status submit(Completion *completion, CompletionSource *source, size_t reserved, Error *err) {
    Visit *visit = completion->visit;
    const ApiCall *call = &completion->call;
    int priority = visit->key ? key_priority(visit->server->keys, visit->key, call->priority) : call->priority;
    for (size_t i = 0; i < source->source.part_count; i++) {
        JobSpec spec = {
            .ids = source->source.parts[i].ids,
            .count = source->source.parts[i].count,
            .options = call->options,
            .priority = priority,
            .tenant = tenant_of(visit),
            .salt = completion->salt,
            .deadline_ns = deadline_of(completion),
            .reserved_tokens = i == 0 ? reserved : 0,
            .streams = call->stream || call->stop_count,
            .changed = job_changed,
            .context = visit->exchange,
        };
        Job *job;
        TRY(service_submit(visit->instance->service, &spec, &job, err));
        pthread_mutex_lock(&completion->lock);
        source->jobs[source->job_count++] = job;
        bool left = completion->left;
        pthread_mutex_unlock(&completion->lock);
        if (left)
            job_cancel(job);
    }
    return OK;
}

// A prompt's place in the queue is taken before it becomes ids.
static Status begin_source(Completion *completion, size_t index, Error *err) {
    Visit *visit = completion->visit;
    Service *service = visit->instance->service;
    CompletionSource *source = &completion->sources[index];
    const ApiPrompt *prompt = &completion->call.prompts[index];
    const Tokenizer *tokenizer = model_tokenizer(service_model(service));
    size_t reserved = estimate_tokens(completion, prompt);
    TRY(service_reserve(service, reserved, err));
    Encoder *encoder = NULL;
    Status status = prompt->text && !(encoder = service_encoder_take(service, err)) ? err->status : OK;
    if (status == OK)
        status = source_make(&visit->arena, tokenizer, encoder, &completion->call, prompt,
                             service_info(service)->most_positions, &source->source, err);
    if (encoder)
        service_encoder_give(service, encoder);
    if (status == OK && !(source->jobs = arena_array(&visit->arena, source->source.part_count, sizeof(Job *), err)))
        status = err->status;
    if (status != OK) {
        service_unreserve(service, reserved);
        return status;
    }
    return submit(completion, source, reserved, err);
}

static Status begin_all(Completion *completion, Error *err) {
    Visit *visit = completion->visit;
    ApiCall *call = &completion->call;
    api_fit(call, service_info(visit->instance->service)->most_positions);
    if (!call->seed_said)
        call->options.seed = server_draw(visit->server) >> 1; // else everybody would get the same sample
    TRY(choose_salt(completion, err));
    CompletionSource *sources = arena_array(&visit->arena, call->prompt_count, sizeof *sources, err);
    TRY_NEW(sources);
    pthread_mutex_lock(&completion->lock);
    completion->sources = sources;
    completion->source_count = call->prompt_count;
    pthread_mutex_unlock(&completion->lock);
    for (size_t i = 0; i < call->prompt_count; i++)
        TRY(begin_source(completion, i, err));
    return OK;
}

void completion_cancel_jobs(Completion *completion) {
    pthread_mutex_lock(&completion->lock);
    completion->left = true;
    for (size_t i = 0; i < completion->source_count; i++)
        for (size_t j = 0; j < completion->sources[i].job_count; j++)
            job_cancel(completion->sources[i].jobs[j]);
    pthread_mutex_unlock(&completion->lock);
}

static void refuse(Completion *completion, const Error *error, const char *param) {
    Visit *visit = completion->visit;
    completion->failure = *error;
    if (error->status == ERR_BUSY)
        count_refusal(visit, service_is_full(visit->instance->service) ? REJECTED_QUEUE_FULL : REJECTED_TOKENS_FULL);
    else if (error->status == ERR_MEMORY)
        count_refusal(visit, REJECTED_MEMORY);
    else if (error->status == ERR_LIMIT)
        count_refusal(visit, REJECTED_TOO_LONG);
    visit_refuse(visit, error, param);
}

void complete_request(Visit *visit) {
    Server *server = visit->server;
    Error error;
    const char *param = NULL;
    int status = 0;
    Completion *completion = completion_new(visit, &error);
    if (!completion) {
        visit_refuse(visit, &error, NULL);
        return;
    }
    Status chosen = choose_model(visit, completion, &status, &param, &error);
    if (chosen != OK) {
        if (status)
            visit_error(visit, status, param, 0, &error);
        else
            visit_refuse(visit, &error, param);
        completion->failure = error;
        visit->completion = completion;
        return;
    }
    completion->meta =
        (ApiMeta){.request_id = visit->request_id, .model = visit->slot->name, .created = (int64_t)seconds_now()};
    visit->completion = completion;
    visits_add(&server->visits, visit); // from here on it can be cancelled
    atomic_fetch_add(&server->generating, 1);
    if (exchange_has_left(visit->exchange))
        completion->left = true;
    if (begin_all(completion, &error) != OK) {
        completion_cancel_jobs(completion);
        refuse(completion, &error, NULL);
        return;
    }
    if (!completion->call.stream) {
        exchange_wait(visit->exchange);
        return;
    }
    visit->status = 200;
    exchange_add_header(visit->exchange, "X-Request-Id", visit->request_id);
    exchange_add_header(visit->exchange, "Cache-Control", "no-store");
    exchange_add_header(visit->exchange, "X-Accel-Buffering", "no"); // nginx would hold pieces back
    exchange_stream(visit->exchange, 200, "text/event-stream", completion_tell, completion);
}

bool completion_source_ended(const CompletionSource *source) {
    for (size_t i = 0; i < source->job_count; i++) {
        JobView view;
        job_view(source->jobs[i], &view);
        if (view.state <= JOB_RUNNING)
            return false;
    }
    return true;
}

static double ms_between(uint64_t from, uint64_t to) {
    return from && to > from ? (double)(to - from) / 1e6 : 0;
}

// Of the part that took longest.
static ApiTimings timings_of(const CompletionSource *source) {
    ApiTimings timings = {0};
    for (size_t i = 0; i < source->job_count; i++) {
        JobView view;
        job_view(source->jobs[i], &view);
        const AnswerTimes *t = &view.times;
        double total = ms_between(t->submitted_ns, t->ended_ns);
        if (total < timings.total_ms)
            continue;
        timings = (ApiTimings){.queue_ms = ms_between(t->submitted_ns, t->joined_ns),
                               .encode_ms = ms_between(t->joined_ns, t->encoded_ns),
                               .decode_ms = ms_between(t->encoded_ns, t->ended_ns),
                               .first_token_ms = ms_between(t->submitted_ns, t->first_token_ns),
                               .total_ms = total};
    }
    return timings;
}

// What a job gave: its answer, or what it had when it was cancelled.
static Status part_answer(Completion *completion, Job *job, PartAnswer *ret, Error *err) {
    JobView view;
    job_view(job, &view);
    if (view.state == JOB_DONE) {
        ret->sequences = job_sequences(job, &ret->count);
        return OK;
    }
    bool asked_for = completion->cancelled || completion->teller.stopped;
    if (view.error.status != ERR_INTERRUPTED || !asked_for)
        return *err = view.error, view.error.status;
    Arena *arena = &completion->visit->arena;
    Sequence *sequence = arena_array(arena, 1, sizeof *sequence, err);
    TRY_NEW(sequence);
    int32_t *ids = arena_array(arena, view.token_count + 1, sizeof *ids, err);
    TRY_NEW(ids);
    sequence->ids = ids;
    sequence->count = job_tokens(job, 0, view.token_count, ids);
    sequence->score = NAN;
    sequence->finish = FINISH_LENGTH;
    *ret = (PartAnswer){sequence, 1};
    return OK;
}

static Status make_result(Completion *completion, CompletionSource *source, Encoder *encoder, Error *err) {
    Visit *visit = completion->visit;
    PartAnswer *answers = arena_array(&visit->arena, source->source.part_count, sizeof *answers, err);
    TRY_NEW(answers);
    for (size_t i = 0; i < source->job_count; i++)
        TRY(part_answer(completion, source->jobs[i], &answers[i], err));
    TRY(result_make(&visit->arena, model_tokenizer(service_model(visit->instance->service)), encoder, &completion->call,
                    &source->source, answers, &source->result, err));
    source->result.timings = timings_of(source);
    for (size_t i = 0; i < source->result.sequence_count && completion->cancelled; i++)
        ((ApiSequence *)(uintptr_t)source->result.sequences)[i].finish = API_CANCELLED;
    return OK;
}

Status completion_result(Completion *completion, CompletionSource *source, Error *err) {
    Service *service = completion->visit->instance->service;
    Encoder *encoder = NULL;
    if (source->has_result)
        return OK;
    if (model_tokenizer(service_model(service)))
        TRY_NEW(encoder = service_encoder_take(service, err));
    Status status = make_result(completion, source, encoder, err);
    if (encoder)
        service_encoder_give(service, encoder);
    source->has_result = status == OK;
    return status;
}

void complete_resume(Visit *visit) {
    Completion *completion = visit->completion;
    Error error;
    bool waits = false;
    Status status = completion->call.stop_count ? completion_follow(completion, &waits, &error) : OK;
    for (size_t i = 0; i < completion->source_count && status == OK && !waits; i++)
        waits = !completion_source_ended(&completion->sources[i]);
    if (waits && status == OK) {
        exchange_wait(visit->exchange);
        return;
    }
    ApiResult *results = NULL;
    if (status == OK && !(results = arena_array(&visit->arena, completion->source_count, sizeof *results, &error)))
        status = error.status;
    for (size_t i = 0; i < completion->source_count && status == OK; i++) {
        status = completion_result(completion, &completion->sources[i], &error);
        results[i] = completion->sources[i].result;
    }
    if (status != OK) {
        completion->failure = error;
        completion_cancel_jobs(completion);
        visit_refuse(visit, &error, NULL);
        return;
    }
    Buffer body = {0};
    api_answer(&completion->call, &completion->meta, results, &body);
    completion->ended = true;
    visit_answer(visit, 200, &body);
}

void complete_left(Visit *visit) {
    Server *server = visit->server;
    pthread_mutex_lock(&server->lock);
    for (Visit *listed = server->visits; listed; listed = listed->next)
        if (listed == visit && visit->completion && !visit->completion->ended)
            completion_cancel_jobs(visit->completion);
    pthread_mutex_unlock(&server->lock);
}

bool complete_cancel(Server *server, const char *request_id, const Key *key) {
    bool found = false;
    pthread_mutex_lock(&server->lock);
    for (Visit *visit = server->visits; visit; visit = visit->next) {
        if (strcmp(visit->request_id, request_id) != 0 || visit->key != key || !visit->completion)
            continue;
        visit->completion->cancelled = true;
        completion_cancel_jobs(visit->completion);
        found = true;
    }
    pthread_mutex_unlock(&server->lock);
    return found;
}

static void log_completion(Visit *visit) {
    const Completion *completion = visit->completion;
    LogRequest line = {.queue_ms = NAN, .encode_ms = NAN, .decode_ms = NAN};
    for (size_t i = 0; completion && i < completion->source_count; i++) {
        const CompletionSource *source = &completion->sources[i];
        line.source_tokens += source->source.tokens;
        if (!source->has_result)
            continue;
        for (size_t k = 0; k < source->result.sequence_count; k++)
            line.new_tokens += source->result.sequences[k].count;
        line.queue_ms = source->result.timings.queue_ms;
        line.encode_ms = source->result.timings.encode_ms;
        line.decode_ms = source->result.timings.decode_ms;
        line.finish = source->result.sequences[0].finish == API_LENGTH ? "length" : "stop";
    }
    if (completion && completion->failure.status != OK)
        line.error = completion->failure.message;
    if (completion && !completion->ended && (completion->left || completion->cancelled))
        line.finish = "cancelled";
    visit_log(visit, &line);
}

void complete_done(Visit *visit) {
    Completion *completion = visit->completion;
    log_completion(visit);
    if (!completion)
        return;
    if (completion->meta.request_id) {
        visits_remove(&visit->server->visits, visit);
        atomic_fetch_sub(&visit->server->generating, 1);
    }
    for (size_t i = 0; i < completion->source_count; i++)
        for (size_t j = 0; j < completion->sources[i].job_count; j++) {
            job_cancel(completion->sources[i].jobs[j]);
            job_release(completion->sources[i].jobs[j]);
        }
    detext_free(completion->teller.detext);
    buffer_done(&completion->teller.text);
    pthread_mutex_destroy(&completion->lock);
}

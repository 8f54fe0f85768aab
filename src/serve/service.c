// SPDX-License-Identifier: Apache-2.0
// The engine's thread and its inbox, and what is told of both.
#include "serve/service.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/job.h"
#include "serve/tally.h"
#include "serve/tune.h"

enum {
    USUAL_RUNNING = 64,
    USUAL_QUEUED = 1024,
    IDLE_BEAT_MS = 250,
    ROWS_A_REQUEST = 2,
    LEAST_ROWS = 64,
    PROFILE_EVERY_NS = 1000000000
};

struct Service {
    Runtime *runtime;
    Metrics *metrics;
    ServiceSettings settings;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; // of the inbox and what follows
    pthread_cond_t wakes;
    Job *first, *last; // the inbox
    Job *cancelled;    // each counted as an owner
    bool stops;
    EngineLoad load;
    uint64_t wait_ns;
    ProfileRow profile[PROFILE_MOST_ROWS];
    size_t profile_count;
    uint64_t profiled_ns;
    BatchCurve curve; // count 0: it was not measured
    Encoder *encoders[64];
    size_t encoder_count;
    atomic_size_t queued, queued_tokens, pending;
    atomic_bool retired;
    atomic_uint_fast64_t heartbeat_ns;
};

static bool enter(atomic_size_t *counter, size_t amount, size_t most) {
    size_t now = atomic_load(counter);
    do {
        if (amount > most || now > most - amount)
            return false;
    } while (!atomic_compare_exchange_weak(counter, &now, now + amount));
    return true;
}

Status service_reserve(Service *service, size_t tokens, Error *err) {
    const ServiceSettings *own = &service->settings;
    if (!enter(&service->queued, 1, own->most_queued))
        return FAIL(err, ERR_BUSY, "the queue is full: %zu requests wait, which is the limit", own->most_queued);
    if (!enter(&service->queued_tokens, tokens, own->most_queued_tokens)) {
        atomic_fetch_sub(&service->queued, 1);
        return FAIL(err, ERR_BUSY, "the queue is full: %zu tokens wait and this request may have %zu, the limit is %zu",
                    atomic_load(&service->queued_tokens), tokens, own->most_queued_tokens);
    }
    return OK;
}

void service_unreserve(Service *service, size_t tokens) {
    atomic_fetch_sub(&service->queued, 1);
    atomic_fetch_sub(&service->queued_tokens, tokens);
}

bool service_is_full(const Service *service) {
    return atomic_load(&service->queued) >= service->settings.most_queued;
}

Status service_submit(Service *service, const JobSpec *spec, Job **ret_job, Error *err) {
    Job *job = NULL;
    Status status = job_make(service, service->runtime->info, spec, &job, err);
    if (spec->reserved_tokens)
        service_unreserve(service, spec->reserved_tokens);
    TRY(status);
    size_t tokens = spec->count + (size_t)generation_max_length(&spec->options) - 1;
    status = service_reserve(service, tokens, err);
    if (status != OK) {
        job->owners = 1;
        job_drop(job);
        return status;
    }
    job->queued_tokens = tokens;
    job->times.submitted_ns = clock_ns();
    atomic_fetch_add(&service->pending, 1);
    *ret_job = job; // before anybody hears of it
    pthread_mutex_lock(&service->lock);
    if (service->last)
        service->last->next = job;
    else
        service->first = job;
    service->last = job;
    pthread_cond_signal(&service->wakes);
    pthread_mutex_unlock(&service->lock);
    return OK;
}

void job_cancel(Job *job) {
    Service *service = job->service;
    pthread_mutex_lock(&job->lock);
    bool begun = !job->cancelled && job->state <= JOB_RUNNING;
    job->cancelled = true;
    job->owners += begun;
    pthread_mutex_unlock(&job->lock);
    if (!begun)
        return;
    pthread_mutex_lock(&service->lock);
    job->next_cancelled = service->cancelled;
    service->cancelled = job;
    pthread_cond_signal(&service->wakes);
    pthread_mutex_unlock(&service->lock);
}

// It waits no longer.
static void job_unqueue(Job *job) {
    if (job->queued_tokens)
        service_unreserve(job->service, job->queued_tokens);
    job->queued_tokens = 0;
}

static void job_end(Job *job, JobState state, const Error *error) {
    Service *service = job->service;
    pthread_mutex_lock(&job->lock);
    job->state = state;
    if (error)
        job->error = *error;
    job_unqueue(job);
    job_tell(job);
    pthread_mutex_unlock(&job->lock);
    atomic_fetch_sub(&service->pending, 1);
    job_drop(job);
}

static void on_joined(void *context, void *user) {
    (void)context;
    Job *job = user;
    pthread_mutex_lock(&job->lock);
    job->state = JOB_RUNNING;
    job->times.joined_ns = clock_ns();
    job_unqueue(job);
    pthread_mutex_unlock(&job->lock);
}

static void on_tokens(void *context, void *user, const int32_t *ids, size_t count) {
    Service *service = context;
    Job *job = user;
    uint64_t now = clock_ns();
    pthread_mutex_lock(&job->lock);
    size_t before = job->token_count;
    memcpy(job->tokens + before, ids + before, (count - before) * sizeof *ids);
    job->token_count = count;
    if (!job->times.first_token_ns)
        job->times.first_token_ns = now;
    if (job->spec.streams)
        job_tell(job);
    pthread_mutex_unlock(&job->lock);
    tally_tokens(service->metrics, &job->told_ns, now, job->times.submitted_ns, count - before);
}

static void on_answer(void *context, const Answer *answer) {
    Service *service = context;
    Job *job = answer->user;
    tally_answer(service->metrics, answer, job->spec.count, job->told_ns != 0);
    pthread_mutex_lock(&job->lock);
    job->times = answer->times;
    int32_t *ids = job->tokens;
    for (size_t i = 0; i < answer->sequence_count; i++) {
        job->sequences[i] = answer->sequences[i];
        job->sequences[i].ids = ids;
        memcpy(ids, answer->sequences[i].ids, answer->sequences[i].count * sizeof *ids);
        ids += answer->sequences[i].count;
    }
    job->sequence_count = answer->sequence_count;
    pthread_mutex_unlock(&job->lock);
    job_end(job, answer->error ? JOB_FAILED : JOB_DONE, answer->error);
}

// What came in since the last time goes to the engine; what it refuses ends here.
static void take_in(Service *service, Job *first) {
    for (Job *job = first, *next; job; job = next) {
        next = job->next;
        Error error;
        Request request = job_request(job);
        pthread_mutex_lock(&job->lock);
        bool cancelled = job->cancelled;
        pthread_mutex_unlock(&job->lock);
        Status status = cancelled ? FAIL(&error, ERR_INTERRUPTED, "cancelled while it waited")
                                  : engine_submit(service->runtime->engine, &request, &error);
        if (status == OK)
            continue;
        Answer refused = {.user = job, .error = &error, .times = job->times};
        refused.times.ended_ns = clock_ns();
        on_answer(service, &refused);
    }
}

static void cancel(Service *service, Job *cancelled) {
    for (Job *job = cancelled, *next; job; job = next) {
        next = job->next_cancelled;
        engine_cancel(service->runtime->engine, job);
        job_drop(job);
    }
}

static void publish(Service *service, EngineLoad *before) {
    uint64_t now = clock_ns();
    const Engine *engine = service->runtime->engine;
    EngineLoad load = engine_load(engine);
    bool retired = atomic_load(&service->retired);
    tally_load(service->metrics, before, &load, retired);
    if (!retired) {
        metrics_set(service->metrics, METRIC_REQUESTS_QUEUED, 0, (double)atomic_load(&service->queued));
        metrics_set(service->metrics, METRIC_TOKENS_QUEUED, 0, (double)atomic_load(&service->queued_tokens));
    }
    *before = load;
    pthread_mutex_lock(&service->lock);
    service->load = load;
    service->wait_ns = engine_wait_ns(engine);
    if (now - service->profiled_ns > PROFILE_EVERY_NS) {
        service->profile_count = profile_collect(engine_session(service->runtime->engine), service->profile);
        service->profiled_ns = now;
    }
    pthread_mutex_unlock(&service->lock);
}

static void sleep_until_wanted(Service *service) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += IDLE_BEAT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&service->wakes, &service->lock, &until);
}

// The engine's thread: what came in, what is not wanted any more, one step, again.
static void *serve(void *context) {
    Service *service = context;
    Engine *engine = service->runtime->engine;
    EngineLoad before = {0};
    bool busy = false;
    pthread_setname_np(pthread_self(), "hone-engine");
    for (;;) {
        pthread_mutex_lock(&service->lock);
        if (!busy && !service->first && !service->cancelled && !service->stops)
            sleep_until_wanted(service);
        Job *first = service->first, *cancelled = service->cancelled;
        service->first = service->last = service->cancelled = NULL;
        bool stops = service->stops;
        pthread_mutex_unlock(&service->lock);
        atomic_store(&service->heartbeat_ns, clock_ns());
        take_in(service, first);
        cancel(service, cancelled);
        if (stops)
            break;
        busy = engine_step(engine, on_answer, service);
        publish(service, &before);
    }
    engine_cancel_all(engine);
    while (engine_step(engine, on_answer, service)) {
    }
    return NULL;
}

static EngineSettings engine_settings(const ServiceSettings *own, const RuntimeSettings *runtime) {
    EngineSettings settings = runtime_engine_settings(runtime);
    size_t rows = ROWS_A_REQUEST * own->most_running;
    settings.most_requests = own->most_queued + own->most_running;
    settings.most_running = own->most_running;
    settings.most_rows = rows < LEAST_ROWS ? LEAST_ROWS : rows;
    settings.most_source_tokens = own->most_source_tokens;
    settings.slices_encoder = true;
    settings.queue_delay_ns = own->queue_delay_ns;
    settings.step_target_ns = own->step_target_ns;
    settings.cached_sources = own->cached_sources;
    settings.skips_scores = true; // no answer tells them
    return settings;
}

// Makes the engine, its K/V in what the memory limit leaves: half of that at most where it does, so that a reload finds
// room for the new model beside this one.
static Status start_engine(Service *service, Error *err) {
    Runtime *runtime = service->runtime;
    const ServiceSettings *own = &service->settings;
    EngineSettings settings = engine_settings(own, &runtime->settings);
    TRY(runtime_start(runtime, &settings, err));
    if (!own->memory_limit_bytes)
        return OK;
    SessionMemory memory = session_memory(engine_session(runtime->engine));
    size_t model = memory.packed_bytes + memory.activation_bytes,
           others = own->memory_base_bytes + own->memory_held_bytes;
    size_t room = others < own->memory_limit_bytes ? own->memory_limit_bytes - others : 0;
    size_t share = own->memory_held_bytes ? room : room / 2;
    for (int attempt = 0; attempt < 2 && model + memory.kv_bytes > (attempt ? room : share); attempt++) {
        engine_free(runtime->engine);
        runtime->engine = NULL;
        size_t most = attempt ? room : share;
        settings.kv_bytes = model < most ? most - model : 1;
        TRY(runtime_start(runtime, &settings, err));
        memory = session_memory(engine_session(runtime->engine));
        if (model + memory.kv_bytes <= most)
            break;
    }
    if (model + memory.kv_bytes <= room)
        return OK;
    return FAIL(
        err, ERR_LIMIT,
        "the memory limit is %zu MB, but serving '%s' takes at least %zu MB: weights %zu, activations %zu, K/V %zu, "
        "connections and the rest %zu, models loaded before %zu; raise --memory-limit or lower --max-batch-size",
        own->memory_limit_bytes >> 20, runtime->info->path, (others + model + memory.kv_bytes) >> 20,
        memory.packed_bytes >> 20, memory.activation_bytes >> 20, memory.kv_bytes >> 20, own->memory_base_bytes >> 20,
        own->memory_held_bytes >> 20);
}

static void ignore_answer(void *context, const Answer *answer) {
    Error *failed = context;
    if (answer->error)
        *failed = *answer->error;
}

// One request of a few tokens, so that the first client does not wait for pages and threads. A model whose own settings
// allow no such request is none the worse for it.
static Status warm_up(Service *service, Error *err) {
    Engine *engine = service->runtime->engine;
    static const int32_t ids[4] = {0};
    Request request = {.ids = ids, .count = 4, .options = *model_generation(service->runtime->model)};
    request.options.max_new_tokens = 4;
    request.options.min_new_tokens = -1;
    request.options.min_length = 0;
    Error refused, failed = {.status = OK};
    if (engine_submit(engine, &request, &refused) != OK)
        return OK;
    while (engine_step(engine, ignore_answer, &failed)) {
    }
    return failed.status == OK ? OK : (*err = failed, failed.status);
}

static Status fill(Service *service, const char *path, Error *err) {
    const RuntimeSettings *asked = &service->settings.runtime;
    TRY(runtime_open(path, asked->level, asked->threads, true, &service->runtime, err));
    Runtime *runtime = service->runtime;
    runtime->settings = runtime_follow(asked, &runtime->info->advice);
    TRY(start_engine(service, err));
    TRY(warm_up(service, err));
    if (service->settings.tunes) {
        double target_ms = (double)service->settings.step_target_ns / 1e6;
        TRY(tune_batch(runtime, service->settings.most_running, target_ms, &service->curve, err));
    }
    engine_watch(runtime->engine, (EngineWatcher){on_joined, on_tokens, service});
    session_set_timing(engine_session(runtime->engine), true);
    atomic_store(&service->heartbeat_ns, clock_ns());
    if (pthread_create(&service->thread, NULL, serve, service) != 0)
        return FAIL(err, ERR_MEMORY, "no thread for the engine: %s", strerror(errno));
    service->started = true;
    return OK;
}

static void settle(ServiceSettings *settings) {
    if (!settings->most_running)
        settings->most_running = USUAL_RUNNING;
    if (!settings->most_queued)
        settings->most_queued = USUAL_QUEUED;
    if (!settings->most_queued_tokens)
        settings->most_queued_tokens = SIZE_MAX;
}

Status service_new(const char *path, const ServiceSettings *settings, Metrics *metrics, Service **ret_service,
                   Error *err) {
    Service *service = memory_new(1, sizeof *service, err);
    TRY_NEW(service);
    *service = (Service){.metrics = metrics, .settings = *settings};
    settle(&service->settings);
    pthread_mutex_init(&service->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&service->wakes, &monotonic);
    pthread_condattr_destroy(&monotonic);
    Status status = fill(service, path, err);
    if (status != OK) {
        service_free(service);
        return status;
    }
    metrics_add(metrics, METRIC_LOADS, 0, 1);
    *ret_service = service;
    return OK;
}

void service_free(Service *service) {
    if (!service)
        return;
    if (service->started) {
        pthread_mutex_lock(&service->lock);
        service->stops = true;
        pthread_cond_signal(&service->wakes);
        pthread_mutex_unlock(&service->lock);
        pthread_join(service->thread, NULL);
    }
    for (size_t i = 0; i < service->encoder_count; i++)
        encoder_free(service->encoders[i]);
    runtime_free(service->runtime);
    pthread_cond_destroy(&service->wakes);
    pthread_mutex_destroy(&service->lock);
    memory_free(service);
}

const ModelInfo *service_info(const Service *service) {
    return service->runtime->info;
}

const Model *service_model(const Service *service) {
    return service->runtime->model;
}

const ServiceSettings *service_settings(const Service *service) {
    return &service->settings;
}

const BatchCurve *service_curve(const Service *service) {
    return service->curve.count ? &service->curve : NULL;
}

SessionMemory service_memory(const Service *service) {
    return session_memory(engine_session(service->runtime->engine));
}

Encoder *service_encoder_take(Service *service, Error *err) {
    Encoder *encoder = NULL;
    pthread_mutex_lock(&service->lock);
    if (service->encoder_count)
        encoder = service->encoders[--service->encoder_count];
    pthread_mutex_unlock(&service->lock);
    const Tokenizer *tokenizer = model_tokenizer(service->runtime->model);
    if (encoder)
        return encoder;
    if (!tokenizer) {
        error_set(err, ERR_UNSUPPORTED, __FILE__, __LINE__,
                  "the model has no tokenizer files: give ids instead of text");
        return NULL;
    }
    return encoder_new(tokenizer, &encoder, err) == OK ? encoder : NULL;
}

void service_encoder_give(Service *service, Encoder *encoder) {
    pthread_mutex_lock(&service->lock);
    bool kept = service->encoder_count < sizeof service->encoders / sizeof *service->encoders;
    if (kept)
        service->encoders[service->encoder_count++] = encoder;
    pthread_mutex_unlock(&service->lock);
    if (!kept)
        encoder_free(encoder);
}

void service_retire(Service *service) {
    atomic_store(&service->retired, true);
}

uint64_t service_heartbeat_ns(const Service *service) {
    return atomic_load(&service->heartbeat_ns);
}

EngineLoad service_load(Service *service) {
    pthread_mutex_lock(&service->lock);
    EngineLoad load = service->load;
    pthread_mutex_unlock(&service->lock);
    return load;
}

uint64_t service_wait_ns(Service *service) {
    pthread_mutex_lock(&service->lock);
    uint64_t wait = service->wait_ns;
    pthread_mutex_unlock(&service->lock);
    return wait;
}

size_t service_pending(const Service *service) {
    return atomic_load(&service->pending);
}

size_t service_profile(Service *service, ProfileRow ret_rows[PROFILE_MOST_ROWS]) {
    pthread_mutex_lock(&service->lock);
    size_t count = service->profile_count;
    memcpy(ret_rows, service->profile, count * sizeof *ret_rows);
    pthread_mutex_unlock(&service->lock);
    return count;
}

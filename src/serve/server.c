// SPDX-License-Identifier: Apache-2.0
// The server's life: loading, listening, beating, reloading, draining.
#include "serve/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "measure/process.h"
#include "serve/app.h"

enum { LIVE_SECONDS = 10, BEAT_MS = 1000 };

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Instance *slot_hold(Slot *slot) {
    pthread_mutex_lock(&slot->lock);
    Instance *instance = slot->instance;
    atomic_fetch_add(&instance->owners, 1);
    pthread_mutex_unlock(&slot->lock);
    return instance;
}

void instance_drop(Instance *instance) {
    if (atomic_fetch_sub(&instance->owners, 1) != 1)
        return;
    service_free(instance->service);
    atomic_fetch_sub(&instance->server->held_bytes, instance->bytes);
    buffer_done(&instance->card);
    memory_free(instance);
}

// One at a time: at the start, or on the thread that reloads.
Status instance_new(Server *server, const Slot *slot, Instance **ret_instance, Error *err) {
    Instance *instance = memory_new(1, sizeof *instance, err);
    TRY_NEW(instance);
    *instance = (Instance){.server = server, .owners = 1};
    ServiceSettings settings = server->settings.service;
    settings.memory_held_bytes = atomic_load(&server->held_bytes);
    Status status = service_new(slot->path, &settings, slot->metrics, &instance->service, err);
    if (status == OK) {
        SessionMemory memory = service_memory(instance->service);
        instance->bytes = memory.packed_bytes + memory.activation_bytes + memory.kv_bytes;
        atomic_fetch_add(&server->held_bytes, instance->bytes);
        status = dashboard_card(service_info(instance->service), &instance->card, err);
    }
    if (status != OK) {
        instance_drop(instance);
        return status;
    }
    *ret_instance = instance;
    return OK;
}

Slot *server_slot(Server *server, const char *name, Error *err) {
    if (!name || !*name)
        return &server->slots[0];
    for (size_t i = 0; i < server->slot_count; i++)
        if (strcmp(server->slots[i].name, name) == 0)
            return &server->slots[i];
    error_set(err, ERR_USAGE, __FILE__, __LINE__,
              "no model '%.200s' is served here; GET /v1/models lists those that are", name);
    return NULL;
}

static double heartbeat_age(Slot *slot) {
    Instance *instance = slot_hold(slot);
    uint64_t seen = service_heartbeat_ns(instance->service), now = clock_ns();
    instance_drop(instance);
    return now > seen ? (double)(now - seen) / 1e9 : 0;
}

bool server_is_live(Server *server) {
    for (size_t i = 0; i < server->slot_count; i++)
        if (heartbeat_age(&server->slots[i]) > LIVE_SECONDS)
            return false;
    return true;
}

bool server_is_ready(Server *server) {
    return !atomic_load(&server->draining) && server_is_live(server);
}

void server_count(Server *server) {
    Metrics *metrics = server->metrics;
    HttpCounts counts = http_counts(server->http);
    metrics_set(metrics, METRIC_UP, 0, 1);
    metrics_set(metrics, METRIC_DRAINING, 0, atomic_load(&server->draining));
    metrics_set(metrics, METRIC_BUILD_INFO, BUILD_THIS, 1);
    ProcessMemory memory;
    Error ignored;
    if (process_memory(&memory, &ignored) == OK)
        metrics_set(metrics, METRIC_RESIDENT_BYTES, 0, (double)memory.resident_bytes);
    metrics_set(metrics, METRIC_MEMORY_LIMIT, 0, (double)server->settings.service.memory_limit_bytes);
    metrics_set(metrics, METRIC_CONNECTIONS, 0, (double)counts.connections);
    metrics_set(metrics, METRIC_CONNECTIONS_ACCEPTED, 0, (double)counts.connections_total);
    metrics_set(metrics, METRIC_HTTP_REFUSED, REFUSED_FRAMING, (double)counts.refused_framing);
    metrics_set(metrics, METRIC_HTTP_REFUSED, REFUSED_LIMITS, (double)counts.refused_limits);
    metrics_set(metrics, METRIC_HTTP_TIMEOUTS, 0, (double)counts.timed_out_requests);
    metrics_set(metrics, METRIC_HTTP_LEFT, 0, (double)counts.left);
    metrics_set(metrics, METRIC_LOG_DROPPED, 0, (double)log_dropped(server->log));
    for (size_t i = 0; i < server->slot_count; i++)
        metrics_set(server->slots[i].metrics, METRIC_HEARTBEAT_AGE, 0, heartbeat_age(&server->slots[i]));
}

void visits_add(Visit **list, Visit *visit) {
    pthread_mutex_lock(&visit->server->lock);
    visit->next = *list;
    if (visit->next)
        visit->next->before = visit;
    *list = visit;
    pthread_mutex_unlock(&visit->server->lock);
}

void visits_remove(Visit **list, Visit *visit) {
    pthread_mutex_lock(&visit->server->lock);
    if (visit->next)
        visit->next->before = visit->before;
    if (visit->before)
        visit->before->next = visit->next;
    else
        *list = visit->next;
    pthread_mutex_unlock(&visit->server->lock);
}

// Once a second: figures, their history, and whoever watches the dashboard.
static void beat(Server *server) {
    server_count(server);
    for (size_t i = 0; i < server->slot_count; i++)
        history_sample(server->slots[i].history, server->slots[i].metrics, seconds_now());
    atomic_fetch_add(&server->beats, 1);
    pthread_mutex_lock(&server->lock);
    for (Visit *visit = server->watchers; visit; visit = visit->next)
        exchange_wake(visit->exchange);
    pthread_mutex_unlock(&server->lock);
}

// "models/bart" and "models/bart/" are called bart.
static void name_choose(const ServerModel *model, char *ret_name, size_t bytes) {
    const char *path = model->path;
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    if (model->name)
        snprintf(ret_name, bytes, "%s", model->name);
    else
        snprintf(ret_name, bytes, "%.*s", (int)(end - begin), path + begin);
}

static Status open_slot(Server *server, size_t index, Error *err) {
    Slot *slot = &server->slots[index];
    const ServerModel *model = &server->settings.models[index];
    slot->path = model->path;
    slot->created = (int64_t)seconds_now();
    name_choose(model, slot->name, sizeof slot->name);
    for (size_t i = 0; i < index; i++)
        if (strcmp(server->slots[i].name, slot->name) == 0)
            return FAIL(err, ERR_USAGE, "'%s' and '%s' are both called '%s': serve one under another --name",
                        server->slots[i].path, slot->path, slot->name);
    TRY(metrics_new(slot->name, &slot->metrics, err));
    TRY(history_new(server->settings.history, slot->name, seconds_now(), server->log, &slot->history, err));
    return instance_new(server, slot, &slot->instance, err);
}

static void signals_of(sigset_t *ret) {
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
}

static Status open_all(Server *server, Error *err) {
    const ServerSettings *settings = &server->settings;
    TRY(log_new(settings->log, settings->log_level, &server->log, err));
    TRY(metrics_new(NULL, &server->metrics, err));
    metrics_set(server->metrics, METRIC_START_TIME, 0, seconds_now());
    if (settings->keys)
        TRY(keys_new(settings->keys, &server->keys, err));
    TRY_NEW(server->slots = arena_array(&server->arena, settings->model_count, sizeof *server->slots, err));
    for (size_t i = 0; i < settings->model_count; i++) {
        pthread_mutex_init(&server->slots[i].lock, NULL);
        server->slot_count++;
        TRY(open_slot(server, i, err));
        log_event(server->log, LOG_INFO, "load", server->slots[i].name, "model '%s' is loaded", server->slots[i].path);
    }
    HttpHandler handler = app_handler(server);
    return http_new(&settings->http, &handler, &server->http, err);
}

Status server_new(const ServerSettings *settings, Server **ret_server, Error *err) {
    Server *server = memory_new(1, sizeof *server, err);
    TRY_NEW(server);
    *server = (Server){.settings = *settings};
    arena_init(&server->arena, 0);
    pthread_mutex_init(&server->lock, NULL);
    sigset_t signals; // before there are threads, which inherit it
    signals_of(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    server->signals = signalfd(-1, &signals, SFD_CLOEXEC); // before clients can take the last descriptor
    Status status = server->signals < 0 ? FAIL(err, ERR_IO, "no descriptor for signals: %s", strerror(errno))
                                        : digest_key_draw(&server->digest_key, err);
    if (status == OK)
        status = open_all(server, err);
    if (status != OK) {
        server_free(server);
        return status;
    }
    *ret_server = server;
    return OK;
}

void server_free(Server *server) {
    if (!server)
        return;
    http_free(server->http);
    for (size_t i = 0; i < server->slot_count; i++) {
        Slot *slot = &server->slots[i];
        if (slot->instance)
            instance_drop(slot->instance);
        history_free(slot->history);
        metrics_free(slot->metrics);
        pthread_mutex_destroy(&slot->lock);
    }
    if (server->signals >= 0)
        close(server->signals);
    keys_free(server->keys);
    metrics_free(server->metrics);
    log_free(server->log);
    pthread_mutex_destroy(&server->lock);
    arena_done(&server->arena);
    memory_free(server);
}

const char *server_address(const Server *server, size_t listener) {
    return http_address(server->http, listener);
}

const char *server_model_name(const Server *server, size_t model) {
    return server->slots[model].name;
}

SessionMemory server_memory(const Server *server, size_t model) {
    return service_memory(server->slots[model].instance->service);
}

const BatchCurve *server_curve(const Server *server, size_t model) {
    return service_curve(server->slots[model].instance->service);
}

static void reload_slot(Server *server, Slot *slot) {
    Instance *instance;
    Error error;
    if (instance_new(server, slot, &instance, &error) != OK) {
        metrics_add(slot->metrics, METRIC_RELOADS, RELOAD_FAILED, 1);
        log_event(server->log, LOG_ERROR, "reload", slot->name, "the model stays as it was: %s", error.message);
        return;
    }
    pthread_mutex_lock(&slot->lock);
    Instance *old = slot->instance;
    slot->instance = instance;
    pthread_mutex_unlock(&slot->lock);
    service_retire(old->service);
    instance_drop(old); // goes with its last request
    metrics_add(slot->metrics, METRIC_RELOADS, RELOAD_DONE, 1);
    log_event(server->log, LOG_INFO, "reload", slot->name, "model '%s' was loaded again", slot->path);
}

// Everything that can be read again is, each on its own: what fails stays as it was.
static void reload(Server *server) {
    Error error;
    log_event(server->log, LOG_INFO, "reload", NULL, "reading keys, certificates and models again");
    if (log_reopen(server->log, &error) != OK)
        log_event(server->log, LOG_ERROR, "reload", NULL, "the log stays where it was: %s", error.message);
    if (server->keys && keys_reload(server->keys, &error) != OK)
        log_event(server->log, LOG_ERROR, "reload", NULL, "the API keys stay as they were: %s", error.message);
    if (server->settings.http.tls_certificate && http_reload_tls(server->http, &error) != OK)
        log_event(server->log, LOG_ERROR, "reload", NULL, "the certificate stays as it was: %s", error.message);
    for (size_t i = 0; i < server->slot_count; i++)
        reload_slot(server, &server->slots[i]);
}

// Models are loaded beside the serving ones, on a thread of its own: the beat goes on.
typedef struct Reloader {
    Server *server;
    pthread_t thread;
    bool started;
    atomic_bool running;
} Reloader;

static void *reload_thread(void *context) {
    Reloader *reloader = context;
    pthread_setname_np(pthread_self(), "hone-reload");
    reload(reloader->server);
    atomic_store(&reloader->running, false);
    return NULL;
}

static void reloader_join(Reloader *reloader) {
    if (reloader->started)
        pthread_join(reloader->thread, NULL);
    reloader->started = false;
}

static void reloader_start(Reloader *reloader) {
    if (atomic_load(&reloader->running)) {
        log_event(reloader->server->log, LOG_WARNING, "reload", NULL, "a reload is under way: this one is left out");
        return;
    }
    reloader_join(reloader);
    atomic_store(&reloader->running, true);
    reloader->started = pthread_create(&reloader->thread, NULL, reload_thread, reloader) == 0;
    if (!reloader->started)
        atomic_store(&reloader->running, false);
}

// The next signal that came within `wait_ms`; 0: none.
static int signal_next(int fd, int wait_ms) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    struct signalfd_siginfo info;
    if (poll(&wait, 1, wait_ms) <= 0 || read(fd, &info, sizeof info) != sizeof info)
        return 0;
    return (int)info.ssi_signo;
}

static bool is_stop(int number) {
    return number == SIGTERM || number == SIGINT;
}

// Once everything was answered, clients have to get it: until no connection has worked for a while, one second at most.
static void settle(Server *server) {
    enum { STEPS = 50, STEP_MS = 20, QUIET_STEPS = 5 };
    for (int step = 0, quiet = 0; step < STEPS && quiet < QUIET_STEPS; step++) {
        quiet = http_working(server->http) ? 0 : quiet + 1;
        poll(NULL, 0, STEP_MS);
    }
}

// Waits for those that generate; at first the listeners stay, so that balancers see it is not ready any more. A second
// signal ends it at once.
static bool drain(Server *server, int fd) {
    uint64_t begun = clock_ns(), end = begun + server->settings.drain_ns;
    atomic_store(&server->draining, true);
    log_event(server->log, LOG_INFO, "drain", NULL, "%zu requests are being answered, %.0f s are left for them",
              atomic_load(&server->generating), (double)server->settings.drain_ns / 1e9);
    bool listening = true;
    uint64_t beaten = begun;
    for (;;) {
        uint64_t now = clock_ns();
        if (listening && now >= begun + server->settings.grace_ns) {
            http_close_listeners(server->http);
            listening = false;
        }
        if (!listening && !atomic_load(&server->generating)) {
            settle(server);
            return true;
        }
        if (now >= end)
            return false;
        if (now - beaten >= 1000000000u) {
            beat(server);
            beaten = now;
        }
        if (is_stop(signal_next(fd, 20)))
            return atomic_load(&server->generating) == 0;
    }
}

bool server_run(Server *server) {
    int fd = server->signals;
    Reloader reloader = {.server = server};
    uint64_t next = clock_ns();
    log_event(server->log, LOG_INFO, "ready", NULL, "serving at %s", server_address(server, 0));
    for (;;) {
        uint64_t now = clock_ns();
        int number = signal_next(fd, now >= next ? 0 : (int)((next - now) / 1000000) + 1);
        if (is_stop(number))
            break;
        if (number == SIGHUP)
            reloader_start(&reloader);
        if (clock_ns() >= next) {
            beat(server);
            next += BEAT_MS * (uint64_t)1000000;
        }
    }
    bool whole = drain(server, fd);
    reloader_join(&reloader);
    log_event(server->log, whole ? LOG_INFO : LOG_WARNING, "stop", NULL,
              whole ? "everything was answered" : "%zu requests were cut off", atomic_load(&server->generating));
    return whole;
}

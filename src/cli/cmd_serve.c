// SPDX-License-Identifier: Apache-2.0
// hone serve: the server, from its options to its end.
#include <string.h>

#include "base/cache.h"
#include "cli/runtime.h"
#include "serve/server.h"

typedef struct Settings {
    RuntimeFlags runtime;
    const char *host, *name, *socket, *admin_host, *admin_socket;
    const char *memory_limit, *keys, *tls_certificate, *tls_key, *log, *log_level, *history;
    TextList origins;
    int64_t port, admin_port, batch_size, batch_tokens, queue, queue_tokens, http_threads, connections, body_bytes;
    int64_t address_connections, cached_sources;
    double queue_delay_ms, drain_s, grace_s, request_s, target_ms, header_s, body_s, write_s, idle_s;
    bool no_history, half_close, tune;
} Settings;

#define AT(member) offsetof(Settings, member)

static const Option options[] = {
    {"host", 0, "HOST", "address to listen at (default: 127.0.0.1)", OPTION_TEXT, AT(host)},
    {"port", 0, "PORT", "0 picks a free one (default: 8080)", OPTION_INT, AT(port), .low = 0, .high = 65535},
    {"socket", 0, "PATH", "listen at a Unix-domain socket too", OPTION_TEXT, AT(socket)},
    {"name", 0, "NAME", "what the model is called (default: its folder's name)", OPTION_TEXT, AT(name)},
    {"admin-port", 0, "PORT", "serve metrics and dashboard there alone, without keys (0 picks one)", OPTION_INT,
     AT(admin_port), .low = 0, .high = 65535},
    {"admin-host", 0, "HOST", "address of --admin-port (default: 127.0.0.1)", OPTION_TEXT, AT(admin_host)},
    {"admin-socket", 0, "PATH", "the same at a Unix-domain socket", OPTION_TEXT, AT(admin_socket)},
    {"max-batch-size", 0, "N", "requests that run at once (default: 64; 128 with --tune)", OPTION_INT, AT(batch_size),
     .low = 1, .high = 4096},
    {"max-batch-tokens", 0, "N", "source tokens that are encoded together (default: 4096)", OPTION_INT,
     AT(batch_tokens), .low = 1, .high = 1e6},
    {"max-queue-delay", 0, "MS", "how long a busy server waits to fill an encoder batch (default: 0)", OPTION_REAL,
     AT(queue_delay_ms), .low = 0, .high = 60000},
    {"max-queue", 0, "N", "requests that wait; more are refused (default: 1024)", OPTION_INT, AT(queue), .low = 1,
     .high = 65536},
    {"max-queue-tokens", 0, "N", "source and output tokens of those that wait (default: 1048576)", OPTION_INT,
     AT(queue_tokens), .low = 1, .high = 1e12},
    {"target-p99", 0, "MS", "run no more at once than keep the time per token below this", OPTION_REAL, AT(target_ms),
     .low = 0.01, .high = 1e6},
    {"tune", 0, NULL, "measure at the start how many requests at once are best, up to --max-batch-size or 128",
     OPTION_FLAG, AT(tune)},
    {"memory-limit", 0, "SIZE", "bytes that the server may take, as 900M or 2G", OPTION_TEXT, AT(memory_limit)},
    {"encoder-cache", 0, "N", "encoded sources kept for the next request with the same (default: 256)", OPTION_INT,
     AT(cached_sources), .low = 0, .high = 65536},
    {"request-timeout", 0, "S", "deadline of requests that name none (default: none)", OPTION_REAL, AT(request_s),
     .low = 0, .high = 1e6},
    {"drain-timeout", 0, "S", "how long requests may go on once it is told to stop (default: 30)", OPTION_REAL,
     AT(drain_s), .low = 0, .high = 1e6},
    {"drain-grace", 0, "S", "how long it goes on listening then (default: 0.2)", OPTION_REAL, AT(grace_s), .low = 0,
     .high = 1e4},
    {"api-keys", 0, "FILE", "only who has one of these keys is answered", OPTION_TEXT, AT(keys)},
    {"tls-cert", 0, "FILE", "certificate chain in PEM", OPTION_TEXT, AT(tls_certificate)},
    {"tls-key", 0, "FILE", "its private key in PEM", OPTION_TEXT, AT(tls_key)},
    {"cors-origin", 0, "ORIGIN", "pages of this origin may ask from a browser", OPTION_LIST, AT(origins)},
    {"max-connections", 0, "N", "open at once (default: 4096)", OPTION_INT, AT(connections), .low = 1, .high = 1e6},
    {"max-connections-per-address", 0, "N", "of one client (default: as many)", OPTION_INT, AT(address_connections),
     .low = 1, .high = 1e6},
    {"max-body", 0, "BYTES", "of a request (default: 8388608)", OPTION_INT, AT(body_bytes), .low = 1024, .high = 1e9},
    {"header-timeout", 0, "S", "from a request's first byte to its last header (default: 10)", OPTION_REAL,
     AT(header_s), .low = 0.1, .high = 1e4},
    {"body-timeout", 0, "S", "from there to the end of its body (default: 30)", OPTION_REAL, AT(body_s), .low = 0.1,
     .high = 1e4},
    {"write-timeout", 0, "S", "a client that takes nothing for so long is dropped (default: 30)", OPTION_REAL,
     AT(write_s), .low = 0.1, .high = 1e4},
    {"idle-timeout", 0, "S", "between the requests of a connection (default: 75)", OPTION_REAL, AT(idle_s), .low = 0.1,
     .high = 1e5},
    {"allow-half-close", 0, NULL, "a client that ends its sending side still waits for its answer", OPTION_FLAG,
     AT(half_close)},
    {"http-threads", 0, "N", "threads that read and write (default: 1)", OPTION_INT, AT(http_threads), .low = 1,
     .high = 64},
    {"log", 0, "FILE", "JSON lines, reopened on SIGHUP (default: standard error)", OPTION_TEXT, AT(log)},
    {"log-level", 0, "LEVEL", "least level that is logged (default: info)", OPTION_TEXT, AT(log_level),
     .choices = "info|warning|error"},
    {"history", 0, "FILE", "keep the dashboard's figures there (default: in the user's cache)", OPTION_TEXT,
     AT(history)},
    {"no-history", 0, NULL, "keep them in memory only", OPTION_FLAG, AT(no_history)},
    {.kind = OPTION_TABLE, .table = runtime_options, .offset = AT(runtime)},
    {0},
};

static uint64_t ns_of(double seconds) {
    return (uint64_t)(seconds * 1e9);
}

static uint32_t ms_of(double seconds) {
    return (uint32_t)(seconds * 1e3);
}

static size_t listeners_fill(const Settings *settings, HttpListener listeners[4]) {
    size_t count = 0;
    listeners[count++] = (HttpListener){.host = settings->host, .port = (int)settings->port};
    if (settings->socket)
        listeners[count++] = (HttpListener){.unix_path = settings->socket};
    if (settings->admin_port >= 0)
        listeners[count++] =
            (HttpListener){.host = settings->admin_host, .port = (int)settings->admin_port, .admin = true};
    if (settings->admin_socket)
        listeners[count++] = (HttpListener){.unix_path = settings->admin_socket, .admin = true};
    return count;
}

static HttpSettings http_settings(const Settings *settings, const HttpListener *listeners, size_t count) {
    HttpLimits limits = http_default_limits();
    limits.most_connections = (size_t)settings->connections;
    limits.most_connections_per_address = (size_t)settings->address_connections;
    limits.most_body_bytes = (size_t)settings->body_bytes;
    limits.header_ms = ms_of(settings->header_s);
    limits.body_ms = ms_of(settings->body_s);
    limits.write_ms = ms_of(settings->write_s);
    limits.idle_ms = ms_of(settings->idle_s);
    return (HttpSettings){.listeners = listeners,
                          .listener_count = count,
                          .tls_certificate = settings->tls_certificate,
                          .tls_key = settings->tls_key,
                          .threads = (size_t)settings->http_threads,
                          .limits = limits,
                          .half_close_is_leaving = !settings->half_close};
}

// What connections, bodies, the tokenizer, threads and the program itself may take beside the models.
static size_t memory_base(const Settings *settings) {
    HttpLimits limits = http_default_limits();
    size_t connection = 2 * limits.most_header_bytes + (8 << 10); // at their fullest, one in four is
    return ((size_t)48 << 20) + limits.most_bodies_bytes + (size_t)settings->connections / 4 * connection;
}

static Status service_settings_fill(CommandRun *run, const Settings *settings, ServiceSettings *ret, Error *err) {
    *ret = (ServiceSettings){.runtime = runtime_settings(run, &settings->runtime, 1),
                             .most_running = (size_t)(settings->batch_size ? settings->batch_size
                                                      : settings->tune     ? 128
                                                                           : 64),
                             .tunes = settings->tune,
                             .most_source_tokens = (size_t)settings->batch_tokens,
                             .queue_delay_ns = ns_of(settings->queue_delay_ms / 1e3),
                             .step_target_ns = ns_of(settings->target_ms / 1e3),
                             .most_queued = (size_t)settings->queue,
                             .most_queued_tokens = (size_t)settings->queue_tokens,
                             .memory_base_bytes = memory_base(settings),
                             .cached_sources = (size_t)settings->cached_sources};
    return settings->memory_limit ? option_size("memory-limit", settings->memory_limit, &ret->memory_limit_bytes, err)
                                  : OK;
}

static const Settings defaults = {.host = "127.0.0.1",
                                  .port = 8080,
                                  .admin_host = "127.0.0.1",
                                  .admin_port = -1,
                                  .queue = 1024,
                                  .queue_tokens = 1048576,
                                  .http_threads = 1,
                                  .connections = 4096,
                                  .body_bytes = 8388608,
                                  .cached_sources = 256,
                                  .drain_s = 30,
                                  .grace_s = 0.2,
                                  .header_s = 10,
                                  .body_s = 30,
                                  .write_s = 30,
                                  .idle_s = 75};

// What is in effect, for the dashboard: every option of this command in words.
static Status options_list(CommandRun *run, const ServerOption **ret, size_t *ret_count, Error *err) {
    size_t most = sizeof options / sizeof *options, count = 0;
    ServerOption *list = arena_array(run->arena, most, sizeof *list, err);
    TRY_NEW(list);
    for (const Option *option = options; option->name; option++) {
        char text[256] = "";
        const unsigned char *now = (const unsigned char *)run->settings + option->offset;
        const unsigned char *usual = (const unsigned char *)&defaults + option->offset;
        size_t bytes = option->kind == OPTION_FLAG ? sizeof(bool) : option->kind == OPTION_LIST ? sizeof(TextList) : 8;
        bool usual_none = memcmp(now, usual, bytes) == 0 && option->kind == OPTION_INT &&
                          *(const int64_t *)(const void *)now <= 0; // nothing was said, and nothing holds
        if (option->kind == OPTION_INT && !usual_none)
            snprintf(text, sizeof text, "%lld", (long long)*(const int64_t *)(const void *)now);
        else if (option->kind == OPTION_REAL)
            snprintf(text, sizeof text, "%g", *(const double *)(const void *)now);
        else if (option->kind == OPTION_FLAG)
            snprintf(text, sizeof text, "%s", *(const bool *)now ? "yes" : "no");
        else if (option->kind == OPTION_TEXT && *(const char *const *)(const void *)now)
            snprintf(text, sizeof text, "%s", *(const char *const *)(const void *)now);
        char *copy = arena_copy_text(run->arena, text, strlen(text), err);
        TRY_NEW(copy);
        list[count++] = (ServerOption){option->name, copy, memcmp(now, usual, bytes) != 0};
    }
    *ret = list;
    *ret_count = count;
    return OK;
}

static Status models_fill(CommandRun *run, const Settings *settings, ServerSettings *server, Error *err) {
    ServerModel *models = arena_array(run->arena, run->argument_count, sizeof *models, err);
    TRY_NEW(models);
    if (settings->name && run->argument_count > 1)
        return FAIL(err, ERR_USAGE, "--name names one model, and there are %zu", run->argument_count);
    for (size_t i = 0; i < run->argument_count; i++)
        models[i] = (ServerModel){.path = run->arguments[i], .name = settings->name};
    server->models = models;
    server->model_count = run->argument_count;
    return OK;
}

static Status server_settings_fill(CommandRun *run, const HttpListener *listeners, size_t count, ServerSettings *ret,
                                   Error *err) {
    const Settings *settings = run->settings;
    static const char *const levels[] = {"info", "warning", "error"};
    if (!settings->tls_certificate != !settings->tls_key)
        return FAIL(err, ERR_USAGE, "--tls-cert and --tls-key go together: one of them is missing");
    TRY(service_settings_fill(run, settings, &ret->service, err));
    TRY(models_fill(run, settings, ret, err));
    TRY(options_list(run, &ret->options, &ret->option_count, err));
    ret->http = http_settings(settings, listeners, count);
    ret->keys = settings->keys;
    ret->log = settings->log;
    for (int level = 0; level < 3; level++)
        if (settings->log_level && strcmp(settings->log_level, levels[level]) == 0)
            ret->log_level = (LogLevel)level;
    ret->history = settings->no_history ? NULL
                   : settings->history  ? settings->history
                                        : cache_choose(run->arena, NULL, "serving.sqlite");
    ret->origins = settings->origins.items;
    ret->origin_count = settings->origins.count;
    ret->drain_ns = ns_of(settings->drain_s);
    ret->grace_ns = ns_of(settings->grace_s);
    ret->request_ns = ns_of(settings->request_s);
    ret->admin_apart = settings->admin_port >= 0 || settings->admin_socket;
    return OK;
}

static Status tell_curve(CommandRun *run, const BatchCurve *curve, Error *err) {
    for (size_t i = 0; curve && i < curve->count; i++) {
        const BatchPoint *p = &curve->points[i];
        buffer_format(&run->out.text, "%4zu at once: %.0f tokens/s, token p50 %.1f p99 %.1f ms%s", p->batch,
                      p->tokens_per_s, p->token_p50_ms, p->token_p99_ms,
                      i == curve->best ? ", chosen"
                      : p->within      ? ""
                                       : ", above the target");
        TRY(output_line(&run->out, err));
    }
    return OK;
}

static Status tell_start(CommandRun *run, const Server *server, const ServerSettings *settings, Error *err) {
    for (size_t i = 0; i < settings->http.listener_count; i++) {
        buffer_format(&run->out.text, "%slistening on %s", settings->http.listeners[i].admin ? "admin: " : "",
                      server_address(server, i));
        TRY(output_line(&run->out, err));
    }
    for (size_t i = 0; i < settings->model_count; i++) {
        SessionMemory memory = server_memory(server, i);
        buffer_format(&run->out.text, "%s: weights %zu MB, activations up to %zu MB, K/V up to %zu MB",
                      server_model_name(server, i), memory.packed_bytes >> 20, memory.activation_bytes >> 20,
                      memory.kv_bytes >> 20);
        if (settings->service.memory_limit_bytes)
            buffer_format(&run->out.text, ", connections and the rest up to %zu MB; limit %zu MB",
                          settings->service.memory_base_bytes >> 20, settings->service.memory_limit_bytes >> 20);
        TRY(output_line(&run->out, err));
        TRY(tell_curve(run, server_curve(server, i), err));
    }
    return output_flush(&run->out, err);
}

static Status run(CommandRun *run, Error *err) {
    ServerSettings settings = {0};
    HttpListener listeners[4];
    size_t count = listeners_fill(run->settings, listeners);
    TRY(server_settings_fill(run, listeners, count, &settings, err));
    Server *server;
    TRY(server_new(&settings, &server, err));
    Status status = tell_start(run, server, &settings, err);
    if (status == OK && !server_run(server))
        status =
            FAIL(err, ERR_NO, "requests were cut off: they took longer than --drain-timeout, or it was told twice");
    server_free(server);
    return status;
}

const Command command_serve = {
    .arguments = "MODEL...",
    .least = 1,
    .most = 16,
    .help =
        "Serves models over HTTP: the OpenAI, KServe v2 and Text Generation Inference APIs, /v1/summarize, Prometheus\n"
        "metrics at /metrics and a dashboard at /; GET /openapi.json describes it all. The first line of stdout is\n"
        "'listening on http://HOST:PORT'. SIGTERM and SIGINT answer what was asked and end, a second one ends at "
        "once;\n"
        "SIGHUP reads keys, certificates and models again.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &defaults,
    .options = options,
    .run = run,
};

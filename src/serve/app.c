// SPDX-License-Identifier: Apache-2.0
// From exchanges to routes: who asks, whether he may, what for.
#include "serve/app.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

static bool is_request_id(const char *text) {
    size_t bytes = text ? strlen(text) : 0;
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._:-", text[i]))
            return false;
    return bytes > 0 && bytes < REQUEST_ID_BYTES;
}

uint64_t server_draw(Server *server) {
    uint64_t number = atomic_fetch_add(&server->draws, 1), drawn;
    Digest digest = digest_make(&server->digest_key, &number, sizeof number);
    memcpy(&drawn, digest.bytes, sizeof drawn);
    return drawn;
}

static void request_id_choose(Visit *visit) {
    const char *said = exchange_header(visit->exchange, "X-Request-Id");
    if (is_request_id(said)) {
        snprintf(visit->request_id, sizeof visit->request_id, "%s", said);
        return;
    }
    snprintf(visit->request_id, sizeof visit->request_id, "%016llx%016llx",
             (unsigned long long)server_draw(visit->server), (unsigned long long)server_draw(visit->server));
}

void visit_answer(Visit *visit, int status, Buffer *body) {
    visit->status = status;
    exchange_add_header(visit->exchange, "X-Request-Id", visit->request_id);
    exchange_answer(visit->exchange, status, "application/json", body);
}

void visit_error(Visit *visit, int status, const char *param, unsigned retry_s, const Error *error) {
    Buffer body = {0};
    api_error(visit->route, status, error->message, param, &body);
    if (retry_s) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", retry_s);
        exchange_add_header(visit->exchange, "Retry-After", seconds);
    }
    visit_answer(visit, status, &body);
}

// Seconds until there may be room: those that wait have to have their turn first.
static unsigned retry_seconds(const Visit *visit) {
    uint64_t wait = visit->instance ? service_wait_ns(visit->instance->service) : 0;
    uint64_t seconds = 1 + wait / 1000000000u;
    return seconds < 60 ? (unsigned)seconds : 60;
}

void visit_refuse(Visit *visit, const Error *error, const char *param) {
    int status = api_status(error->status);
    if (error->status == ERR_BUSY || error->status == ERR_MEMORY)
        visit_error(visit, 503, param, retry_seconds(visit), error);
    else
        visit_error(visit, error->status == ERR_LATE ? 504 : status, param, 0, error);
}

static MetricRoute kind_of(const ApiRoute *route) {
    static const struct {
        const char *handle;
        MetricRoute kind;
    } kinds[] = {{"complete", ROUTE_GENERATE}, {"tokenize", ROUTE_TOKENS}, {"detokenize", ROUTE_TOKENS},
                 {"models", ROUTE_MODELS},     {"model", ROUTE_MODELS},    {"metadata", ROUTE_MODELS},
                 {"live", ROUTE_HEALTH},       {"ready", ROUTE_HEALTH},    {"model_ready", ROUTE_HEALTH},
                 {"health", ROUTE_HEALTH},     {"metrics", ROUTE_METRICS}, {"dashboard", ROUTE_DASHBOARD},
                 {"cancel", ROUTE_ADMIN}};
    for (size_t i = 0; route && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(route->handle, kinds[i].handle) == 0)
            return kinds[i].kind;
    return ROUTE_OTHER;
}

// Pages of other sites may not ask from a browser unless they are listed: without keys, a browser on this machine would
// be everybody's way in.
static bool origin_passes(Visit *visit) {
    const ServerSettings *settings = &visit->server->settings;
    const char *origin = exchange_header(visit->exchange, "Origin");
    const char *host = exchange_header(visit->exchange, "Host");
    if (!origin)
        return true;
    for (size_t i = 0; i < settings->origin_count; i++) {
        if (strcmp(settings->origins[i], origin) != 0 && strcmp(settings->origins[i], "*") != 0)
            continue;
        exchange_add_header(visit->exchange, "Access-Control-Allow-Origin", origin);
        exchange_add_header(visit->exchange, "Vary", "Origin");
        exchange_add_header(visit->exchange, "Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
        return true;
    }
    const char *own = strstr(origin, "://");
    return host && own && strcmp(own + 3, host) == 0;
}

// What a browser asks before it sends.
static bool answer_preflight(Visit *visit) {
    if (strcmp(exchange_method(visit->exchange), "OPTIONS") != 0 || !exchange_header(visit->exchange, "Origin"))
        return false;
    exchange_add_header(visit->exchange, "Access-Control-Allow-Methods", "GET, POST");
    exchange_add_header(visit->exchange, "Access-Control-Allow-Headers",
                        "Authorization, Content-Type, X-Api-Key, X-Request-Id");
    exchange_add_header(visit->exchange, "Access-Control-Max-Age", "600");
    visit->status = 204;
    exchange_answer(visit->exchange, 204, NULL, &(Buffer){0});
    return true;
}

// The key that a visit needs. False: it was answered.
static bool check_key(Visit *visit, bool needed) {
    Server *server = visit->server;
    if (!needed || !server->keys || exchange_is_admin(visit->exchange))
        return true;
    const char *authorization = exchange_header(visit->exchange, "Authorization");
    const char *api_key = exchange_header(visit->exchange, "X-Api-Key");
    visit->key = keys_find(server->keys, authorization, api_key);
    if (visit->key)
        return true;
    Error error;
    error_set(&error, ERR_USAGE, __FILE__, __LINE__,
              authorization || api_key ? "the API key is not known here"
                                       : "an API key is needed: Authorization: Bearer KEY");
    exchange_add_header(visit->exchange, "WWW-Authenticate", "Bearer");
    visit_error(visit, 401, NULL, 0, &error);
    return false;
}

static bool is_for_admins(const Visit *visit) {
    return visit->kind == ROUTE_METRICS || visit->kind == ROUTE_DASHBOARD;
}

static void answer_unknown(Visit *visit, bool known_path) {
    Error error;
    error_set(&error, ERR_USAGE, __FILE__, __LINE__,
              known_path ? "%s is not served at this path"
                         : "%s: nothing is served at this path; GET /openapi.json tells what is",
              exchange_method(visit->exchange));
    visit_error(visit, known_path ? 405 : 404, NULL, 0, &error);
}

static void route(Visit *visit) {
    Server *server = visit->server;
    const char *path = exchange_path(visit->exchange);
    bool known_path = false;
    visit->route = api_route(exchange_method(visit->exchange), path, visit->name, sizeof visit->name, &known_path);
    visit->kind = kind_of(visit->route);
    bool hidden = server->settings.admin_apart && is_for_admins(visit) && !exchange_is_admin(visit->exchange);
    if (!origin_passes(visit)) {
        Error error;
        error_set(&error, ERR_USAGE, __FILE__, __LINE__, "pages of this origin may not ask here (--cors-origin)");
        visit_error(visit, 403, NULL, 0, &error);
        return;
    }
    if (answer_preflight(visit))
        return;
    if (hidden || !visit->route) {
        answer_unknown(visit, known_path && !hidden);
        return;
    }
    bool open = dashboard_asset(path) != NULL; // the page itself holds nothing of the server
    if (!check_key(visit, visit->route->needs_key && !open))
        return;
    if (visit->kind == ROUTE_GENERATE)
        complete_begin(visit);
}

static void begin(void *context, Exchange *exchange) {
    Server *server = context;
    Error error;
    Visit *visit = memory_new(1, sizeof *visit, &error);
    if (!visit) {
        Buffer nothing = {0};
        exchange_answer(exchange, 503, NULL, &nothing);
        return;
    }
    *visit = (Visit){.server = server, .exchange = exchange};
    arena_init(&visit->arena, 0);
    exchange_set_user(exchange, visit);
    request_id_choose(visit);
    route(visit);
}

static void request(void *context, Exchange *exchange) {
    (void)context;
    Visit *visit = exchange_user(exchange);
    if (!visit)
        return;
    metrics_add(visit->server->metrics, METRIC_HTTP_REQUEST_BYTES, 0, (double)exchange_body(exchange).size);
    if (visit->kind == ROUTE_GENERATE)
        complete_request(visit);
    else
        tell(visit);
}

static void resume(void *context, Exchange *exchange) {
    (void)context;
    Visit *visit = exchange_user(exchange);
    if (visit->completion)
        complete_resume(visit);
}

static void left(void *context, Exchange *exchange) {
    (void)context;
    Visit *visit = exchange_user(exchange);
    if (visit && visit->kind == ROUTE_GENERATE)
        complete_left(visit);
}

static void done(void *context, Exchange *exchange) {
    Server *server = context;
    Visit *visit = exchange_user(exchange);
    if (!visit)
        return;
    if (visit->kind == ROUTE_GENERATE)
        complete_done(visit);
    else if (visit->kind != ROUTE_HEALTH && visit->kind != ROUTE_METRICS) // those come every second
        visit_log(visit, &(LogRequest){.queue_ms = NAN, .encode_ms = NAN, .decode_ms = NAN});
    if (visit->watches)
        visits_remove(&server->watchers, visit);
    if (visit->status)
        metrics_add(server->metrics, METRIC_HTTP_REQUESTS, metric_route_code(visit->kind, visit->status), 1);
    if (visit->key_counted)
        key_end(server->keys, visit->key);
    if (visit->key)
        key_release(server->keys, visit->key);
    if (visit->instance)
        instance_drop(visit->instance);
    arena_done(&visit->arena);
    memory_free(visit);
}

void visit_log(const Visit *visit, const LogRequest *figures) {
    char trace[TRACE_ID_BYTES];
    LogRequest line = *figures;
    line.request_id = visit->request_id;
    line.trace_id = log_trace_id(exchange_header(visit->exchange, "traceparent"), trace) ? trace : NULL;
    line.client = exchange_peer(visit->exchange);
    line.key = visit->key ? key_name(visit->key) : NULL;
    line.route = visit->route ? visit->route->path : exchange_path(visit->exchange);
    line.model = visit->slot ? visit->slot->name : NULL;
    line.status = visit->status;
    line.total_ms = (double)(clock_ns() - exchange_begun_ns(visit->exchange)) / 1e6;
    log_request(visit->server->log, &line);
}

HttpHandler app_handler(Server *server) {
    return (HttpHandler){server, begin, request, resume, left, done};
}

// SPDX-License-Identifier: Apache-2.0
// The transport: libmicrohttpd between the watch, which accepts and guards connections, and the exchanges.
#include "serve/http.h"

#include <gnutls/gnutls.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/http_exchange.h"
#include "serve/http_tls.h"

HttpLimits http_default_limits(void) {
    return (HttpLimits){.most_connections = 1024,
                        .most_header_bytes = 16384,
                        .most_headers = 100,
                        .most_body_bytes = (size_t)16 << 20,
                        .most_bodies_bytes = (size_t)64 << 20,
                        .header_ms = 10000,
                        .body_ms = 60000,
                        .write_ms = 30000,
                        .idle_ms = 75000};
}

static Conn *conn_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

// Requests.

// The library has read a request line: what this returns becomes the request's context.
static void *on_line(void *context, const char *target, struct MHD_Connection *connection) {
    Conn *conn = conn_of(connection);
    return conn && target ? exchange_new(context, conn, connection, target) : NULL;
}

// Leaves texts as they are: the guards want to see what was sent.
static size_t on_unescape(void *context, struct MHD_Connection *connection, char *text) {
    (void)context, (void)connection;
    return strlen(text);
}

typedef struct FieldList {
    GuardField *fields;
    size_t count, most;
} FieldList;

static enum MHD_Result field_add(void *context, enum MHD_ValueKind kind, const char *name, size_t name_bytes,
                                 const char *value, size_t value_bytes) {
    (void)kind;
    FieldList *list = context;
    if (list->count < list->most)
        list->fields[list->count] = (GuardField){name, value ? value : "", name_bytes, value_bytes};
    list->count++;
    return MHD_YES;
}

static enum MHD_Result refuse(Exchange *exchange, GuardVerdict verdict) {
    HttpServer *http = exchange->http;
    if (verdict.framing)
        atomic_fetch_add_explicit(&http->refused_framing, 1, memory_order_relaxed);
    else if (verdict.status == 413 || verdict.status == 414 || verdict.status == 431)
        atomic_fetch_add_explicit(&http->refused_limits, 1, memory_order_relaxed);
    exchange_refuse(exchange, verdict.status, verdict.message);
    return exchange_settle(exchange);
}

// The head, from the library's pieces. False when there is no memory.
static bool head_read(Exchange *exchange, const char *method, const char *version) {
    Error err;
    GuardHead *head = &exchange->head;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    head->method = method;
    head->version = version;
    head->bytes = info ? info->header_size : 0;
    FieldList list = {.most = exchange->http->limits.most_headers + 1};
    int count = MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, NULL, NULL);
    list.most = count > 0 && (size_t)count < list.most ? (size_t)count : list.most;
    list.fields = arena_array(&exchange->arena, list.most, sizeof *list.fields, &err);
    char *path = arena_array(&exchange->arena, head->target_bytes + 1, 1, &err);
    if (!list.fields || !path)
        return false;
    MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, field_add, &list);
    head->fields = exchange->fields = list.fields;
    head->field_count = list.count;
    exchange->path = path;
    return true;
}

// Cuts the blanks behind values, which are none of theirs. False when there is no memory.
static bool fields_trim(Exchange *exchange) {
    Error err;
    for (size_t i = 0; i < exchange->head.field_count; i++) {
        GuardField *field = &exchange->fields[i];
        size_t bytes = field->value_bytes;
        while (bytes && (field->value[bytes - 1] == ' ' || field->value[bytes - 1] == '\t'))
            bytes--;
        if (bytes == field->value_bytes)
            continue;
        field->value = arena_copy_text(&exchange->arena, field->value, bytes, &err);
        field->value_bytes = bytes;
        if (!field->value)
            return false;
    }
    return true;
}

static GuardVerdict head_judge(Exchange *exchange) {
    const HttpLimits *limits = &exchange->http->limits;
    GuardHead *head = &exchange->head;
    if (head->field_count > limits->most_headers)
        return (GuardVerdict){431, false, "the request has more headers than this server takes"};
    GuardVerdict verdict = guard_layout(head);
    head->target = exchange->target; // from here on the copy: the library cuts its own at '?' and '&'
    if (!verdict.status)
        verdict = guard_head(head, limits, &exchange->shape);
    if (!verdict.status)
        guard_path(head->target, head->target_bytes, (char *)exchange->path);
    return verdict;
}

// Calls `begin`. `left` never runs before it is back. False: the client has left.
static bool begin_call(Exchange *exchange) {
    HttpServer *http = exchange->http;
    pthread_mutex_lock(&exchange->lock);
    bool left = exchange->left;
    pthread_mutex_unlock(&exchange->lock);
    if (left)
        return false;
    exchange->begun_ns = clock_ns();
    http->handler.begin(http->handler.context, exchange);
    pthread_mutex_lock(&exchange->lock);
    exchange->begun = true;
    left = exchange->left;
    pthread_mutex_unlock(&exchange->lock);
    if (left) {
        atomic_fetch_add_explicit(&http->left, 1, memory_order_relaxed);
        http->handler.left(http->handler.context, exchange);
    }
    return !left;
}

static enum MHD_Result request_begin(Exchange *exchange, const char *method, const char *version) {
    exchange->stage = EXCHANGE_BODY;
    if (!head_read(exchange, method, version)) {
        exchange->failed = true;
        return exchange_settle(exchange);
    }
    GuardVerdict verdict = head_judge(exchange);
    if (verdict.status)
        return refuse(exchange, verdict);
    if (!fields_trim(exchange)) {
        exchange->failed = true;
        return exchange_settle(exchange);
    }
    if (!conn_begin(exchange->conn, exchange, exchange->shape.present ? CONN_BODY : CONN_WORK) || !begin_call(exchange))
        return MHD_NO;
    if ((exchange->response || exchange->failed) && exchange->shape.present) {
        conn_linger(exchange->conn); // the body is on its way and will not be read
        return exchange_settle(exchange);
    }
    return MHD_YES;
}

// Answers amid a body, where the library takes no answer: straight to the socket, and closes.
static enum MHD_Result break_off(Exchange *exchange, int status, const char *message) {
    char text[GUARD_ANSWER_BYTES];
    size_t bytes = guard_answer(status, message, text, sizeof text);
    const union MHD_ConnectionInfo *info;
    if (exchange->conn->encrypted) {
        info = MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (info && gnutls_record_send(info->tls_session, text, bytes) < 0)
            return MHD_NO;
    } else {
        info = MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info && send(info->connect_fd, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            return MHD_NO;
    }
    conn_linger(exchange->conn);
    return MHD_NO;
}

static enum MHD_Result request_body(Exchange *exchange, const char *data, size_t bytes) {
    GuardVerdict verdict = guard_body(exchange->body.bytes, bytes, &exchange->http->limits);
    if (verdict.status) {
        atomic_fetch_add_explicit(&exchange->http->refused_limits, 1, memory_order_relaxed);
        return break_off(exchange, verdict.status, verdict.message);
    }
    HttpServer *http = exchange->http;
    if (atomic_fetch_add_explicit(&http->body_bytes, bytes, memory_order_relaxed) + bytes >
        http->limits.most_bodies_bytes) {
        atomic_fetch_sub_explicit(&http->body_bytes, bytes, memory_order_relaxed);
        atomic_fetch_add_explicit(&http->refused_limits, 1, memory_order_relaxed);
        return break_off(exchange, 503,
                         "the bodies of all requests together are more than this server holds: try again");
    }
    buffer_add(&exchange->body, data, bytes);
    if (exchange->body.failed != OK)
        atomic_fetch_sub_explicit(&http->body_bytes, bytes, memory_order_relaxed);
    return exchange->body.failed == OK ? MHD_YES : break_off(exchange, 503, "this server is short of memory");
}

typedef struct Trailers {
    const GuardHead *head;
    size_t count;
} Trailers;

// Counts trailers. Where the line end behind the last chunk comes in two parts, the library takes the last header for
// one.
static enum MHD_Result trailer_count(void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind, (void)value;
    Trailers *trailers = context;
    const GuardHead *head = trailers->head;
    trailers->count += name < head->method || name >= head->method + head->bytes;
    return MHD_YES;
}

static bool has_trailers(const Exchange *exchange) {
    Trailers trailers = {.head = &exchange->head};
    if (exchange->shape.chunked)
        MHD_get_connection_values(exchange->connection, MHD_FOOTER_KIND, trailer_count, &trailers);
    return trailers.count > 0;
}

static enum MHD_Result request_ask(Exchange *exchange) {
    HttpServer *http = exchange->http;
    exchange->stage = EXCHANGE_ASKED;
    if (has_trailers(exchange))
        return refuse(exchange, (GuardVerdict){400, true, "this server takes no trailers behind chunks"});
    if (!exchange->response && !exchange->failed) { // `begin` may have answered
        if (!conn_enter(exchange->conn, CONN_WORK))
            return MHD_NO;
        http->handler.request(http->handler.context, exchange);
    }
    return exchange_settle(exchange);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *bytes,
                                  void **request) {
    (void)path; // cut and maybe decoded by the library
    HttpServer *http = context;
    Exchange *exchange = *request;
    Conn *conn = conn_of(connection);
    if (!conn)
        return MHD_NO;
    if (!exchange) {
        conn_linger(conn);
        return MHD_queue_response(connection, 503, http->no_memory);
    }
    switch (exchange->stage) {
    case EXCHANGE_LINE:
        return request_begin(exchange, method, version);
    case EXCHANGE_BODY:
        if (!*bytes)
            return request_ask(exchange);
        size_t taken = *bytes;
        *bytes = 0;
        return request_body(exchange, data, taken);
    case EXCHANGE_ASKED:
        return exchange_resume(exchange);
    default:
        return MHD_YES;
    }
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
    (void)context, (void)connection;
    Exchange *exchange = *request;
    *request = NULL;
    if (!exchange)
        return;
    if (!exchange->begun)
        conn_linger(exchange->conn); // refused, maybe by the library
    atomic_fetch_sub_explicit(&exchange->http->body_bytes, exchange->body.bytes, memory_order_relaxed);
    exchange_finish(exchange, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

// Connections.

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    HttpServer *http = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = info ? conn_started(http->watch, info->connect_fd) : NULL;
    } else if (*socket_context) {
        conn_closed(*socket_context);
        *socket_context = NULL;
    }
}

static bool connection_serve(void *context, Conn *conn, const void *address, unsigned address_bytes) {
    HttpServer *http = context;
    struct MHD_Daemon *daemon = conn->encrypted ? http->secure : http->plain;
    return MHD_add_connection(daemon, conn->fd, address, address_bytes) == MHD_YES;
}

static void connection_closed(void *context, Conn *conn) {
    (void)context;
    tls_release(conn->extra);
    conn->extra = NULL;
}

static void leave(void *exchange) {
    exchange_leave(exchange);
}

static void hold(void *exchange) {
    exchange_hold(exchange);
}

// GnuTLS asks for a handshake's identity.
static int on_handshake(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **ret_chain,
                        unsigned *ret_count, gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                        gnutls_privkey_t *ret_key, unsigned *ret_flags) {
    (void)info;
    struct MHD_Connection *connection = gnutls_session_get_ptr(session);
    Conn *conn = connection ? conn_of(connection) : NULL;
    if (!conn)
        return -1;
    HttpServer *http = watch_context(conn->watch);
    tls_release(conn->extra);
    conn->extra = tls_hold(http->tls);
    *ret_chain = tls_chain(conn->extra, ret_count);
    *ret_key = tls_key(conn->extra);
    *ret_ocsp = NULL;
    *ret_ocsp_count = 0;
    *ret_flags = 0; // nothing of it is GnuTLS's to free
    return 0;
}

// The server.

static Status daemon_start(HttpServer *http, size_t threads, bool encrypted, struct MHD_Daemon **ret, Error *err) {
    const HttpLimits *limits = &http->limits;
    size_t memory = limits->most_header_bytes + limits->most_headers * 64 + 8192;
    size_t connections = (limits->most_connections + 64) * threads; // the watch counts; this bound is never met
    if (threads > 1024 || connections > UINT_MAX)
        return FAIL(err, ERR_USAGE, "%zu threads and %zu connections are more than a server has", threads,
                    limits->most_connections);
    struct MHD_OptionItem options[8] = {{MHD_OPTION_END, 0, NULL}};
    size_t count = 0;
    if (threads > 1)
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL};
    if (encrypted) {
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(intptr_t)on_handshake};
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(intptr_t)TLS_PRIORITIES};
    }
    options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
                     (encrypted ? MHD_USE_TLS : 0);
    *ret =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_CONNECTION_LIMIT, (unsigned)connections,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_URI_LOG_CALLBACK, on_line, http,
                         MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, http, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!*ret)
        return FAIL(err, ERR_IO, "cannot start the threads of the server");
    return OK;
}

static Status response_reserve(HttpServer *http, Error *err) {
    char text[GUARD_ANSWER_BYTES];
    size_t bytes = guard_json(503, "this server is short of memory", text, sizeof text);
    http->no_memory = MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_COPY);
    if (!http->no_memory || MHD_add_response_header(http->no_memory, "Content-Type", "application/json") != MHD_YES ||
        MHD_add_response_header(http->no_memory, "Connection", "close") != MHD_YES)
        return FAIL(err, ERR_MEMORY, "no memory for an answer");
    return OK;
}

static Status listeners_open(HttpServer *http, const HttpSettings *settings, Error *err) {
    TRY_NEW(http->listeners = arena_array(&http->arena, settings->listener_count, sizeof *http->listeners, err));
    for (size_t i = 0; i < settings->listener_count; i++) {
        const HttpListener *asked = &settings->listeners[i];
        bool encrypted = settings->tls_certificate && !asked->unix_path;
        TRY(listener_open(&http->arena, asked, encrypted, &http->listeners[i], err));
        http->listener_count = i + 1;
    }
    return OK;
}

// Threads that start here take no signals: those are the program's.
static Status threads_start(HttpServer *http, const HttpSettings *settings, Error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool plain = false, secure = false;
    for (size_t i = 0; i < http->listener_count; i++) {
        plain = plain || !http->listeners[i].encrypted;
        secure = secure || http->listeners[i].encrypted;
    }
    Status status = plain ? daemon_start(http, settings->threads, false, &http->plain, err) : OK;
    if (status == OK && secure)
        status = daemon_start(http, settings->threads, true, &http->secure, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

// Callbacks may come from now on.
static Status accept_start(HttpServer *http, Error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    Status status = watch_start(http->watch, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static Status http_open(HttpServer *http, const HttpSettings *settings, Error *err) {
    if (!settings->threads || !settings->listener_count)
        return FAIL(err, ERR_USAGE, "a server has at least one thread and one address to listen on");
    if (!settings->tls_certificate != !settings->tls_key)
        return FAIL(err, ERR_USAGE, "TLS takes a certificate and a key, both or neither");
    TRY(response_reserve(http, err));
    if (settings->tls_certificate)
        TRY(tls_new(settings->tls_certificate, settings->tls_key, &http->tls, err));
    TRY(listeners_open(http, settings, err));
    WatchSettings watch = {.listeners = http->listeners,
                           .listener_count = http->listener_count,
                           .limits = settings->limits,
                           .half_close_is_leaving = settings->half_close_is_leaving,
                           .context = http,
                           .serve = connection_serve,
                           .hold = hold,
                           .leave = leave,
                           .closed = connection_closed};
    TRY(watch_new(&watch, &http->watch, err));
    return threads_start(http, settings, err);
}

Status http_new(const HttpSettings *settings, const HttpHandler *handler, HttpServer **ret_http, Error *err) {
    HttpServer *http;
    TRY_NEW(http = memory_new(1, sizeof *http, err));
    *http = (HttpServer){.handler = *handler, .limits = settings->limits};
    arena_init(&http->arena, 0);
    Status status = http_open(http, settings, err);
    if (status == OK) {
        *ret_http = http; // before a callback asks for it
        status = accept_start(http, err);
    }
    if (status != OK) {
        http_free(http);
        *ret_http = NULL;
    }
    return status;
}

void http_close_listeners(HttpServer *http) {
    watch_close_listeners(http->watch);
}

size_t http_working(const HttpServer *http) {
    return watch_working(http->watch);
}

void http_free(HttpServer *http) {
    if (!http)
        return;
    if (http->watch)
        watch_stop(http->watch);
    if (http->plain)
        MHD_stop_daemon(http->plain);
    if (http->secure)
        MHD_stop_daemon(http->secure);
    for (size_t i = 0; i < http->listener_count; i++)
        listener_close(&http->listeners[i]);
    watch_free(http->watch);
    tls_free(http->tls);
    if (http->no_memory)
        MHD_destroy_response(http->no_memory);
    arena_done(&http->arena);
    memory_free(http);
}

const char *http_address(const HttpServer *http, size_t listener) {
    return http->listeners[listener].address;
}

int http_port(const HttpServer *http, size_t listener) {
    return http->listeners[listener].port;
}

Status http_reload_tls(HttpServer *http, Error *err) {
    if (!http->tls)
        return FAIL(err, ERR_USAGE, "this server has no certificate to read again: it was started without TLS");
    return tls_reload(http->tls, err);
}

HttpCounts http_counts(const HttpServer *http) {
    WatchCounts watched = watch_counts(http->watch);
    return (HttpCounts){
        .connections = watched.connections,
        .connections_total = watched.connections_total,
        .refused_framing = atomic_load_explicit(&http->refused_framing, memory_order_relaxed),
        .refused_limits = watched.refused + atomic_load_explicit(&http->refused_limits, memory_order_relaxed),
        .timed_out_requests = watched.timed_out,
        .left = atomic_load_explicit(&http->left, memory_order_relaxed),
    };
}

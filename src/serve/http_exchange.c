// SPDX-License-Identifier: Apache-2.0
// Exchanges: what handlers ask and answer, and who may go on when.
//
// A connection is suspended by its own thread and resumed by whoever wakes it, both under the exchange's lock: `woken`
// remembers a wake that came while nothing was suspended, and `suspended` lets one of many wakes resume.
#include "serve/http_exchange.h"

#include <gnutls/gnutls.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/memory.h"

// Answers up to here are given to the library in one piece; longer ones in blocks, so that it shows when they move on.
enum { WHOLE_BYTES = 32768, BLOCK_BYTES = 32768 };

Exchange *exchange_new(HttpServer *http, Conn *conn, struct MHD_Connection *connection, const char *target) {
    Error err;
    Exchange *exchange = memory_new(1, sizeof *exchange, &err);
    if (!exchange)
        return NULL;
    *exchange = (Exchange){.http = http, .conn = conn, .connection = connection, .owners = 1};
    arena_init(&exchange->arena, 0);
    pthread_mutex_init(&exchange->lock, NULL);
    pthread_cond_init(&exchange->told, NULL);
    exchange->head.target = target;
    exchange->head.target_bytes = strlen(target);
    exchange->target = arena_copy_text(&exchange->arena, target, exchange->head.target_bytes, &err);
    if (exchange->target)
        return exchange;
    exchange_release(exchange);
    return NULL;
}

void exchange_hold(Exchange *exchange) {
    atomic_fetch_add_explicit(&exchange->owners, 1, memory_order_relaxed);
}

void exchange_release(Exchange *exchange) {
    if (atomic_fetch_sub_explicit(&exchange->owners, 1, memory_order_acq_rel) != 1)
        return;
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    buffer_done(&exchange->body);
    buffer_done(&exchange->out);
    pthread_mutex_destroy(&exchange->lock);
    pthread_cond_destroy(&exchange->told);
    arena_done(&exchange->arena);
    memory_free(exchange);
}

// Leaving and ending.

// Calls `left`; the caller holds the lock and has set `left`, and holds the lock again afterwards.
static void exchange_tell(Exchange *exchange) {
    HttpServer *http = exchange->http;
    exchange->telling = true;
    pthread_mutex_unlock(&exchange->lock);
    atomic_fetch_add_explicit(&http->left, 1, memory_order_relaxed);
    http->handler.left(http->handler.context, exchange);
    pthread_mutex_lock(&exchange->lock);
    exchange->telling = false;
    pthread_cond_broadcast(&exchange->told);
}

static void resume_suspended(Exchange *exchange) {
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
}

void exchange_leave(Exchange *exchange) {
    pthread_mutex_lock(&exchange->lock);
    if (!exchange->finished && !exchange->left && !atomic_load(&exchange->complete)) {
        exchange->left = true; // while `begin` runs, its thread tells when it is back
        if (exchange->begun)
            exchange_tell(exchange);
        if (!exchange->finished) {
            conn_cut(exchange->conn);
            if (exchange->suspended)
                resume_suspended(exchange);
        }
    }
    pthread_mutex_unlock(&exchange->lock);
    exchange_release(exchange);
}

void exchange_finish(Exchange *exchange, bool complete) {
    HttpServer *http = exchange->http;
    pthread_mutex_lock(&exchange->lock);
    exchange->finished = true;
    bool tells = exchange->begun && !complete && !exchange->left;
    exchange->left = exchange->left || tells;
    if (tells)
        exchange_tell(exchange);
    while (exchange->telling)
        pthread_cond_wait(&exchange->told, &exchange->lock);
    pthread_mutex_unlock(&exchange->lock);
    conn_end(exchange->conn);
    if (exchange->begun)
        http->handler.done(http->handler.context, exchange);
    exchange_release(exchange);
}

// Waiting and going on.

void exchange_wait(Exchange *exchange) {
    exchange->waits = true;
}

void exchange_wake(Exchange *exchange) {
    pthread_mutex_lock(&exchange->lock);
    if (exchange->suspended)
        resume_suspended(exchange);
    else
        exchange->woken = !exchange->finished;
    pthread_mutex_unlock(&exchange->lock);
}

typedef enum Pause { PAUSE_SUSPENDED, PAUSE_WOKEN, PAUSE_LEFT } Pause;

// Suspends the connection unless a wake has come meanwhile, or the client has left.
static Pause exchange_pause(Exchange *exchange) {
    pthread_mutex_lock(&exchange->lock);
    Pause pause = exchange->left ? PAUSE_LEFT : exchange->woken ? PAUSE_WOKEN : PAUSE_SUSPENDED;
    exchange->woken = false;
    if (pause == PAUSE_SUSPENDED) {
        exchange->suspended = true;
        MHD_suspend_connection(exchange->connection);
    }
    pthread_mutex_unlock(&exchange->lock);
    return pause;
}

// Forgets wakes up to now: what they announced will be found by what the caller does next. False: the client has left.
static bool exchange_awake(Exchange *exchange) {
    pthread_mutex_lock(&exchange->lock);
    exchange->woken = false;
    bool stays = !exchange->left;
    pthread_mutex_unlock(&exchange->lock);
    return stays;
}

static enum MHD_Result exchange_give(Exchange *exchange) {
    HttpServer *http = exchange->http;
    bool failed = exchange->failed || !exchange->response;
    struct MHD_Response *response = failed ? http->no_memory : exchange->response;
    exchange->stage = EXCHANGE_GIVEN;
    if (failed || !exchange->read)
        atomic_store(&exchange->complete, true);
    conn_enter(exchange->conn, CONN_WRITE);
    enum MHD_Result queued =
        MHD_queue_response(exchange->connection, failed ? 503 : (unsigned)exchange->status, response);
    if (exchange->response) {
        struct MHD_Response *own = exchange->response;
        exchange->response = NULL;
        MHD_destroy_response(own); // the library has its own share
    }
    return queued;
}

enum MHD_Result exchange_settle(Exchange *exchange) {
    HttpServer *http = exchange->http;
    for (;;) {
        if (exchange->response || exchange->failed)
            return exchange_give(exchange);
        if (!exchange->waits) {
            exchange_refuse(exchange, 500, "this server gave no answer");
            return exchange_give(exchange);
        }
        Pause pause = exchange_pause(exchange);
        if (pause == PAUSE_LEFT)
            return MHD_NO;
        if (pause == PAUSE_SUSPENDED)
            return MHD_YES;
        exchange->waits = false;
        http->handler.resume(http->handler.context, exchange);
    }
}

enum MHD_Result exchange_resume(Exchange *exchange) {
    if (!exchange_awake(exchange))
        return MHD_NO;
    exchange->waits = false;
    exchange->http->handler.resume(exchange->http->handler.context, exchange);
    return exchange_settle(exchange);
}

// Answers.

void exchange_add_header(Exchange *exchange, const char *name, const char *value) {
    if (strpbrk(value, "\r\n") || strpbrk(name, "\r\n"))
        return;
    Error err;
    AnswerHeader *header = arena_array(&exchange->arena, 1, sizeof *header, &err);
    if (header) {
        header->name = arena_copy_text(&exchange->arena, name, strlen(name), &err);
        header->value = arena_copy_text(&exchange->arena, value, strlen(value), &err);
    }
    if (!header || !header->name || !header->value) {
        exchange->failed = true;
        return;
    }
    AnswerHeader **end = &exchange->headers;
    while (*end)
        end = &(*end)->next;
    *end = header;
}

void exchange_set_closes(Exchange *exchange) {
    exchange->closes = true;
}

static void response_freed(void *exchange) {
    exchange_release(exchange);
}

// Takes a response for this exchange's answer (NULL: there was no memory for it) and adds the headers.
static void response_take(Exchange *exchange, struct MHD_Response *response, int status, const char *content_type) {
    exchange->response = response;
    exchange->status = status;
    exchange->failed = exchange->failed || !response;
    if (exchange->failed)
        return;
    // chunks have more than one reading, so nothing is read behind them
    bool closes = exchange->closes || exchange->shape.chunked || watch_is_closing(exchange->conn->watch);
    if (closes)
        exchange->failed |= MHD_add_response_header(response, "Connection", "close") != MHD_YES;
    if (content_type)
        exchange->failed |= MHD_add_response_header(response, "Content-Type", content_type) != MHD_YES;
    for (AnswerHeader *header = exchange->headers; header; header = header->next)
        exchange->failed |= MHD_add_response_header(response, header->name, header->value) != MHD_YES;
}

static bool is_answered(const Exchange *exchange) {
    return exchange->response || exchange->failed || exchange->stage == EXCHANGE_GIVEN;
}

static ssize_t answer_read(void *context, uint64_t at, char *to, size_t most) {
    Exchange *exchange = context;
    size_t bytes = exchange->out.bytes - (size_t)at;
    bytes = bytes < most ? bytes : most;
    memcpy(to, exchange->out.data + at, bytes);
    atomic_fetch_add_explicit(&exchange->conn->taken, 1, memory_order_relaxed);
    return (ssize_t)bytes;
}

void exchange_answer(Exchange *exchange, int status, const char *content_type, Buffer *body) {
    if (is_answered(exchange)) {
        if (body)
            buffer_done(body);
        return;
    }
    if (body) {
        exchange->failed |= body->failed != OK;
        exchange->out = *body;
        *body = (Buffer){0};
    }
    size_t bytes = content_type ? exchange->out.bytes : 0;
    struct MHD_Response *response;
    exchange_hold(exchange);
    if (bytes <= WHOLE_BYTES)
        response = MHD_create_response_from_buffer_with_free_callback_cls(
            bytes, bytes ? (void *)exchange->out.data : exchange, response_freed, exchange);
    else
        response = MHD_create_response_from_callback(bytes, BLOCK_BYTES, answer_read, exchange, response_freed);
    if (!response)
        exchange_release(exchange);
    response_take(exchange, response, status, content_type);
}

// The rest of what `read` gave last.
static size_t stream_copy(Exchange *exchange, char *to, size_t most) {
    size_t bytes = exchange->out.bytes - exchange->sent;
    bytes = bytes < most ? bytes : most;
    if (!bytes)
        return 0;
    memcpy(to, exchange->out.data + exchange->sent, bytes);
    exchange->sent += bytes;
    if (exchange->sent == exchange->out.bytes) {
        buffer_clear(&exchange->out);
        exchange->sent = 0;
    }
    atomic_fetch_add_explicit(&exchange->conn->taken, 1, memory_order_relaxed);
    return bytes;
}

static ssize_t stream_read(void *context, uint64_t at, char *to, size_t most) {
    (void)at;
    Exchange *exchange = context;
    for (;;) {
        size_t bytes = stream_copy(exchange, to, most);
        if (bytes)
            return (ssize_t)bytes;
        if (exchange->whole) {
            atomic_store(&exchange->complete, true);
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        if (!exchange_awake(exchange))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        StreamState state = exchange->read(exchange->read_context, &exchange->out);
        if (state == STREAM_ABORT || exchange->out.failed != OK)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        exchange->whole = state == STREAM_END;
        if (exchange->out.bytes || exchange->whole)
            continue;
        Pause pause = exchange_pause(exchange);
        if (pause == PAUSE_LEFT)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (pause == PAUSE_SUSPENDED)
            return 0;
    }
}

void exchange_stream(Exchange *exchange, int status, const char *content_type,
                     StreamState (*read)(void *context, Buffer *out), void *context) {
    if (is_answered(exchange))
        return;
    exchange->read = read;
    exchange->read_context = context;
    exchange_hold(exchange);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES / 4, stream_read, exchange, response_freed);
    if (!response)
        exchange_release(exchange);
    response_take(exchange, response, status, content_type);
}

void exchange_refuse(Exchange *exchange, int status, const char *message) {
    char text[GUARD_ANSWER_BYTES];
    Buffer body = {0};
    buffer_add(&body, text, guard_json(status, message, text, sizeof text));
    exchange->closes = true;
    conn_linger(exchange->conn);
    exchange_answer(exchange, status, "application/json", &body);
}

// What was asked.

const char *exchange_method(const Exchange *exchange) {
    return exchange->head.method;
}

const char *exchange_path(const Exchange *exchange) {
    return exchange->path;
}

const char *exchange_query(const Exchange *exchange, const char *name) {
    Error err;
    Arena *arena = (Arena *)&exchange->arena; // the value is made where all texts of the exchange are
    char *value = arena_array(arena, exchange->head.target_bytes + 1, 1, &err);
    return value && guard_query(exchange->target, exchange->head.target_bytes, name, value) ? value : NULL;
}

const char *exchange_header(const Exchange *exchange, const char *name) {
    for (size_t i = 0; i < exchange->head.field_count; i++)
        if (!strcasecmp(exchange->head.fields[i].name, name))
            return exchange->head.fields[i].value;
    return NULL;
}

Bytes exchange_body(const Exchange *exchange) {
    const char *data = exchange->body.data ? exchange->body.data : "";
    return (Bytes){(const unsigned char *)data, exchange->body.bytes};
}

bool exchange_is_admin(const Exchange *exchange) {
    return exchange->conn->admin;
}

const char *exchange_peer(const Exchange *exchange) {
    return exchange->conn->peer;
}

uint64_t exchange_begun_ns(const Exchange *exchange) {
    return exchange->begun_ns;
}

void exchange_set_user(Exchange *exchange, void *user) {
    exchange->user = user;
}

void *exchange_user(const Exchange *exchange) {
    return exchange->user;
}

bool exchange_has_left(const Exchange *exchange) {
    Exchange *shared = (Exchange *)exchange; // only to lock it
    pthread_mutex_lock(&shared->lock);
    bool left = shared->left;
    pthread_mutex_unlock(&shared->lock);
    return left;
}

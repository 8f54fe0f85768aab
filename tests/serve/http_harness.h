// SPDX-License-Identifier: Apache-2.0
// A server under test and clients that speak raw bytes to it.
//
// What the handler does is the path's: /echo answers the body, /early answers in `begin`, /wait waits for wakes, /eager
// does too and is woken before, /stream sends pieces, one a wake, /flood sends without end, /break breaks a stream off,
// /bulk answers many bytes, /who says what is known of the client, /none forgets to answer.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "check.h"
#include "serve/http.h"

enum { HARNESS_MOST = 512, PATIENCE_MS = 20000 };

typedef struct Harness Harness;

// One exchange as the handler sees it.
typedef struct Seen {
    Harness *harness;
    Exchange *exchange; // NULL: free
    size_t pieces;      // of a stream that may be sent
    size_t sent, resumes;
    bool ends, left, streams;
} Seen;

struct Harness {
    HttpServer *http;
    pthread_mutex_t lock;
    Seen seen[HARNESS_MOST];
    size_t bulk_bytes;
    _Atomic size_t begun, asked, resumed, left, done, streamed, dry;
};

static inline StreamState harness_read(void *context, Buffer *out) {
    Seen *seen = context;
    pthread_mutex_lock(&seen->harness->lock);
    StreamState state = STREAM_WAIT;
    while (seen->sent < seen->pieces) {
        buffer_format(out, "data: %zu\n\n", seen->sent++);
        state = STREAM_MORE;
    }
    if (seen->ends)
        state = STREAM_END;
    atomic_fetch_add(&seen->harness->dry, state == STREAM_WAIT);
    pthread_mutex_unlock(&seen->harness->lock);
    return state;
}

static inline StreamState harness_flood(void *context, Buffer *out) {
    (void)context;
    void *to = buffer_extend(out, 16384);
    if (to)
        memset(to, 'x', 16384);
    return STREAM_MORE;
}

static inline StreamState harness_break(void *context, Buffer *out) {
    Seen *seen = context;
    buffer_add_text(out, "part");
    return seen->sent++ ? STREAM_ABORT : STREAM_MORE;
}

static inline void harness_begin(void *context, Exchange *exchange) {
    Harness *harness = context;
    atomic_fetch_add(&harness->begun, 1);
    pthread_mutex_lock(&harness->lock);
    for (size_t i = 0; i < HARNESS_MOST; i++)
        if (!harness->seen[i].exchange) {
            harness->seen[i] = (Seen){.harness = harness, .exchange = exchange};
            exchange_set_user(exchange, &harness->seen[i]);
            break;
        }
    pthread_mutex_unlock(&harness->lock);
    if (!strcmp(exchange_path(exchange), "/early")) {
        Buffer body = {0};
        buffer_add_text(&body, "early");
        exchange_answer(exchange, 401, "text/plain", &body);
    }
}

static inline void harness_request(void *context, Exchange *exchange) {
    Harness *harness = context;
    const char *path = exchange_path(exchange);
    Seen *seen = exchange_user(exchange);
    Buffer body = {0};
    atomic_fetch_add(&harness->asked, 1);
    if (!strcmp(path, "/wait") || !strcmp(path, "/eager")) {
        for (int i = 0; i < 3 && path[1] == 'e'; i++)
            exchange_wake(exchange);
        exchange_wait(exchange);
    } else if (!strcmp(path, "/stream")) {
        pthread_mutex_lock(&harness->lock);
        seen->streams = true;
        pthread_mutex_unlock(&harness->lock);
        exchange_add_header(exchange, "Cache-Control", "no-store");
        exchange_stream(exchange, 200, "text/event-stream", harness_read, seen);
        atomic_fetch_add(&harness->streamed, 1);
    } else if (!strcmp(path, "/flood") || !strcmp(path, "/break")) {
        exchange_stream(exchange, 200, "text/plain", path[1] == 'f' ? harness_flood : harness_break, seen);
        atomic_fetch_add(&harness->streamed, 1);
    } else if (!strcmp(path, "/who")) {
        const char *query = exchange_query(exchange, "q"), *header = exchange_header(exchange, "x-a");
        buffer_format(&body, "admin=%d peer=%s q=%s a=%s age=%d", exchange_is_admin(exchange), exchange_peer(exchange),
                      query ? query : "none", header ? header : "none", exchange_begun_ns(exchange) <= clock_ns());
        exchange_answer(exchange, 200, "text/plain", &body);
    } else if (!strcmp(path, "/bulk")) {
        char *to = buffer_extend(&body, harness->bulk_bytes);
        if (to)
            memset(to, 'x', harness->bulk_bytes);
        exchange_answer(exchange, 200, "text/plain", &body);
    } else if (strcmp(path, "/none") != 0) {
        Bytes got = exchange_body(exchange);
        buffer_format(&body, "%s %s %zu:", exchange_method(exchange), path, got.size);
        buffer_add(&body, got.data, got.size);
        exchange_answer(exchange, 200, "text/plain", &body);
    }
}

static inline void harness_resume(void *context, Exchange *exchange) {
    Harness *harness = context;
    Seen *seen = exchange_user(exchange);
    atomic_fetch_add(&harness->resumed, 1);
    pthread_mutex_lock(&harness->lock);
    seen->resumes++;
    bool ends = seen->ends;
    pthread_mutex_unlock(&harness->lock);
    if (!ends) {
        exchange_wait(exchange);
        return;
    }
    Buffer body = {0};
    buffer_add_text(&body, "waited");
    exchange_answer(exchange, 200, "text/plain", &body);
}

static inline void harness_left(void *context, Exchange *exchange) {
    Harness *harness = context;
    Seen *seen = exchange_user(exchange);
    ck_assert(exchange_has_left(exchange));
    atomic_fetch_add(&harness->left, 1);
    pthread_mutex_lock(&harness->lock);
    ck_assert(!seen->left);
    seen->left = true;
    pthread_mutex_unlock(&harness->lock);
}

static inline void harness_done(void *context, Exchange *exchange) {
    Harness *harness = context;
    Seen *seen = exchange_user(exchange);
    pthread_mutex_lock(&harness->lock);
    ck_assert_ptr_eq(seen->exchange, exchange);
    seen->exchange = NULL;
    pthread_mutex_unlock(&harness->lock);
    atomic_fetch_add(&harness->done, 1);
}

// Lets every exchange go on: one more piece of streams, or the end of all.
static inline void harness_push(Harness *harness, bool ends) {
    pthread_mutex_lock(&harness->lock);
    for (size_t i = 0; i < HARNESS_MOST; i++)
        if (harness->seen[i].exchange) {
            harness->seen[i].pieces++;
            harness->seen[i].ends = ends;
            exchange_wake(harness->seen[i].exchange);
        }
    pthread_mutex_unlock(&harness->lock);
}

static inline Status harness_start(Harness *harness, const HttpSettings *settings, Error *err) {
    HttpHandler handler = {.context = harness,
                           .begin = harness_begin,
                           .request = harness_request,
                           .resume = harness_resume,
                           .left = harness_left,
                           .done = harness_done};
    pthread_mutex_init(&harness->lock, NULL);
    return http_new(settings, &handler, &harness->http, err);
}

// On one loopback port, with these limits.
static inline Harness *harness_new(HttpLimits limits) {
    static Harness harness;
    static const HttpListener loopback = {.host = "127.0.0.1"};
    HttpSettings settings = {
        .listeners = &loopback, .listener_count = 1, .threads = 2, .limits = limits, .half_close_is_leaving = true};
    Error err;
    harness = (Harness){0};
    CHECK_OK(harness_start(&harness, &settings, &err));
    return &harness;
}

static inline void harness_free(Harness *harness) {
    http_free(harness->http);
    ck_assert_uint_eq(harness->begun, harness->done);
}

// Waits until the figure is at least `least`.
static inline bool reaches(_Atomic size_t *figure, size_t least) {
    for (uint64_t start = clock_ns(); clock_ns() - start < (uint64_t)PATIENCE_MS * 1000000; usleep(1000))
        if (atomic_load(figure) >= least)
            return true;
    return false;
}

static inline int client_connect(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline int harness_connect(const Harness *harness) {
    return client_connect(http_port(harness->http, 0));
}

static inline bool client_send(int fd, const char *data, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        ssize_t sent = send(fd, data + at, bytes - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += (size_t)sent;
    }
    return true;
}

static inline void client_say(int fd, const char *text) {
    client_send(fd, text, strlen(text));
}

// Reads what comes within `quiet_ms` of what came before; true when the server has ended the connection.
static inline bool client_read(int fd, Buffer *into, int quiet_ms) {
    char block[65536];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    for (;;) {
        int polled = poll(&ready, 1, quiet_ms);
        if (polled == 0)
            return false;
        ssize_t got = recv(fd, block, sizeof block, 0);
        if (got <= 0)
            return true;
        buffer_add(into, block, (size_t)got);
    }
}

// Reads until `text` has come; false when it does not.
static inline bool client_expect(int fd, Buffer *into, const char *text) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    for (;;) {
        if (into->data && strstr(into->data, text))
            return true;
        char block[65536];
        if (poll(&ready, 1, PATIENCE_MS) <= 0)
            return false;
        ssize_t got = recv(fd, block, sizeof block, 0);
        if (got <= 0)
            return false;
        buffer_add(into, block, (size_t)got);
    }
}

// Reads to the end of the connection.
static inline bool client_expect_end(int fd, Buffer *into) {
    return client_read(fd, into, PATIENCE_MS);
}

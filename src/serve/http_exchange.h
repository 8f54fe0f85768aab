// SPDX-License-Identifier: Apache-2.0
// Exchanges from the inside: http.c drives them from the library's callbacks, http_exchange.c is what handlers call.
//
// Two own an exchange: the library's request (until its last notice) and the library's answer (until it is destroyed);
// the watch takes a third share while it says that the client left. Whoever lets go last frees it.
#pragma once

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "serve/http_guard.h"
#include "serve/http_watch.h"

struct HttpServer {
    Arena arena; // listeners and their texts
    HttpHandler handler;
    HttpLimits limits;
    Listener *listeners;
    size_t listener_count;
    struct HttpTls *tls;
    Watch *watch;
    struct MHD_Daemon *plain, *secure;
    struct MHD_Response *no_memory; // an answer for when there is no memory for one
    _Atomic uint64_t refused_framing, refused_limits, left;
    _Atomic size_t body_bytes; // held by all exchanges
};

typedef enum ExchangeStage {
    EXCHANGE_LINE, // the request line is read
    EXCHANGE_BODY, // begun, the body is coming
    EXCHANGE_ASKED,
    EXCHANGE_GIVEN // the answer is the library's
} ExchangeStage;

typedef struct AnswerHeader AnswerHeader;
struct AnswerHeader {
    AnswerHeader *next;
    const char *name, *value;
};

struct Exchange {
    HttpServer *http;
    Conn *conn;
    struct MHD_Connection *connection;
    Arena arena;
    _Atomic int owners;
    // The request. Texts of the head are the library's, which keeps them until its last notice.
    ExchangeStage stage;
    GuardHead head;
    GuardField *fields; // of the head
    GuardBody shape;
    const char *target; // a copy: the library writes into its own
    const char *path;
    Buffer body;
    uint64_t begun_ns;
    bool begun;
    void *user;
    // The answer, on the library's threads.
    AnswerHeader *headers;
    struct MHD_Response *response; // given by the handler, not yet to the library
    int status;
    bool waits, closes, failed;
    StreamState (*read)(void *context, Buffer *out);
    void *read_context;
    Buffer out; // bytes of the answer, the first `sent` of which the library has
    size_t sent;
    bool whole; // `out` holds all the rest
    // Shared by threads.
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool woken, suspended, finished;
    bool left, telling;    // `left` has been or is being called
    _Atomic bool complete; // nothing that comes can change the answer
};

// NULL when there is no memory.
Exchange *exchange_new(HttpServer *http, Conn *conn, struct MHD_Connection *connection, const char *target);
void exchange_hold(Exchange *exchange);
void exchange_release(Exchange *exchange);

// For the watch: the client has left or was cut off.
void exchange_leave(Exchange *exchange);

// The library's last notice: waits until nobody tells the handler anything, then calls `done`.
void exchange_finish(Exchange *exchange, bool complete);

// Answers with an error of this room's own and ends the connection.
void exchange_refuse(Exchange *exchange, int status, const char *message);

// After a callback of the handler: gives its answer to the library, or suspends the connection, or calls `resume`.
enum MHD_Result exchange_settle(Exchange *exchange);

// Calls `resume` after the library has resumed the connection.
enum MHD_Result exchange_resume(Exchange *exchange);

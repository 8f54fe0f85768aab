// SPDX-License-Identifier: Apache-2.0
// HTTP: the transport of the server. libmicrohttpd reads and writes HTTP/1.1 and TLS; what it leaves open is guarded
// here: requests that another party could frame differently, deadlines that count from the start and not from the last
// byte, counts and bytes of everything, and clients that leave while their answer is being worked on.
//
//     HttpServer *http;
//     TRY(http_new(&settings, &handler, &http, err));    // listens; callbacks may come from now on, from other threads
//     http_close_listeners(http);                        // refuses new connections, exchanges in progress go on
//     http_free(http);                                   // ends what is still open, waits for its threads
//
// An exchange is one request and its answer. Its life, each call on one of the HTTP threads unless said otherwise:
//
//     begin     method, path, headers are known, the body is not read. May answer: then `request` is not called, and
//               where a body was coming, the connection ends.
//     request   the body is there too. Answers at once (exchange_answer, exchange_stream), or calls exchange_wait.
//     resume    after exchange_wait, once for any number of exchange_wake calls since the last call. Answers, or waits
//               on.
//     left      the client is gone, or a deadline passed, before the answer was complete: work for it can stop. At
//               most once, from any thread, also while another callback of the exchange runs, but not before `begin`
//               is back. Nothing need be answered; after it neither `request` nor `resume` nor a stream's `read` is
//               called.
//     done      the last call, exactly once for each exchange that began, and after `left` is back: what hangs on it
//               can go. exchange_wake may not come after it.
//
// No lock is held during a call; none may block, `left` least of all: it may run on the one thread that watches.
// Answers are given from `begin`, `request` and `resume` only; a second one is dropped, and where one of the latter two
// neither answers nor waits, the client gets a 500. Each exchange fails alone for want of memory (503). Every answer of
// this room's own is {"error":{"message",...}} and ends the connection.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/status.h"

typedef struct HttpServer HttpServer;
typedef struct Exchange Exchange;

typedef struct HttpHandler {
    void *context;
    void (*begin)(void *context, Exchange *exchange);
    void (*request)(void *context, Exchange *exchange);
    void (*resume)(void *context, Exchange *exchange);
    void (*left)(void *context, Exchange *exchange);
    void (*done)(void *context, Exchange *exchange);
} HttpHandler;

// Where to listen: a TCP address, or a Unix-domain socket where `unix_path` is set (made with mode 0660; an old socket
// that nobody listens on is replaced, anything else that lies there is not).
typedef struct HttpListener {
    const char *host; // "127.0.0.1", "::1", "0.0.0.0", a name
    int port;         // 0: any free one
    const char *unix_path;
    bool admin; // handed back by exchange_is_admin
} HttpListener;

typedef struct HttpLimits {
    size_t most_connections;             // of all listeners together
    size_t most_connections_per_address; // 0: as many
    size_t most_header_bytes;            // request line and headers together; beyond: 431
    size_t most_headers;                 // beyond: 431
    size_t most_body_bytes;              // beyond: 413
    size_t most_bodies_bytes;            // of all requests together; beyond: 503
    uint32_t header_ms, body_ms;         // from the first byte of a request to its last header, from there to its end
    uint32_t write_ms;                   // a client that takes no byte of what there is for it for so long has left
    uint32_t idle_ms;                    // between requests
} HttpLimits;

HttpLimits http_default_limits(void);

typedef struct HttpSettings {
    const HttpListener *listeners;
    size_t listener_count;
    const char *tls_certificate, *tls_key; // files in PEM; both or neither. Unix-domain sockets are never encrypted
    size_t threads;                        // that serve connections; at least 1
    HttpLimits limits;
    // A client that ends its sending side counts as gone (the default of servers). Without it, one that closes is
    // noticed when something is sent to it.
    bool half_close_is_leaving;
} HttpSettings;

// ERR_IO for an address that cannot be had (naming it), ERR_FORMAT for certificates and keys that are none. *ret_http
// is set before the first callback comes, and NULL on failure.
MUST_CHECK Status http_new(const HttpSettings *settings, const HttpHandler *handler, HttpServer **ret_http, Error *err);
void http_close_listeners(HttpServer *http);
void http_free(HttpServer *http);

// "http://127.0.0.1:8080", "https://[::1]:8443", "unix:/run/hone.sock"; lives as long as the server.
const char *http_address(const HttpServer *http, size_t listener);
int http_port(const HttpServer *http, size_t listener); // 0 for a Unix-domain socket

// Reads the certificate and key files again; connections from now on get the new ones. On failure the old ones stay.
MUST_CHECK Status http_reload_tls(HttpServer *http, Error *err);

typedef struct HttpCounts {
    size_t connections;          // open now
    uint64_t connections_total;  // ever accepted
    uint64_t refused_framing;    // requests another party could have read otherwise
    uint64_t refused_limits;     // 413, 414, 431 and connections beyond the limits
    uint64_t timed_out_requests; // header, body and write deadlines that passed
    uint64_t left;               // clients that left before their answer was complete
} HttpCounts;
HttpCounts http_counts(const HttpServer *http);

// Connections that are not idle: amid a request, its answer, or the client's reading of it.
size_t http_working(const HttpServer *http);

// What the client asked; texts live as long as the exchange. The path is what was sent, without the query, and only its
// %XX of unreserved characters decoded; one with "%2F", "%00", "//", "." or ".." segments is refused before `begin`.
const char *exchange_method(const Exchange *exchange);
const char *exchange_path(const Exchange *exchange);
const char *exchange_query(const Exchange *exchange, const char *name);  // decoded; NULL: not there
const char *exchange_header(const Exchange *exchange, const char *name); // any case; NULL: not there
Bytes exchange_body(const Exchange *exchange);                           // NUL behind its end
bool exchange_is_admin(const Exchange *exchange);
const char *exchange_peer(const Exchange *exchange); // "127.0.0.1", "unix"
uint64_t exchange_begun_ns(const Exchange *exchange);

// The handler's own.
void exchange_set_user(Exchange *exchange, void *user);
void *exchange_user(const Exchange *exchange);

// A header of the answer, before it is given. Values hold no line ends (they are left out with a header that has some).
void exchange_add_header(Exchange *exchange, const char *name, const char *value);

// The answer: the buffer's bytes are taken over, the buffer is empty afterwards. Content type NULL: no body. To HEAD
// only the headers are sent. `closes`: the connection ends after it.
void exchange_answer(Exchange *exchange, int status, const char *content_type, Buffer *body);
void exchange_set_closes(Exchange *exchange);

// The handler will answer from `resume`. exchange_wake may come from any thread and at any time until `done`, also
// before exchange_wait; it is cheap, never blocks on a handler, and none is lost.
void exchange_wait(Exchange *exchange);
void exchange_wake(Exchange *exchange);

// An answer in pieces of unknown number (chunked). `read` is called on an HTTP thread when the client can take more:
// it appends what is ready, and says whether that was all. Nothing appended and no end: called again after
// exchange_wake. STREAM_ABORT breaks the connection, so that the client sees that the answer is not complete.
typedef enum StreamState { STREAM_MORE, STREAM_WAIT, STREAM_END, STREAM_ABORT } StreamState;
void exchange_stream(Exchange *exchange, int status, const char *content_type,
                     StreamState (*read)(void *context, Buffer *out), void *context);

// Whether the client has left.
bool exchange_has_left(const Exchange *exchange);

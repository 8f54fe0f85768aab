// SPDX-License-Identifier: Apache-2.0
// Watch: one thread beside those that serve. It accepts connections, sees clients leave, and ends what takes too long,
// whatever the serving threads do with a connection meanwhile.
//
// A connection's life: watch_accept takes it from a listener and hands it to `serve`, which gives the descriptor away;
// from the library's first notice (conn_started) to its last (conn_closed) the descriptor is open, and only in between
// does this room touch it, under the connection's lock. So a number that the system has given to another file is never
// hit.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "serve/http_listen.h"

typedef struct Watch Watch;

typedef enum ConnPhase {
    CONN_FREE,
    CONN_IDLE,  // between requests: until idle_ms
    CONN_HEAD,  // bytes of a head have come: until header_ms
    CONN_BODY,  // the head is read: until body_ms
    CONN_WORK,  // the handler works on an answer
    CONN_WRITE, // there is an answer, or a part of it: each write_ms some of it has to go
    CONN_LINGER // served; what the client still sends is read and thrown away, so that it gets what was sent to it
} ConnPhase;

typedef struct Conn {
    pthread_mutex_t lock;
    Watch *watch;
    int fd; // -1: not open
    uint32_t index, generation;
    _Atomic int phase;
    bool started; // the library knows it
    bool gone;    // the client has left, or was cut off
    bool cut;     // the socket is shut down: the library will close it
    bool lingers; // when closed, for the client to read an answer that came before its request was read
    bool admin, encrypted, local;
    bool counts;            // the system counts what has come (TCP)
    uint64_t received;      // of which so much when it became idle
    uint64_t looked_ns;     // when that was last asked
    uint64_t since_ns;      // this phase
    _Atomic uint64_t taken; // pieces of the answer that were taken to be sent
    uint64_t taken_seen;    // by the last look, with
    int queued_bytes;       // in the socket
    void *exchange;         // being served
    void *extra;            // of whoever serves (conn_closed hands it to `closed`)
    uint8_t address[16];
    char peer[56];
} Conn;

typedef struct WatchSettings {
    Listener *listeners;
    size_t listener_count;
    HttpLimits limits;
    bool half_close_is_leaving;
    void *context;
    // Takes the descriptor over, whatever comes of it; false: it is closed already, and no notice comes.
    bool (*serve)(void *context, Conn *conn, const void *address, unsigned address_bytes);
    // The client of this exchange has left or was cut off. The exchange is held by `hold` until then.
    void (*hold)(void *exchange);
    void (*leave)(void *exchange);
    void (*closed)(void *context, Conn *conn);
} WatchSettings;

typedef struct WatchCounts {
    size_t connections;
    uint64_t connections_total, refused, timed_out;
} WatchCounts;

MUST_CHECK Status watch_new(const WatchSettings *settings, Watch **ret_watch, Error *err);
MUST_CHECK Status watch_start(Watch *watch, Error *err);
void watch_close_listeners(Watch *watch);
size_t watch_working(Watch *watch); // connections amid a request, its answer, or the end after it
bool watch_is_closing(const Watch *watch);
// Ends the thread and cuts off every client; afterwards nothing waits on any exchange.
void watch_stop(Watch *watch);
void watch_free(Watch *watch); // when the library has closed every connection
WatchCounts watch_counts(Watch *watch);
void *watch_context(const Watch *watch);

// The library's notices, on its threads. NULL: not one of ours (any more).
Conn *conn_started(Watch *watch, int fd);
void conn_closed(Conn *conn);

// A request goes on: its head, its body, its work, its answer, its end. False: its client has left, it must end.
bool conn_begin(Conn *conn, void *exchange, ConnPhase phase);
bool conn_enter(Conn *conn, ConnPhase phase);
void conn_end(Conn *conn);

// The connection ends after what was sent last, with part of a request unread.
void conn_linger(Conn *conn);

// Ends the connection under the client.
void conn_cut(Conn *conn);

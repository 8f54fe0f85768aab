// SPDX-License-Identifier: Apache-2.0
// The watch from the inside: http_watch.c runs the thread, http_conn.c knows slots and single connections.
#pragma once

#include "serve/http_watch.h"

#define MS_NS ((uint64_t)1000000)

struct Watch {
    WatchSettings settings;
    int epoll, bell; // the bell wakes the thread
    pthread_t thread;
    bool runs;
    pthread_mutex_t listening; // held while listeners are used
    uint64_t paused_until_ns;  // no accepting: the system was short of something
    pthread_mutex_t lock;      // of what follows
    Conn *conns;               // slots; those below `used` are initialized for ever
    size_t capacity, used;
    uint32_t *vacant; // indices of free slots
    size_t vacant_count;
    uint32_t *slot_of; // by descriptor: 1 + index
    size_t slot_of_count;
    size_t connections; // served
    _Atomic uint64_t total, refused, timed_out;
    _Atomic size_t busy; // slots that are not free
    _Atomic bool closing, ending;
};

// Slots. The watch's lock is held by the caller of the first two, and by nobody for the others.
Conn *slot_take(Watch *watch);          // NULL: all are taken
bool slots_reach(Watch *watch, int fd); // room for a descriptor in the table
void slot_give(Conn *conn);             // of a connection that is over; its lock is held and gets released
void slot_uncount(Watch *watch, uint32_t index, int fd); // out of the count and the table

// Of one connection, whose lock the caller holds.
bool conn_received(const Conn *conn, uint64_t *ret_bytes); // what has come so far; false: nobody counts
uint32_t conn_idle_events(const Conn *conn);               // what to wait for while it is idle
uint32_t conn_leaving_events(const Watch *watch);
void conn_arm(Conn *conn, int operation, uint32_t events);   // one event, then none
void conn_tell(Conn *conn, int status, const char *message); // an answer of this room's own, where it is not encrypted
void conn_drop(Conn *conn);                                  // shuts the socket down
void conn_leave(Conn *conn);                                 // tells the exchange; releases the lock
void conn_expire(Conn *conn, const char *message);           // a deadline has passed; releases the lock
bool conn_discard(Conn *conn);                               // reads and throws away; true: there is an end
void conn_shut(Conn *conn);                                  // closes; releases the lock
void conn_forget(Conn *conn); // of one that the library took and could not start to serve; releases the lock

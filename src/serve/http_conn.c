// SPDX-License-Identifier: Apache-2.0
// Single connections: their slots, their events, and what the library tells about them.
#include "serve/http_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/http_guard.h"

// Slots.

Conn *slot_take(Watch *watch) {
    if (!watch->vacant_count && watch->used == watch->capacity)
        return NULL;
    uint32_t index = watch->vacant_count ? watch->vacant[--watch->vacant_count] : (uint32_t)watch->used;
    Conn *conn = &watch->conns[index];
    if (index == watch->used) {
        pthread_mutex_init(&conn->lock, NULL);
        conn->watch = watch;
        conn->index = index;
        watch->used++;
    }
    atomic_fetch_add(&watch->busy, 1);
    return conn;
}

// Makes room for a descriptor in the table.
bool slots_reach(Watch *watch, int fd) {
    if ((size_t)fd < watch->slot_of_count)
        return true;
    size_t count = (size_t)fd * 2 + 64;
    Error err;
    uint32_t *grown = memory_resize(watch->slot_of, count, sizeof *grown, &err);
    if (!grown)
        return false;
    memset(grown + watch->slot_of_count, 0, (count - watch->slot_of_count) * sizeof *grown);
    watch->slot_of = grown;
    watch->slot_of_count = count;
    return true;
}

// The slot of a connection that is over: the caller holds its lock, which is released.
void slot_give(Conn *conn) {
    Watch *watch = conn->watch;
    conn->fd = -1;
    conn->generation++;
    atomic_store(&conn->phase, CONN_FREE);
    pthread_mutex_unlock(&conn->lock);
    pthread_mutex_lock(&watch->lock);
    watch->vacant[watch->vacant_count++] = conn->index;
    atomic_fetch_sub(&watch->busy, 1);
    pthread_mutex_unlock(&watch->lock);
}

// Takes a served connection out of the count and its descriptor out of the table.
void slot_uncount(Watch *watch, uint32_t index, int fd) {
    pthread_mutex_lock(&watch->lock);
    watch->connections--;
    if ((size_t)fd < watch->slot_of_count && watch->slot_of[fd] == index + 1)
        watch->slot_of[fd] = 0;
    pthread_mutex_unlock(&watch->lock);
}

// Events of one connection. The caller holds its lock.

void conn_arm(Conn *conn, int operation, uint32_t events) {
    struct epoll_event event = {.events = events | EPOLLONESHOT,
                                .data.u64 = (uint64_t)(conn->generation & 0x7fffffff) << 32 | conn->index};
    epoll_ctl(conn->watch->epoll, operation, conn->fd, &event);
}

uint32_t conn_leaving_events(const Watch *watch) {
    return watch->settings.half_close_is_leaving ? EPOLLRDHUP : 0;
}

bool conn_received(const Conn *conn, uint64_t *ret_bytes) {
    struct tcp_info info;
    socklen_t bytes = sizeof info;
    if (conn->local || getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) ||
        bytes < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return false;
    *ret_bytes = info.tcpi_bytes_received;
    return true;
}

uint32_t conn_idle_events(const Conn *conn) {
    return conn_leaving_events(conn->watch) | (conn->counts ? 0 : EPOLLIN);
}

void conn_tell(Conn *conn, int status, const char *message) {
    if (conn->encrypted)
        return;
    char text[GUARD_ANSWER_BYTES];
    size_t bytes = guard_answer(status, message, text, sizeof text);
    if (send(conn->fd, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; // it is being ended anyway
}

void conn_drop(Conn *conn) {
    conn->gone = conn->cut = true;
    if (conn->fd >= 0 && conn->started)
        shutdown(conn->fd, SHUT_RDWR);
}

// Marks the client as gone and tells the exchange. Releases the lock.
void conn_leave(Conn *conn) {
    Watch *watch = conn->watch;
    void *exchange = conn->exchange;
    conn->gone = true;
    if (exchange)
        watch->settings.hold(exchange);
    pthread_mutex_unlock(&conn->lock);
    if (exchange)
        watch->settings.leave(exchange);
}

// A deadline has passed. Releases the lock.
void conn_expire(Conn *conn, const char *message) {
    atomic_fetch_add_explicit(&conn->watch->timed_out, 1, memory_order_relaxed);
    if (message)
        conn_tell(conn, 408, message);
    conn_drop(conn);
    conn_leave(conn);
}

// Reads and throws away; true when the connection is over.
bool conn_discard(Conn *conn) {
    char waste[16384];
    ssize_t got = recv(conn->fd, waste, sizeof waste, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

void conn_shut(Conn *conn) {
    close(conn->fd);
    slot_give(conn);
}

// The library took the connection and could not start serving it: it is closed, and nobody said so.
void conn_forget(Conn *conn) {
    Watch *watch = conn->watch;
    uint32_t index = conn->index;
    int fd = conn->fd;
    pthread_mutex_unlock(&conn->lock);
    slot_uncount(watch, index, fd);
    pthread_mutex_lock(&conn->lock);
    slot_give(conn);
}

// What the library tells.

Conn *conn_started(Watch *watch, int fd) {
    pthread_mutex_lock(&watch->lock);
    uint32_t slot = (size_t)fd < watch->slot_of_count ? watch->slot_of[fd] : 0;
    pthread_mutex_unlock(&watch->lock);
    if (!slot)
        return NULL;
    Conn *conn = &watch->conns[slot - 1];
    pthread_mutex_lock(&conn->lock);
    conn->started = true;
    pthread_mutex_unlock(&conn->lock);
    return conn;
}

// Whether the client may still be sending what nobody will read.
static bool conn_should_linger(const Conn *conn) {
    char byte;
    int phase = atomic_load(&conn->phase);
    if (conn->gone || atomic_load(&conn->watch->ending))
        return false;
    ssize_t got = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        return false;
    return got > 0 || conn->lingers || phase == CONN_HEAD || phase == CONN_BODY;
}

void conn_closed(Conn *conn) {
    Watch *watch = conn->watch;
    watch->settings.closed(watch->settings.context, conn);
    slot_uncount(watch, conn->index, conn->fd);
    pthread_mutex_lock(&conn->lock);
    bool lingers = conn_should_linger(conn);
    epoll_ctl(watch->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    int copy = lingers ? fcntl(conn->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0) {
        slot_give(conn);
        return;
    }
    conn->fd = copy;
    conn->generation++;
    conn->since_ns = clock_ns();
    shutdown(copy, SHUT_WR);
    atomic_store(&conn->phase, CONN_LINGER);
    conn_arm(conn, EPOLL_CTL_ADD, EPOLLIN);
    pthread_mutex_unlock(&conn->lock);
}

bool conn_begin(Conn *conn, void *exchange, ConnPhase phase) {
    pthread_mutex_lock(&conn->lock);
    bool stays = !conn->gone;
    if (stays) {
        conn->exchange = exchange;
        atomic_store(&conn->phase, (int)phase);
        conn->since_ns = clock_ns();
    }
    pthread_mutex_unlock(&conn->lock);
    return stays;
}

bool conn_enter(Conn *conn, ConnPhase phase) {
    pthread_mutex_lock(&conn->lock);
    bool stays = !conn->gone;
    atomic_store(&conn->phase, (int)phase);
    conn->since_ns = clock_ns();
    pthread_mutex_unlock(&conn->lock);
    return stays;
}

void conn_end(Conn *conn) {
    pthread_mutex_lock(&conn->lock);
    conn->exchange = NULL;
    atomic_store(&conn->phase, CONN_IDLE);
    conn->since_ns = conn->looked_ns = clock_ns();
    if (conn->counts) {
        conn_received(conn, &conn->received);
    } else if (!conn->gone) {
        conn->generation++;
        conn_arm(conn, EPOLL_CTL_MOD, conn_idle_events(conn));
    }
    pthread_mutex_unlock(&conn->lock);
}

void conn_linger(Conn *conn) {
    pthread_mutex_lock(&conn->lock);
    conn->lingers = true;
    pthread_mutex_unlock(&conn->lock);
}

void conn_cut(Conn *conn) {
    pthread_mutex_lock(&conn->lock);
    conn_drop(conn);
    pthread_mutex_unlock(&conn->lock);
}

// SPDX-License-Identifier: Apache-2.0
// The watch: an epoll set of its own over the listeners and over every connection, and a look at all of them each tick.
//
// In the set, a connection waits for its client to leave. The event carries the connection's index and generation, so
// one that is late speaks of nobody. That a head begins is found by looking, from what the system counts of TCP: an
// event for bytes that the library has already read never comes. Nobody counts the bytes of a Unix-domain socket, so
// there the event has to do; where it is missed, idle_ms ends what begins and does not go on. Locks: the watch's own
// (slots, numbers of descriptors) and each connection's are never held together.
#include "serve/http_watch.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/http_conn.h"

enum { EVENTS = 64, ACCEPTS_A_TURN = 64, SPARE_SLOTS = 64, PAUSE_MS = 100, LINGER_MS = 2000, UNSTARTED_MS = 30000 };

#define LISTENER ((uint64_t)1 << 63)
#define BELL (LISTENER - 1)

void *watch_context(const Watch *watch) {
    return watch->settings.context;
}

bool watch_is_closing(const Watch *watch) {
    return atomic_load_explicit(&watch->closing, memory_order_relaxed);
}

static void conn_event(Watch *watch, uint64_t data, uint32_t events) {
    Conn *conn = &watch->conns[(uint32_t)data];
    pthread_mutex_lock(&conn->lock);
    int phase = atomic_load(&conn->phase);
    if (phase == CONN_FREE || (conn->generation & 0x7fffffff) != (uint32_t)(data >> 32)) {
        pthread_mutex_unlock(&conn->lock);
        return;
    }
    if (phase == CONN_LINGER) {
        if (conn_discard(conn)) {
            conn_shut(conn);
            return;
        }
        conn_arm(conn, EPOLL_CTL_MOD, EPOLLIN);
    } else if (events & (EPOLLHUP | EPOLLERR | conn_leaving_events(watch))) {
        conn_leave(conn);
        return;
    } else {
        if (phase == CONN_IDLE && (events & EPOLLIN)) {
            atomic_store(&conn->phase, CONN_HEAD);
            conn->since_ns = clock_ns();
        }
        conn_arm(conn, EPOLL_CTL_MOD, conn_leaving_events(watch));
    }
    pthread_mutex_unlock(&conn->lock);
}

// Deadlines.

// Whether the client took nothing of what there is for it for too long.
static bool conn_stalls(Conn *conn, uint64_t now_ns) {
    int queued = 0;
    uint64_t taken = atomic_load_explicit(&conn->taken, memory_order_relaxed);
    if (ioctl(conn->fd, SIOCOUTQ, &queued) || !queued || queued != conn->queued_bytes || taken != conn->taken_seen) {
        conn->queued_bytes = queued;
        conn->taken_seen = taken;
        conn->since_ns = now_ns;
        return false;
    }
    return now_ns - conn->since_ns > conn->watch->settings.limits.write_ms * MS_NS;
}

// Whether bytes of a head have come since the connection became idle. Asked now and then: it is a system call.
static void conn_look_for_head(Conn *conn, uint64_t now_ns) {
    uint64_t received;
    if (!conn->counts || now_ns - conn->looked_ns < conn->watch->settings.limits.header_ms * MS_NS / 8)
        return;
    conn->looked_ns = now_ns;
    if (!conn_received(conn, &received) || received == conn->received)
        return;
    atomic_store(&conn->phase, CONN_HEAD);
    conn->since_ns = now_ns;
}

static void conn_look(Conn *conn, uint64_t now_ns) {
    const HttpLimits *limits = &conn->watch->settings.limits;
    pthread_mutex_lock(&conn->lock);
    int phase = atomic_load(&conn->phase);
    uint64_t age_ns = now_ns > conn->since_ns ? now_ns - conn->since_ns : 0;
    if (phase == CONN_LINGER && age_ns > LINGER_MS * MS_NS) {
        conn_shut(conn);
        return;
    }
    if (phase == CONN_FREE || phase == CONN_LINGER || conn->cut || !conn->started) {
        if (phase != CONN_FREE && phase != CONN_LINGER && !conn->started && age_ns > UNSTARTED_MS * MS_NS)
            conn_forget(conn);
        else
            pthread_mutex_unlock(&conn->lock);
        return;
    }
    if (phase == CONN_IDLE && age_ns > limits->idle_ms * MS_NS)
        conn_drop(conn);
    else if (phase == CONN_IDLE)
        conn_look_for_head(conn, now_ns);
    if (phase == CONN_HEAD && age_ns > limits->header_ms * MS_NS)
        conn_expire(conn, "the request line and the headers did not come in time");
    else if (phase == CONN_BODY && age_ns > limits->body_ms * MS_NS)
        conn_expire(conn, "the request's body did not come in time");
    else if (phase == CONN_WRITE && conn_stalls(conn, now_ns))
        conn_expire(conn, NULL);
    else
        pthread_mutex_unlock(&conn->lock);
}

static void look_at_all(Watch *watch) {
    uint64_t now_ns = clock_ns();
    pthread_mutex_lock(&watch->lock);
    size_t used = watch->used;
    pthread_mutex_unlock(&watch->lock);
    for (size_t i = 0; i < used; i++)
        if (atomic_load_explicit(&watch->conns[i].phase, memory_order_relaxed) != CONN_FREE)
            conn_look(&watch->conns[i], now_ns);
}

// Accepting.

static void address_read(Conn *conn, const struct sockaddr_storage *address) {
    memset(conn->address, 0, sizeof conn->address);
    conn->local = address->ss_family == AF_UNIX;
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        memcpy(conn->address, &six->sin6_addr, 16);
        inet_ntop(AF_INET6, &six->sin6_addr, conn->peer, sizeof conn->peer);
    } else if (address->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        memcpy(conn->address + 12, &four->sin_addr, 4);
        inet_ntop(AF_INET, &four->sin_addr, conn->peer, sizeof conn->peer);
    } else {
        snprintf(conn->peer, sizeof conn->peer, "unix");
    }
}

// Whether this connection's address has as many as it may. Reads what only this thread writes.
static bool address_is_full(const Watch *watch, const Conn *conn) {
    size_t most = watch->settings.limits.most_connections_per_address, count = 0;
    if (!most || conn->local)
        return false;
    for (size_t i = 0; i < watch->used; i++) {
        const Conn *other = &watch->conns[i];
        int phase = atomic_load_explicit(&other->phase, memory_order_relaxed);
        if (other != conn && phase != CONN_FREE && phase != CONN_LINGER && !other->local)
            count += !memcmp(other->address, conn->address, sizeof conn->address);
    }
    return count >= most;
}

// One more than may be: it hears so.
static void conn_refuse(Watch *watch, Conn *conn) {
    atomic_fetch_add_explicit(&watch->refused, 1, memory_order_relaxed);
    pthread_mutex_lock(&conn->lock);
    conn_tell(conn, 503, "this server has as many connections as it takes");
    shutdown(conn->fd, SHUT_WR);
    conn->gone = true;
    atomic_store(&conn->phase, CONN_LINGER);
    conn_arm(conn, EPOLL_CTL_ADD, EPOLLIN);
    pthread_mutex_unlock(&conn->lock);
}

static void conn_accept(Watch *watch, const Listener *listener, int fd, const struct sockaddr_storage *address,
                        socklen_t address_bytes) {
    atomic_fetch_add_explicit(&watch->total, 1, memory_order_relaxed);
    pthread_mutex_lock(&watch->lock);
    Conn *conn = slots_reach(watch, fd) ? slot_take(watch) : NULL;
    bool full = watch->connections >= watch->settings.limits.most_connections;
    pthread_mutex_unlock(&watch->lock);
    if (!conn) {
        atomic_fetch_add_explicit(&watch->refused, 1, memory_order_relaxed);
        close(fd);
        return;
    }
    pthread_mutex_lock(&conn->lock);
    conn->fd = fd;
    conn->started = conn->gone = conn->cut = conn->lingers = false;
    conn->admin = listener->admin;
    conn->encrypted = listener->encrypted;
    conn->exchange = conn->extra = NULL;
    conn->queued_bytes = 0;
    conn->since_ns = clock_ns();
    address_read(conn, address);
    conn->looked_ns = conn->since_ns;
    conn->counts = conn_received(conn, &conn->received);
    conn->received = 0;
    pthread_mutex_unlock(&conn->lock);
    if (full || address_is_full(watch, conn)) {
        conn_refuse(watch, conn);
        return;
    }
    pthread_mutex_lock(&watch->lock);
    watch->slot_of[fd] = conn->index + 1;
    watch->connections++;
    pthread_mutex_unlock(&watch->lock);
    pthread_mutex_lock(&conn->lock);
    atomic_store(&conn->phase, CONN_IDLE);
    conn_arm(conn, EPOLL_CTL_ADD, conn_idle_events(conn));
    pthread_mutex_unlock(&conn->lock);
    if (!watch->settings.serve(watch->settings.context, conn, address, address_bytes)) {
        pthread_mutex_lock(&conn->lock);
        conn_forget(conn);
    }
}

static void listeners_arm(Watch *watch, int operation) {
    for (size_t i = 0; i < watch->settings.listener_count; i++)
        if (watch->settings.listeners[i].fd >= 0) {
            struct epoll_event event = {.events = EPOLLIN, .data.u64 = LISTENER | i};
            epoll_ctl(watch->epoll, operation, watch->settings.listeners[i].fd, &event);
        }
}

// Out of descriptors or memory: the waiting connection would be reported without end, so listeners rest for a while.
static void listeners_pause(Watch *watch) {
    watch->paused_until_ns = clock_ns() + PAUSE_MS * MS_NS;
    listeners_arm(watch, EPOLL_CTL_DEL);
}

// At most so many connections that wait for it; with `listening` held.
static void listener_accept(Watch *watch, Listener *listener, int most) {
    for (int i = 0; i < most && listener->fd >= 0; i++) {
        struct sockaddr_storage address = {0};
        socklen_t bytes = sizeof address;
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            conn_accept(watch, listener, fd, &address, bytes);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listeners_pause(watch);
            break;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
}

static void listener_event(Watch *watch, size_t index) {
    pthread_mutex_lock(&watch->listening);
    listener_accept(watch, &watch->settings.listeners[index], ACCEPTS_A_TURN);
    pthread_mutex_unlock(&watch->listening);
}

static void listeners_resume(Watch *watch) {
    pthread_mutex_lock(&watch->listening);
    if (watch->paused_until_ns && clock_ns() >= watch->paused_until_ns) {
        watch->paused_until_ns = 0;
        listeners_arm(watch, EPOLL_CTL_ADD);
    }
    pthread_mutex_unlock(&watch->listening);
}

// The thread.

static uint64_t tick_ms(const HttpLimits *limits) {
    uint64_t least = limits->header_ms < limits->body_ms ? limits->header_ms : limits->body_ms;
    least = limits->write_ms < least ? limits->write_ms : least;
    least = limits->idle_ms < least ? limits->idle_ms : least;
    uint64_t tick = least / 8;
    return tick < 10 ? 10 : tick > 500 ? 500 : tick;
}

static void *watch_run(void *context) {
    Watch *watch = context;
    pthread_setname_np(pthread_self(), "hone-watch");
    uint64_t tick = tick_ms(&watch->settings.limits), next_ns = clock_ns() + tick * MS_NS;
    while (!atomic_load(&watch->ending)) {
        bool rests = !atomic_load(&watch->busy) && !watch->paused_until_ns;
        struct epoll_event events[EVENTS];
        int count = epoll_wait(watch->epoll, events, EVENTS, rests ? -1 : (int)tick);
        for (int i = 0; i < count; i++) {
            uint64_t data = events[i].data.u64, rung;
            if (data == BELL) {
                if (read(watch->bell, &rung, sizeof rung) < 0)
                    continue; // rung twice, read once
            } else if (data & LISTENER) {
                listener_event(watch, (size_t)(data & ~LISTENER));
            } else {
                conn_event(watch, data, events[i].events);
            }
        }
        if (watch->paused_until_ns)
            listeners_resume(watch);
        if (clock_ns() >= next_ns) {
            look_at_all(watch);
            next_ns = clock_ns() + tick * MS_NS;
        }
    }
    return NULL;
}

static void bell_ring(Watch *watch) {
    uint64_t one = 1;
    if (write(watch->bell, &one, sizeof one) < 0)
        return; // it is ringing already
}

static Status watch_open(Watch *watch, Error *err) {
    size_t most = watch->settings.limits.most_connections;
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = BELL};
    if (watch->epoll < 0 || watch->bell < 0 || epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->bell, &event))
        return FAIL(err, ERR_IO, "cannot watch connections: %s", strerror(errno));
    watch->capacity = most + most / 4 + SPARE_SLOTS;
    TRY_NEW(watch->conns = memory_map_sparse(watch->capacity * sizeof *watch->conns, err));
    TRY_NEW(watch->vacant = memory_new(watch->capacity, sizeof *watch->vacant, err));
    if (!slots_reach(watch, (int)watch->capacity)) // mostly enough for ever
        return FAIL(err, ERR_MEMORY, "no memory for %zu connections", watch->capacity);
    return OK;
}

Status watch_new(const WatchSettings *settings, Watch **ret_watch, Error *err) {
    Watch *watch;
    if (settings->limits.most_connections > (size_t)1 << 24)
        return FAIL(err, ERR_USAGE, "a server has at most 16777216 connections, not %zu",
                    settings->limits.most_connections);
    TRY_NEW(watch = memory_new(1, sizeof *watch, err));
    *watch = (Watch){.settings = *settings, .epoll = -1, .bell = -1};
    pthread_mutex_init(&watch->lock, NULL);
    pthread_mutex_init(&watch->listening, NULL);
    Status status = watch_open(watch, err);
    if (status != OK) {
        watch_free(watch);
        return status;
    }
    listeners_arm(watch, EPOLL_CTL_ADD);
    *ret_watch = watch;
    return OK;
}

Status watch_start(Watch *watch, Error *err) {
    int failed = pthread_create(&watch->thread, NULL, watch_run, watch);
    if (failed)
        return FAIL(err, ERR_IO, "cannot start a thread: %s", strerror(failed));
    watch->runs = true;
    return OK;
}

void watch_close_listeners(Watch *watch) {
    atomic_store(&watch->closing, true);
    pthread_mutex_lock(&watch->listening);
    for (size_t i = 0; i < watch->settings.listener_count; i++) {
        listener_accept(watch, &watch->settings.listeners[i], BACKLOG); // the system would reset those that wait
        listener_close(&watch->settings.listeners[i]);
    }
    pthread_mutex_unlock(&watch->listening);
}

size_t watch_working(Watch *watch) {
    size_t count = 0;
    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < watch->used; i++) {
        int phase = atomic_load_explicit(&watch->conns[i].phase, memory_order_relaxed);
        count += phase != CONN_FREE && phase != CONN_IDLE;
    }
    pthread_mutex_unlock(&watch->lock);
    return count;
}

void watch_stop(Watch *watch) {
    watch_close_listeners(watch);
    atomic_store(&watch->ending, true);
    bell_ring(watch);
    if (watch->runs)
        pthread_join(watch->thread, NULL);
    watch->runs = false;
    for (size_t i = 0; i < watch->used; i++) {
        Conn *conn = &watch->conns[i];
        pthread_mutex_lock(&conn->lock);
        int phase = atomic_load(&conn->phase);
        if (phase == CONN_LINGER) {
            conn_shut(conn);
        } else if (phase == CONN_FREE) {
            pthread_mutex_unlock(&conn->lock);
        } else {
            conn_drop(conn);
            conn_leave(conn);
        }
    }
}

void watch_free(Watch *watch) {
    if (!watch)
        return;
    for (size_t i = 0; i < watch->used; i++)
        pthread_mutex_destroy(&watch->conns[i].lock);
    memory_unmap(watch->conns, watch->capacity * sizeof *watch->conns);
    memory_free(watch->vacant);
    memory_free(watch->slot_of);
    if (watch->epoll >= 0)
        close(watch->epoll);
    if (watch->bell >= 0)
        close(watch->bell);
    pthread_mutex_destroy(&watch->lock);
    pthread_mutex_destroy(&watch->listening);
    memory_free(watch);
}

WatchCounts watch_counts(Watch *watch) {
    pthread_mutex_lock(&watch->lock);
    WatchCounts counts = {.connections = watch->connections};
    pthread_mutex_unlock(&watch->lock);
    counts.connections_total = atomic_load_explicit(&watch->total, memory_order_relaxed);
    counts.refused = atomic_load_explicit(&watch->refused, memory_order_relaxed);
    counts.timed_out = atomic_load_explicit(&watch->timed_out, memory_order_relaxed);
    return counts;
}

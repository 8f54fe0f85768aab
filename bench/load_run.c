// SPDX-License-Identifier: Apache-2.0
// Connections and requests. One thread, edge-triggered epoll, one system call per packet: the server that is measured
// runs on the same cores.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/load.h"

enum { EVENTS = 256, TICK_MS = 10, SLOW_TICK_MS = 100, IDLE_A_TICK = 50, PAUSE_MS = 20, READ_BYTES = 1 << 18 };
#define MS ((uint64_t)1000000)
#define READ_ENDS (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

typedef enum ConnState {
    CONN_NONE,       // not open
    CONN_CONNECTING, // with a request to send
    CONN_SENDING,
    CONN_RECEIVING,
    CONN_RESTING, // open, for the next request
    CONN_IDLING,  // one of --idle
} ConnState;

typedef struct Conn {
    int fd;
    ConnState state;
    bool reused; // has answered before
    Buffer out;
    size_t sent;
    Answer answer;
    Planned planned;
    uint64_t index, due_ns, first_ns, last_ns, leave_ns, longest_gap_ns; // 0: none
} Conn;

typedef struct Run {
    const LoadSettings *settings;
    LoadFigures *figures;
    int epoll;
    FILE *lines;
    Conn *conns;      // [concurrency], then [idle]
    uint32_t *vacant; // a stack of those of the first part without a request; the last one back is used first
    size_t vacant_count;
    size_t open_idle;
    uint64_t next_index, start_ns, warm_ns, end_ns, next_due_ns, paused_until_ns;
    Random arrivals;
    Histogram totals; // of all good answers, for the moments to leave
    char *input;      // [READ_BYTES]
} Run;

static bool is_active(const Conn *conn) {
    return conn->state >= CONN_CONNECTING && conn->state <= CONN_RECEIVING;
}

static size_t active_count(const Run *run) {
    return run->settings->concurrency - run->vacant_count;
}

// Requests.

static void add_body(const Run *run, const Planned *planned, Buffer *out) {
    const LoadSettings *settings = run->settings;
    const PlanSource *source = &settings->plan.sources[planned->source];
    buffer_add_text(out, "{\"prompt\":");
    buffer_add(out, source->json, source->bytes);
    buffer_format(out, ",\"min_tokens\":%u,\"max_tokens\":%u,\"temperature\":0,\"num_beams\":%d", planned->tokens,
                  planned->tokens, settings->beams);
    if (settings->model) {
        buffer_add_text(out, ",\"model\":");
        buffer_add_json(out, settings->model, strlen(settings->model));
    }
    if (settings->streams)
        buffer_add_text(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    buffer_add_char(out, '}');
}

// Bodies that no server may take: cut off, of another type, of another shape, no JSON, nothing.
static const char *const bad_bodies[PLAN_BAD_WAYS] = {
    "{\"prompt\":[0,5,2],\"max_tokens\":8,\"str", "{\"prompt\":{\"text\":7},\"max_tokens\":\"many\"}",
    "[[[[[[[[[[[[[[[[\"prompt\"]]]]]]]]]]]]]]]]", "\x80\xff prompt=hello&max_tokens=8", ""};

static Status request_write(Run *run, Conn *conn, Error *err) {
    const LoadSettings *settings = run->settings;
    Buffer body = {0};
    if (conn->planned.bad >= 0)
        buffer_add_text(&body, bad_bodies[conn->planned.bad]);
    else
        add_body(run, &conn->planned, &body);
    Status status = buffer_status(&body, err);
    buffer_clear(&conn->out);
    buffer_format(&conn->out,
                  "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\n",
                  body.bytes);
    if (settings->key)
        buffer_format(&conn->out, "Authorization: Bearer %s\r\n", settings->key);
    buffer_add_text(&conn->out, "\r\n");
    buffer_add(&conn->out, body.data, body.bytes);
    conn->sent = 0;
    buffer_done(&body);
    return status == OK ? buffer_status(&conn->out, err) : status;
}

static bool in_window(const Run *run, uint64_t now) {
    return now >= run->warm_ns && (!run->end_ns || now < run->end_ns);
}

static void line_write(Run *run, const Conn *conn, const char *how, uint64_t now) {
    const Answer *answer = &conn->answer;
    if (!run->lines)
        return;
    fprintf(run->lines, "{\"index\":%llu,\"source\":%zu,\"asked\":%u,\"how\":\"%s\",\"status\":%d,\"tokens\":%llu,",
            (unsigned long long)conn->index, conn->planned.source, conn->planned.tokens, how, answer->status,
            (unsigned long long)answer->tokens);
    fprintf(run->lines,
            "\"due_s\":%.6f,\"first_ms\":%.3f,\"per_token_ms\":%.3f,\"longest_gap_ms\":%.3f,\"total_ms\":%.3f}\n",
            (double)(conn->due_ns - run->start_ns) / 1e9,
            conn->first_ns ? (double)(conn->first_ns - conn->due_ns) / 1e6 : 0,
            conn->first_ns && answer->tokens > 1 ? (double)(now - conn->first_ns) / 1e6 / (double)(answer->tokens - 1)
                                                 : 0,
            (double)conn->longest_gap_ns / 1e6, (double)(now - conn->due_ns) / 1e6);
}

// Connections.

static void conn_close(Run *run, Conn *conn) {
    if (conn->fd >= 0)
        close(conn->fd);
    run->open_idle -= conn->state == CONN_IDLING;
    conn->fd = -1;
    conn->state = CONN_NONE;
}

// The request is over; its connection stays open where it can serve the next.
static void conn_release(Run *run, Conn *conn, bool keep) {
    if (keep)
        conn->state = CONN_RESTING;
    else
        conn_close(run, conn);
    conn->reused = keep;
    run->vacant[run->vacant_count++] = (uint32_t)(conn - run->conns);
}

static void conn_fail(Run *run, Conn *conn, LoadFailure failure, const char *how) {
    uint64_t now = clock_ns();
    run->figures->failures[failure]++;
    line_write(run, conn, how, now);
    if (failure == FAILURE_CONNECT)
        run->paused_until_ns = now + PAUSE_MS * MS;
    conn_release(run, conn, false);
}

static bool conn_connect(Run *run, Conn *conn, ConnState state) {
    const LoadSettings *settings = run->settings;
    int one = 1;
    conn->fd = socket(settings->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        return false;
    if (settings->address.ss_family != AF_UNIX)
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = (uint64_t)(conn - run->conns)};
    // A Unix-domain socket whose backlog is full says EAGAIN and never tells when there is room.
    bool begun = connect(conn->fd, (const struct sockaddr *)&settings->address, settings->address_bytes) == 0 ||
                 errno == EINPROGRESS;
    if (!begun || epoll_ctl(run->epoll, EPOLL_CTL_ADD, conn->fd, &event) != 0) {
        close(conn->fd);
        conn->fd = -1;
        return false;
    }
    conn->state = state;
    conn->reused = false;
    return true;
}

static void conn_send(Run *run, Conn *conn);

// A kept connection may be ended by the server just when the next request is on its way: that is sent again, once.
static void conn_broken(Run *run, Conn *conn, bool at_connect) {
    if (conn->reused && conn->answer.bytes == 0) {
        conn_close(run, conn);
        run->figures->retries++;
        answer_begin(&conn->answer);
        if (conn_connect(run, conn, CONN_CONNECTING))
            conn->sent = 0;
        else
            conn_fail(run, conn, FAILURE_CONNECT, "connect");
        return;
    }
    if (at_connect)
        conn_fail(run, conn, FAILURE_CONNECT, "connect");
    else if (conn->answer.bytes == 0)
        conn_fail(run, conn, FAILURE_RESET, "reset");
    else
        conn_fail(run, conn, FAILURE_CUT, "cut");
}

static void conn_send(Run *run, Conn *conn) {
    if (conn->state == CONN_CONNECTING) {
        int error = 0;
        socklen_t bytes = sizeof error;
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
        if (error) {
            conn_broken(run, conn, true);
            return;
        }
        conn->state = CONN_SENDING;
    }
    while (conn->sent < conn->out.bytes) {
        ssize_t got = send(conn->fd, conn->out.data + conn->sent, conn->out.bytes - conn->sent, MSG_NOSIGNAL);
        if (got < 0 && (errno == EAGAIN || errno == ENOTCONN))
            return;
        if (got < 0 && errno != EINTR)
            return; // what the server said before it closed is still to be read; reading meets the end
        conn->sent += got > 0 ? (size_t)got : 0;
    }
    conn->state = CONN_RECEIVING;
}

// Answers.

static void pieces_count(Run *run, Conn *conn, uint64_t before, uint64_t now) {
    LoadFigures *figures = run->figures;
    bool measured = conn->due_ns >= run->warm_ns;
    uint64_t count = conn->answer.pieces - before;
    if (in_window(run, now))
        figures->tokens_in_window += count;
    for (; count; count--) {
        uint64_t gap = conn->first_ns ? now - conn->last_ns : 0;
        if (!conn->first_ns)
            conn->first_ns = now;
        else if (measured)
            histogram_add(&figures->gap, gap);
        conn->longest_gap_ns = gap > conn->longest_gap_ns ? gap : conn->longest_gap_ns;
        conn->last_ns = now;
    }
}

static void answer_measure(Run *run, Conn *conn, uint64_t now) {
    LoadFigures *figures = run->figures;
    const Answer *answer = &conn->answer;
    uint64_t total = now - conn->due_ns;
    figures->good++;
    histogram_add(&run->totals, total);
    if (in_window(run, now)) {
        figures->finished_in_window++;
        figures->source_tokens_in_window += run->settings->plan.sources[conn->planned.source].tokens;
        if (answer->tokens > answer->pieces)
            figures->tokens_in_window += answer->tokens - answer->pieces;
    }
    if (conn->due_ns < run->warm_ns)
        return;
    histogram_add(&figures->total, total);
    if (conn->first_ns)
        histogram_add(&figures->first, conn->first_ns - conn->due_ns);
    if (conn->first_ns && answer->tokens > 1)
        histogram_add(&figures->per_token, (now - conn->first_ns) / (answer->tokens - 1));
}

// The whole answer is there.
static void answer_end(Run *run, Conn *conn, bool clean) {
    LoadFigures *figures = run->figures;
    Answer *answer = &conn->answer;
    uint64_t now = clock_ns();
    bool failed = answer->status == 200 && conn->planned.bad < 0 && !answer_is_good(answer);
    if (failed) {
        bool told = answer->failed;
        conn_fail(run, conn, told ? FAILURE_EVENT : FAILURE_CUT, told ? "event" : "cut");
        return;
    }
    if (conn->planned.bad >= 0)
        figures->bad_statuses[answer->status]++;
    else
        figures->statuses[answer->status]++;
    if (answer_is_good(answer) && conn->planned.bad < 0)
        answer_measure(run, conn, now);
    figures->accepted_bad += conn->planned.bad >= 0 && answer->status == 200;
    if (answer->status == 503) // a closed loop would ask again at once, without end
        run->paused_until_ns = now + PAUSE_MS * MS;
    line_write(run, conn, "answered", now);
    conn_release(run, conn, clean && !answer->closes);
}

// What was read; false: the connection is done with.
static bool conn_take(Run *run, Conn *conn, size_t bytes) {
    if (!is_active(conn))
        return true; // words to one that asked nothing: the end comes behind them
    uint64_t before = conn->answer.pieces;
    size_t used = answer_take(&conn->answer, run->input, bytes);
    if (conn->answer.pieces > before)
        pieces_count(run, conn, before, clock_ns());
    if (conn->answer.stage < ANSWER_WHOLE)
        return true;
    if (conn->answer.stage == ANSWER_WHOLE)
        answer_end(run, conn, used == bytes && conn->state == CONN_RECEIVING);
    else
        conn_fail(run, conn, FAILURE_CUT, "cut");
    return false;
}

static void conn_ended(Run *run, Conn *conn) {
    if (!is_active(conn)) {
        run->figures->idle_closed += conn->state == CONN_IDLING;
        conn_close(run, conn);
        conn->reused = false;
        return;
    }
    answer_close(&conn->answer);
    if (conn->answer.stage == ANSWER_WHOLE)
        answer_end(run, conn, false);
    else
        conn_broken(run, conn, conn->state == CONN_CONNECTING);
}

// A short read has emptied the socket: what comes later is told by another event, and so is an end not told yet.
static void conn_receive(Run *run, Conn *conn, bool ends) {
    for (;;) {
        ssize_t got = recv(conn->fd, run->input, READ_BYTES, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == ENOTCONN))
            return;
        if (got <= 0) {
            conn_ended(run, conn);
            return;
        }
        if (!conn_take(run, conn, (size_t)got) || (got < READ_BYTES && !ends))
            return;
    }
}

static void conn_event(Run *run, Conn *conn, uint32_t events) {
    int fd = conn->fd;
    if ((conn->state == CONN_CONNECTING || conn->state == CONN_SENDING) && events & (EPOLLOUT | READ_ENDS))
        conn_send(run, conn);
    if (conn->fd == fd && fd >= 0 && conn->state != CONN_CONNECTING && events & (EPOLLIN | READ_ENDS))
        conn_receive(run, conn, events & READ_ENDS);
}

// When what is sent.

static bool may_begin(const Run *run, uint64_t now, const volatile sig_atomic_t *stops) {
    const LoadSettings *settings = run->settings;
    return !*stops && (!settings->requests || run->next_index < settings->requests) &&
           (!run->end_ns || now < run->end_ns);
}

static Status request_begin(Run *run, uint64_t due_ns, Error *err) {
    Conn *conn = &run->conns[run->vacant[--run->vacant_count]];
    conn->index = run->next_index++;
    conn->planned = plan_request(&run->settings->plan, conn->index);
    conn->due_ns = due_ns;
    conn->first_ns = conn->last_ns = conn->leave_ns = conn->longest_gap_ns = 0;
    answer_begin(&conn->answer);
    if (conn->planned.leaves) {
        double usual = run->totals.count ? histogram_mean(&run->totals) : 1e9;
        conn->leave_ns = due_ns + 1 + (uint64_t)(conn->planned.moment * usual);
    }
    run->figures->started++;
    if (active_count(run) > run->figures->most_open)
        run->figures->most_open = active_count(run);
    TRY(request_write(run, conn, err));
    if (conn->state == CONN_RESTING) {
        conn->state = CONN_SENDING;
        conn_send(run, conn);
    } else if (!conn_connect(run, conn, CONN_CONNECTING)) {
        conn_fail(run, conn, FAILURE_CONNECT, "connect");
    }
    return OK;
}

static Status requests_begin(Run *run, const volatile sig_atomic_t *stops, Error *err) {
    uint64_t now = clock_ns();
    if (run->settings->rate > 0) {
        for (; run->next_due_ns <= now && may_begin(run, now, stops);
             run->next_due_ns += (uint64_t)(plan_gap_s(&run->arrivals, run->settings->rate) * 1e9)) {
            if (run->vacant_count) {
                TRY(request_begin(run, run->next_due_ns, err));
            } else {
                run->next_index++;
                run->figures->failures[FAILURE_OVERFLOW]++;
            }
        }
        return OK;
    }
    while (run->vacant_count && now >= run->paused_until_ns && may_begin(run, now, stops)) {
        TRY(request_begin(run, now, err));
        now = clock_ns();
    }
    return OK;
}

// Those that leave, that took too long, and that say nothing.
static void look_at_all(Run *run, uint64_t now) {
    const LoadSettings *settings = run->settings;
    for (size_t i = 0; i < settings->concurrency; i++) {
        Conn *conn = &run->conns[i];
        if (!is_active(conn))
            continue;
        if (conn->leave_ns && now >= conn->leave_ns) {
            run->figures->left++;
            line_write(run, conn, "left", now);
            conn_release(run, conn, false);
        } else if (now > conn->due_ns && now - conn->due_ns > (uint64_t)(settings->timeout_s * 1e9)) {
            conn_fail(run, conn, FAILURE_TIMEOUT, "timeout");
        }
    }
    size_t opened = 0;
    for (size_t i = 0; i < settings->idle && run->open_idle < settings->idle && opened < IDLE_A_TICK; i++) {
        Conn *conn = &run->conns[settings->concurrency + i];
        if (conn->state != CONN_NONE)
            continue;
        opened++;
        if (!conn_connect(run, conn, CONN_IDLING))
            break;
        run->open_idle++;
    }
}

static void wait_for_events(Run *run, uint64_t until_ns) {
    struct epoll_event events[EVENTS];
    uint64_t now = clock_ns(), wait = until_ns > now ? until_ns - now : 0;
    struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    int count = epoll_pwait2(run->epoll, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++)
        conn_event(run, &run->conns[events[i].data.u64], events[i].events);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static Status loop(Run *run, const volatile sig_atomic_t *stops, Error *err) {
    const LoadSettings *settings = run->settings;
    bool busy = settings->plan.leave > 0 || settings->idle;
    uint64_t tick = (busy ? TICK_MS : SLOW_TICK_MS) * MS, next_tick = run->start_ns, over_ns = 0;
    for (;;) {
        TRY(requests_begin(run, stops, err));
        uint64_t now = clock_ns();
        bool more = may_begin(run, now, stops);
        if (!more && !over_ns)
            over_ns = now;
        if (*stops || (!more && (!active_count(run) || now - over_ns > (uint64_t)(settings->drain_s * 1e9))))
            return OK;
        if (now >= next_tick) {
            look_at_all(run, now);
            next_tick = now + tick;
        }
        uint64_t wake = next_tick;
        if (more && settings->rate > 0)
            wake = earlier(wake, run->next_due_ns);
        else if (more && run->vacant_count)
            wake = earlier(wake, run->paused_until_ns);
        wait_for_events(run, wake);
    }
}

// Beginning and end.

static double own_cpu_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static Status run_open(Run *run, Error *err) {
    const LoadSettings *settings = run->settings;
    size_t count = settings->concurrency + settings->idle;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0)
        return FAIL(err, ERR_IO, "no epoll: %s", strerror(errno));
    TRY_NEW(run->conns = memory_new(count, sizeof *run->conns, err));
    for (size_t i = 0; i < count; i++)
        run->conns[i] = (Conn){.fd = -1};
    TRY_NEW(run->vacant = memory_new(settings->concurrency, sizeof *run->vacant, err));
    TRY_NEW(run->input = memory_new(READ_BYTES, 1, err));
    for (size_t i = 0; i < settings->concurrency; i++)
        run->vacant[run->vacant_count++] = (uint32_t)(settings->concurrency - 1 - i);
    if (settings->lines && !(run->lines = fopen(settings->lines, "w")))
        return FAIL(err, ERR_IO, "cannot write '%s': %s", settings->lines, strerror(errno));
    return settings->pid ? threads_read(settings->pid, &run->figures->before, err) : OK;
}

static void run_close(Run *run) {
    const LoadSettings *settings = run->settings;
    for (size_t i = 0; run->conns && i < settings->concurrency + settings->idle; i++) {
        Conn *conn = &run->conns[i];
        if (is_active(conn)) {
            run->figures->failures[FAILURE_UNFINISHED]++;
            line_write(run, conn, "unfinished", clock_ns());
        }
        conn_close(run, conn);
        buffer_done(&conn->out);
    }
    if (run->lines)
        fclose(run->lines);
    if (run->epoll >= 0)
        close(run->epoll);
    memory_free(run->conns);
    memory_free(run->vacant);
    memory_free(run->input);
}

static Status run_measure(Run *run, const volatile sig_atomic_t *stops, Error *err) {
    const LoadSettings *settings = run->settings;
    LoadFigures *figures = run->figures;
    double own = own_cpu_s();
    run->start_ns = clock_ns();
    run->warm_ns = run->start_ns + (uint64_t)(settings->warmup_s * 1e9);
    if (settings->duration_s > 0)
        run->end_ns = run->start_ns + (uint64_t)(settings->duration_s * 1e9);
    run->arrivals = (Random){~settings->plan.seed};
    run->next_due_ns = run->start_ns;
    Status status = loop(run, stops, err);
    uint64_t end = clock_ns(), window_end = run->end_ns ? earlier(run->end_ns, end) : end;
    figures->duration_s = (double)(end - run->start_ns) / 1e9;
    figures->window_s = window_end > run->warm_ns ? (double)(window_end - run->warm_ns) / 1e9 : 0;
    figures->own_cpu_s = own_cpu_s() - own;
    figures->interrupted = *stops != 0;
    Error ignored; // a server that has ended by now took what it took
    if (settings->pid && threads_read(settings->pid, &figures->after, &ignored) != OK)
        figures->after = figures->before;
    if (status == OK && figures->started && figures->failures[FAILURE_CONNECT] == figures->started)
        return FAIL(err, ERR_IO, "none of %llu connections could be made", (unsigned long long)figures->started);
    return status;
}

Status load_run(const LoadSettings *settings, const volatile sig_atomic_t *stops, LoadFigures *ret, Error *err) {
    Run *run = memory_new(1, sizeof *run, err);
    TRY_NEW(run);
    memset(run, 0, sizeof *run);
    run->settings = settings;
    run->figures = ret;
    run->epoll = -1;
    Status status = run_open(run, err);
    if (status == OK)
        status = run_measure(run, stops, err);
    run_close(run);
    memory_free(run);
    return status;
}

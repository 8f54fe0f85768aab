// SPDX-License-Identifier: Apache-2.0
// The life of exchanges over real sockets: answers, waits, streams, wakes from many threads, clients that leave.
#include <sys/resource.h>

#include "base/fault.h"
#include "serve/http_harness.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

START_TEST(requests_are_answered) {
    Harness *harness = harness_new(http_default_limits());
    int fd = harness_connect(harness);
    Buffer got = {0};
    client_say(fd, GET("/a%41"));
    ck_assert(client_expect(fd, &got, "GET /aA 0:"));
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 200 OK\r\n"));
    buffer_clear(&got);
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    ck_assert(client_expect(fd, &got, "POST /echo 5:hello"));
    buffer_clear(&got);
    client_say(fd, "GET /who?p=1&q=a%26+b&q=c HTTP/1.1\r\nHost: x\r\nX-A: \t b \r\n\r\n");
    ck_assert(client_expect(fd, &got, "admin=0 peer=127.0.0.1 q=a& b a=b age=1"));
    buffer_clear(&got);
    client_say(fd, "HEAD /bulk HTTP/1.1\r\nHost: x\r\n\r\n" GET("/none"));
    ck_assert(client_expect(fd, &got, "this server gave no answer"));
    ck_assert(client_expect_end(fd, &got));
    close(fd);
    fd = harness_connect(harness);
    buffer_clear(&got);
    client_say(fd,
               "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    ck_assert(client_expect_end(fd, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "POST /echo 6:hello!"));
    ck_assert_ptr_nonnull(strstr(got.data, "Connection: close"));
    close(fd);
    buffer_done(&got);
    ck_assert(reaches(&harness->done, 6));
    ck_assert_uint_eq(harness->left, 0);
    HttpCounts counts = http_counts(harness->http);
    ck_assert_uint_eq(counts.connections_total, 2);
    ck_assert_uint_eq(counts.refused_framing + counts.refused_limits + counts.timed_out_requests + counts.left, 0);
    harness_free(harness);
}
END_TEST

START_TEST(answers_before_bodies) {
    Harness *harness = harness_new(http_default_limits());
    Buffer got = {0};
    int fd = harness_connect(harness);
    client_say(fd, GET("/early") GET("/a")); // no body: the connection goes on
    ck_assert(client_expect(fd, &got, "early"));
    ck_assert(client_expect(fd, &got, "GET /a 0:"));
    ck_assert_uint_eq(harness->asked, 1);
    buffer_clear(&got);
    client_say(fd, "POST /early HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ck_assert(client_expect_end(fd, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 401"));
    ck_assert_ptr_null(strstr(got.data, "100 Continue"));
    close(fd);
    // a body that is already on its way does not keep the client from reading the answer
    fd = harness_connect(harness);
    buffer_clear(&got);
    client_say(fd, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n");
    char block[4096] = {0};
    for (int i = 0; i < 500 && client_send(fd, block, sizeof block); i++)
        continue;
    ck_assert(client_expect(fd, &got, "early"));
    close(fd);
    buffer_done(&got);
    ck_assert(reaches(&harness->done, 4));
    ck_assert_uint_eq(harness->asked, 1);
    harness_free(harness);
}
END_TEST

START_TEST(large_answers) {
    Harness *harness = harness_new(http_default_limits());
    harness->bulk_bytes = (size_t)24 << 20;
    int fd = harness_connect(harness);
    Buffer got = {0};
    client_say(fd, "GET /bulk HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    ck_assert(client_expect_end(fd, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "Content-Length: 25165824\r\n"));
    const char *body = strstr(got.data, "\r\n\r\n") + 4;
    ck_assert_uint_eq(got.bytes - (size_t)(body - got.data), harness->bulk_bytes);
    ck_assert_uint_eq(strspn(body, "x"), harness->bulk_bytes);
    close(fd);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

START_TEST(waiting_and_streams) {
    Harness *harness = harness_new(http_default_limits());
    int fd = harness_connect(harness);
    Buffer got = {0};
    client_say(fd, GET("/wait"));
    ck_assert(reaches(&harness->asked, 1));
    harness_push(harness, false);
    ck_assert(reaches(&harness->resumed, 1));
    harness_push(harness, true);
    ck_assert(client_expect(fd, &got, "waited"));
    ck_assert(reaches(&harness->done, 1));
    buffer_clear(&got);
    client_say(fd, GET("/stream"));
    ck_assert(reaches(&harness->streamed, 1));
    ck_assert(client_expect(fd, &got, "text/event-stream"));
    for (int i = 0; i < 3; i++) {
        char piece[32];
        snprintf(piece, sizeof piece, "data: %d\n\n", i);
        harness_push(harness, i == 2);
        ck_assert(client_expect(fd, &got, piece));
    }
    ck_assert(client_expect(fd, &got, "\r\n0\r\n\r\n"));
    ck_assert_ptr_nonnull(strstr(got.data, "Cache-Control: no-store"));
    buffer_clear(&got);
    client_say(fd, GET("/break"));
    ck_assert(client_expect_end(fd, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "part"));
    ck_assert_ptr_null(strstr(got.data, "\r\n0\r\n\r\n"));
    close(fd);
    buffer_done(&got);
    ck_assert(reaches(&harness->done, 3));
    harness_free(harness);
}
END_TEST

START_TEST(wakes_before_waiting) {
    Harness *harness = harness_new(http_default_limits());
    int fd = harness_connect(harness);
    Buffer got = {0};
    client_say(fd, GET("/eager"));
    ck_assert(reaches(&harness->resumed, 1)); // three wakes, one call
    ck_assert(!client_read(fd, &got, 200));
    ck_assert_uint_eq(harness->resumed, 1);
    harness_push(harness, false);
    ck_assert(reaches(&harness->resumed, 2));
    ck_assert(!client_read(fd, &got, 100));
    ck_assert_uint_eq(harness->resumed, 2);
    harness_push(harness, true);
    ck_assert(client_expect(fd, &got, "waited"));
    close(fd);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

START_TEST(streams_for_old_clients) {
    Harness *harness = harness_new(http_default_limits());
    int fd = harness_connect(harness);
    Buffer got = {0};
    client_say(fd, "GET /stream HTTP/1.0\r\n\r\n");
    ck_assert(reaches(&harness->streamed, 1));
    harness_push(harness, false);
    harness_push(harness, true);
    ck_assert(client_expect_end(fd, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "\r\n\r\ndata: 0\n\ndata: 1\n\n"));
    ck_assert_ptr_null(strstr(got.data, "chunked"));
    close(fd);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

// Wakes.

enum { STREAMS = 24, PIECES = 1500, WAKERS = 4 };

typedef struct Waker {
    Harness *harness;
    unsigned state;
} Waker;

// Adds pieces to exchanges in no order until each has all; each piece is announced by one wake, some by more.
static void *wake_streams(void *context) {
    Waker *waker = context;
    Harness *harness = waker->harness;
    for (bool open = true; open;) {
        waker->state = waker->state * 1103515245 + 12345;
        size_t first = waker->state >> 16;
        open = false;
        pthread_mutex_lock(&harness->lock);
        for (size_t i = 0; i < HARNESS_MOST; i++) {
            Seen *seen = &harness->seen[(first + i) % HARNESS_MOST];
            if (!seen->exchange || seen->pieces == PIECES)
                continue;
            open = true;
            seen->pieces++;
            seen->ends = seen->pieces == PIECES;
            for (size_t wakes = 1 + seen->pieces % 3; wakes; wakes--)
                exchange_wake(seen->exchange);
            break;
        }
        pthread_mutex_unlock(&harness->lock);
        if (!(waker->state >> 8 & 15))
            usleep(1); // so that streams run dry now and then
    }
    return NULL;
}

static void stress(const char *request, bool streams) {
    Harness *harness = harness_new(http_default_limits());
    int fds[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        fds[i] = harness_connect(harness);
        client_say(fds[i], request);
    }
    ck_assert(reaches(&harness->asked, STREAMS));
    pthread_t threads[WAKERS];
    Waker wakers[WAKERS];
    for (unsigned i = 0; i < WAKERS; i++) {
        wakers[i] = (Waker){harness, i};
        pthread_create(&threads[i], NULL, wake_streams, &wakers[i]);
    }
    for (int i = 0; i < STREAMS; i++) {
        Buffer got = {0};
        ck_assert(client_expect(fds[i], &got, streams ? "\r\n0\r\n\r\n" : "waited"));
        const char *at = got.data;
        for (size_t piece = 0; streams && piece < PIECES; piece++) { // every one, in order
            char text[32];
            snprintf(text, sizeof text, "data: %zu\n", piece);
            at = strstr(at, text);
            ck_assert_msg(at != NULL, "piece %zu did not come", piece);
        }
        close(fds[i]);
        buffer_done(&got);
    }
    for (int i = 0; i < WAKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert(reaches(&harness->done, STREAMS));
    ck_assert_uint_eq(harness->left, 0);
    ck_assert_uint_ge(streams ? harness->dry : harness->resumed, 20 * STREAMS);
    harness_free(harness);
}

START_TEST(no_wake_is_lost_by_streams) {
    stress(GET("/stream"), true);
}
END_TEST

START_TEST(no_wake_is_lost_by_waiting) {
    stress(GET("/wait"), false);
}
END_TEST

// Clients leave, or the server ends, while threads wake: everybody is done once, and nothing is woken that is gone.
static void stress_end(bool server_ends) {
    Harness *harness = harness_new(http_default_limits());
    int fds[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        fds[i] = harness_connect(harness);
        client_say(fds[i], i % 2 ? GET("/stream") : GET("/wait"));
    }
    ck_assert(reaches(&harness->asked, STREAMS));
    pthread_t threads[WAKERS];
    Waker wakers[WAKERS];
    for (unsigned i = 0; i < WAKERS; i++) {
        wakers[i] = (Waker){harness, i};
        pthread_create(&threads[i], NULL, wake_streams, &wakers[i]);
    }
    if (server_ends)
        http_free(harness->http);
    for (int i = 0; i < STREAMS; i++)
        close(fds[i]);
    for (int i = 0; i < WAKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert(reaches(&harness->done, STREAMS));
    ck_assert_uint_le(harness->left, STREAMS);
    if (!server_ends)
        harness_free(harness);
    ck_assert_uint_eq(harness->done, STREAMS);
}

START_TEST(clients_leave_while_woken) {
    for (int i = 0; i < 5; i++)
        stress_end(false);
}
END_TEST

START_TEST(the_server_ends_while_waking) {
    for (int i = 0; i < 5; i++)
        stress_end(true);
}
END_TEST

// Leaving.

enum { CLIENTS = 100 };

// Starts this many, lets them all leave at once, and waits until the handler has heard of each.
static void departures(const char *request, _Atomic size_t *(*started)(Harness *)) {
    Harness *harness = harness_new(http_default_limits());
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = harness_connect(harness);
        client_say(fds[i], request);
    }
    ck_assert(reaches(started(harness), CLIENTS));
    ck_assert_uint_eq(harness->left, 0);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    ck_assert(reaches(&harness->left, CLIENTS));
    ck_assert(reaches(&harness->done, CLIENTS));
    ck_assert_uint_eq(http_counts(harness->http).left, CLIENTS);
    ck_assert_uint_eq(harness->left, CLIENTS);
    ck_assert_uint_eq(harness->resumed, 0);
    harness_free(harness);
}

static _Atomic size_t *asked_of(Harness *harness) {
    return &harness->asked;
}

static _Atomic size_t *streamed_of(Harness *harness) {
    return &harness->streamed;
}

static _Atomic size_t *begun_of(Harness *harness) {
    return &harness->begun;
}

START_TEST(clients_leave_while_waiting) {
    departures(GET("/wait"), asked_of);
}
END_TEST

START_TEST(clients_leave_streams) {
    departures(GET("/stream"), streamed_of);
}
END_TEST

START_TEST(clients_leave_floods) {
    departures(GET("/flood"), streamed_of);
}
END_TEST

START_TEST(clients_leave_amid_bodies) {
    departures("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", begun_of);
}
END_TEST

START_TEST(half_close) {
    for (int leaving = 0; leaving <= 1; leaving++) {
        static Harness harness;
        HttpListener loopback = {.host = "127.0.0.1"};
        HttpSettings settings = {.listeners = &loopback,
                                 .listener_count = 1,
                                 .threads = 1,
                                 .limits = http_default_limits(),
                                 .half_close_is_leaving = leaving};
        Error err;
        harness = (Harness){0};
        CHECK_OK(harness_start(&harness, &settings, &err));
        int fd = harness_connect(&harness);
        Buffer got = {0};
        client_say(fd, GET("/wait"));
        ck_assert(reaches(&harness.asked, 1));
        shutdown(fd, SHUT_WR);
        if (leaving) {
            ck_assert(reaches(&harness.left, 1));
        } else {
            usleep(50000);
            harness_push(&harness, true);
            ck_assert(client_expect(fd, &got, "waited"));
            ck_assert_uint_eq(harness.left, 0);
        }
        ck_assert(reaches(&harness.done, 1));
        close(fd);
        buffer_done(&got);
        harness_free(&harness);
    }
}
END_TEST

START_TEST(the_server_ends_first) {
    Harness *harness = harness_new(http_default_limits());
    static const char *const requests[] = {GET("/wait"), GET("/stream"), GET("/flood"),
                                           "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", "GET"};
    int fds[50];
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        fds[i] = harness_connect(harness);
        client_say(fds[i], requests[i % ARRAY_COUNT(requests)]);
    }
    ck_assert(reaches(&harness->begun, 40));
    ck_assert(reaches(&harness->asked, 30));
    harness_free(harness); // asserts that as many are done as have begun
    ck_assert_uint_eq(harness->left, 40);
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
        close(fds[i]);
}
END_TEST

// Memory.

START_TEST(short_memory_fails_one_exchange) {
    Harness *harness = harness_new(http_default_limits());
    static const char request[] = "POST /echo?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    size_t failed = 0, served = 0;
    for (uint64_t nth = 1; nth <= 12; nth++) {
        char got[2048] = {0};
        int fd = harness_connect(harness);
        fault_arm(FAULT_ALLOCATION, nth);
        client_say(fd, request);
        size_t bytes = 0;
        while (bytes < sizeof got - 1 && !strstr(got, "hello") && !strstr(got, "short of memory")) {
            ssize_t more = recv(fd, got + bytes, sizeof got - 1 - bytes, 0);
            if (more <= 0)
                break;
            bytes += (size_t)more;
        }
        bool answered = strstr(got, "HTTP/1.1 200") != NULL;
        ck_assert_msg(answered || strstr(got, "HTTP/1.1 503"), "allocation %u: '%s'", (unsigned)nth, got);
        served += answered;
        failed += !answered;
        fault_arm(FAULT_ALLOCATION, 0);
        close(fd);
    }
    ck_assert_uint_ge(failed, 3);
    ck_assert_uint_ge(served, 1); // more were asked to fail than a request makes
    harness_free(harness);
}
END_TEST

START_TEST(short_memory_starts_no_server) {
    static Harness harness;
    HttpListener loopback = {.host = "127.0.0.1"};
    HttpSettings settings = {
        .listeners = &loopback, .listener_count = 1, .threads = 2, .limits = http_default_limits()};
    Error err;
    for (uint64_t nth = 1;; nth++) {
        harness = (Harness){0};
        fault_arm(FAULT_ALLOCATION, nth);
        Status status = harness_start(&harness, &settings, &err);
        fault_arm(FAULT_ALLOCATION, 0);
        if (status == OK) {
            ck_assert_uint_ge(nth, 5);
            break;
        }
        ck_assert_int_eq(status, ERR_MEMORY);
    }
    harness_free(&harness);
}
END_TEST

TEST_MAIN("serve/http", requests_are_answered, answers_before_bodies, large_answers, waiting_and_streams,
          wakes_before_waiting, streams_for_old_clients, no_wake_is_lost_by_streams, no_wake_is_lost_by_waiting,
          clients_leave_while_woken, the_server_ends_while_waking, clients_leave_while_waiting, clients_leave_streams,
          clients_leave_floods, clients_leave_amid_bodies, half_close, the_server_ends_first,
          short_memory_fails_one_exchange, short_memory_starts_no_server)

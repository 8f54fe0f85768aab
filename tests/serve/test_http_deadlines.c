// SPDX-License-Identifier: Apache-2.0
// Deadlines count from the start, not from the last byte; limits of connections; an end that lets work finish.
#include <sys/resource.h>

#include "serve/http_harness.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

enum { LONG_MS = 3600000, SHORT_MS = 200 };

static HttpLimits patient_limits(void) {
    HttpLimits limits = http_default_limits();
    limits.header_ms = limits.body_ms = limits.write_ms = limits.idle_ms = LONG_MS;
    return limits;
}

// Sends `start`, then a byte each 20 ms, until the server ends the connection.
static void drip(int fd, const char *start, Buffer *got) {
    client_say(fd, start);
    bool ended = false;
    for (uint64_t begun = clock_ns(); !ended && clock_ns() - begun < (uint64_t)PATIENCE_MS * 1000000;) {
        ended = client_read(fd, got, 20);
        ended = ended || !client_send(fd, "a", 1);
    }
    ck_assert(ended);
    close(fd);
}

START_TEST(heads_have_to_come_in_time) {
    HttpLimits limits = patient_limits();
    limits.header_ms = SHORT_MS;
    Harness *harness = harness_new(limits);
    Buffer got = {0};
    drip(harness_connect(harness), "GET / HTTP/1.1\r\nHost: x\r\nA: ", &got);
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 408"));
    buffer_clear(&got);
    drip(harness_connect(harness), "G", &got);
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 408"));
    buffer_clear(&got);
    buffer_clear(&got);
    int fd = harness_connect(harness); // a part of a head, and then nothing
    client_say(fd, "GET / HT");
    ck_assert(client_expect_end(fd, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 408"));
    close(fd);
    buffer_clear(&got);
    fd = harness_connect(harness); // the second request of a connection has the same time
    client_say(fd, GET("/a"));
    ck_assert(client_expect(fd, &got, "GET /a 0:"));
    usleep(2 * SHORT_MS * 1000); // between requests there is no hurry
    drip(fd, "GET / HTTP/1.1\r\nA: ", &got);
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 408"));
    buffer_done(&got);
    ck_assert_uint_eq(http_counts(harness->http).timed_out_requests, 4);
    ck_assert_uint_eq(harness->begun, 1);
    harness_free(harness);
}
END_TEST

START_TEST(bodies_have_to_come_in_time) {
    HttpLimits limits = patient_limits();
    limits.body_ms = SHORT_MS;
    Harness *harness = harness_new(limits);
    Buffer got = {0};
    drip(harness_connect(harness), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", &got);
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 408"));
    drip(harness_connect(harness), "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
         &got);
    ck_assert(reaches(&harness->done, 2));
    ck_assert_uint_eq(harness->left, 2);
    ck_assert_uint_eq(harness->asked, 0);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

// What is held of all bodies together is bounded; room comes back when they end.
START_TEST(bodies_are_bounded_together) {
    HttpLimits limits = patient_limits();
    limits.most_bodies_bytes = 30000;
    Harness *harness = harness_new(limits);
    static char part[20001];
    memset(part, 'a', 20000);
    Buffer got = {0};
    for (int round = 0; round < 3; round++) {
        int first = harness_connect(harness), second = harness_connect(harness);
        client_say(first, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 25000\r\n\r\n");
        client_say(first, part);
        usleep(200000);
        client_say(second, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 25000\r\n\r\n");
        client_say(second, part);
        buffer_clear(&got);
        ck_assert(client_expect_end(second, &got));
        ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 503"));
        ck_assert_ptr_nonnull(strstr(got.data, "bodies of all requests together"));
        close(second);
        close(first);
        ck_assert(reaches(&harness->done, 2 * ((size_t)round + 1)));
    }
    ck_assert_uint_eq(harness->asked, 0);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

START_TEST(idle_connections_end) {
    HttpLimits limits = patient_limits();
    limits.idle_ms = SHORT_MS;
    Harness *harness = harness_new(limits);
    Buffer got = {0};
    int fresh = harness_connect(harness), used = harness_connect(harness);
    client_say(used, GET("/a"));
    ck_assert(client_expect_end(used, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "GET /a 0:"));
    ck_assert(client_expect_end(fresh, &got));
    close(fresh);
    close(used);
    buffer_done(&got);
    ck_assert_uint_eq(http_counts(harness->http).timed_out_requests, 0);
    harness_free(harness);
}
END_TEST

START_TEST(clients_have_to_take_their_answers) {
    HttpLimits limits = patient_limits();
    limits.write_ms = SHORT_MS;
    Harness *harness = harness_new(limits);
    harness->bulk_bytes = (size_t)64 << 20;
    int bulk = harness_connect(harness), flood = harness_connect(harness);
    client_say(bulk, GET("/bulk"));
    client_say(flood, GET("/flood"));
    ck_assert(reaches(&harness->left, 2));
    ck_assert(reaches(&harness->done, 2));
    ck_assert_uint_eq(http_counts(harness->http).timed_out_requests, 2);
    close(bulk);
    close(flood);
    harness_free(harness);
}
END_TEST

START_TEST(slow_readers_stay) {
    HttpLimits limits = patient_limits();
    limits.write_ms = 2000;
    Harness *harness = harness_new(limits);
    harness->bulk_bytes = (size_t)16 << 20;
    int fd = harness_connect(harness);
    client_say(fd, GET("/bulk"));
    size_t got = 0;
    static char block[262144];
    while (got < harness->bulk_bytes) {
        ssize_t more = recv(fd, block, sizeof block, 0);
        ck_assert_int_gt(more, 0);
        got += (size_t)more;
        usleep(50000);
    }
    ck_assert_uint_eq(harness->left, 0);
    close(fd);
    harness_free(harness);
}
END_TEST

START_TEST(work_has_no_deadline_here) {
    HttpLimits limits = patient_limits();
    limits.header_ms = limits.body_ms = limits.write_ms = limits.idle_ms = 100;
    Harness *harness = harness_new(limits);
    Buffer got = {0};
    int wait = harness_connect(harness), stream = harness_connect(harness);
    client_say(wait, GET("/wait"));
    client_say(stream, GET("/stream"));
    usleep(800000);
    harness_push(harness, true);
    ck_assert(client_expect(wait, &got, "waited"));
    ck_assert(client_expect(stream, &got, "data: 0\n\n"));
    ck_assert_uint_eq(harness->left, 0);
    close(wait);
    close(stream);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

START_TEST(connections_are_counted) {
    HttpLimits limits = patient_limits();
    limits.most_connections = 4;
    Harness *harness = harness_new(limits);
    Buffer got = {0};
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = harness_connect(harness);
        client_say(fds[i], GET("/wait"));
    }
    ck_assert(reaches(&harness->asked, 4));
    ck_assert_uint_eq(http_counts(harness->http).connections, 4);
    int more = harness_connect(harness);
    client_say(more, GET("/a"));
    ck_assert(client_expect_end(more, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 503"));
    ck_assert_ptr_nonnull(strstr(got.data, "Retry-After: "));
    ck_assert_ptr_nonnull(
        strstr(got.data, "{\"error\":{\"message\":\"this server has as many connections as it takes\""));
    ck_assert_uint_eq(http_counts(harness->http).refused_limits, 1);
    close(more);
    close(fds[0]);
    ck_assert(reaches(&harness->done, 1));
    buffer_clear(&got);
    for (int i = 0; i < 1000 && !(got.data && strstr(got.data, "GET /a")); i++) { // the place is free soon
        more = harness_connect(harness);
        client_say(more, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        client_expect_end(more, &got);
        close(more);
    }
    ck_assert_ptr_nonnull(strstr(got.data, "GET /a 0:"));
    for (int i = 1; i < 4; i++)
        close(fds[i]);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

START_TEST(connections_of_an_address_are_counted) {
    HttpLimits limits = patient_limits();
    limits.most_connections_per_address = 2;
    Harness *harness = harness_new(limits);
    Buffer got = {0};
    int first = harness_connect(harness), second = harness_connect(harness), third = harness_connect(harness);
    ck_assert(client_expect_end(third, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "HTTP/1.1 503"));
    client_say(second, GET("/a"));
    ck_assert(client_expect(second, &got, "GET /a 0:"));
    close(first);
    close(second);
    close(third);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

START_TEST(listeners_close_and_work_goes_on) {
    Harness *harness = harness_new(patient_limits());
    int port = http_port(harness->http, 0);
    Buffer got = {0};
    int idle = harness_connect(harness), wait = harness_connect(harness);
    client_say(idle, GET("/a"));
    ck_assert(client_expect(idle, &got, "GET /a 0:"));
    ck_assert_ptr_null(strstr(got.data, "close"));
    client_say(wait, GET("/wait"));
    ck_assert(reaches(&harness->asked, 2));
    http_close_listeners(harness->http);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int late = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ne(connect(late, (struct sockaddr *)&address, sizeof address), 0);
    close(late);
    client_say(idle, GET("/b"));
    ck_assert(client_expect_end(idle, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "GET /b 0:"));
    ck_assert_ptr_nonnull(strstr(got.data, "Connection: close"));
    buffer_clear(&got);
    harness_push(harness, true);
    ck_assert(client_expect_end(wait, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "waited"));
    ck_assert_ptr_nonnull(strstr(got.data, "Connection: close"));
    ck_assert_uint_eq(harness->left, 0);
    close(idle);
    close(wait);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

START_TEST(no_descriptors_left) {
    Harness *harness = harness_new(patient_limits());
    Buffer got = {0};
    int taken[64], count = 0;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int next = open("/dev/null", O_RDONLY);
    close(next);
    limit.rlim_cur = (rlim_t)next + 8;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (count < 64 && (taken[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    close(taken[--count]);
    int fd = harness_connect(harness); // takes the last one
    client_say(fd, GET("/a"));
    double before = cpu_seconds();
    ck_assert(!client_read(fd, &got, 1000)); // not accepted, not ended
    ck_assert_double_lt(cpu_seconds() - before, 0.5);
    ck_assert_uint_eq(got.bytes, 0);
    for (int i = 0; i < count; i++)
        close(taken[i]);
    ck_assert(client_expect(fd, &got, "GET /a 0:"));
    close(fd);
    buffer_done(&got);
    harness_free(harness);
}
END_TEST

TEST_MAIN("serve/http_deadlines", heads_have_to_come_in_time, bodies_have_to_come_in_time, bodies_are_bounded_together,
          idle_connections_end, clients_have_to_take_their_answers, slow_readers_stay, work_has_no_deadline_here,
          connections_are_counted, connections_of_an_address_are_counted, listeners_close_and_work_goes_on,
          no_descriptors_left)

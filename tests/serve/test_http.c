// SPDX-License-Identifier: Apache-2.0
// The life of exchanges over real sockets.
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
    client_say(fd,
               "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    ck_assert(client_expect_end(fd, &got));
    ck_assert_ptr_nonnull(strstr(got.data, "POST /echo 6:hello!"));
    close(fd);
    buffer_done(&got);
    ck_assert(reaches(&harness->done, 3));
    ck_assert_uint_eq(harness->left, 0);
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
    harness_push(harness, false);
    ck_assert(client_expect(fd, &got, "data: 0\n\n"));
    harness_push(harness, false);
    ck_assert(client_expect(fd, &got, "data: 1\n\n"));
    harness_push(harness, true);
    ck_assert(client_expect(fd, &got, "\r\n0\r\n\r\n"));
    ck_assert_ptr_nonnull(strstr(got.data, "data: 2\n\n"));
    ck_assert_ptr_nonnull(strstr(got.data, "Cache-Control: no-store"));
    close(fd);
    buffer_done(&got);
    ck_assert(reaches(&harness->done, 2));
    ck_assert_uint_eq(harness->left, 0);
    harness_free(harness);
}
END_TEST

START_TEST(clients_leave) {
    enum { CLIENTS = 100 };
    Harness *harness = harness_new(http_default_limits());
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = harness_connect(harness);
        client_say(fds[i], GET("/wait"));
    }
    ck_assert(reaches(&harness->asked, CLIENTS));
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    ck_assert(reaches(&harness->left, CLIENTS));
    ck_assert(reaches(&harness->done, CLIENTS));
    harness_free(harness);
}
END_TEST

TEST_MAIN("serve/http", requests_are_answered, waiting_and_streams, clients_leave)

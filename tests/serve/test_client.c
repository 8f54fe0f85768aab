// SPDX-License-Identifier: Apache-2.0
// The client: addresses, answers of all forms, and servers that mean it no good.
#include "serve/client.h"

#include "base/clock.h"
#include "check.h"
#include "serve/one_answer.h"

static Error err;

START_TEST(test_addresses) {
    static const struct {
        const char *url, *host, *port, *unix_path;
    } good[] = {
        {"http://127.0.0.1:8080", "127.0.0.1", "8080", ""},
        {"http://localhost/", "localhost", "80", ""},
        {"HTTP://a-b.c:1/", "a-b.c", "1", ""},
        {"127.0.0.1:9", "127.0.0.1", "9", ""},
        {"http://[::1]:8443", "::1", "8443", ""},
        {"[fe80::1%eth0]", "fe80::1%eth0", "80", ""},
        {"unix:/run/hone.sock", "", "80", "/run/hone.sock"},
        {"unix://hone.sock", "", "80", "hone.sock"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        ClientAddress address;
        CHECK_OK(client_address(good[i].url, &address, &err));
        ck_assert_str_eq(address.host, good[i].host);
        ck_assert_str_eq(address.port, good[i].port);
        ck_assert_str_eq(address.unix_path, good[i].unix_path);
        ck_assert_str_eq(address.text, good[i].url);
    }
    static const char *const bad[] = {"",           "http://",        "http:///",      "http://a:b",
                                      "http://a:",  "http://a:1/x",   "http://a b",    "http://a:123456",
                                      "ftp://a",    "http://[::1",    "http://[::1]x", "http://a\r\nX: y",
                                      "http://u@h", "http://a:1?q=/", "unix:"};
    ClientAddress address;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        ck_assert_msg(client_address(bad[i], &address, &err) == ERR_USAGE, "'%s' is taken", bad[i]);
    CHECK_FAILS(client_address("https://a", &address, &err), ERR_UNSUPPORTED, "plain HTTP only");
    char deep[300];
    memset(deep, 'x', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    memcpy(deep, "unix:/", 6);
    CHECK_FAILS(client_address(deep, &address, &err), ERR_USAGE, "a socket's path has 1 to 107 bytes");
}
END_TEST

// Asks a server that answers so. `most`: bytes; times out after `timeout_ms`.
static Status ask(const char *answer, Manner manner, size_t most, uint32_t timeout_ms, int *ret_status, Buffer *body) {
    OneAnswer server = {.answer = answer, .bytes = strlen(answer), .manner = manner};
    ck_assert(one_answer_start(&server, NULL));
    ClientAddress address;
    CHECK_OK(client_address(server.url, &address, &err));
    ClientAsk what = {.path = "/dashboard/state", .key = "secret", .timeout_ms = timeout_ms, .most_bytes = most};
    Status status = client_get(&address, &what, ret_status, body, &err);
    one_answer_stop(&server);
    if (status == OK) {
        ck_assert(strncmp(server.asked, "GET /dashboard/state HTTP/1.1\r\nHost: 127.0.0.1\r\n", 48) == 0);
        ck_assert_ptr_nonnull(strstr(server.asked, "\r\nAuthorization: Bearer secret\r\n\r\n"));
    }
    return status;
}

static void check_answer(const char *answer, Manner manner, int expected_status, const char *expected_body) {
    int status = 0;
    Buffer body = {0};
    CHECK_OK(ask(answer, manner, 1 << 20, 20000, &status, &body));
    ck_assert_int_eq(status, expected_status);
    ck_assert_str_eq(body.bytes ? body.data : "", expected_body);
    buffer_done(&body);
}

START_TEST(test_answers) {
    check_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", STAYS, 200, "hello");
    check_answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", STAYS, 404, "");
    check_answer("HTTP/1.0 200 OK\r\n\r\nuntil the end", ANSWERS, 200, "until the end");
    check_answer("HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world...\r\n0\r\n\r\n",
                 STAYS, 200, "hello, world...");
    check_answer("HTTP/1.1 200 OK\r\nX: Content-Length: 9\r\nCONTENT-LENGTH:  2 \r\n\r\n{}and more", STAYS, 200, "{}");
    check_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", TRICKLES, 200, "hello");
}
END_TEST

START_TEST(test_a_unix_socket) {
    char path[] = "/tmp/hone-client-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(path));
    char place[64];
    snprintf(place, sizeof place, "%s/s", path);
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    OneAnswer server = {.answer = answer, .bytes = sizeof answer - 1};
    ck_assert(one_answer_start(&server, place));
    ClientAddress address;
    CHECK_OK(client_address(server.url, &address, &err));
    ClientAsk what = {.path = "/", .timeout_ms = 20000, .most_bytes = 1000};
    int status;
    Buffer body = {0};
    CHECK_OK(client_get(&address, &what, &status, &body, &err));
    ck_assert_str_eq(body.data, "ok");
    ck_assert_ptr_nonnull(strstr(server.asked, "\r\nHost: localhost\r\n"));
    ck_assert_ptr_null(strstr(server.asked, "Authorization"));
    one_answer_stop(&server);
    CHECK_FAILS(client_get(&address, &what, &status, &body, &err), ERR_IO, "cannot be reached: Connection refused");
    unlink(place);
    rmdir(path);
    buffer_done(&body);
}
END_TEST

static void check_refused(const char *answer, Manner manner, uint32_t timeout_ms, Status expected,
                          const char *message) {
    int status;
    Buffer body = {0};
    uint64_t begun = clock_ns();
    CHECK_FAILS(ask(answer, manner, 100000, timeout_ms, &status, &body), expected, message);
    ck_assert_msg(clock_ns() - begun < 60000000000u, "takes a minute");
    buffer_done(&body);
}

START_TEST(test_hostile_servers) {
    static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
    check_refused(good, ANSWERS, 20000, ERR_IO, "broke off in the middle");
    check_refused("", ANSWERS, 20000, ERR_IO, "broke off in the middle");
    check_refused(good, STAYS, 300, ERR_IO, "takes too long to answer");
    check_refused("", STAYS, 300, ERR_IO, "takes too long to answer");
    check_refused("HTTP/1.1 200 OK\r\nX-Head: that never ends and never ends and never ends\r\n", TRICKLES, 300, ERR_IO,
                  "takes too long to answer");
    check_refused("HTTP/1.1 200 OK\r\nX: y\r\nX: y\r\n", FLOODS, 20000, ERR_LIMIT, "more than 100000 bytes");
    check_refused("HTTP/1.1 200 OK\r\n\r\nendless", FLOODS, 20000, ERR_LIMIT, "more than 100000 bytes");
    check_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFF\r\n", FLOODS, 20000, ERR_LIMIT,
                  "more than");
    check_refused("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", ANSWERS, 20000, ERR_IO, "broke off");
    static const char *const no_http[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(no_http); i++)
        check_refused(no_http[i], ANSWERS, 20000, ERR_FORMAT, "its answer is no HTTP: ");
}
END_TEST

START_TEST(test_nobody_there) {
    ClientAddress address;
    ClientAsk what = {.path = "/", .timeout_ms = 20000, .most_bytes = 1000};
    int status;
    Buffer body = {0};
    CHECK_OK(client_address("unix:/nonexistent/socket", &address, &err));
    CHECK_FAILS(client_get(&address, &what, &status, &body, &err), ERR_IO,
                "the server at 'unix:/nonexistent/socket' cannot be reached: No such file");
    CHECK_OK(client_address("http://name.invalid:80", &address, &err));
    CHECK_FAILS(client_get(&address, &what, &status, &body, &err), ERR_IO,
                "'http://name.invalid:80' cannot be found: ");
    buffer_done(&body);
}
END_TEST

TEST_MAIN("serve/client", test_addresses, test_answers, test_a_unix_socket, test_hostile_servers, test_nobody_there)

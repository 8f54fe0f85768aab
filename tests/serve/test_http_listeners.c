// SPDX-License-Identifier: Apache-2.0
// Where a server listens: addresses, Unix-domain sockets, several at once, TLS and its certificates.
#include <sys/stat.h>

#include "serve/http_harness.h"
#include "serve/tls_client.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static char folder[] = "/tmp/hone_http_XXXXXX";

static const char *in_folder(const char *name) {
    static char paths[8][64];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void folder_make(void) {
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void folder_remove(const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        unlink(in_folder(names[i]));
    ck_assert_int_eq(rmdir(folder), 0);
}

static Status start(Harness *harness, const HttpListener *listeners, size_t count, const char *certificate,
                    const char *key, Error *err) {
    HttpSettings settings = {.listeners = listeners,
                             .listener_count = count,
                             .tls_certificate = certificate,
                             .tls_key = key,
                             .threads = 1,
                             .limits = http_default_limits(),
                             .half_close_is_leaving = true};
    *harness = (Harness){0};
    return harness_start(harness, &settings, err);
}

static int unix_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    return fd;
}

START_TEST(unix_sockets) {
    static Harness harness, second;
    Error err;
    folder_make();
    const char *path = in_folder("a.sock"), *file = in_folder("file");
    HttpListener listener = {.unix_path = path};
    CHECK_OK(start(&harness, &listener, 1, NULL, NULL, &err));
    ck_assert_int_eq(strncmp(http_address(harness.http, 0), "unix:/tmp/hone_http_", 20), 0);
    ck_assert_int_eq(http_port(harness.http, 0), 0);
    struct stat there;
    ck_assert_int_eq(stat(path, &there), 0);
    ck_assert_int_eq(there.st_mode & 07777, 0660);
    int fd = unix_connect(path);
    Buffer got = {0};
    client_say(fd, GET("/who"));
    ck_assert(client_expect(fd, &got, "admin=0 peer=unix"));
    CHECK_FAILS(start(&second, &listener, 1, NULL, NULL, &err), ERR_IO, "another program listens there");
    client_say(fd, GET("/stream")); // and its client leaves
    ck_assert(reaches(&harness.streamed, 1));
    close(fd);
    ck_assert(reaches(&harness.left, 1));
    harness_free(&harness);
    ck_assert_int_ne(stat(path, &there), 0);
    // a socket that a killed server left behind
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    ck_assert_int_eq(bind(stale, (struct sockaddr *)&address, sizeof address), 0);
    close(stale);
    CHECK_OK(start(&harness, &listener, 1, NULL, NULL, &err));
    fd = unix_connect(path);
    buffer_clear(&got);
    client_say(fd, GET("/a"));
    ck_assert(client_expect(fd, &got, "GET /a 0:"));
    close(fd);
    buffer_done(&got);
    harness_free(&harness);
    // what is no socket stays
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    listener.unix_path = file;
    CHECK_FAILS(start(&harness, &listener, 1, NULL, NULL, &err), ERR_IO, "something that is no socket lies there");
    ck_assert_int_eq(stat(file, &there), 0);
    folder_remove((const char *const[]){"file"}, 1);
}
END_TEST

START_TEST(unix_stalls) {
    static Harness harness;
    Error err;
    folder_make();
    HttpListener listener = {.unix_path = in_folder("a.sock")};
    HttpSettings settings = {
        .listeners = &listener, .listener_count = 1, .threads = 1, .limits = http_default_limits()};
    settings.limits.write_ms = 300;
    CHECK_OK(harness_start(&harness, &settings, &err));
    int fd = unix_connect(listener.unix_path);
    client_say(fd, GET("/flood"));
    ck_assert(reaches(&harness.left, 1));
    ck_assert_uint_eq(http_counts(harness.http).timed_out_requests, 1);
    close(fd);
    harness_free(&harness);
    folder_remove(NULL, 0);
}
END_TEST

START_TEST(several_listeners) {
    static Harness harness;
    Error err;
    folder_make();
    HttpListener listeners[] = {{.host = "localhost"},
                                {.host = "127.0.0.1", .admin = true},
                                {.unix_path = in_folder("b.sock"), .admin = true},
                                {.host = "::1"}};
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_six = probe >= 0 && !bind(probe, (struct sockaddr *)&six, sizeof six);
    if (probe >= 0)
        close(probe);
    CHECK_OK(start(&harness, listeners, has_six ? 4 : 3, NULL, NULL, &err));
    char text[64];
    snprintf(text, sizeof text, "http://127.0.0.1:%d", http_port(harness.http, 1));
    ck_assert_str_eq(http_address(harness.http, 1), text);
    Buffer got = {0};
    int fd = client_connect(http_port(harness.http, 1));
    client_say(fd, GET("/who"));
    ck_assert(client_expect(fd, &got, "admin=1 peer=127.0.0.1"));
    close(fd);
    fd = unix_connect(listeners[2].unix_path);
    client_say(fd, GET("/who"));
    ck_assert(client_expect(fd, &got, "admin=1 peer=unix"));
    close(fd);
    if (has_six) {
        snprintf(text, sizeof text, "http://[::1]:%d", http_port(harness.http, 3));
        ck_assert_str_eq(http_address(harness.http, 3), text);
        six.sin6_port = htons((uint16_t)http_port(harness.http, 3));
        fd = socket(AF_INET6, SOCK_STREAM, 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&six, sizeof six), 0);
        client_say(fd, GET("/who"));
        ck_assert(client_expect(fd, &got, "admin=0 peer=::1"));
        close(fd);
    }
    buffer_done(&got);
    harness_free(&harness);
    folder_remove(NULL, 0);
}
END_TEST

START_TEST(addresses_that_cannot_be_had) {
    static Harness harness, second;
    Error err;
    HttpListener listener = {.host = "127.0.0.1"};
    CHECK_OK(start(&harness, &listener, 1, NULL, NULL, &err));
    HttpListener taken = {.host = "127.0.0.1", .port = http_port(harness.http, 0)};
    CHECK_FAILS(start(&second, &taken, 1, NULL, NULL, &err), ERR_IO, "another program listens there");
    CHECK_FAILS(start(&second, &(HttpListener){.host = "192.0.2.1"}, 1, NULL, NULL, &err), ERR_IO, "192.0.2.1");
    CHECK_FAILS(start(&second, &(HttpListener){.host = "no.such.name.invalid"}, 1, NULL, NULL, &err), ERR_IO,
                "no.such.name.invalid");
    CHECK_FAILS(start(&second, &(HttpListener){.host = "127.0.0.1", .port = 70000}, 1, NULL, NULL, &err), ERR_USAGE,
                "70000");
    CHECK_FAILS(start(&second, &(HttpListener){.unix_path = "/nowhere/a"}, 1, NULL, NULL, &err), ERR_IO, "/nowhere/a");
    char path[200];
    memset(path, 'a', sizeof path - 1);
    path[0] = '/', path[199] = '\0';
    CHECK_FAILS(start(&second, &(HttpListener){.unix_path = path}, 1, NULL, NULL, &err), ERR_IO, "107 bytes");
    CHECK_FAILS(start(&second, &listener, 1, "a.pem", NULL, &err), ERR_USAGE, "both or neither");
    CHECK_FAILS(http_reload_tls(harness.http, &err), ERR_USAGE, "without TLS");
    harness_free(&harness);
}
END_TEST

// TLS.

START_TEST(tls) {
    static Harness harness;
    Error err;
    folder_make();
    const char *certificate = in_folder("c.pem"), *key = in_folder("k.pem");
    identity_make("first", certificate, key);
    HttpListener listeners[] = {{.host = "127.0.0.1"}, {.unix_path = in_folder("c.sock")}};
    CHECK_OK(start(&harness, listeners, 2, certificate, key, &err));
    ck_assert_int_eq(strncmp(http_address(harness.http, 0), "https://127.0.0.1:", 18), 0);
    int port = http_port(harness.http, 0);
    char name[64];
    Buffer got = {0};
    TlsClient client, later;
    ck_assert(tls_connect(&client, port, "NORMAL"));
    tls_peer_name(&client, name, sizeof name);
    ck_assert_str_eq(name, "first");
    tls_say(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    ck_assert(tls_expect(&client, &got, "POST /echo 5:hello"));
    // new files count for new connections, bad ones for none
    identity_make("second", certificate, key);
    CHECK_OK(http_reload_tls(harness.http, &err));
    identity_make("third", certificate, in_folder("other.pem"));
    CHECK_FAILS(http_reload_tls(harness.http, &err), ERR_FORMAT, "is not that of the first certificate");
    ck_assert(tls_connect(&later, port, "NORMAL:-VERS-ALL:+VERS-TLS1.2"));
    tls_peer_name(&later, name, sizeof name);
    ck_assert_str_eq(name, "second");
    tls_say(&later, GET("/stream"));
    tls_say(&client, GET("/stream"));
    ck_assert(reaches(&harness.streamed, 2));
    harness_push(&harness, false);
    buffer_clear(&got);
    ck_assert(tls_expect(&client, &got, "data: 0\n\n"));
    buffer_clear(&got);
    ck_assert(tls_expect(&later, &got, "data: 0\n\n"));
    tls_close(&client);
    tls_close(&later);
    ck_assert(reaches(&harness.left, 2));
    ck_assert(reaches(&harness.done, 3));
    TlsClient old;
    ck_assert(!tls_connect(&old, port, "NORMAL:-VERS-ALL:+VERS-TLS1.1"));
    tls_close(&old);
    // refusals, amid bodies too, go through TLS
    ck_assert(tls_connect(&client, port, "NORMAL"));
    buffer_clear(&got);
    tls_say(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n");
    ck_assert(tls_expect(&client, &got, "a request has to have one Host"));
    tls_close(&client);
    // plain words to the encrypted port, and plain words to the Unix-domain socket
    int fd = client_connect(port);
    client_say(fd, GET("/a"));
    buffer_clear(&got);
    client_expect_end(fd, &got);
    ck_assert(!got.data || !strstr(got.data, "GET /a"));
    close(fd);
    fd = unix_connect(listeners[1].unix_path);
    buffer_clear(&got);
    client_say(fd, GET("/who"));
    ck_assert(client_expect(fd, &got, "peer=unix"));
    close(fd);
    buffer_done(&got);
    harness_free(&harness);
    folder_remove((const char *const[]){"c.pem", "k.pem", "other.pem"}, 3);
}
END_TEST

START_TEST(tls_bodies_beyond_the_limit) {
    static Harness harness;
    Error err;
    folder_make();
    const char *certificate = in_folder("c.pem"), *key = in_folder("k.pem");
    identity_make("x", certificate, key);
    HttpListener listener = {.host = "127.0.0.1"};
    HttpSettings settings = {.listeners = &listener,
                             .listener_count = 1,
                             .tls_certificate = certificate,
                             .tls_key = key,
                             .threads = 2,
                             .limits = http_default_limits()};
    settings.limits.most_body_bytes = 10;
    CHECK_OK(harness_start(&harness, &settings, &err));
    TlsClient client;
    Buffer got = {0};
    ck_assert(tls_connect(&client, http_port(harness.http, 0), "NORMAL"));
    tls_say(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello, hello\r\n");
    ck_assert(tls_expect(&client, &got, "HTTP/1.1 413"));
    ck_assert_uint_eq(harness.asked, 0);
    tls_close(&client);
    buffer_done(&got);
    harness_free(&harness);
    folder_remove((const char *const[]){"c.pem", "k.pem"}, 2);
}
END_TEST

START_TEST(tls_handshakes_have_to_come_in_time) {
    static Harness harness;
    Error err;
    folder_make();
    const char *certificate = in_folder("c.pem"), *key = in_folder("k.pem");
    identity_make("x", certificate, key);
    HttpListener listener = {.host = "127.0.0.1"};
    HttpSettings settings = {.listeners = &listener,
                             .listener_count = 1,
                             .tls_certificate = certificate,
                             .tls_key = key,
                             .threads = 1,
                             .limits = http_default_limits()};
    settings.limits.header_ms = 200;
    settings.limits.idle_ms = 3600000;
    CHECK_OK(harness_start(&harness, &settings, &err));
    int fd = client_connect(http_port(harness.http, 0));
    Buffer got = {0};
    client_say(fd, "\026\003\001"); // how a handshake begins
    ck_assert(client_expect_end(fd, &got));
    ck_assert_uint_eq(http_counts(harness.http).timed_out_requests, 1);
    close(fd);
    buffer_done(&got);
    harness_free(&harness);
    folder_remove((const char *const[]){"c.pem", "k.pem"}, 2);
}
END_TEST

START_TEST(identities_that_are_none) {
    static Harness harness;
    Error err;
    folder_make();
    const char *certificate = in_folder("c.pem"), *key = in_folder("k.pem"), *bad = in_folder("bad.pem");
    identity_make("x", certificate, key);
    gnutls_datum_t words = {(unsigned char *)"no certificate\n", 15};
    file_put(bad, &words);
    HttpListener listener = {.host = "127.0.0.1"};
    CHECK_FAILS(start(&harness, &listener, 1, bad, key, &err), ERR_FORMAT, "holds no chain of certificates in PEM");
    CHECK_FAILS(start(&harness, &listener, 1, certificate, bad, &err), ERR_FORMAT, "holds no private key in PEM");
    CHECK_FAILS(start(&harness, &listener, 1, certificate, certificate, &err), ERR_FORMAT, "holds no private key");
    CHECK_FAILS(start(&harness, &listener, 1, in_folder("none.pem"), key, &err), ERR_IO, "none.pem");
    folder_remove((const char *const[]){"c.pem", "k.pem", "bad.pem"}, 3);
}
END_TEST

TEST_MAIN("serve/http_listeners", unix_sockets, unix_stalls, several_listeners, addresses_that_cannot_be_had, tls,
          tls_bodies_beyond_the_limit, tls_handshakes_have_to_come_in_time, identities_that_are_none)

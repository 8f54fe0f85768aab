// SPDX-License-Identifier: Apache-2.0
// Every raw request of the table, sent whole and byte by byte, alone and with a good request behind it, plain and over
// TLS: what is refused is refused for good, what is served is served as often as it says, and nothing else on the
// connection is.
#include <netinet/tcp.h>

#include "serve/http_harness.h"
#include "serve/raw_requests.h"
#include "serve/tls_client.h"

static const char NEXT[] = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

typedef struct Way {
    bool by_byte, next, encrypted;
} Way;

// A connection, plain where there is no session.
typedef struct Wire {
    int fd;
    TlsClient tls;
    bool encrypted;
} Wire;

static Wire wire_open(const Harness *harness, bool encrypted) {
    Wire wire = {.fd = -1, .encrypted = encrypted};
    int on = 1;
    if (!encrypted) {
        wire.fd = harness_connect(harness);
    } else {
        ck_assert(tls_connect(&wire.tls, http_port(harness->http, 0), "NORMAL"));
        wire.fd = wire.tls.fd;
    }
    setsockopt(wire.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return wire;
}

static bool wire_send(Wire *wire, const char *data, size_t bytes) {
    return wire->encrypted ? gnutls_record_send(wire->tls.session, data, bytes) == (ssize_t)bytes
                           : client_send(wire->fd, data, bytes);
}

// Zero or less: the connection is at its end, or nothing comes.
static ssize_t wire_receive(Wire *wire, char *to, size_t bytes) {
    struct pollfd ready = {.fd = wire->fd, .events = POLLIN};
    for (;;) {
        bool waiting = wire->encrypted && gnutls_record_check_pending(wire->tls.session);
        if (!waiting && poll(&ready, 1, PATIENCE_MS) <= 0)
            ck_abort_msg("neither an answer nor an end");
        ssize_t got = wire->encrypted ? gnutls_record_recv(wire->tls.session, to, bytes) : recv(wire->fd, to, bytes, 0);
        if (got != GNUTLS_E_AGAIN && got != GNUTLS_E_INTERRUPTED)
            return got;
    }
}

static void wire_close(Wire *wire) {
    if (wire->encrypted)
        tls_close(&wire->tls);
    else
        close(wire->fd);
}

static size_t answers_in(const Buffer *got) {
    size_t count = 0;
    for (const char *at = got->data; at && (at = strstr(at, "HTTP/1.1 ")); at++)
        count += strncmp(at, "HTTP/1.1 100", 12) != 0;
    return count;
}

static int first_status(const Buffer *got) {
    const char *at = got->data ? got->data : "";
    if (!strncmp(at, "HTTP/1.1 100", 12))
        at = strstr(at + 1, "HTTP/1.1 ");
    return at && !strncmp(at, "HTTP/1.1 ", 9) ? (int)strtol(at + 9, NULL, 10) : 0;
}

// Reads until so many answers have come; false when the connection ends before.
static bool answers_wait(Wire *wire, Buffer *got, size_t count) {
    while (answers_in(got) < count) {
        char block[65536];
        ssize_t bytes = wire_receive(wire, block, sizeof block);
        if (bytes <= 0)
            return false;
        buffer_add(got, block, (size_t)bytes);
    }
    return true;
}

static void request_send(Wire *wire, const RawRequest *raw, Way way) {
    for (size_t at = 0; at < raw->size;) {
        size_t bytes = way.by_byte && raw->size < 2000 ? 1 : raw->size - at;
        if (!wire_send(wire, raw->bytes + at, bytes))
            break;
        at += bytes;
    }
    if (way.next)
        wire_send(wire, NEXT, sizeof NEXT - 1);
}

// What came of a request that is not as the table says, or NULL.
static const char *row_fault(Harness *harness, const RawRequest *raw, Way way) {
    static char fault[200];
    size_t served_before = atomic_load(&harness->asked);
    Wire wire = wire_open(harness, way.encrypted);
    Buffer got = {0};
    request_send(&wire, raw, way);
    size_t expected = (size_t)raw->served + (raw->kept && way.next);
    bool ended = false;
    if (raw->kept) {
        ended = !answers_wait(&wire, &got, expected);
        if (!ended && !way.next) { // it takes another request
            wire_send(&wire, NEXT, sizeof NEXT - 1);
            ended = !answers_wait(&wire, &got, ++expected);
        }
    } else {
        ended = !answers_wait(&wire, &got, SIZE_MAX);
    }
    wire_close(&wire);
    size_t served = atomic_load(&harness->asked) - served_before, answers = answers_in(&got);
    int status = first_status(&got);
    fault[0] = '\0';
    if (served != expected)
        snprintf(fault, sizeof fault, "served %zu times, not %zu; status %d", served, expected, status);
    else if (status != raw->status)
        snprintf(fault, sizeof fault, "status %d, not %d", status, raw->status);
    else if (ended == raw->kept)
        snprintf(fault, sizeof fault, "the connection is %s", ended ? "closed" : "kept");
    else if (raw->served && answers != expected) // the library writes some of its own refusals' heads twice
        snprintf(fault, sizeof fault, "%zu answers to %zu requests", answers, expected);
    buffer_done(&got);
    return fault[0] ? fault : NULL;
}

static void table_check(Way way) {
    HttpLimits limits = http_default_limits();
    limits.most_body_bytes = 4096;
    limits.most_header_bytes = 9000;
    static Harness encrypted;
    static const HttpListener loopback = {.host = "127.0.0.1"};
    Harness *harness = &encrypted;
    if (way.encrypted) {
        char folder[] = "/tmp/hone_raw_XXXXXX", certificate[64], key[64];
        ck_assert_ptr_nonnull(mkdtemp(folder));
        snprintf(certificate, sizeof certificate, "%s/c.pem", folder);
        snprintf(key, sizeof key, "%s/k.pem", folder);
        identity_make("x", certificate, key);
        HttpSettings settings = {.listeners = &loopback,
                                 .listener_count = 1,
                                 .tls_certificate = certificate,
                                 .tls_key = key,
                                 .threads = 2,
                                 .limits = limits,
                                 .half_close_is_leaving = true};
        Error err;
        CHECK_OK(harness_start(harness, &settings, &err));
        unlink(certificate);
        unlink(key);
        rmdir(folder);
    } else {
        harness = harness_new(limits);
    }
    size_t faults = 0;
    for (size_t i = 0; i < ARRAY_COUNT(RAW_REQUESTS); i++) {
        const char *fault = row_fault(harness, &RAW_REQUESTS[i], way);
        if (fault)
            fprintf(stderr, "%s: %s\n", RAW_REQUESTS[i].name, fault);
        faults += fault != NULL;
    }
    ck_assert_uint_eq(faults, 0);
    ck_assert_uint_ge(http_counts(harness->http).refused_framing, 100);
    harness_free(harness);
}

START_TEST(whole) {
    ck_assert_uint_ge(ARRAY_COUNT(RAW_REQUESTS), 150);
    table_check((Way){0});
}
END_TEST

START_TEST(whole_and_another) {
    table_check((Way){.next = true});
}
END_TEST

START_TEST(byte_by_byte) {
    table_check((Way){.by_byte = true});
}
END_TEST

START_TEST(byte_by_byte_and_another) {
    table_check((Way){.by_byte = true, .next = true});
}
END_TEST

START_TEST(over_tls) {
    table_check((Way){.encrypted = true});
}
END_TEST

START_TEST(over_tls_byte_by_byte_and_another) {
    table_check((Way){.encrypted = true, .by_byte = true, .next = true});
}
END_TEST

TEST_MAIN("serve/http_raw", whole, whole_and_another, byte_by_byte, byte_by_byte_and_another, over_tls,
          over_tls_byte_by_byte_and_another)

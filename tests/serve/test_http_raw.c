// SPDX-License-Identifier: Apache-2.0
// Every raw request of the table, sent whole and byte by byte, alone and with a good request behind it: what is refused
// is refused for good, what is served is served as often as it says, and nothing else on the connection is.
#include <netinet/tcp.h>

#include "serve/http_harness.h"
#include "serve/raw_requests.h"

static const char NEXT[] = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

typedef struct Way {
    bool by_byte, next;
} Way;

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
static bool answers_wait(int fd, Buffer *got, size_t count) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (answers_in(got) < count) {
        char block[65536];
        ssize_t bytes = poll(&ready, 1, PATIENCE_MS) > 0 ? recv(fd, block, sizeof block, 0) : 0;
        if (bytes <= 0)
            return false;
        buffer_add(got, block, (size_t)bytes);
    }
    return true;
}

static void request_send(int fd, const RawRequest *raw, Way way) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t at = 0; at < raw->size;) {
        size_t bytes = way.by_byte && raw->size < 2000 ? 1 : raw->size - at;
        if (!client_send(fd, raw->bytes + at, bytes))
            break;
        at += bytes;
    }
    if (way.next)
        client_send(fd, NEXT, sizeof NEXT - 1);
}

// What came of a request that is not as the table says, or NULL.
static const char *row_fault(Harness *harness, const RawRequest *raw, Way way) {
    static char fault[200];
    size_t served_before = atomic_load(&harness->asked);
    int fd = harness_connect(harness);
    Buffer got = {0};
    request_send(fd, raw, way);
    size_t expected = (size_t)raw->served + (raw->kept && way.next);
    bool ended = false;
    if (raw->kept) {
        ended = !answers_wait(fd, &got, expected);
        if (!ended && !way.next) { // it takes another request
            client_say(fd, NEXT);
            ended = !answers_wait(fd, &got, ++expected);
        }
    } else {
        ended = client_expect_end(fd, &got);
    }
    close(fd);
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
    Harness *harness = harness_new(limits);
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
    table_check((Way){false, false});
}
END_TEST

START_TEST(whole_and_another) {
    table_check((Way){false, true});
}
END_TEST

START_TEST(byte_by_byte) {
    table_check((Way){true, false});
}
END_TEST

START_TEST(byte_by_byte_and_another) {
    table_check((Way){true, true});
}
END_TEST

TEST_MAIN("serve/http_raw", whole, whole_and_another, byte_by_byte, byte_by_byte_and_another)

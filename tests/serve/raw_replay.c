// SPDX-License-Identifier: Apache-2.0
// Sends the table of raw requests through a proxy that stands before a server of ours, and looks for requests that the
// proxy did not send: it marks each of its own with a header X-Through that no two have. tools/serve/proxies.sh runs
// it:
//
//     raw_replay BACKEND_SOCKET PROXY_SOCKET     # says "ready" once it listens, begins when a line comes
#include "serve/http_harness.h"
#include "serve/raw_requests.h"

enum { MARKS = 8192, MARK_BYTES = 64, QUIET_MS = 60 };

typedef struct Backend {
    pthread_mutex_t lock;
    char marks[MARKS][MARK_BYTES];
    size_t served, unmarked, repeated;
} Backend;

static void nothing(void *context, Exchange *exchange) {
    (void)context, (void)exchange;
}

static void serve(void *context, Exchange *exchange) {
    Backend *backend = context;
    const char *mark = exchange_header(exchange, "X-Through");
    pthread_mutex_lock(&backend->lock);
    for (size_t i = 0; mark && i < backend->served && i < MARKS; i++)
        backend->repeated += !strcmp(backend->marks[i], mark);
    if (backend->served < MARKS)
        snprintf(backend->marks[backend->served], MARK_BYTES, "%s", mark ? mark : "");
    backend->unmarked += !mark;
    backend->served++;
    pthread_mutex_unlock(&backend->lock);
    Buffer body = {0};
    buffer_format(&body, "path %s.", exchange_path(exchange));
    exchange_answer(exchange, 200, "text/plain", &body);
}

static int path_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!connect(fd, (struct sockaddr *)&address, sizeof address))
        return fd;
    close(fd);
    return -1;
}

// A good request through the proxy gets its own answer: no connection behind it was left with something more to say.
static bool is_in_step(const char *proxy, size_t number) {
    char text[128];
    Buffer got = {0};
    int fd = path_connect(proxy);
    snprintf(text, sizeof text, "GET /step/%zu HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", number);
    client_say(fd, text);
    client_expect_end(fd, &got);
    snprintf(text, sizeof text, "path /step/%zu.", number);
    bool same = got.data && strstr(got.data, text) && !strncmp(got.data, "HTTP/1.1 200", 12);
    if (!same)
        printf("got '%.60s', not '%s'\n", got.data ? got.data : "", text);
    close(fd);
    buffer_done(&got);
    return same;
}

static size_t row_replay(Backend *backend, const char *proxy, const RawRequest *raw, size_t number) {
    Buffer got = {0};
    int fd = path_connect(proxy);
    if (fd < 0) {
        printf("cannot connect to %s\n", proxy);
        return 1;
    }
    pthread_mutex_lock(&backend->lock);
    size_t before = backend->served, unmarked = backend->unmarked, repeated = backend->repeated;
    pthread_mutex_unlock(&backend->lock);
    client_send(fd, raw->bytes, raw->size);
    if (number % 2)
        client_say(fd, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read(fd, &got, QUIET_MS);
    close(fd);
    bool in_step = is_in_step(proxy, number);
    pthread_mutex_lock(&backend->lock);
    bool clean = in_step && backend->unmarked == unmarked && backend->repeated == repeated;
    if (!clean)
        printf("%s: %zu served, %zu of them not sent by the proxy, %zu twice%s\n", raw->name, backend->served - before,
               backend->unmarked - unmarked, backend->repeated - repeated,
               in_step ? "" : ", and out of step afterwards");
    pthread_mutex_unlock(&backend->lock);
    buffer_done(&got);
    return !clean;
}

int main(int count, char **words) {
    static Backend backend = {.lock = PTHREAD_MUTEX_INITIALIZER};
    memory_init();
    if (count != 3)
        return 2;
    HttpListener listener = {.unix_path = words[1]};
    HttpSettings settings = {
        .listeners = &listener, .listener_count = 1, .threads = 2, .limits = http_default_limits()};
    HttpHandler handler = {&backend, nothing, serve, nothing, nothing, nothing};
    HttpServer *http;
    Error err;
    if (http_new(&settings, &handler, &http, &err) != OK) {
        printf("%s\n", err.message);
        return 1;
    }
    char line[16];
    printf("ready\n");
    fflush(stdout);
    size_t faults = !fgets(line, sizeof line, stdin);
    for (size_t i = 0; i < 2 * ARRAY_COUNT(RAW_REQUESTS); i++)
        faults += row_replay(&backend, words[2], &RAW_REQUESTS[i / 2], i);
    HttpCounts counts = http_counts(http);
    printf("%zu requests sent, %zu served with those that check, %zu refused behind the proxy, %zu faults\n",
           2 * ARRAY_COUNT(RAW_REQUESTS), backend.served, (size_t)counts.refused_framing, faults);
    http_free(http);
    return faults != 0;
}

// SPDX-License-Identifier: Apache-2.0
// `hone serve` as a process of its own, and a client that says exactly what a test wants to say.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "check.h"

enum { SERVED_WAIT_MS = 60000 };

// What tests read lives here, until the server they ask ends.
static Arena served_arena;

typedef struct Served {
    pid_t pid;
    int out; // its standard output
    int port, admin_port;
    char log[64]; // file
} Served;

static inline const char *served_demo_model(void) {
    static char path[512];
    snprintf(path, sizeof path, "%s/demo/model", getenv("HONE_SOURCE"));
    return path;
}

static inline bool served_line(int fd, char *line, size_t bytes) {
    size_t count = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (count + 1 < bytes && poll(&wait, 1, SERVED_WAIT_MS) > 0 && read(fd, line + count, 1) == 1 &&
           line[count] != '\n')
        count++;
    line[count] = '\0';
    return count > 0;
}

// Starts the program with `--port 0` and the words given; the last is NULL. Its log goes to a file that ends with it.
static inline Served served_start(const char *model, const char *const *words) {
    Served served = {0};
    snprintf(served.log, sizeof served.log, "/tmp/hone-served-XXXXXX");
    int log = mkstemp(served.log);
    ck_assert_int_ge(log, 0);
    int out[2];
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    served.pid = fork();
    if (served.pid == 0) {
        const char *program = getenv("HONE_PROGRAM");
        const char *arguments[48] = {program, "serve",     model, "--port", "0",        "--engine-cache",
                                     "none",  "--threads", "1",   "--log",  served.log, "--no-history"};
        size_t count = 12;
        for (; *words; words++)
            arguments[count++] = *words;
        dup2(out[1], STDOUT_FILENO);
        execv(program, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(out[1]);
    close(log);
    served.out = out[0];
    char line[256];
    ck_assert_msg(served_line(out[0], line, sizeof line), "the server said nothing");
    ck_assert_msg(sscanf(line, "listening on http%*[s:/]127.0.0.1:%d", &served.port) == 1, "first line '%s'", line);
    return served;
}

static inline int served_exit(Served *served) {
    int status;
    ck_assert_int_eq(waitpid(served->pid, &status, 0), served->pid);
    close(served->out);
    arena_done(&served_arena);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int served_stop(Served *served) {
    kill(served->pid, SIGTERM);
    int code = served_exit(served);
    unlink(served->log);
    return code;
}

static inline int served_connect(const Served *served) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)served->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

typedef struct Reply {
    int status;
    char head[4096];
    Bytes body;       // chunks joined, NUL behind its end
    const char *text; // the same
} Reply;

static inline void served_send(int fd, const char *method, const char *path, const char *headers, const char *body) {
    Buffer text = {0};
    buffer_format(&text, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, path, headers ? headers : "");
    if (body)
        buffer_format(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    buffer_add_text(&text, "\r\n");
    buffer_add_text(&text, body ? body : "");
    ck_assert_int_eq(send(fd, text.data, text.bytes, MSG_NOSIGNAL), (ssize_t)text.bytes);
    buffer_done(&text);
}

static inline bool served_read(int fd, Buffer *text) {
    char bytes[4096];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, SERVED_WAIT_MS) <= 0)
        return false;
    ssize_t count = recv(fd, bytes, sizeof bytes, 0);
    if (count > 0)
        buffer_add(text, bytes, (size_t)count);
    return count > 0;
}

static inline void served_join_chunks(const char *at, const char *end, Buffer *out) {
    while (at < end) {
        char *data;
        size_t size = strtoul(at, &data, 16);
        if (!size || data + 2 + size > end)
            return;
        buffer_add(out, data + 2, size);
        at = data + 2 + size + 2;
    }
}

// Everything until the server closes: requests say Connection: close, or ended with it.
static inline Reply served_reply(int fd) {
    Reply reply = {0};
    Buffer text = {0}, joined = {0};
    Error err;
    while (served_read(fd, &text)) {
    }
    close(fd);
    char *body = text.data ? strstr(text.data, "\r\n\r\n") : NULL;
    if (body) {
        snprintf(reply.head, sizeof reply.head, "%.*s", (int)(body + 2 - text.data), text.data);
        reply.status = (int)strtol(text.data + 9, NULL, 10);
        if (strstr(reply.head, "chunked"))
            served_join_chunks(body + 4, text.data + text.bytes, &joined);
        else
            buffer_add(&joined, body + 4, text.bytes - (size_t)(body + 4 - text.data));
    }
    reply.text = arena_copy_text(&served_arena, joined.data ? joined.data : "", joined.bytes, &err);
    ck_assert_ptr_nonnull(reply.text);
    reply.body = (Bytes){(const unsigned char *)reply.text, joined.bytes};
    buffer_done(&joined);
    buffer_done(&text);
    return reply;
}

static inline Reply served_ask(const Served *served, const char *method, const char *path, const char *headers,
                               const char *body) {
    char all[1024];
    snprintf(all, sizeof all, "Connection: close\r\n%s", headers ? headers : "");
    int fd = served_connect(served);
    served_send(fd, method, path, all, body);
    return served_reply(fd);
}

static inline Reply served_post(const Served *served, const char *path, const char *body) {
    return served_ask(served, "POST", path, NULL, body);
}

// The value of a line of /metrics that begins with `name`.
static inline double served_metric(const Served *served, const char *name) {
    Reply reply = served_ask(served, "GET", "/metrics", NULL, NULL);
    ck_assert_int_eq(reply.status, 200);
    char wanted[256];
    snprintf(wanted, sizeof wanted, "\n%s", name);
    const char *line = strstr(reply.text, wanted);
    ck_assert_msg(line != NULL, "no line '%s'", name);
    const char *end = strchr(line + 1, '\n'), *value = end;
    while (value[-1] != ' ')
        value--;
    double found = strtod(value, NULL);
    return found;
}

// Waits until a metric has a value; fails after a minute.
static inline void served_await(const Served *served, const char *name, double value) {
    uint64_t begun = clock_ns();
    double found;
    while ((found = served_metric(served, name)) != value) {
        ck_assert_msg(clock_ns() - begun < 60000000000u, "%s is %g, expected %g", name, found, value);
        usleep(10000);
    }
}

// SPDX-License-Identifier: Apache-2.0
// A server for tests of clients: answers every connection with the same bytes, well-behaved or not.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef enum Manner {
    ANSWERS,  // the bytes, then closes
    STAYS,    // the bytes, then keeps the connection open
    TRICKLES, // the bytes one by one, a few a second
    FLOODS    // the bytes again and again
} Manner;

typedef struct OneAnswer {
    const char *answer;
    size_t bytes;
    Manner manner;
    size_t most; // connections; 0: any number
    char url[80];
    char asked[2000]; // of the last connection
    int listener;
    atomic_bool stop;
    pthread_t thread;
} OneAnswer;

static inline void one_answer_serve(OneAnswer *server, int link) {
    size_t got = 0;
    while (got < sizeof server->asked - 1 && !strstr(server->asked, "\r\n\r\n")) {
        ssize_t part = recv(link, server->asked + got, sizeof server->asked - 1 - got, 0);
        if (part <= 0)
            return;
        got += (size_t)part;
        server->asked[got] = '\0';
    }
    bool open = true;
    for (size_t at = 0; open && !server->stop && at < server->bytes;) {
        size_t bytes = server->manner == TRICKLES ? 1 : server->bytes - at;
        ssize_t put = send(link, server->answer + at, bytes, MSG_NOSIGNAL);
        open = put > 0;
        at += open ? (size_t)put : 0;
        if (server->manner == FLOODS && at == server->bytes)
            at = 0;
        if (server->manner == TRICKLES)
            usleep(20000);
    }
    struct pollfd closed = {.fd = link, .events = POLLIN};
    while (server->manner == STAYS && !server->stop && poll(&closed, 1, 20) == 0)
        ;
}

static inline void *one_answer_run(void *context) {
    OneAnswer *server = context;
    for (size_t count = 0; !server->stop && (!server->most || count < server->most);) {
        struct pollfd ready = {.fd = server->listener, .events = POLLIN};
        if (poll(&ready, 1, 20) != 1)
            continue;
        int link = accept(server->listener, NULL, NULL);
        if (link < 0)
            continue;
        memset(server->asked, 0, sizeof server->asked);
        one_answer_serve(server, link);
        close(link);
        count++;
    }
    close(server->listener);
    return NULL;
}

// `unix_path` NULL: a free port of the loopback address. The members before `url` are set by the caller.
static inline bool one_answer_start(OneAnswer *server, const char *unix_path) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t size = sizeof in;
    server->listener = socket(unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (unix_path)
        snprintf(un.sun_path, sizeof un.sun_path, "%s", unix_path);
    bool good = server->listener >= 0 &&
                bind(server->listener, unix_path ? (struct sockaddr *)&un : (struct sockaddr *)&in,
                     unix_path ? sizeof un : sizeof in) == 0 &&
                listen(server->listener, 8) == 0;
    if (good && !unix_path)
        good = getsockname(server->listener, (struct sockaddr *)&in, &size) == 0;
    if (unix_path)
        snprintf(server->url, sizeof server->url, "unix:%s", unix_path);
    else
        snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(in.sin_port));
    return good && pthread_create(&server->thread, NULL, one_answer_run, server) == 0;
}

static inline void one_answer_stop(OneAnswer *server) {
    server->stop = true;
    pthread_join(server->thread, NULL);
}

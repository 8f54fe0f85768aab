// SPDX-License-Identifier: Apache-2.0
// Opens listening sockets.
#include "serve/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int socket_open(int family) {
    return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

// Binds and listens; -1 and errno on failure.
static int tcp_listen(const struct addrinfo *info) {
    int fd = socket_open(info->ai_family);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!bind(fd, info->ai_addr, info->ai_addrlen) && !listen(fd, BACKLOG))
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int bound_port(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes))
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static Status tcp_open(Arena *arena, const HttpListener *settings, bool encrypted, Listener *ret, Error *err) {
    if (settings->port < 0 || settings->port > 65535)
        return FAIL(err, ERR_USAGE, "a port is a number from 0 to 65535, not %d", settings->port);
    struct addrinfo *found = NULL, hints = {.ai_family = AF_UNSPEC,
                                            .ai_socktype = SOCK_STREAM,
                                            .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    char service[8];
    snprintf(service, sizeof service, "%d", settings->port);
    int failed = getaddrinfo(settings->host, service, &hints, &found);
    if (failed)
        return FAIL(err, ERR_IO, "cannot listen on '%s': %s", settings->host,
                    failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
    int fd = -1;
    for (struct addrinfo *info = found; info && fd < 0; info = info->ai_next)
        fd = tcp_listen(info);
    int reason = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return FAIL(err, ERR_IO, "cannot listen on %s, port %d: %s%s", settings->host, settings->port, strerror(reason),
                    reason == EADDRINUSE ? " (another program listens there; choose another port, or 0 for any)" : "");
    bool colons = strchr(settings->host, ':') != NULL;
    int port = bound_port(fd);
    const char *address = arena_format(arena, err, "%s://%s%s%s:%d", encrypted ? "https" : "http", colons ? "[" : "",
                                       settings->host, colons ? "]" : "", port);
    if (!address) {
        close(fd);
        return err->status;
    }
    *ret = (Listener){.fd = fd, .port = port, .address = address, .admin = settings->admin, .encrypted = encrypted};
    return OK;
}

// Makes the path free for a new socket: a socket that nobody listens on goes, anything else stays.
static Status unix_clear(const struct sockaddr_un *address, Error *err) {
    struct stat there;
    if (lstat(address->sun_path, &there))
        return OK;
    if (!S_ISSOCK(there.st_mode))
        return FAIL(err, ERR_IO,
                    "cannot listen on '%s': something that is no socket lies there; remove it, or choose "
                    "another path",
                    address->sun_path);
    int fd = socket_open(AF_UNIX);
    if (fd < 0)
        return FAIL(err, ERR_IO, "cannot open a socket: %s", strerror(errno));
    bool stale = connect(fd, (const struct sockaddr *)address, sizeof *address) && errno == ECONNREFUSED;
    close(fd);
    if (!stale)
        return FAIL(err, ERR_IO, "cannot listen on '%s': another program listens there", address->sun_path);
    unlink(address->sun_path);
    return OK;
}

static Status unix_open(Arena *arena, const HttpListener *settings, Listener *ret, Error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = strlen(settings->unix_path);
    if (!bytes || bytes >= sizeof address.sun_path)
        return FAIL(err, ERR_IO, "cannot listen on '%s': the path of a socket has from 1 to %zu bytes",
                    settings->unix_path, sizeof address.sun_path - 1);
    memcpy(address.sun_path, settings->unix_path, bytes);
    TRY(unix_clear(&address, err));
    const char *path, *text;
    TRY_NEW(path = arena_copy_text(arena, settings->unix_path, bytes, err));
    TRY_NEW(text = arena_format(arena, err, "unix:%s", path));
    int fd = socket_open(AF_UNIX);
    struct stat own = {0};
    // the mode is set before anybody can connect, which takes listen
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || chmod(path, 0660) || stat(path, &own) ||
        listen(fd, BACKLOG)) {
        Status failed = FAIL(err, ERR_IO, "cannot listen on '%s': %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        if (own.st_ino)
            unlink(path);
        return failed;
    }
    *ret = (Listener){.fd = fd,
                      .address = text,
                      .unix_path = path,
                      .device = own.st_dev,
                      .inode = own.st_ino,
                      .admin = settings->admin};
    return OK;
}

Status listener_open(Arena *arena, const HttpListener *settings, bool encrypted, Listener *ret_listener, Error *err) {
    if (settings->unix_path)
        return unix_open(arena, settings, ret_listener, err);
    return tcp_open(arena, settings, encrypted, ret_listener, err);
}

void listener_close(Listener *listener) {
    if (listener->fd < 0)
        return;
    struct stat there;
    if (listener->unix_path && !lstat(listener->unix_path, &there) && there.st_ino == listener->inode &&
        there.st_dev == listener->device)
        unlink(listener->unix_path);
    close(listener->fd);
    listener->fd = -1;
}

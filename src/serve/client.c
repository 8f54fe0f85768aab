// SPDX-License-Identifier: Apache-2.0
// Connecting, asking, and reading an answer within its bounds.
#include "serve/client.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static Status no_address(const char *url, Error *err) {
    return FAIL(err, ERR_USAGE, "'%.200s' is no address of a server, expected http://HOST:PORT or unix:PATH", url);
}

static bool is_host(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(".-_:%", text[i]))
            return false;
    return bytes > 0 && bytes < sizeof((ClientAddress){0}).host;
}

Status client_address(const char *url, ClientAddress *ret_address, Error *err) {
    ClientAddress address = {.port = "80"};
    snprintf(address.text, sizeof address.text, "%s", url);
    if (strncasecmp(url, "https:", 6) == 0)
        return FAIL(err, ERR_UNSUPPORTED,
                    "'%.200s': hone speaks plain HTTP only; ask the server on its loopback address or unix:PATH", url);
    if (strncmp(url, "unix:", 5) == 0) {
        const char *path = url + (strncmp(url, "unix://", 7) == 0 ? 7 : 5);
        if (!*path || strlen(path) >= sizeof address.unix_path)
            return FAIL(err, ERR_USAGE, "'%.200s': a socket's path has 1 to %zu bytes", url,
                        sizeof address.unix_path - 1);
        memcpy(address.unix_path, path, strlen(path) + 1);
        *ret_address = address;
        return OK;
    }
    const char *host = strncasecmp(url, "http://", 7) == 0 ? url + 7 : url;
    const char *end = host + strcspn(host, "/");
    const char *close = *host == '[' ? memchr(host, ']', (size_t)(end - host)) : NULL;
    const char *colon = memchr(close ? close : host, ':', (size_t)(end - (close ? close : host)));
    const char *host_end = close ? close : colon ? colon : end;
    host += close != NULL;
    if ((*end && strcmp(end, "/") != 0) || !is_host(host, (size_t)(host_end - host)) ||
        (close && close + 1 != colon && close + 1 != end))
        return no_address(url, err);
    if (colon) {
        size_t digits = strspn(colon + 1, "0123456789");
        if (!digits || digits > 5 || colon + 1 + digits != end)
            return no_address(url, err);
        snprintf(address.port, sizeof address.port, "%.*s", (int)digits, colon + 1);
    }
    memcpy(address.host, host, (size_t)(host_end - host));
    *ret_address = address;
    return OK;
}

typedef struct Link {
    const ClientAddress *address;
    int descriptor;
    uint64_t end_ns;
} Link;

// Waits until the socket is ready; ERR_IO when the time is over.
static Status wait_for(const Link *link, short events, Error *err) {
    for (;;) {
        uint64_t now = clock_ns();
        if (now >= link->end_ns)
            return FAIL(err, ERR_IO, "the server at '%s' takes too long to answer", link->address->text);
        struct pollfd ready = {.fd = link->descriptor, .events = events};
        if (poll(&ready, 1, (int)((link->end_ns - now) / 1000000 + 1)) > 0)
            return OK;
    }
}

static Status unreachable(const Link *link, int reason, Error *err) {
    return FAIL(err, ERR_IO, "the server at '%s' cannot be reached: %s", link->address->text, strerror(reason));
}

static Status connect_to(Link *link, int family, const struct sockaddr *to, socklen_t bytes, Error *err) {
    link->descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->descriptor < 0)
        return unreachable(link, errno, err);
    int reason = connect(link->descriptor, to, bytes) == 0 ? 0 : errno;
    Status status = OK;
    if (reason == EINPROGRESS) {
        socklen_t size = sizeof reason;
        status = wait_for(link, POLLOUT, err);
        if (status == OK && getsockopt(link->descriptor, SOL_SOCKET, SO_ERROR, &reason, &size) != 0)
            reason = errno;
    }
    if (status == OK && reason)
        status = unreachable(link, reason, err);
    if (status != OK)
        close(link->descriptor);
    return status;
}

static Status open_link(Link *link, Error *err) {
    if (link->address->unix_path[0]) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        memcpy(to.sun_path, link->address->unix_path, sizeof to.sun_path);
        return connect_to(link, AF_UNIX, (const struct sockaddr *)&to, sizeof to, err);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int code = getaddrinfo(link->address->host, link->address->port, &hints, &found);
    if (code != 0)
        return FAIL(err, ERR_IO, "the server at '%s' cannot be found: %s", link->address->text, gai_strerror(code));
    Status status = FAIL(err, ERR_IO, "the server at '%s' has no address", link->address->text);
    for (struct addrinfo *one = found; one && status != OK; one = one->ai_next)
        status = connect_to(link, one->ai_family, one->ai_addr, one->ai_addrlen, err);
    freeaddrinfo(found);
    return status;
}

static Status send_ask(const Link *link, const ClientAsk *ask, Error *err) {
    Buffer text = {0};
    const char *host = link->address->unix_path[0] ? "localhost" : link->address->host;
    bool brackets = strchr(host, ':') != NULL;
    buffer_format(&text, "GET %s HTTP/1.1\r\nHost: %s%s%s\r\nAccept: application/json\r\nConnection: close\r\n",
                  ask->path, brackets ? "[" : "", host, brackets ? "]" : "");
    if (ask->key)
        buffer_format(&text, "Authorization: Bearer %s\r\n", ask->key);
    buffer_add_text(&text, "\r\n");
    Status status = buffer_status(&text, err);
    for (size_t sent = 0; status == OK && sent < text.bytes;) {
        ssize_t put = send(link->descriptor, text.data + sent, text.bytes - sent, MSG_NOSIGNAL);
        if (put >= 0)
            sent += (size_t)put;
        else if (errno == EAGAIN)
            status = wait_for(link, POLLOUT, err);
        else if (errno != EINTR)
            status = unreachable(link, errno, err);
    }
    buffer_done(&text);
    return status;
}

static Status no_http(const char *what, Error *err) {
    return FAIL(err, ERR_FORMAT, "its answer is no HTTP: %s", what);
}

// The value of a header in [head, end), without blanks around it; NULL: not there. Lines end in CR LF.
static const char *header(const char *head, const char *end, const char *name, size_t *ret_bytes) {
    size_t length = strlen(name);
    for (const char *line = head; line < end;) {
        const char *line_end = memchr(line, '\r', (size_t)(end - line));
        line_end = line_end ? line_end : end;
        if ((size_t)(line_end - line) > length && line[length] == ':' && strncasecmp(line, name, length) == 0) {
            const char *value = line + length + 1;
            while (value < line_end && (*value == ' ' || *value == '\t'))
                value++;
            const char *value_end = line_end;
            while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
                value_end--;
            *ret_bytes = (size_t)(value_end - value);
            return value;
        }
        line = line_end + 2;
    }
    return NULL;
}

// The number of `digits` of a base; false for none, and beyond what any body here can have.
static bool read_number(const char *text, size_t bytes, int base, size_t *ret) {
    size_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        int c = tolower((unsigned char)text[i]);
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= base || number > ((size_t)1 << 40))
            return false;
        number = number * (size_t)base + (size_t)digit;
    }
    *ret = number;
    return bytes > 0;
}

// Chunks: "SIZE[;...]\r\n" bytes "\r\n", the last of size 0. Trailers are not waited for.
static Status read_chunks(const char *at, const char *end, bool *ret_complete, Buffer *body, Error *err) {
    for (;;) {
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (!line_end)
            return end - at > 200 ? no_http("a chunk without its size", err) : OK;
        size_t size, digits = 0;
        while (digits < (size_t)(line_end - at) && at[digits] != ';' && at[digits] != ' ')
            digits++;
        if (!read_number(at, digits, 16, &size))
            return no_http("a chunk without its size", err);
        at = line_end + 2;
        if (size == 0) {
            *ret_complete = true;
            return OK;
        }
        if ((size_t)(end - at) < size + 2)
            return OK;
        if (memcmp(at + size, "\r\n", 2) != 0)
            return no_http("a chunk without its end", err);
        buffer_add(body, at, size);
        at += size + 2;
    }
}

Status client_parse(Bytes read, bool ended, bool *ret_complete, int *ret_status, Buffer *ret_body, Error *err) {
    const char *text = read.size ? (const char *)read.data : "", *end = text + read.size;
    *ret_complete = false;
    buffer_clear(ret_body);
    size_t status;
    if (memcmp("HTTP/1.", text, read.size < 7 ? read.size : 7) != 0 ||
        (read.size >= 12 && (text[8] != ' ' || !read_number(text + 9, 3, 10, &status) || status < 100)))
        return no_http("it does not begin with a status", err);
    const char *head_end = memmem(text, read.size, "\r\n\r\n", 4);
    if (!head_end || read.size < 12)
        return OK;
    read_number(text + 9, 3, 10, &status);
    const char *head = memmem(text, read.size, "\r\n", 2), *body = head_end + 4, *value;
    head = head < head_end ? head + 2 : head_end;
    size_t bytes, length;
    if ((value = header(head, head_end, "Transfer-Encoding", &bytes))) {
        if (bytes != 7 || strncasecmp(value, "chunked", 7) != 0)
            return no_http("a transfer encoding that was not asked for", err);
        TRY(read_chunks(body, end, ret_complete, ret_body, err));
    } else if ((value = header(head, head_end, "Content-Length", &bytes))) {
        if (!read_number(value, bytes, 10, &length))
            return no_http("a length that is no number", err);
        *ret_complete = (size_t)(end - body) >= length;
        if (*ret_complete)
            buffer_add(ret_body, body, length);
    } else {
        *ret_complete = ended;
        if (ended)
            buffer_add(ret_body, body, (size_t)(end - body));
    }
    *ret_status = (int)status;
    return buffer_status(ret_body, err);
}

static Status read_answer(const Link *link, const ClientAsk *ask, int *ret_status, Buffer *ret_body, Error *err) {
    Buffer read = {0};
    Status status = OK;
    for (bool complete = false, ended = false; status == OK && !complete;) {
        char *to = buffer_extend(&read, 1 << 16);
        ssize_t got = to ? recv(link->descriptor, to, 1 << 16, 0) : 0;
        int reason = errno;
        read.bytes -= to ? (size_t)((1 << 16) - (got > 0 ? got : 0)) : 0;
        if (!to)
            status = buffer_status(&read, err);
        else if (got < 0 && reason == EAGAIN)
            status = wait_for(link, POLLIN, err);
        else if (got < 0 && reason != EINTR)
            status = FAIL(err, ERR_IO, "the server at '%s' broke off: %s", link->address->text, strerror(reason));
        else if (read.bytes > ask->most_bytes)
            status = FAIL(err, ERR_LIMIT, "the server at '%s' answers with more than %zu bytes", link->address->text,
                          ask->most_bytes);
        else if (got >= 0 && clock_ns() >= link->end_ns) // one that never stops sending is not waited for
            status = FAIL(err, ERR_IO, "the server at '%s' takes too long to answer", link->address->text);
        else if (got >= 0) {
            ended = got == 0;
            status = client_parse((Bytes){(unsigned char *)read.data, read.bytes}, ended, &complete, ret_status,
                                  ret_body, err);
            if (status == OK && ended && !complete)
                status =
                    FAIL(err, ERR_IO, "the server at '%s' broke off in the middle of its answer", link->address->text);
        }
    }
    buffer_done(&read);
    return status;
}

Status client_get(const ClientAddress *address, const ClientAsk *ask, int *ret_status, Buffer *ret_body, Error *err) {
    Link link = {address, -1, clock_ns() + (uint64_t)ask->timeout_ms * 1000000};
    TRY(open_link(&link, err));
    Status status = send_ask(&link, ask, err);
    if (status == OK)
        status = read_answer(&link, ask, ret_status, ret_body, err);
    close(link.descriptor);
    return status;
}

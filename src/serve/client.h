// SPDX-License-Identifier: Apache-2.0
// Client: one GET of plain HTTP over TCP or a Unix-domain socket, for hone's own tools. The server is not trusted: what
// is read is bounded in bytes and in time, and an answer that is none is a sentence.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/status.h"

typedef struct ClientAddress {
    char host[256]; // "127.0.0.1", "::1", a name; "" for a Unix-domain socket
    char port[6];
    char unix_path[108];
    char text[300]; // as it was given, for messages
} ClientAddress;

// "http://HOST[:PORT][/]", "HOST:PORT", "unix:PATH"; IPv6 addresses in brackets. ERR_UNSUPPORTED for https, ERR_USAGE
// for what is no address.
MUST_CHECK Status client_address(const char *url, ClientAddress *ret_address, Error *err);

typedef struct ClientAsk {
    const char *path; // "/dashboard/state"
    const char *key;  // API key; NULL: none
    uint32_t timeout_ms;
    size_t most_bytes; // of the answer, its head included
} ClientAsk;

// ret_body is emptied and filled with the body, whatever the status. ERR_IO when the server cannot be reached, stops in
// the middle or takes too long; ERR_LIMIT when it sends too much; ERR_FORMAT when it does not speak HTTP.
MUST_CHECK Status client_get(const ClientAddress *address, const ClientAsk *ask, int *ret_status, Buffer *ret_body,
                             Error *err);

// What has been read so far: ret_complete tells whether that is all of an answer (then ret_status and ret_body are
// filled). `ended`: the server has closed. ERR_FORMAT for what can be no answer.
MUST_CHECK Status client_parse(Bytes read, bool ended, bool *ret_complete, int *ret_status, Buffer *ret_body,
                               Error *err);

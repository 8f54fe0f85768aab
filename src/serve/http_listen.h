// SPDX-License-Identifier: Apache-2.0
// Listening sockets: from what the settings say to a descriptor that accepts.
#pragma once

#include "base/arena.h"
#include "serve/http.h"

enum { BACKLOG = 1024 }; // connections that wait to be accepted

typedef struct Listener {
    int fd;
    int port; // 0: a Unix-domain socket
    const char *address;
    const char *unix_path;  // NULL: TCP
    uint64_t device, inode; // of the socket's file
    bool admin, encrypted;
} Listener;

// Texts are made in the arena. ERR_IO for an address that cannot be had.
MUST_CHECK Status listener_open(Arena *arena, const HttpListener *settings, bool encrypted, Listener *ret_listener,
                                Error *err);

// Closes it (once: a closed one stays closed), and removes a Unix-domain socket's file if it is still its own.
void listener_close(Listener *listener);

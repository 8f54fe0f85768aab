// SPDX-License-Identifier: Apache-2.0
// Server: the whole of `hone serve`: models with their services, the transport, keys, log, history, and their life from
// start to the last answer.
//
//     TRY(server_new(&settings, &server, err));      // loads and warms up the models, then listens
//     ... server_address(server, 0) ...
//     server_run(server);                            // until told to stop; SIGTERM and SIGINT drain, SIGHUP reloads
//     server_free(server);
#pragma once

#include "serve/http.h"
#include "serve/log.h"
#include "serve/service.h"

typedef struct Server Server;

// One option as it is in effect, for the dashboard.
typedef struct ServerOption {
    const char *name, *value;
    bool chosen; // not the default
} ServerOption;

typedef struct ServerModel {
    const char *path;
    const char *name; // NULL: that of its folder
} ServerModel;

typedef struct ServerSettings {
    const ServerModel *models;
    size_t model_count;
    ServiceSettings service; // of each
    HttpSettings http;
    const char *keys; // file (serve/keys.h); NULL: everybody may ask
    const char *log;  // file; NULL: standard error
    LogLevel log_level;
    const char *history;        // SQLite file of the figures; NULL: they are not kept
    const char *const *origins; // of pages that browsers may ask from (CORS)
    size_t origin_count;
    uint64_t drain_ns;   // how long requests may go on once it is told to stop
    uint64_t grace_ns;   // how long it goes on listening then, so that balancers notice
    uint64_t request_ns; // deadline of requests that name none; 0: none
    bool admin_apart;    // metrics and dashboard are on admin listeners only
    const ServerOption *options;
    size_t option_count;
} ServerSettings;

// What of the settings is text must live as long as the server. Errors of models, keys, certificates and addresses.
MUST_CHECK Status server_new(const ServerSettings *settings, Server **ret_server, Error *err);
void server_free(Server *server);

const char *server_address(const Server *server, size_t listener);
const char *server_model_name(const Server *server, size_t model);
SessionMemory server_memory(const Server *server, size_t model);
const BatchCurve *server_curve(const Server *server, size_t model); // service_curve's

// Returns when everything has been answered or the drain's time is over; false: requests were cut off.
bool server_run(Server *server);

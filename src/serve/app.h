// SPDX-License-Identifier: Apache-2.0
// App: what the parts of the server share: the models, who is connected, and the request in hand. Inside the room only.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/digest.h"
#include "serve/api.h"
#include "serve/dashboard.h"
#include "serve/keys.h"
#include "serve/server.h"

// A model as it was loaded once. A reload makes another; this one goes with its last request.
typedef struct Instance {
    struct Server *server;
    size_t bytes; // that it holds of the memory limit
    Service *service;
    Buffer card; // of the dashboard
    atomic_int owners;
} Instance;

// A model being served, whatever is loaded of it.
typedef struct Slot {
    char name[256];
    const char *path;
    Metrics *metrics;
    ServeHistory *history;
    pthread_mutex_t lock; // of `instance`
    Instance *instance;
    int64_t created; // seconds since 1970
} Slot;

typedef struct Visit Visit;

struct Server {
    ServerSettings settings;
    Slot *slots;
    size_t slot_count;
    Metrics *metrics;
    Log *log;
    Keys *keys; // NULL: none
    HttpServer *http;
    int signals; // descriptor that tells of them
    atomic_bool draining;
    atomic_size_t held_bytes; // of all instances
    pthread_mutex_t lock;     // of the visits
    Visit *visits;            // those that generate
    atomic_size_t generating;
    Visit *watchers;            // of the dashboard's events
    atomic_uint_fast64_t beats; // seconds that have passed
    DigestKey digest_key;       // of what nobody may guess: ids, salts
    atomic_uint_fast64_t draws;
    Arena arena;
};

enum { REQUEST_ID_BYTES = 129 };

// One exchange from its begin to its end.
struct Visit {
    Server *server;
    Exchange *exchange;
    const ApiRoute *route; // NULL: nothing that is served
    char name[256];        // {model} or {id} of the path
    char request_id[REQUEST_ID_BYTES];
    Key *key;         // NULL: none was needed
    bool key_counted; // key_begin
    MetricRoute kind;
    int status;  // that was answered
    Arena arena; // of the request
    Slot *slot;
    Instance *instance;
    struct Completion *completion; // where it generates
    Visit *next, *before;          // among the server's
    bool watches;                  // is one of the watchers
    uint64_t beat;                 // the last one it told
};

// The instance that is served now; to be given back.
Instance *slot_hold(Slot *slot);
void instance_drop(Instance *instance);
MUST_CHECK Status instance_new(Server *server, const Slot *slot, Instance **ret_instance, Error *err);

// The slot of a name; NULL or "": the only one, or the first. NULL and an error for one that is not served.
Slot *server_slot(Server *server, const char *name, Error *err);
bool server_is_live(Server *server);  // every engine was seen within 10 s
bool server_is_ready(Server *server); // and it takes requests
double seconds_now(void);             // since 1970
uint64_t server_draw(Server *server); // a number that nobody can guess
// Brings the figures of the process up to date: memory, connections, heartbeats.
void server_count(Server *server);
// Puts a visit into one of the server's lists, and takes it out; it is in one at most.
void visits_add(Visit **list, Visit *visit);
void visits_remove(Visit **list, Visit *visit);

// Answers in JSON; with an error in the shape of the visit's route. `retry_s`: 0, or for Retry-After.
void visit_answer(Visit *visit, int status, Buffer *body);
void visit_error(Visit *visit, int status, const char *param, unsigned retry_s, const Error *error);
// The same for a failure of the service: 503 with Retry-After, 504, 4xx.
void visit_refuse(Visit *visit, const Error *error, const char *param);
void visit_log(const Visit *visit, const LogRequest *figures);

// Routes that generate (complete.c), and those that only tell (tell.c).
void complete_begin(Visit *visit);
void complete_request(Visit *visit);
void complete_resume(Visit *visit);
void complete_left(Visit *visit);
void complete_done(Visit *visit);
// Cancels the visit with this id that `key` has begun; false: there is none.
bool complete_cancel(Server *server, const char *request_id, const Key *key);
void tell(Visit *visit);

// The handler of the transport.
HttpHandler app_handler(Server *server);

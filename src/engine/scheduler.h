// SPDX-License-Identifier: Apache-2.0
// Scheduler: what runs next. Pure: it is told what arrives, what ends, how many pages are free and what time it is, and
// says who is turned away, who joins and how long the encoder may run before the next decode step. It knows no model,
// no session and no clock, so that a test can live through a million requests in a second.
//
//     scheduler_add(s, &ticket, now)                         a request arrives: ERR_BUSY when there is no room
//     scheduler_next(s, now, free_pages, &step)              what to do now
//     scheduler_encoded(s, spent_ns, ended), scheduler_decoded(s, rows, keys, spent_ns)      what it took
//     scheduler_leave(s, &ticket)                            it ended, or was cancelled, wherever it was
//
// Order. The most urgent class first, where waiting makes more urgent: each `ageing_ns` one class. Within a class
// tenants share by tokens (deficit round robin; Shreedhar and Varghese 1995), within a tenant the order of arrival
// holds. Whoever is next is never overtaken because he needs much: so nobody starves. A request joins when its rows and
// its pages, the worst case of its output, are free; so it never has to leave again before its end.
//
// Time. Encoding and decoding take turns. While sequences are being decoded, the encoder runs in slices: as long as the
// next decode step is predicted to take, more where decoding runs short of sequences because requests leave faster than
// the encoder brings new ones.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "engine/cost.h"

enum { SCHEDULER_CLASSES = 10 };

typedef enum TicketState { TICKET_NONE, TICKET_WAITING, TICKET_ENCODING, TICKET_RUNNING } TicketState;

// A request as the scheduler sees it; part of whatever its owner keeps of it.
typedef struct Ticket Ticket;
struct Ticket {
    size_t source_tokens, rows, most_new_tokens;
    int priority;         // 0 most urgent .. 9
    uint64_t tenant;      // whose share it takes
    uint64_t arrived_ns;  // filled by scheduler_add
    uint64_t deadline_ns; // 0: none
    TicketState state;    // the scheduler's
    Ticket *next;         // the scheduler's
};

typedef struct SchedulerSettings {
    size_t most_waiting, most_waiting_tokens; // sources and outputs of those that wait; 0 tokens: any number
    size_t most_running, most_rows;           // of those that encode and decode together
    size_t encode_tokens;                     // of one encode batch, one source may be longer
    bool slices;                              // encoding gives way to decode steps; false: each batch to its end
    bool whole_batches;                       // nobody joins while others run
    uint64_t queue_delay_ns;                  // while others run, a batch waits so long to become full
    uint64_t ageing_ns;                       // 0: 2 s
    size_t quantum_tokens;                    // 0: 512
    uint64_t step_target_ns; // no more sequences at once than keep steps below this, slices included; 0: any
    size_t (*pages)(void *context, const Ticket *ticket); // that it would take now
    void *context;
} SchedulerSettings;

typedef struct Scheduler Scheduler;

MUST_CHECK Status scheduler_make(Arena *arena, const SchedulerSettings *settings, Scheduler **ret, Error *err);

// ERR_BUSY: the queue is full. ERR_LATE: what waits already makes the deadline impossible.
MUST_CHECK Status scheduler_add(Scheduler *scheduler, Ticket *ticket, uint64_t now, Error *err);

typedef struct ScheduledStep {
    Ticket *const *shed; // cannot end in time; they are out already
    size_t shed_count;
    Ticket *const *join; // are encoded together from now on, in this order; empty while others still are
    size_t join_count;
    uint64_t encode_ns; // how long the encoder may run now; UINT64_MAX: to the batch's end; 0: nothing is to be encoded
    bool decode;        // sequences are there for a step
} ScheduledStep;

// The lists are valid until the next call.
void scheduler_next(Scheduler *scheduler, uint64_t now, size_t free_pages, ScheduledStep *ret_step);

// The batch that joined has run for `spent_ns` since the last call; when it has ended, all of it that is still there
// runs. `tokens` and `squares`: of all its sources (engine/cost.h), for what is learned.
void scheduler_encoded(Scheduler *scheduler, uint64_t spent_ns, bool ended, size_t tokens, double squares);
// One that joined needs no encoding: it runs now.
void scheduler_skip_encode(Scheduler *scheduler, Ticket *ticket);
void scheduler_decoded(Scheduler *scheduler, size_t rows, size_t keys, uint64_t spent_ns);

// A ticket is done with; `new_tokens` it got, where it ran to its end (0: it did not).
void scheduler_leave(Scheduler *scheduler, Ticket *ticket, size_t new_tokens);

// Another bound on what runs at once (at most the settings'), for whoever tunes a running server.
void scheduler_set_most_running(Scheduler *scheduler, size_t most);

// What can be told of it.
typedef struct SchedulerView {
    size_t waiting, waiting_tokens, encoding, running, rows;
    size_t most_running; // now, by step_target_ns and scheduler_set_most_running
} SchedulerView;
SchedulerView scheduler_view(const Scheduler *scheduler);
const Cost *scheduler_cost(const Scheduler *scheduler, bool encoding);

// How long a request that arrives now would wait before it is encoded, by what was learned; 0 as long as nothing was.
uint64_t scheduler_wait_ns(const Scheduler *scheduler);

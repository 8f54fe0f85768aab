// SPDX-License-Identifier: Apache-2.0
// The engine's own: what engine_make.c sets up and engine.c works with.
#pragma once

#include "engine/engine.h"
#include "engine/head.h"
#include "engine/joining.h"

struct Engine {
    Arena arena;
    Pool *pool;
    Session *session;
    SourceCache *cache;
    Scheduler *scheduler;
    Joining joining;
    Head head;
    EngineSettings settings;
    FlightSettings flight_settings;
    size_t total_pages;
    Flight *flights;    // [most_requests]
    Arena *arenas;      // [most_running] of flights that are prepared; each keeps its newest chunk for the next one
    size_t arena_count; // that nobody uses
    Flight **idle, **running;
    size_t idle_count, running_count; // running: in the order in which they were encoded
    size_t running_rows;              // of running
    DecodeRow *rows;                  // [most_rows]
    RowWork *work;                    // [most_rows]
    size_t *first_rows;               // [most_running], where a running flight's rows begin in the step
    bool *alive;                      // [most_running], of the running after a step
    float **logits;                   // [most_rows], of the rows of the step in progress; NULL where none were needed
    EngineCounts counts;              // but for the head's
    EngineLoad load;                  // the counts of it
    uint64_t model_ns;                // of the call of engine_step in progress
    EngineWatcher watcher;
    Error refusal; // of the screen
};

static inline Flight *flight_of(const Ticket *ticket) {
    return (Flight *)((uintptr_t)ticket - offsetof(Flight, ticket));
}

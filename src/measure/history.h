// SPDX-License-Identifier: Apache-2.0
// History: what `hone bench` measured, kept in one SQLite file, appended to and listed, never changed.
//
//     TRY(history_open(path, &history, err));
//     Status status = history_add(history, &entry, err);
//     history_close(history);
//
// The tables are in history.c, in one place; a file written by an older hone is brought up to date when it is opened,
// one by a newer hone is refused. Every add is one transaction, so a file holds whole entries whatever happens, and
// several processes may add at once: one waits for the other, five seconds at most. Do not fork with one open.
#pragma once

#include "base/arena.h"
#include "base/status.h"

typedef struct History History;

typedef struct HistoryMachine {
    const char *name; // the processor's
    int cores;
    const char *system; // kernel and architecture
} HistoryMachine;

typedef struct HistoryEntry {
    int64_t id;       // given by history_add
    const char *time; // UTC, ISO 8601 to the second
    const char *version, *revision;
    HistoryMachine machine;
    const char *model;      // as it is called
    const char *model_path; // absolute
    const char *model_mark; // measure/model_mark.h
    const char *level;      // of the kernels
    int threads;
    int64_t batch, beams;
    double ms_per_sample;
    const char *settings; // a JSON object: what else was asked for
    const char *report;   // the whole answer of bench, a JSON object
    const char *times_ms; // a JSON array: each timed call in order
} HistoryEntry;

// Opens or creates the file (its folder must exist). ERR_IO when it cannot be opened or written, ERR_FORMAT when it is
// no history of hone or damaged, ERR_UNSUPPORTED when a newer hone wrote it.
MUST_CHECK Status history_open(const char *path, History **ret_history, Error *err);

// Opens a file that is there, for listing only. ERR_IO, ERR_FORMAT, ERR_UNSUPPORTED.
MUST_CHECK Status history_open_reading(const char *path, History **ret_history, Error *err);

// NULL is fine.
void history_close(History *history);

// Appends one entry, whole or not at all. ERR_IO also when others kept the file locked for five seconds.
MUST_CHECK Status history_add(History *history, const HistoryEntry *entry, Error *err);

// Which entries history_list shows: the newest `limit` (0: all) whose model name or path is `model` (NULL: any).
typedef struct HistoryFilter {
    const char *model;
    size_t limit;
} HistoryFilter;

// Calls `on_entry` for each, oldest first; the entry is valid during the call. A failure of it ends the listing.
MUST_CHECK Status history_list(History *history, const HistoryFilter *filter,
                               Status (*on_entry)(void *context, const HistoryEntry *entry, Error *err), void *context,
                               Error *err);

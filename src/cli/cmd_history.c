// SPDX-License-Identifier: Apache-2.0
// hone history: lists what bench measured before.
#include "base/cache.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "measure/history.h"

typedef struct Settings {
    const char *history, *model;
    int64_t limit;
} Settings;

static const Option options[] = {
    {"history", 0, "FILE", "read this file (default: the one in the user's cache)", OPTION_TEXT,
     offsetof(Settings, history)},
    {"model", 0, "NAME", "only of this model, by its name or absolute path", OPTION_TEXT, offsetof(Settings, model)},
    {"limit", 0, "N", "the newest N; 0 is all", OPTION_INT, offsetof(Settings, limit), .low = 0, .high = 1e9},
    {0},
};

static Status print_people(void *context, const HistoryEntry *e, Error *err) {
    CommandRun *run = context;
    buffer_format(&run->out.text, "%-20s  %-9s  %-20s  %-6s  %2d threads  batch %-4lld beams %-2lld  %9.2f ms", e->time,
                  e->revision[0] ? e->revision : e->version, e->model, e->level, e->threads, (long long)e->batch,
                  (long long)e->beams, e->ms_per_sample);
    return output_line(&run->out, err);
}

static Status print_json(void *context, const HistoryEntry *e, Error *err) {
    CommandRun *run = context;
    json_t *line =
        json_pack("{s:I, s:s, s:s, s:s, s:{s:s, s:i, s:s}, s:s, s:s, s:o*, s:o*, s:o*}", "id", (json_int_t)e->id,
                  "time", e->time, "version", e->version, "revision", e->revision, "machine", "name", e->machine.name,
                  "cores", e->machine.cores, "system", e->machine.system, "model_path", e->model_path, "model_mark",
                  e->model_mark, "settings", json_loads(e->settings, 0, NULL), "report", json_loads(e->report, 0, NULL),
                  "times_ms", json_loads(e->times_ms, 0, NULL));
    if (!line)
        return FAIL(err, ERR_MEMORY, "no memory to list measurement %lld", (long long)e->id);
    Status status = output_json(&run->out, line, err);
    json_decref(line);
    return status;
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    char *standard = NULL;
    if (!settings->history)
        TRY(cache_path(run->arena, "history.sqlite", &standard, err));
    const char *path = settings->history ? settings->history : standard;
    if (path_kind(path) == PATH_NONE)
        return FAIL(err, ERR_IO, "there is no history at '%s'; 'hone bench' begins one", path);
    History *history;
    TRY(history_open_reading(path, &history, err));
    HistoryFilter filter = {.model = settings->model, .limit = (size_t)settings->limit};
    Status status = history_list(history, &filter, run->common.json ? print_json : print_people, run, err);
    history_close(history);
    return status;
}

const Command command_history = {
    .arguments = "",
    .help = "Lists what 'hone bench' measured, oldest first; --json tells everything, each call's time included.\n"
            "The file is an SQLite database, $XDG_CACHE_HOME/hone/history.sqlite where none is named.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &(const Settings){.limit = 40},
    .options = options,
    .json = true,
    .run = run,
};

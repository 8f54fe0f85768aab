// SPDX-License-Identifier: Apache-2.0
// From a workload file or a seed to sources in the order of their batches; and what a sweep goes through.
#include "cli/bench_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "measure/data_ids.h"

enum { RANDOM_SAMPLES = 16 };

// What made-up sources may have for all models to take them: a model tells in its config.json, if it has one.
static Status random_bounds(CommandRun *run, int64_t *positions, int64_t *vocabulary, Error *err) {
    for (size_t m = 0; m < run->argument_count; m++) {
        const char *model = run->arguments[m];
        char *path = path_kind(model) == PATH_FILE
                         ? arena_format(run->arena, err, "%.*sconfig.json", (int)(path_name(model) - model), model)
                         : path_join(run->arena, model, "config.json", err);
        TRY_NEW(path);
        json_t *config = NULL;
        if (path_kind(path) == PATH_FILE)
            TRY(json_read(run->arena, path, true, &config, err));
        int64_t there = *positions, ids = *vocabulary;
        TRY(json_get_int(config, path, "max_position_embeddings", 1, INT32_MAX, &there, err));
        TRY(json_get_int(config, path, "vocab_size", 1, INT32_MAX, &ids, err));
        *positions = there < *positions ? there : *positions;
        *vocabulary = ids < *vocabulary ? ids : *vocabulary;
    }
    return OK;
}

// Sources of 16 to 300 random tokens, fewer where a model takes no more, the same every time.
static Status random_rows(CommandRun *run, DataSet *ret, Error *err) {
    Arena *arena = run->arena;
    DataSet set = {.count = RANDOM_SAMPLES, .labelled = true};
    int64_t most = 300, vocabulary = 60;
    TRY(random_bounds(run, &most, &vocabulary, err));
    TRY_NEW(set.rows = arena_array(arena, set.count, sizeof *set.rows, err));
    Random random = {1};
    for (size_t i = 0; i < set.count; i++) {
        size_t count = 16 + random_below(&random, 285);
        count = count < (size_t)most ? count : (size_t)most;
        int32_t *ids = arena_array(arena, count, sizeof *ids, err);
        TRY_NEW(ids);
        for (size_t t = 0; t < count; t++)
            ids[t] = (int32_t)(vocabulary > 4 ? 4 + random_below(&random, (uint32_t)vocabulary - 4) : 0);
        set.rows[i] = (DataRow){.ids = ids, .id_count = count};
    }
    *ret = set;
    return OK;
}

// The row repeated or cut to `tokens` ids; its last id (an end mark, mostly) stays the last.
static Status row_stretch(Arena *arena, DataRow *row, size_t tokens, Error *err) {
    if (row->id_count == tokens)
        return OK;
    int32_t *ids = arena_array(arena, tokens, sizeof *ids, err);
    TRY_NEW(ids);
    for (size_t t = 0; t < tokens; t++)
        ids[t] = row->ids[t % row->id_count];
    ids[tokens - 1] = row->ids[row->id_count - 1];
    row->ids = ids;
    row->id_count = tokens;
    return OK;
}

static Status rows_read(CommandRun *run, const BenchSources *sources, const char *path, DataSet *ret_set, Error *err) {
    if (sources->workload) {
        TRY(data_read(run->arena, sources->workload, sources->samples, false, ret_set, err));
        TRY(data_ids_of(run->arena, path, path_name(sources->workload), ret_set, err));
    } else
        TRY(random_rows(run, ret_set, err));
    if (sources->samples && sources->samples < ret_set->count)
        ret_set->count = sources->samples;
    for (size_t i = 0; sources->tokens && i < ret_set->count; i++)
        TRY(row_stretch(run->arena, &ret_set->rows[i], sources->tokens, err));
    return OK;
}

Status bench_work_read(CommandRun *run, const BenchSources *sources, const char *path, BenchWork *ret_work,
                       Error *err) {
    DataSet set;
    TRY(rows_read(run, sources, path, &set, err));
    TRY(bench_work_fill(run->arena, &set, sources->batch, ret_work, err));
    for (size_t i = 0; sources->fill && i < set.count; i++) {
        size_t last = (i / sources->batch + 1) * sources->batch;
        last = last < set.count ? last : set.count;
        DataRow *row = &set.rows[ret_work->numbers[i] - 1];
        TRY(row_stretch(run->arena, row, ret_work->lengths[last - 1], err)); // sorted: the last is the longest
        ret_work->sources[i] = row->ids;
        ret_work->lengths[i] = row->id_count;
    }
    return OK;
}

static const struct {
    const char *name, *label;
    int64_t high;
} sweep_keys[SWEEP_KEY_COUNT] = {
    [SWEEP_SOURCE] = {"source-tokens", "source length, tokens", 1000000},
    [SWEEP_NEW] = {"new-tokens", "output length, tokens", 1000000},
    [SWEEP_BATCH] = {"batch", "batch, sources", 4096},
    [SWEEP_BEAMS] = {"beams", "beams", 64},
    [SWEEP_THREADS] = {"threads", "threads", 1024},
};

const char *sweep_key_name(SweepKey key) {
    return sweep_keys[key].name;
}

const char *sweep_key_label(SweepKey key) {
    return sweep_keys[key].label;
}

static Status sweep_add(Sweep *sweep, int64_t value, Error *err) {
    if (sweep->count == SWEEP_VALUES_MOST)
        return FAIL(err, ERR_USAGE, "--sweep has more than %d values", SWEEP_VALUES_MOST);
    sweep->values[sweep->count++] = value;
    return OK;
}

// One value at *text, which is moved past it.
static Status value_read(const char **text, int64_t high, int64_t *ret, Error *err) {
    char *end;
    errno = 0;
    long long value = strtoll(*text, &end, 10);
    if (end == *text || errno || value < 1 || value > high)
        return FAIL(err, ERR_USAGE, "--sweep has '%s' among its values, expected integers from 1 to %lld", *text,
                    (long long)high);
    *text = end;
    *ret = value;
    return OK;
}

Status sweep_parse(const char *text, Sweep *ret_sweep, Error *err) {
    size_t length = strcspn(text, "=");
    Sweep sweep = {0};
    while (sweep.key < SWEEP_KEY_COUNT &&
           !(strlen(sweep_keys[sweep.key].name) == length && memcmp(sweep_keys[sweep.key].name, text, length) == 0))
        sweep.key++;
    if (sweep.key == SWEEP_KEY_COUNT || !text[length])
        return FAIL(err, ERR_USAGE,
                    "--sweep is '%s', expected source-tokens, new-tokens, batch, beams or threads, '=', and values",
                    text);
    int64_t high = sweep_keys[sweep.key].high;
    for (const char *at = text + length + 1;; at++) {
        int64_t value = 0, last = 0;
        TRY(value_read(&at, high, &value, err));
        if (strncmp(at, "..", 2) == 0) {
            at += 2;
            TRY(value_read(&at, high, &last, err));
            for (; value < last; value *= 2)
                TRY(sweep_add(&sweep, value, err));
            value = last;
        }
        TRY(sweep_add(&sweep, value, err));
        if (!*at)
            break;
        if (*at != ',')
            return FAIL(err, ERR_USAGE, "--sweep has '%s' among its values, expected ',' or the end", at);
    }
    *ret_sweep = sweep;
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// The walk: the base runs step by step; before a step that something changes, what the rest needs is kept, and for each
// change that is put back and the rest runs with it. K and V of later layers are written by each change's rest, and
// again by the base when it gets there.
#include <math.h>
#include <string.h>

#include "compress/sensitivity_work.h"

enum { ROWS_EACH = 64 }; // rows of outputs whose squares are added at once: the same sums for any number of threads

typedef struct Walk {
    Sensing *sensing;
    Arena *arena; // of the part
    const Part *part;
    ForcedLoss forced;
    Buffer state, output; // before the site's steps; what it gives, [rows, columns]
    float *states;        // [rows, width] that the base's decode step returned
    Change *changes;      // [most changes of a site]
    double *squares;      // two for each ROWS_EACH rows
} Walk;

static Session *session_of(const Walk *walk) {
    return engine_session(walk->sensing->runtime->engine);
}

static Status part_key(const Walk *walk, const char *what, const char *change, char **ret_key, Error *err) {
    const SensitivityOptions *options = walk->sensing->options;
    TRY_NEW(*ret_key = arena_format(walk->arena, err, "%s; %s; rows %zu to %zu; %s %s",
                                    options->cache_key ? options->cache_key : "", cpu_level_name(options->level),
                                    walk->part->first, walk->part->first + walk->part->count, what, change));
    return OK;
}

static Status entry_key(const Walk *walk, const Entry *entry, char **ret_key, Error *err) {
    if (entry->row.kind != CHANGE_SCHEME || entry->row.scheme != STORE_INT4)
        return part_key(walk, entry->row.layer, entry->row.change, ret_key, err);
    char *change = arena_format(walk->arena, err, "int4/%zu", entry->int4_group);
    TRY_NEW(change);
    return part_key(walk, entry->row.layer, change, ret_key, err);
}

typedef struct Sums {
    double nats, moved, size, bytes;
} Sums;

static void entry_add_part(Entry *entry, const Sums *sums) {
    entry->nats += sums->nats;
    entry->moved += sums->moved;
    entry->size += sums->size;
    entry->row.bytes_saved = sums->bytes;
    entry->parts++;
}

enum { SUMS = 4 };

static void sums_name(Sums *sums, Kept ret_kept[SUMS]) {
    const Kept kept[SUMS] = {
        {"nats", &sums->nats}, {"moved", &sums->moved}, {"size", &sums->size}, {"bytes", &sums->bytes}};
    memcpy(ret_kept, kept, sizeof kept);
}

// What earlier runs measured of this part; *ret_left: entries that are still to be measured.
static Status part_recall(Walk *walk, bool *ret_missing, size_t *ret_left, Error *err) {
    Sensing *sensing = walk->sensing;
    for (size_t i = 0; i < sensing->entry_count; i++) {
        Sums sums = {0};
        Kept kept[SUMS];
        char *key;
        bool found;
        sums_name(&sums, kept);
        TRY(entry_key(walk, &sensing->entries[i], &key, err));
        TRY(sensing_recall(sensing, key, kept, SUMS, &found, err));
        ret_missing[i] = !found;
        *ret_left += !found;
        if (found)
            entry_add_part(&sensing->entries[i], &sums);
    }
    return OK;
}

typedef struct Squares {
    Slab slab;
    const float *base;
    double *sums;
} Squares;

static void squares_add(void *context, size_t tile) {
    const Squares *squares = context;
    const Slab *slab = &squares->slab;
    size_t first = tile * ROWS_EACH, last = first + ROWS_EACH < slab->rows ? first + ROWS_EACH : slab->rows;
    double moved = 0, size = 0;
    for (size_t r = first; r < last; r++) {
        const float *y = (const float *)slab->data + r * slab->row_stride, *base = squares->base + r * slab->columns;
        for (size_t c = 0; c < slab->columns; c++) {
            double difference = (double)y[c] - (double)base[c];
            moved += difference * difference;
            size += (double)base[c] * (double)base[c];
        }
    }
    squares->sums[2 * tile] = moved;
    squares->sums[2 * tile + 1] = size;
}

// How far values [rows, columns] lie from what they were.
static void squares_sum(const Walk *walk, Slab slab, const float *base, Sums *sums) {
    Squares squares = {slab, base, walk->squares};
    size_t tiles = (slab.rows + ROWS_EACH - 1) / ROWS_EACH;
    pool_run(session_pool(session_of(walk)), tiles, squares_add, &squares);
    for (size_t t = 0; t < tiles; t++) {
        sums->moved += walk->squares[2 * t];
        sums->size += walk->squares[2 * t + 1];
    }
}

static Status block_room(Buffer *block, size_t bytes, void **ret_room, Error *err) {
    buffer_clear(block);
    *ret_room = buffer_extend(block, bytes);
    return buffer_status(block, err);
}

// What the site gives in the base.
static Status output_keep(Walk *walk, const Site *site, const Plan *plan, Error *err) {
    Slab slab = plan_value(plan, site->output);
    void *room;
    TRY(block_room(&walk->output, slab.rows * slab.columns * sizeof(float), &room, err));
    for (size_t r = 0; r < slab.rows; r++)
        memcpy((float *)room + r * slab.columns, (const float *)slab.data + r * slab.row_stride,
               slab.columns * sizeof(float));
    return OK;
}

// The head's logits over the base's states, with a change and without.
static Status logits_compare(Walk *walk, const Change *change, Sums *sums, Error *err) {
    size_t vocabulary = session_model(session_of(walk))->vocabulary, rows = walk->forced.row_count;
    for (size_t first = 0; first < rows; first += FORCED_HEAD_ROWS) {
        size_t count = rows - first < FORCED_HEAD_ROWS ? rows - first : FORCED_HEAD_ROWS;
        float *logits;
        void *room;
        TRY(block_room(&walk->output, count * vocabulary * sizeof(float), &room, err));
        TRY(forced_logits(&walk->forced, walk->states, first, count, &logits, err));
        memcpy(room, logits, count * vocabulary * sizeof(float));
        change_put_in(change);
        Status status = forced_logits(&walk->forced, walk->states, first, count, &logits, err);
        change_take_out(change);
        TRY(status);
        squares_sum(walk, (Slab){logits, count, vocabulary, vocabulary}, room, sums);
    }
    return OK;
}

static bool is_head(const Walk *walk, const Site *site) {
    const Graph *head = session_model(session_of(walk))->head;
    return site->tensor && graph_find_constant(head, site->tensor->name);
}

// The rest of the run behind the site's steps, and its loss.
static Status rest_run(Walk *walk, SessionStage stage, size_t first, double *ret_nats, Error *err) {
    const PlanStep *steps;
    session_run(session_of(walk), stage, first, plan_steps(session_plan(session_of(walk), stage), &steps));
    if (stage == SESSION_ENCODE)
        TRY(forced_run(&walk->forced, SESSION_DECODE, err));
    return forced_sum(&walk->forced, ret_nats, err);
}

static Status changed_run(Walk *walk, const Site *site, Sums *sums, Error *err) {
    Session *session = session_of(walk);
    Plan *plan = session_plan(session, site->stage);
    if (site->stage == SESSION_HEAD)
        return forced_sum(&walk->forced, &sums->nats, err);
    SiteSteps steps = site_steps(site, plan);
    plan_state_restore(plan, steps.first, walk->state.data);
    session_run(session, site->stage, steps.first, steps.last);
    if (site->output.node)
        squares_sum(walk, plan_value(plan, site->output), (const float *)(const void *)walk->output.data, sums);
    return rest_run(walk, site->stage, steps.last, &sums->nats, err);
}

static Status change_measure(Walk *walk, Change *change, Error *err) {
    Sensing *sensing = walk->sensing;
    const Site *site = change->entry->site;
    Sums sums = {.bytes = change->bytes_saved};
    TRY(change_prepare(change, err));
    change_put_in(change);
    Status status = changed_run(walk, site, &sums, err);
    change_take_out(change);
    TRY(status);
    if (is_head(walk, site))
        TRY(logits_compare(walk, change, &sums, err));
    entry_add_part(change->entry, &sums);
    Kept kept[SUMS];
    char *key;
    sums_name(&sums, kept);
    TRY(entry_key(walk, change->entry, &key, err));
    TRY(sensing_keep(sensing, key, kept, SUMS, err));
    meter_add(&sensing->meter, 1);
    return OK;
}

static Status changes_run(Walk *walk, size_t count, Error *err) {
    for (size_t i = 0; i < count && !sensing_is_late(walk->sensing); i++)
        TRY(change_measure(walk, &walk->changes[i], err));
    return OK;
}

// All changes of a site have the same steps and the same base.
static Status site_run(Walk *walk, const Site *site, size_t count, Error *err) {
    if (site->stage == SESSION_HEAD) // over the states that are there
        return changes_run(walk, count, err);
    Plan *plan = session_plan(session_of(walk), site->stage);
    SiteSteps steps = site_steps(site, plan);
    void *room;
    TRY(block_room(&walk->state, plan_state_bytes(plan, steps.first), &room, err));
    plan_state_save(plan, steps.first, room);
    session_run(session_of(walk), site->stage, steps.first, steps.last);
    if (site->output.node)
        TRY(output_keep(walk, site, plan, err));
    TRY(changes_run(walk, count, err));
    plan_state_restore(plan, steps.first, walk->state.data);
    return OK;
}

static Status site_measure(Walk *walk, const Site *site, const bool *missing, Error *err) {
    Sensing *sensing = walk->sensing;
    size_t count = 0;
    for (size_t i = 0; i < sensing->entry_count; i++)
        if (sensing->entries[i].site == site && missing[i])
            walk->changes[count++].entry = &sensing->entries[i];
    if (!count || sensing_is_late(sensing))
        return OK;
    Status status = changes_find(sensing, walk->changes, count, err);
    if (status == OK)
        status = site_run(walk, site, count, err);
    changes_done(walk->changes, count);
    return status;
}

static Status stage_walk(Walk *walk, SessionStage stage, const bool *missing, Error *err) {
    Sensing *sensing = walk->sensing;
    Session *session = session_of(walk);
    const PlanStep *steps;
    size_t count = stage == SESSION_HEAD ? 0 : plan_steps(session_plan(session, stage), &steps), done = 0;
    if (stage != SESSION_HEAD)
        TRY(forced_begin(&walk->forced, stage, err));
    for (size_t i = 0; i < sensing->site_count; i++) {
        const Site *site = &sensing->sites[i];
        if (site->stage != stage)
            continue;
        size_t first = stage == SESSION_HEAD ? 0 : site_steps(site, session_plan(session, stage)).first;
        session_run(session, stage, done, first);
        done = first;
        TRY(site_measure(walk, site, missing, err));
    }
    session_run(session, stage, done, count);
    return OK;
}

static Status base_measure(Walk *walk, Error *err) {
    Sensing *sensing = walk->sensing;
    double nats = 0;
    char *key;
    size_t elements = walk->forced.row_count * session_model(session_of(walk))->width;
    TRY(forced_run(&walk->forced, SESSION_ENCODE, err));
    TRY(forced_run(&walk->forced, SESSION_DECODE, err));
    TRY(forced_sum(&walk->forced, &nats, err));
    TRY_NEW(walk->states = arena_array(walk->arena, elements, sizeof *walk->states, err));
    memcpy(walk->states, forced_states(&walk->forced), elements * sizeof *walk->states);
    if (!isfinite(nats))
        return FAIL(err, ERR_FORMAT, "the loss of model '%s' on data '%s', samples %zu to %zu, is no finite number",
                    sensing->options->model, sensing->options->data_name, walk->part->first + 1,
                    walk->part->first + walk->part->count);
    sensing->base_nats += nats;
    TRY(part_key(walk, "model", "as it is", &key, err));
    return sensing_keep(sensing, key, &(Kept){"nats", &nats}, 1, err);
}

static Status part_run(Walk *walk, const bool *missing, Error *err) {
    Sensing *sensing = walk->sensing;
    const SensitivityOptions *options = sensing->options;
    TRY(sensing_start(sensing, err));
    size_t rows =
        walk->part->need.source_tokens > walk->part->need.rows ? walk->part->need.source_tokens : walk->part->need.rows;
    TRY_NEW(walk->squares = arena_array(walk->arena, rows / ROWS_EACH + 1, 2 * sizeof *walk->squares, err));
    TRY_NEW(walk->changes = arena_array(walk->arena, options->scheme_count + options->amount_count + 1,
                                        sizeof *walk->changes, err));
    TRY(forced_open(walk->arena, session_of(walk), sensing->samples.items + walk->part->first, walk->part->count,
                    sensing->start, &walk->forced, err));
    TRY(base_measure(walk, err));
    for (SessionStage stage = 0; stage < SESSION_STAGES; stage++)
        TRY(stage_walk(walk, stage, missing, err));
    return OK;
}

static Status part_measure(Walk *walk, Error *err) {
    Sensing *sensing = walk->sensing;
    size_t left = 0;
    double nats = 0;
    char *key;
    bool found, *missing = arena_array(walk->arena, sensing->entry_count, sizeof *missing, err);
    TRY_NEW(missing);
    TRY(part_recall(walk, missing, &left, err));
    TRY(part_key(walk, "model", "as it is", &key, err));
    TRY(sensing_recall(sensing, key, &(Kept){"nats", &nats}, 1, &found, err));
    sensing->meter.total += left;
    if (found && (!left || sensing_is_late(sensing))) {
        sensing->base_nats += nats;
        return OK;
    }
    Status status = part_run(walk, missing, err);
    forced_close(&walk->forced);
    buffer_done(&walk->state);
    buffer_done(&walk->output);
    return status;
}

Status sensing_losses(Sensing *sensing, Error *err) {
    for (size_t p = 0; p < sensing->part_count; p++) {
        Arena arena;
        arena_init(&arena, 0);
        Walk walk = {.sensing = sensing, .arena = &arena, .part = &sensing->parts[p]};
        Status status = part_measure(&walk, err);
        arena_done(&arena);
        TRY(status);
    }
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// From what is to be changed to constants, and into the session.
#include <string.h>

#include "compress/mask.h"
#include "compress/sensitivity_work.h"

SiteSteps site_steps(const Site *site, const Plan *plan) {
    const PlanStep *steps;
    size_t count = plan_steps(plan, &steps), first = 0;
    while (first < count && steps[first].node->index < site->place)
        first++;
    size_t last = first;
    while (last < count && site->output.node && steps[last].node->index < site->output.node->index)
        last++;
    return (SiteSteps){first, last < count ? last + 1 : count};
}

// Columns that go, of a matrix.
typedef struct Columns {
    bool *kept;
    size_t count;
} Columns;

static void columns_apply(const void *context, size_t first, size_t count, float *values) {
    const Columns *columns = context;
    for (size_t i = 0; i < count; i++)
        if (!columns->kept[(first + i) % columns->count])
            values[i] = 0;
}

static Status units_weight(Arena *arena, const Entry *entry, Weight *weight, Error *err) {
    const Group *group = entry->site->group;
    Columns *columns = arena_array(arena, 1, sizeof *columns, err);
    TRY_NEW(columns);
    uint32_t *places;
    TRY(group_places(arena, group, entry->kept, &places, err));
    columns->count = group->units * group->wide;
    TRY_NEW(columns->kept = arena_array(arena, columns->count, sizeof *columns->kept, err));
    for (size_t i = 0; i < entry->kept * group->wide; i++)
        columns->kept[places[i]] = true;
    weight_set_change(weight, (WeightChange){columns_apply, columns});
    return OK;
}

static Status mask_weight(Arena *arena, const ModelInfo *info, const Entry *entry, Weight *weight, Error *err) {
    Mask *mask = arena_array(arena, 1, sizeof *mask, err);
    TRY_NEW(mask);
    PruneAmount amount = {.fraction = entry->row.amount};
    TRY(mask_l1_unstructured(arena, info, &weight->source, 1, &amount, mask, err));
    weight_set_change(weight, (WeightChange){mask_apply, mask});
    weight->sparse = true;
    return OK;
}

// Of all that units are made of; of all of a layer's tensors.
static double bytes_of(const Sensing *sensing, const Entry *entry) {
    const Bundle *bundle = model_tensors(sensing->runtime->model);
    const Group *group = entry->site->group;
    double bytes = 0;
    for (size_t m = 0; group && m < group->member_count; m++)
        bytes += (double)group->members[m].tensor->bytes;
    if (group)
        return bytes * (double)(group->units - entry->kept) / (double)group->units;
    for (size_t i = 0; i < bundle->count; i++)
        if (strncmp(bundle->tensors[i].name, entry->site->prefix, strlen(entry->site->prefix)) == 0)
            bytes += (double)bundle->tensors[i].bytes;
    return bytes;
}

static Status change_find(Change *change, Error *err) {
    const Sensing *sensing = change->sensing;
    const Entry *entry = change->entry;
    const Model *model = sensing->runtime->model;
    SensitivityKind kind = entry->row.kind;
    if (kind != CHANGE_LAYER) {
        Weight weight;
        WeightScheme scheme = kind == CHANGE_SCHEME ? entry->row.scheme : STORE_AS_IS;
        TRY(scheme_weight(sensing, entry->site->tensor, scheme, &weight, err));
        if (kind == CHANGE_MASK)
            TRY(mask_weight(&change->arena, model_info(model), entry, &weight, err));
        if (kind == CHANGE_UNITS)
            TRY(units_weight(&change->arena, entry, &weight, err));
        TRY(variant_make(&change->arena, model, &weight, &change->variant, err));
    }
    change->bytes_saved = kind == CHANGE_SCHEME || kind == CHANGE_MASK
                              ? (double)change->variant.original_bytes - (double)change->variant.bytes
                              : bytes_of(sensing, entry);
    return OK;
}

static void find_one(void *context, size_t index) {
    Change *change = &((Change *)context)[index];
    change->status = change_find(change, &change->error);
}

Status changes_find(Sensing *sensing, Change *changes, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++) {
        changes[i] = (Change){.sensing = sensing, .entry = changes[i].entry};
        arena_init(&changes[i].arena, 0);
    }
    pool_run(sensing->runtime->pool, count, find_one, changes);
    for (size_t i = 0; i < count; i++)
        if (changes[i].status != OK) {
            *err = changes[i].error;
            return err->status;
        }
    return OK;
}

void changes_done(Change *changes, size_t count) {
    for (size_t i = 0; i < count; i++)
        arena_done(&changes[i].arena);
}

static Session *session_of(const Change *change) {
    return engine_session(change->sensing->runtime->engine);
}

Status change_prepare(Change *change, Error *err) {
    if (!change->entry->site->tensor)
        return OK;
    return session_variant_make(&change->arena, session_of(change), &change->variant.constant, 1, &change->prepared,
                                err);
}

static void change_set(const Change *change, bool in) {
    const Site *site = change->entry->site;
    if (site->tensor) {
        session_variant_swap(&change->prepared);
        return;
    }
    Plan *plan = session_plan(session_of(change), site->stage);
    SiteSteps steps = in ? site_steps(site, plan) : (SiteSteps){0, 0};
    plan_skip(plan, steps.first, steps.last, site->passed, site->output);
}

void change_put_in(const Change *change) {
    change_set(change, true);
}

void change_take_out(const Change *change) {
    change_set(change, false);
}

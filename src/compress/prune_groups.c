// SPDX-License-Identifier: Apache-2.0
// Neurons and heads: scored, ranked, and cut out of every tensor that they are part of.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/prune_work.h"
#include "compress/source_values.h"

enum { DEFAULT_SAMPLES = 128 };

// The groups that a run cuts, and how many units of each stay.
typedef struct Cut {
    Group **groups;
    size_t *kept;
    size_t count, total; // units of all
} Cut;

static Status group_takes(const Prune *prune, const Group *group, bool *ret_takes, Error *err) {
    bool takes = false;
    for (size_t m = 0; m < group->member_count && !takes; m++)
        TRY(prune_takes(prune, group->members[m].tensor->name, &takes, err));
    *ret_takes = takes && (group->kind == GROUP_NEURONS) == (prune->options->method == PRUNE_FFN);
    return OK;
}

static Status cut_make(const Prune *prune, const Groups *groups, Cut *ret_cut, Error *err) {
    Cut cut = {0};
    TRY_NEW(cut.groups = arena_array(prune->arena, groups->count, sizeof *cut.groups, err));
    TRY_NEW(cut.kept = arena_array(prune->arena, groups->count, sizeof *cut.kept, err));
    for (size_t g = 0; g < groups->count; g++) {
        bool takes;
        TRY(group_takes(prune, &groups->items[g], &takes, err));
        if (!takes)
            continue;
        cut.kept[cut.count] = groups->items[g].units;
        cut.groups[cut.count++] = &groups->items[g];
        cut.total += groups->items[g].units;
    }
    if (!cut.count)
        return FAIL(err, ERR_USAGE, "--only: the pattern '%s' takes nothing of model '%s' that has %s",
                    prune->options->only ? prune->options->only : "", prune->info->path, prune->report.unit);
    *ret_cut = cut;
    return OK;
}

// The same for all layers of a side: what config.json can say.
static Status kept_uniform(Prune *prune, Cut *cut, Error *err) {
    for (size_t g = 0; g < cut->count; g++) {
        const Group *group = cut->groups[g];
        const char *side = group->decoder ? "decoder" : "encoder";
        size_t config = group->decoder ? prune->info->decoder_ffn : prune->info->encoder_ffn, gone, same = 0;
        size_t layers = group->decoder ? prune->info->decoder_layers : prune->info->encoder_layers;
        for (size_t other = 0; other < cut->count; other++)
            same += cut->groups[other]->decoder == group->decoder;
        if (same != layers)
            return FAIL(err, ERR_USAGE,
                        "--only takes %zu of %zu layers of the %s, and config.json has one size for "
                        "all: take all, or give --mode ragged",
                        same, layers, side);
        if (group->units != config)
            return FAIL(err, ERR_UNSUPPORTED,
                        "layer %zu of the %s has %zu neurons, config.json says %zu: what is "
                        "ragged already can be cut with --mode ragged only",
                        group->layer, side, group->units, config);
        char what[96];
        snprintf(what, sizeof what, "a layer of the %s has %zu neurons", side, group->units);
        TRY(prune_amount_of(&prune->options->amount, group->units, what, &gone, err));
        cut->kept[g] = group_round(group, group->units - gone);
        *(group->decoder ? &prune->decoder_ffn : &prune->encoder_ffn) = cut->kept[g];
    }
    if (prune->encoder_ffn != prune->info->encoder_ffn)
        TRY(prune_edit(prune, prune->info->keys->encoder_ffn, prune->encoder_ffn, err));
    if (prune->decoder_ffn != prune->info->decoder_ffn)
        TRY(prune_edit(prune, prune->info->keys->decoder_ffn, prune->decoder_ffn, err));
    return OK;
}

static Status kept_ragged(Prune *prune, Cut *cut, Error *err) {
    size_t gone, at = 0;
    char what[96];
    snprintf(what, sizeof what, "there are %zu %s", cut->total, prune->report.unit);
    TRY(prune_amount_of(&prune->options->amount, cut->total, what, &gone, err));
    GroupUnit *units = arena_array(prune->arena, cut->total, sizeof *units, err);
    TRY_NEW(units);
    for (size_t g = 0; g < cut->count; at += cut->groups[g++]->units)
        group_units(cut->groups[g], (uint32_t)g, true, units + at);
    qsort(units, cut->total, sizeof *units, group_unit_order);
    for (size_t i = 0; i < cut->total && gone; i++) {
        size_t group = units[i].group;
        if (cut->kept[group] <= group_step(cut->groups[group]))
            continue;
        cut->kept[group]--;
        gone--;
    }
    for (size_t g = 0; g < cut->count; g++)
        cut->kept[g] = group_round(cut->groups[g], cut->kept[g]);
    return OK;
}

static void shape_set(Prune *prune, const Group *group, size_t kept) {
    LayerShape *shape = &(group->decoder ? prune->shapes.decoder : prune->shapes.encoder)[group->layer];
    *(group->kind == GROUP_NEURONS ? &shape->ffn
      : group->kind == GROUP_HEADS ? &shape->heads
                                   : &shape->cross_heads) = kept;
}

static Status group_cut(Prune *prune, const Group *group, size_t kept, Error *err) {
    const char *name = group->members[0].tensor->name;
    if (group->kind != GROUP_NEURONS)
        TRY_NEW(name = module_name(prune->arena, name, err)); // "self_attn.q_proj", a part of self_attn
    TRY(prune_part(prune, name, group->units, group->units - kept, err));
    if (kept == group->units)
        return OK;
    uint32_t *places = NULL;
    TRY(group_places(prune->arena, group, kept, &places, err));
    for (size_t m = 0; m < group->member_count; m++) {
        const GroupMember *member = &group->members[m];
        Weight *weight = prune_weight(prune, member->tensor);
        if (member->columns || member->vector)
            weight_keep_columns(weight, places, kept * group->wide);
        else
            weight_keep_rows(weight, places, kept * group->wide);
    }
    shape_set(prune, group, kept);
    return OK;
}

static void tell(void *context, uint64_t done, uint64_t total) {
    const WorkMeter *meter = context;
    if (meter->tell)
        meter->tell(meter->context, done, total);
}

// What passes into the linears on the data.
static Status inputs_measure(Prune *prune, Arena *arena, Calibration *ret_calibration, Error *err) {
    const PruneOptions *options = prune->options;
    DataSet data;
    TRY(data_read(arena, options->data, options->samples ? options->samples : DEFAULT_SAMPLES, false, &data, err));
    CalibrationSettings settings = {
        .data_name = options->data, .tell = tell, .tell_context = (void *)(uintptr_t)&options->meter};
    Kernels kernels;
    Pool *pool;
    kernels_pick(options->level, &kernels);
    TRY(pool_new(options->threads > 0 ? options->threads : 1, &pool, err));
    Status status = calibrate(arena, prune->rewrite.model, &kernels, pool, &data, &settings, ret_calibration, err);
    pool_free(pool);
    return source_values_explain(prune->rewrite.model, status, err);
}

static Status groups_rank(Prune *prune, Groups *groups, GroupKind kind, Error *err) {
    if (!prune->options->data)
        return groups_score(prune->info, NULL, groups, kind, err);
    Arena arena;
    arena_init(&arena, 0);
    Calibration calibration;
    Status status = inputs_measure(prune, &arena, &calibration, err);
    if (status == OK)
        status = groups_score(prune->info, &calibration, groups, kind, err);
    arena_done(&arena);
    return status;
}

Status prune_groups(Prune *prune, Error *err) {
    bool heads = prune->options->method == PRUNE_HEADS;
    if (heads && !prune->options->ragged)
        return FAIL(err, ERR_UNSUPPORTED,
                    "the heads of a %s are as wide as config.json's model divided by their number, so that fewer of "
                    "them cannot be said there: give --mode ragged, which hone alone loads",
                    prune->info->family);
    Groups groups = {0};
    Cut cut = {0};
    TRY(groups_find(prune->arena, prune->rewrite.model, &groups, err));
    TRY(cut_make(prune, &groups, &cut, err));
    TRY(groups_rank(prune, &groups, heads ? GROUP_HEADS : GROUP_NEURONS, err));
    TRY(prune->options->ragged ? kept_ragged(prune, &cut, err) : kept_uniform(prune, &cut, err));
    for (size_t g = 0; g < cut.count; g++)
        TRY(group_cut(prune, cut.groups[g], cut.kept[g], err));
    return OK;
}

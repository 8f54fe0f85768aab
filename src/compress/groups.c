// SPDX-License-Identifier: Apache-2.0
// Groups by reading the graphs: linears before and after an activation, linears around an attention.
#include "compress/groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/source_values.h"

typedef struct Finder {
    Arena *arena;
    const Model *model;
    Groups groups;
    bool *taken; // tensors of the bundle
} Finder;

static const Node *linear_of(Value value) {
    return value.node && value.node->op == OP_LINEAR ? value.node : NULL;
}

const Node *linear_after(const Graph *graph, const Node *node) {
    for (size_t n = node->index + 1; n < graph->node_count; n++)
        if (graph->nodes[n]->op == OP_LINEAR && graph->nodes[n]->inputs[0].node == node)
            return graph->nodes[n];
    return NULL;
}

static Status member_add(Finder *finder, Group *group, const Constant *constant, bool columns, Error *err) {
    const Bundle *bundle = model_tensors(finder->model);
    const Tensor *tensor = bundle_find(bundle, constant->name);
    bool real = tensor && dtype_is_real(tensor->dtype);
    if (!real)
        return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' is quantized already: prune the model it was made from",
                    constant->name);
    if (finder->taken[tensor - bundle->tensors])
        return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' belongs to more than one layer and cannot be cut",
                    constant->name);
    finder->taken[tensor - bundle->tensors] = true;
    group->members[group->member_count++] = (GroupMember){tensor, columns, constant->shape.rank == 1};
    return OK;
}

// Rows of a linear's weight and elements of its bias.
static Status rows_add(Finder *finder, Group *group, const Node *linear, Error *err) {
    TRY(member_add(finder, group, linear->inputs[1].constant, false, err));
    if (linear->input_count > 2 && linear->inputs[2].constant)
        TRY(member_add(finder, group, linear->inputs[2].constant, false, err));
    return OK;
}

static Status group_add(Finder *finder, Group group, const Node *const *before, size_t count, const Node *after,
                        Error *err) {
    for (size_t i = 0; i < count; i++)
        if (!before[i] || !after)
            return FAIL(err, ERR_UNSUPPORTED, "layer %zu of the %s has no linears on both sides of what could be cut",
                        group.layer, group.decoder ? "decoder" : "encoder");
    for (size_t i = 0; i < count; i++)
        TRY(rows_add(finder, &group, before[i], err));
    TRY(member_add(finder, &group, after->inputs[1].constant, true, err));
    group.wide = (size_t)after->inputs[1].constant->shape.dims[1] / group.units;
    TRY_NEW(group.scores = arena_array(finder->arena, group.units, sizeof *group.scores, err));
    finder->groups.items[finder->groups.count++] = group;
    return OK;
}

// The cross_store whose keys and values a layer of the decoder reads.
static const Node *store_of(const Graph *encode, int64_t layer) {
    for (size_t n = 0; n < encode->node_count; n++)
        if (encode->nodes[n]->op == OP_CROSS_STORE && node_int(encode->nodes[n], "layer", -1) == layer)
            return encode->nodes[n];
    return NULL;
}

static Status attention_add(Finder *finder, const Graph *graph, const Node *node, Group group, Error *err) {
    const Node *before[3] = {linear_of(node->inputs[0])}, *keys = node;
    if (node->op == OP_ATTENTION_CROSS)
        keys = store_of(model_session(finder->model)->encode, node_int(node, "layer", -1));
    size_t first = keys == node; // where the keys stand among its inputs
    before[1] = keys ? linear_of(keys->inputs[first]) : NULL;
    before[2] = keys ? linear_of(keys->inputs[first + 1]) : NULL;
    group.units = (size_t)node_int(node, "heads", 1);
    return group_add(finder, group, before, 3, linear_after(graph, node), err);
}

// Layers are counted by what each has one of.
static Status graph_read(Finder *finder, const Graph *graph, bool decoder, Error *err) {
    size_t attentions = 0, crosses = 0, forwards = 0;
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        Group group = {.decoder = decoder};
        if (node->op == OP_ATTENTION || node->op == OP_ATTENTION_CACHED) {
            group.kind = GROUP_HEADS;
            group.layer = attentions++;
            TRY(attention_add(finder, graph, node, group, err));
        } else if (node->op == OP_ATTENTION_CROSS) {
            group.kind = GROUP_CROSS_HEADS;
            group.layer = crosses++;
            TRY(attention_add(finder, graph, node, group, err));
        } else if (node->op == OP_ACTIVATION) {
            const Node *before = linear_of(node->inputs[0]);
            group.kind = GROUP_NEURONS;
            group.layer = forwards++;
            group.units = (size_t)node->types[0].dims[1].value;
            TRY(group_add(finder, group, &before, 1, linear_after(graph, node), err));
        }
    }
    return OK;
}

Status groups_find(Arena *arena, const Model *model, Groups *ret_groups, Error *err) {
    const SessionModel *graphs = model_session(model);
    Finder finder = {.arena = arena, .model = model};
    TRY_NEW(finder.groups.items = arena_array(arena, graphs->encode->node_count + graphs->decode->node_count,
                                              sizeof *finder.groups.items, err));
    TRY_NEW(finder.taken = arena_array(arena, model_tensors(model)->count, sizeof *finder.taken, err));
    TRY(graph_read(&finder, graphs->encode, false, err));
    TRY(graph_read(&finder, graphs->decode, true, err));
    *ret_groups = finder.groups;
    return OK;
}

typedef struct Scoring {
    double *sums; // [units] of squares
    size_t wide, columns;
    bool by_column;
    const double *weights; // [columns] of squares; NULL: 1
} Scoring;

static void scoring_take(void *context, size_t first, size_t count, const float *values) {
    const Scoring *scoring = context;
    for (size_t i = 0; i < count; i++) {
        size_t place = scoring->by_column ? (first + i) % scoring->columns : (first + i) / scoring->columns;
        double weight = scoring->weights ? scoring->weights[place] : 1;
        scoring->sums[place / scoring->wide] += weight * (double)values[i] * (double)values[i];
    }
}

static Status member_score(const ModelInfo *info, const Calibration *calibration, Group *group,
                           const GroupMember *member, Error *err) {
    Scoring scoring = {.sums = group->scores, .wide = group->wide, .by_column = member->columns};
    scoring.columns = member->vector ? 1 : (size_t)member->tensor->shape.dims[1];
    if (calibration) {
        const InputStatistics *input = calibration_find(calibration, member->tensor->name);
        if (!member->columns)
            return OK;
        if (!input || !input->rows)
            return FAIL(err, ERR_FORMAT, "the data has no inputs for '%s'", member->tensor->name);
        scoring.weights = input->column_squares; // the same number of rows for all of them
    }
    return source_values_each(info, member->tensor, scoring_take, &scoring, err);
}

Status groups_score(const ModelInfo *info, const Calibration *calibration, Groups *groups, GroupKind kind, Error *err) {
    for (size_t g = 0; g < groups->count; g++) {
        Group *group = &groups->items[g];
        if ((group->kind == GROUP_NEURONS) != (kind == GROUP_NEURONS))
            continue;
        for (size_t m = 0; m < group->member_count; m++)
            TRY(member_score(info, calibration, group, &group->members[m], err));
        for (size_t u = 0; u < group->units; u++)
            group->scores[u] = sqrt(group->scores[u]);
    }
    return OK;
}

Status group_number_find(const Group *group, size_t *ret_at, Error *err) {
    const char *name = group->members[0].tensor->name;
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t digits = strspn(dot + 1, "0123456789");
        if (!digits || dot[1 + digits] != '.')
            continue;
        if (strtoull(dot + 1, NULL, 10) != group->layer)
            break;
        *ret_at = (size_t)(dot + 1 - name);
        return OK;
    }
    return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' does not tell by its name that it belongs to layer %zu", name,
                group->layer);
}

size_t group_step(const Group *group) {
    return group->kind != GROUP_NEURONS || group->units < 32 ? 1 : group->units < 512 ? 16 : 32;
}

size_t group_round(const Group *group, size_t kept) {
    size_t step = group_step(group), rounded = (kept + step / 2) / step * step;
    if (kept == group->units || rounded > group->units)
        return group->units;
    return rounded < step ? step : rounded;
}

int group_unit_order(const void *a, const void *b) {
    const GroupUnit *left = a, *right = b;
    if (left->score != right->score)
        return left->score < right->score ? -1 : 1;
    if (left->group != right->group)
        return left->group > right->group ? -1 : 1;
    return (left->unit < right->unit) - (left->unit > right->unit);
}

void group_units(const Group *group, uint32_t index, bool together, GroupUnit *ret_units) {
    double norm = 0;
    for (size_t u = 0; u < group->units; u++)
        norm += group->scores[u] * group->scores[u];
    norm = together && norm > 0 ? sqrt(norm) : 1;
    for (size_t u = 0; u < group->units; u++)
        ret_units[u] = (GroupUnit){group->scores[u] / norm, index, (uint32_t)u};
}

static int by_number(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

Status group_places(Arena *arena, const Group *group, size_t kept, uint32_t **ret_places, Error *err) {
    GroupUnit *units = arena_array(arena, group->units, sizeof *units, err);
    TRY_NEW(units);
    uint32_t *places = arena_array(arena, kept * group->wide, sizeof *places, err);
    TRY_NEW(places);
    group_units(group, 0, false, units);
    qsort(units, group->units, sizeof *units, group_unit_order);
    for (size_t u = 0; u < kept; u++)
        for (size_t w = 0; w < group->wide; w++)
            places[u * group->wide + w] = units[group->units - 1 - u].unit * (uint32_t)group->wide + (uint32_t)w;
    qsort(places, kept * group->wide, sizeof *places, by_number);
    *ret_places = places;
    return OK;
}

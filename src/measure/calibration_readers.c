// SPDX-License-Identifier: Apache-2.0
// Linears are joined by what they read and by their weights; each group has one set of statistics.
#include "measure/calibration_readers.h"

#include <assert.h>
#include <string.h>

typedef struct Linear {
    size_t graph;
    const Node *node;
    size_t group; // the first linear of its group
    bool first;   // of its graph to read its value
} Linear;

typedef struct Linears {
    Linear *items;
    size_t count;
} Linears;

static const char *weight_name(const Linear *linear) {
    return linear->node->inputs[1].constant->name;
}

// Two groups become one, that of the linear which comes first.
static void join(Linears *linears, size_t a, size_t b) {
    size_t to = a < b ? a : b, from = a < b ? b : a;
    for (size_t i = 0; i < linears->count; i++)
        if (linears->items[i].group == from)
            linears->items[i].group = to;
}

static Status linears_find(Arena *scratch, const Graph *const *graphs, Linears *ret_linears, Error *err) {
    Linears linears = {0};
    size_t nodes = 0;
    for (size_t g = 0; g < 3; g++)
        nodes += graphs[g]->node_count;
    TRY_NEW(linears.items = arena_array(scratch, nodes, sizeof *linears.items, err));
    for (size_t g = 0; g < 3; g++)
        for (size_t n = 0; n < graphs[g]->node_count; n++)
            if (graphs[g]->nodes[n]->op == OP_LINEAR) {
                linears.items[linears.count] = (Linear){g, graphs[g]->nodes[n], linears.count, true};
                linears.count++;
            }
    for (size_t i = 0; i < linears.count; i++) {
        Linear *linear = &linears.items[i];
        assert(!linear->node->inputs[1].constant->part_count); // passes have not run
        for (size_t j = 0; j < i; j++) {
            const Linear *other = &linears.items[j];
            bool reads_same =
                other->graph == linear->graph && value_equal(other->node->inputs[0], linear->node->inputs[0]);
            if (reads_same)
                linear->first = false;
            if (linear->group != other->group && (reads_same || strcmp(weight_name(other), weight_name(linear)) == 0))
                join(&linears, linear->group, other->group);
        }
    }
    *ret_linears = linears;
    return OK;
}

static size_t columns_of(const Linear *linear) {
    return (size_t)linear->node->inputs[1].constant->shape.dims[1];
}

static void weight_add(InputStatistics *input, const char *name) {
    for (size_t i = 0; i < input->weight_count; i++)
        if (strcmp(input->weights[i], name) == 0)
            return;
    input->weights[input->weight_count++] = name;
}

// Statistics of the group that linear `first` stands for.
static Status group_make(Arena *arena, const Linears *linears, size_t first, const CalibrationSettings *settings,
                         InputStatistics *ret_input, const float **ret_factors, Error *err) {
    bool gram = false;
    *ret_factors = NULL;
    for (size_t i = first; i < linears->count; i++) {
        if (linears->items[i].group != first)
            continue;
        const char *name = weight_name(&linears->items[i]);
        gram |= settings->wants_gram && settings->wants_gram(settings->context, name);
        if (settings->input_factors && !*ret_factors)
            *ret_factors = settings->input_factors(settings->context, name);
    }
    TRY(input_statistics_init(arena, columns_of(&linears->items[first]), gram, ret_input, err));
    TRY_NEW(ret_input->weights = arena_array(arena, linears->count, sizeof(char *), err));
    for (size_t i = first; i < linears->count; i++) {
        if (linears->items[i].group != first)
            continue;
        const char *name = weight_name(&linears->items[i]), *copy = arena_copy_text(arena, name, strlen(name), err);
        TRY_NEW(copy);
        weight_add(ret_input, copy);
    }
    return OK;
}

static void groups_assign(const Linears *linears, size_t first, InputStatistics *input, Readers *readers) {
    for (size_t i = first; i < linears->count; i++) {
        const Linear *linear = &linears->items[i];
        if (linear->group == first && linear->first)
            readers->graphs[linear->graph].first[linear->node->index] = input;
    }
}

Status readers_make(Arena *arena, Arena *scratch, const SessionModel *model, const CalibrationSettings *settings,
                    const Kernels *kernels, Pool *pool, Readers *ret_readers, Error *err) {
    const Graph *graphs[] = {model->encode, model->decode, model->head};
    Readers readers = {.kernels = kernels, .pool = pool};
    Linears linears = {0};
    TRY(linears_find(scratch, graphs, &linears, err));
    TRY_NEW(readers.inputs = arena_array(arena, linears.count, sizeof *readers.inputs, err));
    TRY_NEW(readers.factors = arena_array(scratch, linears.count, sizeof *readers.factors, err));
    for (size_t g = 0; g < 3; g++) {
        readers.graphs[g].graph = graphs[g];
        TRY_NEW(readers.graphs[g].first = arena_array(scratch, graphs[g]->node_count, sizeof(InputStatistics *), err));
    }
    for (size_t i = 0; i < linears.count; i++) {
        if (linears.items[i].group != i)
            continue;
        InputStatistics *input = &readers.inputs[readers.input_count];
        TRY(group_make(arena, &linears, i, settings, input, &readers.factors[readers.input_count], err));
        groups_assign(&linears, i, input, &readers);
        readers.input_count++;
    }
    *ret_readers = readers;
    return OK;
}

static void see(void *context, const Graph *graph, const Node *node, const Slab *inputs, const Slab *outputs) {
    const Readers *readers = context;
    (void)outputs;
    for (size_t g = 0; g < 3; g++) {
        InputStatistics *input = readers->graphs[g].graph == graph ? readers->graphs[g].first[node->index] : NULL;
        if (!input)
            continue;
        input_statistics_add(input, &inputs[0], readers->factors[input - readers->inputs], readers->kernels,
                             readers->pool);
        return;
    }
}

PlanObserver readers_observer(Readers *readers) {
    return (PlanObserver){see, readers};
}

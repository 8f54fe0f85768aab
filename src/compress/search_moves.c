// SPDX-License-Identifier: Apache-2.0
// The knapsack with one choice for each layer, as its greedy solution orders it: of each layer the choices on the upper
// hull of (loss, saved), all layers' steps by how much a unit of loss buys (Sinha and Zoltners 1979, "The
// Multiple-Choice Knapsack Problem"). Each beginning of the list is the best recipe for what it loses by the proxy.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/search_work.h"

// Losses below are noise of the proxy: a loss that is negative buys nothing.
#define LOSS_LEAST 1e-9

static bool is_module(const char *tensor, const char *layer) {
    size_t length = strlen(layer);
    const char *start = strncmp(tensor, "model.", 6) == 0 && strncmp(layer, "model.", 6) != 0 ? tensor + 6 : tensor;
    return strncmp(start, layer, length) == 0 && strcmp(start + length, ".weight") == 0;
}

// The weight that a row of sensitivity is about.
static Status weight_find(Search *search, const TensorRole *roles, const char *layer, const char **ret_module,
                          bool *ret_table, Error *err) {
    const Bundle *bundle = model_tensors(search->model);
    *ret_module = NULL;
    for (size_t i = 0; i < bundle->count; i++)
        if ((roles[i] == ROLE_LINEAR || roles[i] == ROLE_EMBEDDING) && is_module(bundle->tensors[i].name, layer)) {
            *ret_table = roles[i] == ROLE_EMBEDDING;
            TRY_NEW(*ret_module = module_name(search->arena, bundle->tensors[i].name, err));
            return OK;
        }
    return OK;
}

static double saved_by(const Search *search, const SensitivityRow *row) {
    return search->options->goal == SEARCH_MEMORY ? row->bytes_saved : row->ms_saved + 1e-12 * row->bytes_saved;
}

static void option_add(MoveItem *item, MoveOption option) {
    if (!isfinite(option.loss) || !isfinite(option.saved))
        return;
    for (size_t i = 1; i < item->option_count; i++)
        if (!item->module && item->options[i].amount == option.amount) { // of another layer of the side
            item->options[i].loss += option.loss;
            item->options[i].saved += option.saved;
            return;
        }
    if (item->option_count < sizeof item->options / sizeof *item->options)
        item->options[item->option_count++] = option;
}

static MoveItem *item_of(Search *search, const char *module, bool table, bool decoder) {
    for (size_t i = 0; i < search->item_count; i++) {
        MoveItem *item = &search->moves_of[i];
        bool same =
            module ? item->module && strcmp(item->module, module) == 0 : !item->module && item->decoder == decoder;
        if (same)
            return item;
    }
    MoveItem *item = &search->moves_of[search->item_count++];
    *item = (MoveItem){.module = module, .table = table, .decoder = decoder, .option_count = 1};
    return item;
}

static Status rows_gather(Search *search, const TensorRole *roles, Error *err) {
    const Sensitivity *s = &search->sensitivity;
    TRY_NEW(search->moves_of = arena_array(search->arena, s->count + 2, sizeof *search->moves_of, err));
    for (size_t i = 0; i < s->count; i++) {
        const SensitivityRow *row = &s->rows[i];
        MoveOption option = {row->scheme, row->amount, fmax(row->loss_change, LOSS_LEAST), saved_by(search, row)};
        if (row->kind == CHANGE_UNITS && strncmp(row->change, "neurons", 7) == 0)
            option_add(item_of(search, NULL, false, strncmp(row->layer, "decoder", 7) == 0), option);
        if (row->kind != CHANGE_SCHEME)
            continue;
        const char *module;
        bool table = false;
        TRY(weight_find(search, roles, row->layer, &module, &table, err));
        if (module)
            option_add(item_of(search, module, table, false), option);
    }
    return OK;
}

static int by_loss(const void *a, const void *b) {
    const MoveOption *x = a, *y = b;
    if (x->loss != y->loss)
        return x->loss < y->loss ? -1 : 1;
    return (x->saved < y->saved) - (x->saved > y->saved);
}

static double slope_of(const MoveOption *from, const MoveOption *to) {
    return (to->saved - from->saved) / fmax(to->loss - from->loss, LOSS_LEAST);
}

// Leaves the choices on the upper hull; the first, what the layer was, stays.
static void hull_keep(MoveItem *item) {
    qsort(item->options + 1, item->option_count - 1, sizeof *item->options, by_loss);
    size_t kept = 1;
    for (size_t i = 1; i < item->option_count; i++) {
        MoveOption option = item->options[i];
        if (option.saved <= item->options[kept - 1].saved)
            continue;
        while (kept > 1 && slope_of(&item->options[kept - 2], &item->options[kept - 1]) <=
                               slope_of(&item->options[kept - 1], &option))
            kept--;
        item->options[kept++] = option;
    }
    item->option_count = kept;
}

static int by_slope(const void *a, const void *b) {
    const Move *x = a, *y = b;
    if (x->slope != y->slope)
        return x->slope > y->slope ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return x->option < y->option ? -1 : 1;
}

Status moves_make(Search *search, Error *err) {
    TensorRole *roles;
    TRY(roles_find(search->arena, search->model, &roles, err));
    TRY(rows_gather(search, roles, err));
    size_t most = 0;
    for (size_t i = 0; i < search->item_count; i++) {
        hull_keep(&search->moves_of[i]);
        most += search->moves_of[i].option_count;
    }
    TRY_NEW(search->moves = arena_array(search->arena, most, sizeof *search->moves, err));
    for (size_t i = 0; i < search->item_count; i++)
        for (size_t o = 1; o < search->moves_of[i].option_count; o++) {
            const MoveOption *options = search->moves_of[i].options;
            search->moves[search->move_count++] = (Move){i, o, slope_of(&options[o - 1], &options[o])};
        }
    qsort(search->moves, search->move_count, sizeof *search->moves, by_slope);
    return OK;
}

void moves_block(Search *search, size_t index) {
    Move blocked = search->moves[index];
    size_t kept = index;
    for (size_t i = index; i < search->move_count; i++) {
        Move move = search->moves[i];
        if (move.item != blocked.item)
            search->moves[kept++] = move;
    }
    search->move_count = kept;
}

// What a table is called that stays real beside packed layers, where "as it was" would mean to follow them.
static WeightScheme real_scheme(const Search *search, const char *module) {
    const Bundle *bundle = model_tensors(search->model);
    for (size_t i = 0; i < bundle->count; i++)
        if (is_module(bundle->tensors[i].name, module))
            return bundle->tensors[i].dtype == DTYPE_F16    ? STORE_FP16
                   : bundle->tensors[i].dtype == DTYPE_BF16 ? STORE_BF16
                                                            : STORE_FP32;
    return STORE_FP32;
}

static int by_module(const void *a, const void *b) {
    return strcmp(((const RecipeLayer *)a)->module, ((const RecipeLayer *)b)->module);
}

// The most frequent scheme is the recipe's, all others are told one by one.
static void layers_split(RecipeLayer *all, size_t count, Recipe *recipe) {
    size_t counts[STORE_COUNT] = {0}, kept = 0;
    for (size_t i = 0; i < count; i++)
        counts[all[i].scheme]++;
    for (WeightScheme s = 0; s < STORE_COUNT; s++)
        if (counts[s] > counts[recipe->scheme])
            recipe->scheme = s;
    for (size_t i = 0; i < count; i++)
        if (all[i].scheme != recipe->scheme)
            all[kept++] = all[i];
    qsort(all, kept, sizeof *all, by_module);
    recipe->layers = all;
    recipe->layer_count = kept;
}

Status moves_recipe(Search *search, size_t count, Recipe *ret_recipe, Error *err) {
    Recipe recipe = {.double_quant = true, .group = search->group};
    size_t *chosen = arena_array(search->arena, search->item_count, sizeof *chosen, err), layers = 0;
    TRY_NEW(chosen);
    RecipeLayer *all = arena_array(search->arena, search->item_count, sizeof *all, err);
    TRY_NEW(all);
    for (size_t i = 0; i < count; i++)
        chosen[search->moves[i].item] = search->moves[i].option;
    const char *table = NULL;
    for (size_t i = 0; i < search->item_count; i++) {
        const MoveItem *item = &search->moves_of[i];
        const MoveOption *option = &item->options[chosen[i]];
        if (!item->module && chosen[i])
            recipe.cuts[recipe.cut_count++] =
                (RecipeCut){PRUNE_FFN, option->amount, item->decoder ? "decoder.*" : "encoder.*"};
        else if (item->module && !item->table)
            all[layers++] = (RecipeLayer){item->module, option->scheme};
        else if (item->module && !table) {
            table = item->module;
            recipe.embeddings = option->scheme;
        }
    }
    layers_split(all, layers, &recipe);
    if (table && recipe.embeddings == STORE_AS_IS && recipe.scheme != STORE_AS_IS)
        recipe.embeddings = real_scheme(search, table);
    *ret_recipe = recipe;
    return OK;
}

static int by_harm(const void *a, const void *b) {
    const SensitivityRow *x = *(const SensitivityRow *const *)a, *y = *(const SensitivityRow *const *)b;
    if (x->loss_change != y->loss_change)
        return x->loss_change > y->loss_change ? -1 : 1;
    return x < y ? -1 : x > y;
}

// The rows of one scheme, those first that lose most.
static Status rows_of(const Search *search, WeightScheme scheme, const SensitivityRow ***ret_rows, size_t *ret_count,
                      Error *err) {
    const Sensitivity *s = &search->sensitivity;
    const SensitivityRow **rows = arena_array(search->arena, s->count + 1, sizeof *rows, err);
    TRY_NEW(rows);
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->rows[i].kind == CHANGE_SCHEME && s->rows[i].scheme == scheme && isfinite(s->rows[i].loss_change))
            rows[count++] = &s->rows[i];
    qsort(rows, count, sizeof *rows, by_harm);
    *ret_rows = rows;
    *ret_count = count;
    return OK;
}

Status fallback_recipe(Search *search, const Recipe *base, WeightScheme fallback, size_t kept, Recipe *ret_recipe,
                       size_t *ret_count, Error *err) {
    TensorRole *roles;
    const SensitivityRow **rows = NULL;
    Recipe recipe = *base;
    TRY(roles_find(search->arena, search->model, &roles, err));
    TRY(rows_of(search, base->scheme, &rows, ret_count, err));
    RecipeLayer *layers = arena_array(search->arena, kept + 1, sizeof *layers, err);
    TRY_NEW(layers);
    for (size_t i = 0; i < kept && i < *ret_count; i++) {
        const char *module;
        bool table = false;
        TRY(weight_find(search, roles, rows[i]->layer, &module, &table, err));
        if (module && table)
            recipe.embeddings = fallback;
        else if (module)
            layers[recipe.layer_count++] = (RecipeLayer){module, fallback};
    }
    qsort(layers, recipe.layer_count, sizeof *layers, by_module);
    recipe.layers = layers;
    *ret_recipe = recipe;
    return OK;
}

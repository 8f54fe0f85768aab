// SPDX-License-Identifier: Apache-2.0
// What of a model can be changed by itself, told by its graphs: weights of linears, tables of words, neurons and heads
// (groups.h), whole layers.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/mask.h"
#include "compress/quantize.h"
#include "compress/sensitivity_work.h"

static const Graph *graph_of(const Sensing *sensing, SessionStage stage) {
    const SessionModel *model = model_session(sensing->runtime->model);
    const Graph *graphs[SESSION_STAGES] = {model->encode, model->decode, model->head};
    return graphs[stage];
}

// "encoder.layers.0.fc1" of "model.encoder.layers.0.fc1.weight".
static char *layer_name(Arena *arena, const char *tensor_name, Error *err) {
    return module_name(arena, tensor_name + (strncmp(tensor_name, "model.", 6) == 0 ? 6 : 0), err);
}

static Site *site_add(Sensing *sensing, Site site) {
    Site *added = &sensing->sites[sensing->site_count++];
    *added = site;
    return added;
}

static bool has_site(const Sensing *sensing, const Tensor *tensor) {
    for (size_t i = 0; i < sensing->site_count; i++)
        if (sensing->sites[i].tensor == tensor)
            return true;
    return false;
}

// A weight, where it is read first.
static Status weights_add(Sensing *sensing, SessionStage stage, Error *err) {
    const Graph *graph = graph_of(sensing, stage);
    const Bundle *bundle = model_tensors(sensing->runtime->model);
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        bool weighs = node->op == OP_LINEAR || node->op == OP_EMBED;
        const Tensor *tensor = weighs ? bundle_find(bundle, node->inputs[1].constant->name) : NULL;
        TensorRole role = tensor ? sensing->roles[tensor - bundle->tensors] : ROLE_UNUSED;
        if ((role != ROLE_LINEAR && role != ROLE_EMBEDDING) || has_site(sensing, tensor))
            continue;
        Site *site = site_add(sensing, (Site){.stage = stage, .place = n, .tensor = tensor, .role = role});
        if (role == ROLE_LINEAR)
            site->output = value_of(node, 0);
        TRY_NEW(site->layer = layer_name(sensing->arena, tensor->name, err));
    }
    return OK;
}

static const Node *linear_of(const Graph *graph, const Tensor *weight) {
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n]->op == OP_LINEAR && strcmp(graph->nodes[n]->inputs[1].constant->name, weight->name) == 0)
            return graph->nodes[n];
    return NULL;
}

// What its columns are read by: the linear behind the units, whose output is the block's.
static const Tensor *columns_of(const Group *group) {
    return group->members[group->member_count - 1].tensor;
}

// Columns of zeros behind a unit are as good as the unit gone: whatever it still gives is multiplied by them.
static Status group_site_add(Sensing *sensing, const Group *group, Error *err) {
    SessionStage stage = group->decoder ? SESSION_DECODE : SESSION_ENCODE;
    const Node *node = linear_of(graph_of(sensing, stage), columns_of(group));
    Site *site = site_add(sensing, (Site){.stage = stage,
                                          .place = node->index,
                                          .output = value_of(node, 0),
                                          .tensor = columns_of(group),
                                          .role = ROLE_LINEAR,
                                          .group = group});
    char *module = layer_name(sensing->arena, group->members[0].tensor->name, err), *block;
    TRY_NEW(module);
    TRY_NEW(block = module_name(sensing->arena, module, err)); // "self_attn.q_proj", a part of self_attn
    if (group->kind == GROUP_NEURONS)
        TRY_NEW(block = arena_format(sensing->arena, err, "%s.ffn", block));
    site->layer = block;
    return OK;
}

// The sum that a linear's output goes into, and what it is added to.
static const Node *sum_behind(const Graph *graph, const Node *linear, Value *ret_other) {
    for (size_t n = linear->index + 1; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        for (size_t i = 0; node->op == OP_ADD && i < 2; i++)
            if (node->inputs[i].node == linear) {
                *ret_other = node->inputs[1 - i];
                return node;
            }
    }
    return NULL;
}

static const Node *norm_behind(const Graph *graph, const Node *sum) {
    for (size_t n = sum->index + 1; n < graph->node_count; n++)
        if (graph->nodes[n]->op == OP_LAYER_NORM && graph->nodes[n]->inputs[0].node == sum)
            return graph->nodes[n];
    return NULL;
}

static const Group *group_find(const Groups *groups, GroupKind kind, bool decoder, size_t layer) {
    for (size_t g = 0; g < groups->count; g++)
        if (groups->items[g].kind == kind && groups->items[g].decoder == decoder && groups->items[g].layer == layer)
            return &groups->items[g];
    return NULL;
}

// A layer begins with what its self-attention is added to, and ends with the sum behind its feed-forward block: or with
// the norm of that, where norms come after sums and the attention reads such a norm as it is.
static bool layer_bounds(const Sensing *sensing, bool decoder, size_t layer, Value *ret_in, Value *ret_out) {
    const Graph *graph = graph_of(sensing, decoder ? SESSION_DECODE : SESSION_ENCODE);
    const Group *heads = group_find(&sensing->groups, GROUP_HEADS, decoder, layer);
    const Group *neurons = group_find(&sensing->groups, GROUP_NEURONS, decoder, layer);
    if (!heads || !neurons)
        return false;
    Value ignored;
    const Node *reads = linear_of(graph, heads->members[0].tensor);
    const Node *first = sum_behind(graph, linear_of(graph, columns_of(heads)), ret_in);
    const Node *last = sum_behind(graph, linear_of(graph, columns_of(neurons)), &ignored);
    if (first && last && value_equal(reads->inputs[0], *ret_in))
        last = norm_behind(graph, last);
    if (!first || !last || !ret_in->node)
        return false;
    *ret_out = value_of(last, 0);
    return true;
}

// One layer of a side has to stay.
static Status layers_add(Sensing *sensing, bool decoder, size_t layers, Error *err) {
    for (size_t l = 0; l < layers && layers > 1; l++) {
        Value in, out;
        size_t at;
        if (!layer_bounds(sensing, decoder, l, &in, &out))
            continue;
        const Group *heads = group_find(&sensing->groups, GROUP_HEADS, decoder, l);
        const char *name = heads->members[0].tensor->name;
        TRY(group_number_find(heads, &at, err));
        Site *site = site_add(sensing, (Site){.stage = decoder ? SESSION_DECODE : SESSION_ENCODE,
                                              .place = in.node->index + 1,
                                              .output = out,
                                              .passed = in});
        TRY_NEW(site->prefix = arena_format(sensing->arena, err, "%.*s%zu.", (int)at, name, l));
        TRY_NEW(site->layer = layer_name(sensing->arena, site->prefix, err));
    }
    return OK;
}

// As they run; a layer before what it is made of, units behind the weight that they go by.
static int by_place(const void *a, const void *b) {
    const Site *left = a, *right = b;
    if (left->stage != right->stage)
        return left->stage < right->stage ? -1 : 1;
    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    int left_rank = !left->tensor ? 0 : left->group ? 2 : 1, right_rank = !right->tensor ? 0 : right->group ? 2 : 1;
    return left_rank - right_rank;
}

bool scheme_takes(const Sensing *sensing, const Tensor *tensor, WeightScheme scheme) {
    size_t group = sensing->options->group ? sensing->options->group : variant_group(tensor);
    return scheme != STORE_INT4 || (group && (size_t)tensor->shape.dims[1] % group == 0);
}

Status scheme_weight(const Sensing *sensing, const Tensor *tensor, WeightScheme scheme, Weight *ret_weight,
                     Error *err) {
    const Bundle *bundle = model_tensors(sensing->runtime->model);
    QuantizeOptions options = {.group = sensing->options->group ? sensing->options->group : variant_group(tensor),
                               .int4_rule = INT4_FIT};
    return weight_assign(bundle, tensor, sensing->roles[tensor - bundle->tensors], &options, scheme, ret_weight, err);
}

static Entry *entry_add(Sensing *sensing, const Site *site, SensitivityKind kind) {
    Entry *entry = &sensing->entries[sensing->entry_count++];
    *entry = (Entry){.site = site, .row = {.layer = site->layer, .kind = kind}};
    entry->row.output_error = entry->row.loss_change = entry->row.rouge_change = NAN;
    return entry;
}

static Status schemes_add(Sensing *sensing, const Site *site, Error *err) {
    for (size_t s = 0; s < sensing->options->scheme_count; s++) {
        WeightScheme scheme = sensing->options->schemes[s];
        if (!scheme_takes(sensing, site->tensor, scheme))
            continue;
        Entry *entry = entry_add(sensing, site, CHANGE_SCHEME);
        entry->row.scheme = scheme;
        if (scheme == STORE_INT4)
            entry->int4_group = sensing->options->group ? sensing->options->group : variant_group(site->tensor);
        TRY_NEW(entry->row.change = arena_format(sensing->arena, err, "%s", weight_scheme_name(scheme)));
    }
    return OK;
}

static Status amounts_add(Sensing *sensing, const Site *site, Error *err) {
    const Group *group = site->group;
    const char *what = !group ? "zeros" : group->kind == GROUP_NEURONS ? "neurons" : "heads";
    for (size_t a = 0; a < sensing->options->amount_count; a++) {
        PruneAmount amount = {.fraction = sensing->options->amounts[a]};
        size_t gone, kept = 0;
        if (group) {
            TRY(prune_amount_of(&amount, group->units, what, &gone, err));
            kept = group_round(group, group->units - gone);
        }
        if (group && kept == group->units)
            continue;
        Entry *entry = entry_add(sensing, site, group ? CHANGE_UNITS : CHANGE_MASK);
        entry->row.amount = amount.fraction;
        entry->kept = kept;
        TRY_NEW(entry->row.change = arena_format(sensing->arena, err, "%s %g", what, amount.fraction));
    }
    return OK;
}

static Status entries_add(Sensing *sensing, Error *err) {
    const SensitivityOptions *options = sensing->options;
    size_t each = options->scheme_count + options->amount_count + 1;
    TRY_NEW(sensing->entries = arena_array(sensing->arena, sensing->site_count * each, sizeof *sensing->entries, err));
    for (size_t i = 0; i < sensing->site_count; i++) {
        const Site *site = &sensing->sites[i];
        if (site->tensor && !site->group)
            TRY(schemes_add(sensing, site, err));
        if (site->role == ROLE_LINEAR)
            TRY(amounts_add(sensing, site, err));
        if (!site->tensor)
            entry_add(sensing, site, CHANGE_LAYER)->row.change = "dropped";
    }
    return OK;
}

Status sensing_find_sites(Sensing *sensing, Error *err) {
    const Model *model = sensing->runtime->model;
    const ModelInfo *info = model_info(model);
    TRY(roles_find(sensing->arena, model, &sensing->roles, err));
    TRY(groups_find(sensing->arena, model, &sensing->groups, err));
    TRY(groups_score(info, NULL, &sensing->groups, GROUP_NEURONS, err));
    TRY(groups_score(info, NULL, &sensing->groups, GROUP_HEADS, err));
    size_t most = model_tensors(model)->count + sensing->groups.count + info->encoder_layers + info->decoder_layers;
    TRY_NEW(sensing->sites = arena_array(sensing->arena, most, sizeof *sensing->sites, err));
    for (SessionStage stage = 0; stage < SESSION_STAGES; stage++)
        TRY(weights_add(sensing, stage, err));
    for (size_t g = 0; g < sensing->groups.count; g++)
        TRY(group_site_add(sensing, &sensing->groups.items[g], err));
    TRY(layers_add(sensing, false, info->encoder_layers, err));
    TRY(layers_add(sensing, true, info->decoder_layers, err));
    qsort(sensing->sites, sensing->site_count, sizeof *sensing->sites, by_place);
    return entries_add(sensing, err);
}

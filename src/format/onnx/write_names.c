// SPDX-License-Identifier: Apache-2.0
// Names of a graph that is written. Inputs and outputs keep theirs; the rest may get a suffix. A graph's names are all
// chosen before those of its bodies, so that none of a body's is one that comes later around it.
#include <stdio.h>
#include <string.h>

#include "format/onnx/writer.h"

const char *write_node_name(const Node *node, char ret_text[200]) {
    snprintf(ret_text, 200, "node '%.100s' (%.80s)", node->output_count ? node->names[0] : "", op_name(node->op));
    return ret_text;
}

static NameEntry *taken_find(const WriteScope *scope, const char *name) {
    NameEntry *entry = NULL;
    for (; scope && !entry; scope = scope->outer)
        entry = names_find(&scope->taken, name);
    return entry;
}

static Status name_choose(WriteScope *scope, const char *wish, const void *object, const char **ret, Error *err) {
    Arena *arena = scope->writer->arena;
    NameEntry *taken = taken_find(scope, wish);
    const char *name = wish;
    if (taken)
        do
            TRY_NEW(name = arena_format(arena, err, "%s.%u", wish, ++taken->last_suffix));
        while (taken_find(scope, name));
    *ret = name;
    if (!names_find(&scope->writer->names, name)) // an entry that another body made keeps its last suffix
        TRY(names_add(&scope->writer->names, arena, name, object, 0, err));
    return names_add(&scope->taken, arena, name, object, 0, err);
}

static WriteValue *value_entry(const WriteScope *scope, Value value) {
    return &scope->values[value.node->index][value.output];
}

static Status scope_room(WriteScope *scope, Error *err) {
    const Graph *graph = scope->graph;
    Arena *arena = scope->writer->arena;
    TRY_NEW(scope->values = arena_array(arena, graph->node_count, sizeof *scope->values, err));
    TRY_NEW(scope->returns = arena_array(arena, graph->return_count, sizeof *scope->returns, err));
    TRY_NEW(scope->constants = arena_array(arena, graph->constant_count, sizeof *scope->constants, err));
    TRY_NEW(scope->constant_read = arena_array(arena, graph->constant_count, sizeof *scope->constant_read, err));
    TRY_NEW(scope->shared = arena_array(arena, graph->constant_count, sizeof *scope->shared, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        TRY_NEW(scope->values[n] = arena_array(arena, node->output_count, sizeof **scope->values, err));
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i].node)
                value_entry(scope, node->inputs[i])->read = true;
    }
    for (size_t i = 0; i < graph->return_count; i++)
        if (graph->returns[i].node)
            value_entry(scope, graph->returns[i])->read = true;
    return OK;
}

static Status inputs_name(WriteScope *scope, const Node *owner, size_t formal, size_t first, Error *err) {
    const Graph *graph = scope->graph;
    size_t count = 0;
    for (size_t n = 0; n < graph->node_count; n++) {
        if (graph->nodes[n]->op != OP_INPUT)
            continue;
        WriteValue *value = &scope->values[n][0];
        if (!owner || count < formal)
            TRY(name_choose(scope, graph->nodes[n]->names[0], value, &value->name, err));
        else if (count - formal + first < owner->input_count)
            value->outside = &owner->inputs[count - formal + first];
        count++;
    }
    if (owner && count != owner->input_count - first + formal)
        return FAIL(err, ERR_INTERNAL, "body '%s' has %zu inputs, its node needs %zu", graph->name, count,
                    owner->input_count - first + formal);
    return OK;
}

// Outputs bear the names asked for: nodes' outputs directly, everything else through an Identity.
static Status returns_name(WriteScope *scope, const char *const *names, Error *err) {
    const Graph *graph = scope->graph;
    for (size_t i = 0; i < graph->return_count; i++) {
        Value value = graph->returns[i];
        WriteValue *entry = value.node ? value_entry(scope, value) : NULL;
        WriteReturn *returned = &scope->returns[i];
        const char *own = value.node ? value.node->names[value.output] : value.constant->name;
        const char *wish = names ? names[i] : own;
        const NameEntry *taken = taken_find(scope, wish);
        if (names && entry && taken && taken->object == entry && value.node->op == OP_INPUT) {
            returned->name = wish; // an input that is an output under the same name
            continue;
        }
        if (!*wish || (names && taken))
            return FAIL(err, ERR_USAGE,
                        "output %zu cannot be called '%s': the name is empty, or an input or output before "
                        "it has it",
                        i, wish);
        returned->copied = !entry || entry->name || entry->outside;
        TRY(name_choose(scope, wish, entry, &returned->name, err));
        if (!returned->copied)
            entry->name = returned->name;
    }
    return OK;
}

// ONNX's operators that have as many outputs as they are given need them all; of others those behind the first may be
// left out, except the mask's index, without which ONNX Runtime does not load an EmbedLayerNormalization.
static bool output_optional(const Node *node, size_t output) {
    bool all = node->op == TENSOR_SPLIT || node->op == TENSOR_IF || node->op == TENSOR_LOOP ||
               (node->op == TENSOR_MS_EMBED_LAYER_NORMALIZATION && output == 1);
    return output > 0 && op_arity(node->op).outputs < 0 && !all;
}

static Status rest_name(WriteScope *scope, Error *err) {
    const Graph *graph = scope->graph;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t o = 0; o < graph->nodes[n]->output_count; o++) {
            WriteValue *value = &scope->values[n][o];
            if (value->name || value->outside)
                continue;
            value->name = "";
            if (value->read || !output_optional(graph->nodes[n], o))
                TRY(name_choose(scope, graph->nodes[n]->names[o], value, &value->name, err));
        }
    for (size_t c = 0; c < graph->constant_count; c++) {
        TRY(write_share(scope, graph->constants[c], &scope->shared[c], err));
        if (!scope->shared[c])
            TRY(name_choose(scope, graph->constants[c]->name, graph->constants[c], &scope->constants[c], err));
    }
    return OK;
}

Status write_scope_open(WriteScope *scope, const char *const *output_names, const Node *owner, size_t formal,
                        size_t first, Error *err) {
    TRY(scope_room(scope, err));
    TRY(inputs_name(scope, owner, formal, first, err));
    TRY(returns_name(scope, output_names, err));
    return rest_name(scope, err);
}

const char *write_value_name(WriteScope *scope, Value value) {
    while (value.node && value_entry(scope, value)->outside) {
        value = *value_entry(scope, value)->outside;
        scope = scope->outer;
    }
    if (value.node)
        return value_entry(scope, value)->name;
    if (!value.constant)
        return "";
    if (scope->shared[value.constant->index])
        return write_shared_name(scope, scope->shared[value.constant->index]);
    scope->constant_read[value.constant->index] = true;
    return scope->constants[value.constant->index];
}

Status write_node_label(WriteScope *scope, const Node *node, const char **ret_label, Error *err) {
    *ret_label = NULL;
    if (!node->note)
        return OK;
    Status status = names_choose(&scope->node_names, scope->writer->arena, node->note, ret_label, err);
    if (status == ERR_FORMAT) // no text
        return OK;
    TRY(status);
    return names_add(&scope->node_names, scope->writer->arena, *ret_label, node, 0, err);
}

Status write_body_inputs(const Node *node, size_t *ret_formal, size_t *ret_first, Error *err) {
    int64_t carried = node_int(node, "carried", (int64_t)node->input_count - 2);
    char name[200];
    if (node->op == TENSOR_LOOP && (carried < 0 || (size_t)carried > node->input_count - 2))
        return FAIL(err, ERR_FORMAT, "%s: carried is %lld, but it has %zu inputs", write_node_name(node, name),
                    (long long)carried, node->input_count);
    *ret_formal = node->op == TENSOR_LOOP ? 2 + (size_t)carried : 0;
    *ret_first = node->op == TENSOR_LOOP ? 2 + (size_t)carried : 1;
    return OK;
}

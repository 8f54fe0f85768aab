// SPDX-License-Identifier: Apache-2.0
// Roles by reading the graphs: a linear's second input is a weight, an embed's a table, the last linear is the head.
#include "compress/roles.h"

#include <string.h>

#include "tensor/four_bits.h"

static void role_set(const Bundle *bundle, TensorRole *roles, const Constant *constant, TensorRole role) {
    const Tensor *tensor = constant ? bundle_find(bundle, constant->name) : NULL;
    if (tensor && role > roles[tensor - bundle->tensors]) // a table that is also the head stays a table
        roles[tensor - bundle->tensors] = role;
}

static TensorRole table_role(const Node *embed) {
    const Node *ids = embed->inputs[0].node;
    bool positions = ids && ids->op == OP_INPUT && strcmp(ids->names[0], "positions") == 0;
    return positions ? ROLE_POSITIONS : ROLE_EMBEDDING;
}

static void graph_read(const Graph *graph, const Bundle *bundle, TensorRole *roles) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        for (size_t i = 0; i < node->input_count; i++) {
            bool weight = i == 1 && (node->op == OP_LINEAR || node->op == OP_EMBED);
            bool head = graph->return_count && graph->returns[0].node == node;
            TensorRole role = !weight                         ? ROLE_OTHER
                              : node->op == OP_EMBED          ? table_role(node)
                              : head && node->op == OP_LINEAR ? ROLE_EMBEDDING
                                                              : ROLE_LINEAR;
            role_set(bundle, roles, node->inputs[i].constant, role);
        }
    }
}

const Tensor *scales_of(const Bundle *bundle, const Tensor *tensor) {
    char name[600];
    if (tensor->dtype != DTYPE_I8 || strlen(tensor->name) + 8 > sizeof name)
        return NULL;
    snprintf(name, sizeof name, "%s_scale", tensor->name);
    return bundle_find(bundle, name);
}

static const Tensor *module_tensor(const Bundle *bundle, const Tensor *tensor, const char *ending) {
    char name[600];
    const char *dot = strrchr(tensor->name, '.');
    if (tensor->dtype != DTYPE_I8 || !dot || strlen(tensor->name) + strlen(ending) >= sizeof name)
        return NULL;
    snprintf(name, sizeof name, "%.*s%s", (int)(dot - tensor->name), tensor->name, ending);
    return bundle_find(bundle, name);
}

const Tensor *input_scale_of(const Bundle *bundle, const Tensor *tensor) {
    return module_tensor(bundle, tensor, ".input_scale");
}

const Tensor *input_factors_of(const Bundle *bundle, const Tensor *tensor) {
    return module_tensor(bundle, tensor, ".input_factors");
}

bool role_is_weight(TensorRole role) {
    return role == ROLE_LINEAR || role == ROLE_EMBEDDING || role == ROLE_POSITIONS;
}

Status roles_find(Arena *arena, const Model *model, TensorRole **ret_roles, Error *err) {
    const Bundle *bundle = model_tensors(model);
    TensorRole *roles = arena_array(arena, bundle->count, sizeof *roles, err);
    TRY_NEW(roles);
    graph_read(model_session(model)->encode, bundle, roles);
    graph_read(model_session(model)->decode, bundle, roles);
    graph_read(model_session(model)->head, bundle, roles);
    for (size_t i = 0; i < bundle->count; i++) {
        if (four_bits_owner(bundle, &bundle->tensors[i]))
            roles[i] = ROLE_SCALES;
        if (!role_is_weight(roles[i]))
            continue;
        const Tensor *tensor = &bundle->tensors[i];
        const Tensor *sides[] = {scales_of(bundle, tensor), input_scale_of(bundle, tensor),
                                 input_factors_of(bundle, tensor)};
        for (size_t s = 0; s < sizeof sides / sizeof *sides; s++)
            if (sides[s])
                roles[sides[s] - bundle->tensors] = ROLE_SCALES;
    }
    *ret_roles = roles;
    return OK;
}

Status roles_check_real(Arena *arena, const Model *model, const char *verb, Error *err) {
    const Bundle *bundle = model_tensors(model);
    TensorRole *roles;
    TRY(roles_find(arena, model, &roles, err));
    for (size_t i = 0; i < bundle->count; i++) {
        const Tensor *tensor = &bundle->tensors[i];
        bool packed = four_bits_form(bundle, tensor) != FOUR_BITS_NONE || scales_of(bundle, tensor);
        if (role_is_weight(roles[i]) && packed)
            return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' is quantized already: %s the model it was made from",
                        tensor->name, verb);
    }
    return OK;
}

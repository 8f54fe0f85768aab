// SPDX-License-Identifier: Apache-2.0
// fuse_activation: an activation that alone reads a plain linear becomes that linear's {activation}: the matrix product
// applies it while the values are still in registers.
#include <string.h>

#include "pass/rewrite.h"

// The linear that `node` can take in, or NULL.
static const Node *linear_before(const Node *node, const size_t *uses) {
    const Node *linear = node->op == OP_ACTIVATION ? node->inputs[0].node : NULL;
    if (!rewrite_is_linear(linear) || uses[linear->index] != 1 || rewrite_has_activation(linear) ||
        rewrite_has_residual(linear))
        return NULL;
    return linear;
}

// `node` becomes the linear with its own activation; it keeps its name and place.
static Status absorb(Graph *graph, Node *node, const Node *linear, Arena *scratch, Error *err) {
    Attribute *attributes = arena_array(scratch, linear->attribute_count + 1, sizeof *attributes, err);
    TRY_NEW(attributes);
    size_t count = 0;
    for (size_t i = 0; i < linear->attribute_count; i++)
        if (strcmp(linear->attributes[i].name, "activation") != 0)
            attributes[count++] = linear->attributes[i];
    attributes[count++] = attribute_text("activation", node_text(node, "kind", "none"));
    NodeSpec spec = {.op = OP_LINEAR,
                     .inputs = linear->inputs,
                     .input_count = linear->input_count,
                     .attributes = attributes,
                     .attribute_count = count,
                     .note = linear->note};
    return graph_change_node(graph, node, &spec, err);
}

Status pass_fuse_activation(Graph *graph, const PassInputs *inputs, Error *err) {
    bool *keep;
    size_t *uses = arena_array(inputs->scratch, graph->node_count, sizeof *uses, err);
    TRY_NEW(uses);
    graph_count_uses(graph, uses);
    TRY(rewrite_marks(graph, inputs->scratch, &keep, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *linear = linear_before(graph->nodes[n], uses);
        if (!linear)
            continue;
        TRY(absorb(graph, graph->nodes[n], linear, inputs->scratch, err));
        keep[linear->index] = false;
    }
    graph_keep(graph, keep, NULL);
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// merge_constants: constants of equal type, shape and bytes are one: tied weights that an exporter wrote twice, and the
// many small lists. One walk with a hash table.
#include <string.h>
#include <xxhash.h>

#include "pass/rewrite.h"

static bool constants_same(const Constant *a, const Constant *b, size_t bytes) {
    return a->dtype == b->dtype && shape_equal(&a->shape, &b->shape) &&
           (a->data == b->data || memcmp(a->data, b->data, bytes) == 0);
}

static void redirect(Value *value, const Constant *const *serves) {
    if (value->constant && serves[value->constant->index])
        value->constant = serves[value->constant->index];
}

Status pass_merge_constants(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t room = 16;
    while (room < graph->constant_count * 2)
        room *= 2;
    const Constant **slots, **serves;
    TRY_NEW(slots = arena_array(inputs->scratch, room, sizeof *slots, err));
    TRY_NEW(serves = arena_array(inputs->scratch, graph->constant_count, sizeof *serves, err));
    for (size_t c = 0; c < graph->constant_count; c++) {
        const Constant *constant = graph->constants[c];
        size_t bytes, most = inputs->most_constant_bytes;
        if (!constant_is_plain(constant) || !shape_bytes(&constant->shape, constant->dtype, &bytes) ||
            (most && bytes > most))
            continue;
        size_t at = (size_t)XXH3_64bits(constant->data, bytes) & (room - 1);
        while (slots[at] && !constants_same(slots[at], constant, bytes))
            at = (at + 1) & (room - 1);
        serves[c] = slots[at];
        if (!slots[at])
            slots[at] = constant;
    }
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t i = 0; i < graph->nodes[n]->input_count; i++)
            redirect(&graph->nodes[n]->inputs[i], serves);
    for (size_t i = 0; i < graph->return_count; i++)
        redirect(&graph->returns[i], serves);
    return OK;
}

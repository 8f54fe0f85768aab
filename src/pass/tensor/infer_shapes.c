// SPDX-License-Identifier: Apache-2.0
// infer_shapes: types by shape rules and by what is known of the lists shapes are computed from; lists and numbers that
// turn out to be constants become constants.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/symbols.h"

static Status constant_make(Graph *graph, const Node *node, const Symbols *symbols, DType dtype,
                            const Constant **ret_constant, Error *err) {
    size_t width = dtype_bytes(dtype);
    unsigned char *data = arena_alloc(graph->arena, symbols->count * width + 1, 64, err);
    TRY_NEW(data);
    for (size_t i = 0; i < symbols->count; i++)
        memcpy(data + i * width, &symbols->items[i].value, width); // little-endian
    Constant constant = {.name = node->names[0], .dtype = dtype, .data = data};
    constant.shape = (Shape){symbols->scalar ? 0 : 1, {(int64_t)symbols->count}};
    return graph_add_constant(graph, &constant, ret_constant, err);
}

Status pass_infer_shapes(Graph *graph, const PassInputs *inputs, Error *err) {
    SymbolTable *table;
    bool *keep;
    size_t *uses = arena_array(inputs->scratch, graph->node_count, sizeof *uses, err);
    TRY_NEW(uses);
    TRY(symbols_make(graph, inputs->scratch, &table, err));
    TRY(rewrite_marks(graph, inputs->scratch, &keep, err));
    graph_count_uses(graph, uses);
    Replacements replaced;
    TRY(replacements_make(graph, inputs->scratch, &replaced, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        replacements_take(&replaced, n);
        const Symbols *symbols = node->output_count ? symbols_of(table, value_of(node, 0)) : NULL;
        DType dtype = node->output_count ? node->types[0].dtype : DTYPE_COUNT;
        bool integers = dtype == DTYPE_I64 || dtype == DTYPE_I32 || dtype == DTYPE_BOOL;
        if (!uses[n] || !symbols_are_numbers(symbols) || node->types[0].rank < 0 || !integers)
            continue;
        const Constant *constant;
        TRY(constant_make(graph, node, symbols, dtype, &constant, err));
        TRY(replacements_add(&replaced, node, 0, value_constant(constant), err));
        keep[n] = node->output_count > 1;
    }
    replacements_return(&replaced);
    graph_keep(graph, keep, NULL);
    return OK;
}

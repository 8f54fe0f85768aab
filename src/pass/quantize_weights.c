// SPDX-License-Identifier: Apache-2.0
// quantize_weights: weights of linears and tables of embeds whose names match become int8 rows, in place: a table tied
// to a linear stays one constant. A constant that something else reads too, or whose values are not there, stays; so do
// the parts of one weight unless all of them go.
#include "op/op.h"
#include "pass/pattern.h"
#include "pass/rewrite.h"
#include "tensor/quantize.h"

typedef struct Reading {
    bool as_weight, otherwise;
} Reading;

static void read_by_nodes(const Graph *graph, Reading *readings) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        for (size_t i = 0; i < node->input_count; i++) {
            const Constant *c = node->inputs[i].constant;
            bool weight = i == 1 && (node->op == OP_LINEAR || node->op == OP_EMBED);
            if (c && weight)
                readings[c->index].as_weight = true;
            else if (c)
                readings[c->index].otherwise = true;
        }
    }
    for (size_t i = 0; i < graph->return_count; i++)
        if (graph->returns[i].constant)
            readings[graph->returns[i].constant->index].otherwise = true;
    for (size_t c = graph->constant_count; c-- > 0;) // parts come before the whole
        for (size_t p = 0; p < graph->constants[c]->part_count; p++) {
            Reading *part = &readings[graph->constants[c]->parts[p]->index];
            part->as_weight |= readings[c].as_weight;
            part->otherwise |= readings[c].otherwise;
        }
}

static Status scheme_of(const PassInputs *inputs, const char *name, Scheme *ret_scheme, Error *err) {
    *ret_scheme = SCHEME_DENSE;
    for (size_t i = 0; i < inputs->rule_count; i++) {
        bool matches;
        TRY(pattern_matches(inputs->rules[i].pattern, name, &matches, err));
        if (matches) {
            *ret_scheme = inputs->rules[i].scheme;
            break;
        }
    }
    return OK;
}

// Which one-piece constants are to be int8.
static Status wish(const Graph *graph, const PassInputs *inputs, const Reading *readings, bool *wanted, Error *err) {
    for (size_t c = 0; c < graph->constant_count; c++) {
        const Constant *constant = graph->constants[c];
        bool real = constant->dtype == DTYPE_F32 || constant->dtype == DTYPE_F16 || constant->dtype == DTYPE_BF16;
        if (!real || !constant_is_plain(constant) || constant->shape.rank != 2 || !readings[c].as_weight ||
            readings[c].otherwise)
            continue;
        Scheme scheme;
        TRY(scheme_of(inputs, constant->name, &scheme, err));
        wanted[c] = scheme == SCHEME_INT8_ROW;
    }
    return OK;
}

// Whether all parts of a constant are wanted; if only some are, none is from now on (*changed).
static bool whole_is_wanted(const Constant *whole, bool *wanted, bool *changed) {
    size_t count = 0;
    for (size_t p = 0; p < whole->part_count; p++)
        count += wanted[whole->parts[p]->index];
    if (count == whole->part_count)
        return true;
    for (size_t p = 0; p < whole->part_count && count; p++)
        wanted[whole->parts[p]->index] = false;
    *changed |= count > 0;
    return false;
}

static void wish_whole(const Graph *graph, bool *wanted) {
    bool changed = true;
    while (changed) { // a part may be in several wholes; each round takes wishes back
        changed = false;
        for (size_t c = 0; c < graph->constant_count; c++)
            if (graph->constants[c]->part_count)
                wanted[c] = whole_is_wanted(graph->constants[c], wanted, &changed);
    }
}

static Status constant_quantize(Graph *graph, Constant *constant, Error *err) {
    if (constant->part_count == 0) {
        size_t rows = (size_t)constant->shape.dims[0], columns = (size_t)constant->shape.dims[1];
        float *scales = arena_array(graph->arena, rows, sizeof *scales, err);
        TRY_NEW(scales);
        int8_t *values = arena_alloc(graph->arena, rows * columns, 64, err);
        TRY_NEW(values);
        TRY(quantize_int8_rows(constant->name, constant->dtype, constant->data, rows, columns, values, scales, err));
        constant->data = values;
        constant->scales = scales;
        constant->mapped = false;
    }
    constant->scheme = SCHEME_INT8_ROW;
    constant->dtype = DTYPE_I8;
    return OK;
}

Status pass_quantize_weights(Graph *graph, const PassInputs *inputs, Error *err) {
    Reading *readings;
    bool *wanted;
    TRY_NEW(readings = arena_array(inputs->scratch, graph->constant_count, sizeof *readings, err));
    TRY_NEW(wanted = arena_array(inputs->scratch, graph->constant_count, sizeof *wanted, err));
    read_by_nodes(graph, readings);
    TRY(wish(graph, inputs, readings, wanted, err));
    wish_whole(graph, wanted);
    for (size_t c = 0; c < graph->constant_count; c++)
        if (wanted[c])
            TRY(constant_quantize(graph, graph->constants[c], err));
    return OK;
}

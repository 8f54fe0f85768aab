// SPDX-License-Identifier: Apache-2.0
// fold_constants: runs elementwise and row-wise operators whose inputs are constants with values through their own
// definition (op/), on the reference kernels, and keeps the result; drops nodes that give back their input. Big results
// stay uncomputed: they would be weights that no file map backs.
#include <string.h>

#include "op/op.h"
#include "pass/rewrite.h"

enum { FOLD_MOST_ELEMENTS = 2048 };

// Operators that are functions of their inputs' values alone, and cannot be led astray by them (as ids can).
static bool is_foldable(OpCode op) {
    return op == OP_ADD || op == OP_SCALE || op == OP_ACTIVATION || op == OP_LAYER_NORM || op == OP_ADD_NORM;
}

static bool input_is_known(const Node *node, size_t index) {
    const Constant *c = node->inputs[index].constant;
    if (value_absent(node->inputs[index]))
        return true;
    size_t elements;
    return c && c->scheme == SCHEME_DENSE && constant_has_data(c) && shape_elements(&c->shape, &elements) &&
           elements <= FOLD_MOST_ELEMENTS;
}

// Whether the rows and columns that the operator reads are there: f32 [rows, columns], no dimension 0.
static bool is_known(const Node *node) {
    if (!is_foldable(node->op))
        return false;
    for (size_t i = 0; i < node->input_count; i++)
        if (!input_is_known(node, i))
            return false;
    ValueType types[2];
    Error err;
    if (node->output_count > 2 || op_def(node->op)->infer(node, types, &err) != OK)
        return false;
    return types[0].dims[0].value > 0 && types[0].dims[1].value > 0;
}

// A constant's values, aligned as kernels want them.
static Status slab_fill(const Constant *constant, Arena *scratch, Slab *slab, Error *err) {
    size_t rows = (size_t)constant->shape.dims[0], row_bytes = constant_row_bytes(constant);
    slab->rows = rows;
    slab->columns = slab->row_stride = constant->shape.rank < 2 ? 1 : (size_t)constant->shape.dims[1];
    char *data = arena_alloc(scratch, rows * row_bytes, 64, err);
    TRY_NEW(data);
    for (size_t r = 0; r < rows; r++) {
        const void *row = constant_rows(constant, r, 1, data + r * row_bytes);
        if (row != data + r * row_bytes)
            memcpy(data + r * row_bytes, row, row_bytes);
    }
    slab->data = data;
    return OK;
}

// Runs the node; its outputs' values go into the graph's arena.
static Status node_run(Graph *graph, const Node *node, Arena *scratch, Slab *ret_outputs, Error *err) {
    Kernels kernels;
    kernels_pick(CPU_REF, &kernels);
    const OpDef *def = op_def(node->op);
    Slab inputs[4] = {0};
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i].constant)
            TRY(slab_fill(node->inputs[i].constant, scratch, &inputs[i], err));
    for (size_t o = 0; o < node->output_count; o++) {
        ret_outputs[o] = inputs[0]; // these operators keep the shape of their first input
        TRY_NEW(ret_outputs[o].data =
                    arena_alloc(graph->arena, inputs[0].rows * inputs[0].columns * sizeof(float), 64, err));
    }
    void *state = NULL;
    size_t packed_bytes = 0;
    if (def->prepare)
        TRY(def->prepare(&(OpPrepare){node, &kernels, NULL, scratch, &packed_bytes}, &state, err));
    def->run(&(OpRun){.node = node, .inputs = inputs, .outputs = ret_outputs, .state = state, .kernels = &kernels});
    return OK;
}

static Status node_fold(Graph *graph, const Node *node, Arena *scratch, Error *err) {
    Slab outputs[2];
    TRY(node_run(graph, node, scratch, outputs, err));
    for (size_t o = 0; o < node->output_count; o++) {
        const Constant *added;
        Constant constant = {.name = node->names[o], .dtype = DTYPE_F32, .data = outputs[o].data};
        constant.shape = (Shape){2, {(int64_t)outputs[o].rows, (int64_t)outputs[o].columns}};
        TRY(graph_add_constant(graph, &constant, &added, err));
        graph_replace_value(graph, value_of(node, (int)o), value_constant(added));
    }
    return OK;
}

static bool is_identity(const Node *node) {
    return (node->op == OP_SCALE && (float)node_real(node, "factor", 1.0) == 1.0f) ||
           (node->op == OP_ACTIVATION && strcmp(node_text(node, "kind", ""), "none") == 0);
}

Status pass_fold_constants(Graph *graph, const PassInputs *inputs, Error *err) {
    bool *keep;
    TRY(rewrite_marks(graph, inputs->scratch, &keep, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        if (is_identity(node))
            graph_replace_value(graph, value_of(node, 0), node->inputs[0]);
        else if (is_known(node))
            TRY(node_fold(graph, node, inputs->scratch, err));
        else
            continue;
        keep[n] = false;
    }
    graph_keep(graph, keep, NULL);
    return OK;
}

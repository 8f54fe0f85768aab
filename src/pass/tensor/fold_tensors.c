// SPDX-License-Identifier: Apache-2.0
// fold_tensors: what depends on constants alone is computed now, by the operators' own evaluation. Results that are
// larger than what they are made of stay uncomputed, and so do dequantized weights: they would be weights that no file
// holds.
#include <string.h>

#include "op/tensor/evaluate.h"
#include "pass/rewrite.h"

enum { FOLD_FREE_BYTES = 1 << 16 };

typedef struct Folding {
    Graph *graph;
    Replacements *replaced;
    size_t limit_bytes;
} Folding;

static Status host_output(Evaluation *run, size_t index, size_t bytes, void **ret_data, Error *err) {
    const Folding *folding = run->host_context;
    (void)index;
    if (bytes > folding->limit_bytes)
        return FAIL(err, ERR_LIMIT, "%zu bytes", bytes);
    TRY_NEW(*ret_data = arena_alloc(folding->graph->arena, bytes + 1, 64, err));
    return OK;
}

static Status host_view(Evaluation *run, size_t index, size_t input, Error *err) {
    (void)run;
    (void)index;
    (void)input;
    (void)err;
    return OK; // a constant's memory stays
}

static const EvaluateHost host = {.output = host_output, .view = host_view};

// Whether all inputs are constants with values; *ret_bytes: of them all.
static bool is_known(const Node *node, size_t *ret_bytes) {
    bool quantized =
        node->op == TENSOR_DEQUANTIZE_LINEAR || node->op == TENSOR_MS_MATMUL_NBITS || node->op == TENSOR_MS_MATMUL_BNB4;
    if (!op_is_tensor(node->op) || !op_def(node->op)->evaluate || quantized || !node->output_count)
        return false;
    *ret_bytes = 0;
    for (size_t i = 0; i < node->input_count; i++) {
        const Constant *c = node->inputs[i].constant;
        size_t bytes;
        if (value_absent(node->inputs[i]))
            continue;
        if (!constant_is_plain(c) || !shape_bytes(&c->shape, c->dtype, &bytes))
            return false;
        *ret_bytes += bytes;
    }
    for (size_t a = 0; a < node->attribute_count; a++)
        if (node->attributes[a].kind == ATTRIBUTE_GRAPH)
            return false;
    return node->input_count > 0;
}

static Status node_evaluate(Folding *folding, const Node *node, Arena *scratch, Tensor *outputs, Error *err) {
    Kernels kernels;
    kernels_pick(CPU_REF, &kernels);
    Tensor *inputs = arena_array(scratch, node->input_count, sizeof *inputs, err);
    TRY_NEW(inputs);
    for (size_t i = 0; i < node->input_count; i++) {
        const Constant *c = node->inputs[i].constant;
        inputs[i] = c ? (Tensor){c->name, c->dtype, c->shape, c->data, 0} : (Tensor){.dtype = DTYPE_COUNT};
        if (c && !shape_bytes(&c->shape, c->dtype, &inputs[i].bytes))
            return FAIL(err, ERR_LIMIT, "constant '%s'", c->name);
    }
    Arena working;
    arena_init(&working, 0);
    Evaluation run = {.node = node,
                      .inputs = inputs,
                      .outputs = outputs,
                      .kernels = &kernels,
                      .scratch = &working,
                      .host = &host,
                      .host_context = folding};
    void *state = NULL;
    size_t packed_bytes = 0;
    Status status = OK;
    if (op_def(node->op)->prepare)
        status =
            op_def(node->op)->prepare(&(OpPrepare){node, &kernels, NULL, &working, &packed_bytes, NULL}, &state, err);
    run.state = state;
    if (status == OK)
        status = op_def(node->op)->evaluate(&run, err);
    arena_done(&working);
    return status;
}

// False, and nothing changed, where the node cannot be computed or would be too large.
static Status node_fold(Folding *folding, const Node *node, Arena *scratch, bool *ret_folded, Error *err) {
    Tensor *outputs = arena_array(scratch, node->output_count, sizeof *outputs, err);
    TRY_NEW(outputs);
    Error why;
    *ret_folded = node_evaluate(folding, node, scratch, outputs, &why) == OK;
    for (size_t o = 0; o < node->output_count && *ret_folded; o++) {
        const Constant *added;
        Constant constant = {
            .name = node->names[o], .dtype = outputs[o].dtype, .shape = outputs[o].shape, .data = outputs[o].data};
        TRY(graph_add_constant(folding->graph, &constant, &added, err));
        TRY(replacements_add(folding->replaced, node, (int)o, value_constant(added), err));
    }
    return OK;
}

Status pass_fold_tensors(Graph *graph, const PassInputs *inputs, Error *err) {
    bool *keep;
    Replacements replaced;
    TRY(rewrite_marks(graph, inputs->scratch, &keep, err));
    TRY(replacements_make(graph, inputs->scratch, &replaced, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        size_t bytes;
        bool folded = false;
        replacements_take(&replaced, n);
        if (!is_known(node, &bytes))
            continue;
        Folding folding = {graph, &replaced, bytes > FOLD_FREE_BYTES ? bytes : FOLD_FREE_BYTES};
        if (inputs->most_constant_bytes && folding.limit_bytes > inputs->most_constant_bytes)
            folding.limit_bytes = inputs->most_constant_bytes;
        TRY(node_fold(&folding, node, inputs->scratch, &folded, err));
        keep[n] = !folded;
    }
    replacements_return(&replaced);
    graph_keep(graph, keep, NULL);
    return OK;
}

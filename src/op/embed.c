// SPDX-License-Identifier: Apache-2.0
// embed: out[r] = table[ids[r] + offset] * scale. The table is read where it lies: only the rows in use become
// resident.
#include "op/packed.h"
#include "op/rules.h"

typedef struct EmbedState {
    WeightKind kind;
    const Constant *constant;
    const void *table;
    const float *scales;
    size_t offset;
    float factor;
} EmbedState;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    ValueType ids;
    TRY(rule_ids(node, 0, &ids, err));
    const Constant *table = node->inputs[1].constant;
    if (!table || table->shape.rank != 2 || table->part_count || table->turned)
        return FAIL(err, ERR_FORMAT,
                    "embed '%s': the table must be a constant [rows, columns] in one piece, row by row",
                    rule_name(node));
    ret_types[0] = (ValueType){DTYPE_F32, 2, {ids.dims[0], {false, table->shape.dims[1]}}};
    return OK;
}

static Status prepare(const OpPrepare *args, void **ret_state, Error *err) {
    const Constant *table = args->node->inputs[1].constant;
    EmbedState *state = arena_array(args->arena, 1, sizeof *state, err);
    TRY_NEW(state);
    if (packed_kind(table, &state->kind, err) != OK)
        return FAIL(err, ERR_UNSUPPORTED, "embed '%s': a table of %s", rule_name(args->node), dtype_name(table->dtype));
    state->constant = table;
    state->table = table->data;
    state->scales = table->scales;
    state->offset = (size_t)node_int(args->node, "offset", 0);
    state->factor = (float)node_real(args->node, "scale", 1.0);
    *ret_state = state;
    return OK;
}

// Rows of codes, with their groups' scales.
static void gather_codes(const OpRun *args, size_t first, size_t last) {
    const EmbedState *state = args->state;
    const Constant *table = state->constant;
    const int32_t *ids = args->inputs[0].data;
    size_t columns = args->outputs[0].columns;
    for (size_t r = first; r < last; r++) {
        size_t row = (size_t)ids[r] + state->offset;
        args->kernels->gather_codes((const uint8_t *)table->data + row * (columns / 2), table->high_first,
                                    table->scales + row * (columns / table->group), table->group, table->codes, columns,
                                    state->factor, slab_row(&args->outputs[0], r));
    }
}

static void gather(const OpRun *args, size_t first, size_t last) {
    const EmbedState *state = args->state;
    const int32_t *ids = args->inputs[0].data;
    for (size_t r = first; r < last; r++)
        args->kernels->gather_row(state->kind, state->table, state->scales, (size_t)ids[r] + state->offset,
                                  args->outputs[0].columns, state->factor, slab_row(&args->outputs[0], r));
}

static void run(const OpRun *args) {
    const EmbedState *state = args->state;
    run_by_rows(args, args->outputs[0].rows, args->outputs[0].rows * args->outputs[0].columns,
                state->kind == WEIGHT_Q4 ? gather_codes : gather);
}

static OpCost cost(const Node *node, size_t rows, size_t keys) {
    (void)keys;
    return cost_elementwise(node, rows, 1, 1);
}

const OpDef op_embed = {.infer = infer, .prepare = prepare, .run = run, .cost = cost};

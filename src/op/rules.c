// SPDX-License-Identifier: Apache-2.0
// Shared pieces of shape rules, preparation and row-wise runs.
#include "op/rules.h"

#include <string.h>

const char *rule_name(const Node *node) {
    return node->output_count ? node->names[0] : op_name(node->op);
}

Status rule_matrix(const Node *node, size_t index, ValueType *ret_type, Error *err) {
    ValueType type = value_type(node->inputs[index]);
    if (type.rank != 2 || type.dtype != DTYPE_F32 || type.dims[1].variable)
        return FAIL(err, ERR_FORMAT, "%s '%s': input %zu must be f32 [rows, columns]", op_name(node->op),
                    rule_name(node), index);
    *ret_type = type;
    return OK;
}

Status rule_ids(const Node *node, size_t index, ValueType *ret_type, Error *err) {
    ValueType type = value_type(node->inputs[index]);
    if (type.rank != 1 || type.dtype != DTYPE_I32)
        return FAIL(err, ERR_FORMAT, "%s '%s': input %zu must be i32 [rows]", op_name(node->op), rule_name(node),
                    index);
    *ret_type = type;
    return OK;
}

Status rule_same(const Node *node, size_t a, size_t b, Error *err) {
    ValueType one = value_type(node->inputs[a]), other = value_type(node->inputs[b]);
    if (!type_equal(&one, &other))
        return FAIL(err, ERR_FORMAT, "%s '%s': inputs %zu and %zu must have the same type", op_name(node->op),
                    rule_name(node), a, b);
    return OK;
}

Status rule_vector(const Node *node, size_t index, int64_t count, bool optional, Error *err) {
    if (index >= node->input_count || value_absent(node->inputs[index])) {
        if (optional)
            return OK;
        return FAIL(err, ERR_FORMAT, "%s '%s': input %zu is missing", op_name(node->op), rule_name(node), index);
    }
    const Constant *c = node->inputs[index].constant;
    bool real =
        c && c->scheme == SCHEME_DENSE && (c->dtype == DTYPE_F32 || c->dtype == DTYPE_F16 || c->dtype == DTYPE_BF16);
    if (!real || c->shape.rank != 1 || c->shape.dims[0] != count)
        return FAIL(err, ERR_FORMAT, "%s '%s': input %zu must be a constant vector of %lld elements", op_name(node->op),
                    rule_name(node), index, (long long)count);
    return OK;
}

Status rule_heads(const Node *node, int64_t columns, int64_t *ret_heads, Error *err) {
    int64_t heads = node_int(node, "heads", 0);
    if (heads < 1 || columns % heads)
        return FAIL(err, ERR_FORMAT, "%s '%s': %lld heads do not divide %lld columns", op_name(node->op),
                    rule_name(node), (long long)heads, (long long)columns);
    if (ret_heads)
        *ret_heads = heads;
    return OK;
}

// A constant of several parts is filled part by part.
static void vector_fill(const Constant *constant, float *values) {
    for (size_t p = 0; p < constant->part_count; p++) {
        vector_fill(constant->parts[p], values);
        values += constant->parts[p]->shape.dims[0];
    }
    if (!constant->part_count) {
        Tensor tensor = {.dtype = constant->dtype, .data = constant->data};
        tensor.bytes = (size_t)constant->shape.dims[0] * dtype_bytes(constant->dtype);
        tensor_to_f32(&tensor, values);
    }
}

Status prepare_vector(const OpPrepare *args, size_t index, const float **ret, Error *err) {
    if (index >= args->node->input_count || value_absent(args->node->inputs[index])) {
        *ret = NULL;
        return OK;
    }
    const Constant *c = args->node->inputs[index].constant;
    float *values = arena_alloc(args->arena, (size_t)c->shape.dims[0] * sizeof *values, 64, err);
    TRY_NEW(values);
    vector_fill(c, values);
    *ret = values;
    return OK;
}

typedef struct RowTiles {
    const OpRun *run;
    size_t count, each;
    void (*rows)(const OpRun *run, size_t first, size_t last);
} RowTiles;

static void row_tile(void *context, size_t index) {
    const RowTiles *tiles = context;
    size_t first = index * tiles->each, last = first + tiles->each;
    tiles->rows(tiles->run, first, last < tiles->count ? last : tiles->count);
}

void run_by_rows(const OpRun *run, size_t count, size_t elements,
                 void (*rows)(const OpRun *run, size_t first, size_t last)) {
    // Below some 16,000 elements the work (a few microseconds) is not worth waking anybody.
    if (elements < 16384 || count < 2 || pool_threads(run->pool) == 1) {
        rows(run, 0, count);
        return;
    }
    size_t most_tiles = (size_t)pool_threads(run->pool) * 4;
    RowTiles tiles = {run, count, (count + most_tiles - 1) / most_tiles, rows};
    pool_run(run->pool, (count + tiles.each - 1) / tiles.each, row_tile, &tiles);
}

size_t output_columns(const Node *node) {
    const ValueType *type = &node->types[0];
    return type->rank < 2 ? 1 : (size_t)type->dims[type->rank - 1].value;
}

OpCost cost_elementwise(const Node *node, size_t rows, double operations, double reads) {
    double elements = (double)rows * (double)output_columns(node);
    return (OpCost){.operations = elements * operations, .other_bytes = elements * 4 * (reads + 1)};
}

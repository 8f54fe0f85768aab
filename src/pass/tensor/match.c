// SPDX-License-Identifier: Apache-2.0
// Questions about the values around a node.
#include "pass/tensor/match.h"

#include <math.h>
#include <string.h>

const Node *match_node(Value value, OpCode op) {
    return value.node && value.node->op == op && value.output == 0 ? value.node : NULL;
}

static bool is_plain(const Constant *c) {
    return c && c->scheme == SCHEME_DENSE && !c->part_count && constant_has_data(c);
}

bool match_number(Value value, double *ret) {
    size_t count;
    if (!is_plain(value.constant) || !shape_elements(&value.constant->shape, &count) || count != 1)
        return false;
    elements_to_f64(value.constant->dtype, value.constant->data, 1, ret);
    return true;
}

bool number_near(double a, double b) {
    return fabs(a - b) <= 1e-4 * fabs(b);
}

bool match_near(Value value, double expected) {
    double found;
    return match_number(value, &found) && number_near(found, expected);
}

bool match_vector(Value value, int64_t count) {
    const Constant *c = value.constant;
    return is_plain(c) && c->shape.rank == 1 && dtype_is_real(c->dtype) && (count < 0 || c->shape.dims[0] == count);
}

bool match_ints(Value value, int64_t ret_values[8], size_t *ret_count) {
    const Constant *c = value.constant;
    size_t count;
    if (!is_plain(c) || c->shape.rank > 1 || (c->dtype != DTYPE_I64 && c->dtype != DTYPE_I32) ||
        !shape_elements(&c->shape, &count) || count > 8)
        return false;
    for (size_t i = 0; i < count; i++) {
        int32_t narrow;
        memcpy(&narrow, (const char *)c->data + i * dtype_bytes(c->dtype), 4);
        if (c->dtype == DTYPE_I64)
            memcpy(&ret_values[i], (const char *)c->data + i * 8, 8);
        else
            ret_values[i] = narrow;
    }
    *ret_count = count;
    return true;
}

bool match_attribute_ints(const Node *node, const char *name, const int64_t *expected, size_t count) {
    size_t found;
    const int64_t *values = node_ints(node, name, &found);
    return values && found == count && memcmp(values, expected, count * sizeof *values) == 0;
}

bool match_operands(const Node *node, OpCode op, const Node **ret_made, Value *ret_other) {
    for (size_t i = 0; node && node->input_count == 2 && i < 2; i++)
        if ((*ret_made = match_node(node->inputs[i], op))) {
            *ret_other = node->inputs[1 - i];
            return true;
        }
    return false;
}

bool match_operand_number(const Node *node, double *ret_number, Value *ret_other) {
    for (size_t i = 0; node && node->input_count == 2 && i < 2; i++)
        if (match_number(node->inputs[i], ret_number)) {
            *ret_other = node->inputs[1 - i];
            return true;
        }
    return false;
}

static bool dim_is_known(const Dim *dim) {
    return !dim->variable || dim->value != DIM_UNKNOWN;
}

bool type_is_known(const ValueType *type) {
    for (int i = 0; i < type->rank; i++)
        if (!dim_is_known(&type->dims[i]))
            return false;
    return type->rank >= 0;
}

bool types_are_equal_and_known(const ValueType *a, const ValueType *b) {
    return type_is_known(a) && type_equal(a, b);
}

int64_t type_dim(const ValueType *type, int from_end) {
    if (type->rank < from_end || type->dims[type->rank - from_end].variable)
        return -1;
    return type->dims[type->rank - from_end].value;
}

Status match_insert(Graph *graph, const Node *place, const NodeSpec *spec, Node **ret_node, Error *err) {
    TRY(graph_insert_before(graph, place, spec, ret_node, err));
    return spec->types ? OK : op_infer(*ret_node, err);
}

Status match_ints_constant(Graph *graph, const char *name, const int64_t *values, size_t count, Value *ret,
                           Error *err) {
    int64_t *data = arena_array(graph->arena, count + 1, sizeof *data, err);
    TRY_NEW(data);
    if (count)
        memcpy(data, values, count * sizeof *data);
    Constant constant = {.name = name, .dtype = DTYPE_I64, .shape = {1, {(int64_t)count}}, .data = data};
    const Constant *added;
    TRY(graph_add_constant(graph, &constant, &added, err));
    *ret = value_constant(added);
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Questions about the values around a node.
#include "pass/tensor/match.h"

#include <math.h>
#include <string.h>

#include "pass/rewrite.h"

const Node *match_node(Value value, OpCode op) {
    return value.node && value.node->op == op && value.output == 0 ? value.node : NULL;
}

bool match_number(Value value, double *ret) {
    size_t count;
    if (!constant_is_plain(value.constant) || !shape_elements(&value.constant->shape, &count) || count != 1)
        return false;
    elements_to_f64(value.constant->dtype, value.constant->data, 1, ret);
    return true;
}

bool number_near(double a, double b) {
    return fabs(a - b) <= 1e-4 * fabs(b);
}

bool match_vector(Value value, int64_t count) {
    const Constant *c = value.constant;
    return constant_is_plain(c) && c->shape.rank == 1 && dtype_is_real(c->dtype) &&
           (count < 0 || c->shape.dims[0] == count);
}

bool match_ints(Value value, int64_t ret_values[8], size_t *ret_count) {
    const Constant *c = value.constant;
    size_t count;
    if (!constant_is_plain(c) || c->shape.rank > 1 || (c->dtype != DTYPE_I64 && c->dtype != DTYPE_I32) ||
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

bool match_takes_number(DType dtype) {
    return dtype == DTYPE_I32 || dtype == DTYPE_I64 || dtype_is_real(dtype);
}

Status match_number_constant(Graph *graph, const char *name, DType dtype, double number, Value *ret, Error *err) {
    union {
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
        uint16_t half;
    } *element = arena_alloc(graph->arena, sizeof *element, 8, err);
    TRY_NEW(element);
    if (dtype == DTYPE_I64)
        element->i64 = (int64_t)number;
    else if (dtype == DTYPE_I32)
        element->i32 = (int32_t)number;
    else if (dtype == DTYPE_F64)
        element->f64 = number;
    else if (dtype == DTYPE_F32)
        element->f32 = (float)number;
    else if (dtype == DTYPE_F16)
        element->half = f32_to_f16((float)number);
    else if (dtype == DTYPE_BF16)
        element->half = f32_to_bf16((float)number);
    else
        return FAIL(err, ERR_INTERNAL, "a number '@%s' of %s, expected a type that is computed in", name,
                    dtype_name(dtype));
    Constant constant = {.name = name, .dtype = dtype, .data = element};
    const Constant *added;
    TRY(graph_add_constant(graph, &constant, &added, err));
    *ret = value_constant(added);
    return OK;
}

NodeSpec match_dim_spec(const Value *value, int64_t axis, Attribute ret_range[2]) {
    ret_range[0] = attribute_int("start", axis);
    ret_range[1] = attribute_int("end", axis + 1);
    return (NodeSpec){.op = TENSOR_SHAPE,
                      .name = "dim",
                      .inputs = value,
                      .input_count = 1,
                      .attributes = ret_range,
                      .attribute_count = 2,
                      .output_count = 1};
}

Status match_uses(Graph *graph, const PassInputs *inputs, size_t **ret_uses, Error *err) {
    TRY(pass_dead_code(graph, inputs, err));
    TRY_NEW(*ret_uses = arena_array(inputs->scratch, graph->node_count, sizeof **ret_uses, err));
    graph_count_uses(graph, *ret_uses);
    return OK;
}

void match_nodes_add(MatchNodes *nodes, const Node *node) {
    for (size_t i = 0; i < nodes->count && nodes->count <= MATCH_MOST_NODES; i++)
        if (nodes->nodes[i] == node)
            return;
    if (nodes->count < MATCH_MOST_NODES)
        nodes->nodes[nodes->count] = node;
    nodes->count += nodes->count <= MATCH_MOST_NODES;
}

bool match_nodes_are_private(const MatchNodes *nodes, const size_t *uses) {
    if (nodes->count > MATCH_MOST_NODES)
        return false;
    for (size_t i = 1; i < nodes->count; i++) {
        size_t own = 0;
        for (size_t k = 0; k < nodes->count; k++)
            for (size_t n = 0; n < nodes->nodes[k]->input_count; n++)
                own += nodes->nodes[k]->inputs[n].node == nodes->nodes[i];
        if (own != uses[nodes->nodes[i]->index])
            return false;
    }
    return true;
}

bool match_scalar(const Node *node, size_t index, double *ret) {
    if (node->input_count != 2 || !match_number(node->inputs[index], ret))
        return false;
    int rank = node->inputs[index].constant->shape.rank;
    return rank == 0 || value_type(node->inputs[1 - index]).rank >= rank;
}

static bool is_whole(double power) {
    return power == floor(power);
}

static bool factor_add(MatchProduct *product, Value value, double power) {
    for (size_t i = 0; i < product->count; i++) {
        MatchFactor *factor = &product->factors[i];
        if (value_equal(factor->value, value) && is_whole(factor->power) && is_whole(power)) {
            factor->power += power;
            return true;
        }
    }
    if (product->count == MATCH_MOST_FACTORS)
        return false;
    product->factors[product->count++] = (MatchFactor){value, power};
    return true;
}

// What one step of taking apart makes of value ^ power: at most two factors and a number. Roots are taken apart only
// where that holds for numbers below 0 too.
typedef struct Step {
    double scale;
    MatchFactor parts[2];
    size_t count;
} Step;

static bool step_product(const Node *node, double power, Step *ret) {
    double second = node->op == TENSOR_DIV ? -power : power, number;
    *ret = (Step){.scale = 1};
    for (size_t i = 0; i < 2; i++) {
        double own = i ? second : power;
        if (match_scalar(node, i, &number) && (is_whole(power) || number > 0))
            ret->scale *= pow(number, own);
        else
            ret->parts[ret->count++] = (MatchFactor){node->inputs[i], own};
    }
    return is_whole(power) || ret->count == 1;
}

// False: the value is a factor as it is.
static bool step_make(const Node *node, double power, Step *ret) {
    double number;
    bool single = power == 1 || power == -1;
    *ret = (Step){.scale = 1, .parts = {{node->input_count ? node->inputs[0] : (Value){0}, power}}, .count = 1};
    switch (node->op) {
    case TENSOR_MUL:
    case TENSOR_DIV:
        return step_product(node, power, ret);
    case TENSOR_NEG:
        ret->scale = is_whole(power) ? pow(-1, power) : 0;
        return is_whole(power);
    case TENSOR_RECIPROCAL:
        ret->parts[0].power = -power;
        return true;
    case TENSOR_SQRT:
        ret->parts[0].power = power / 2;
        return single;
    case TENSOR_POW:
        if (!match_scalar(node, 1, &number))
            return false;
        ret->parts[0].power = power * number;
        return single || (is_whole(power) && is_whole(number));
    default:
        return false;
    }
}

static bool product_take(MatchProduct *product, Value value, double power, Value whole, MatchNodes *nodes, int depth) {
    Step step;
    bool apart = value.node && value.output == 0 && depth > 0 && !value_equal(value, whole);
    if (!apart || !step_make(value.node, power, &step))
        return factor_add(product, value, power);
    match_nodes_add(nodes, value.node);
    product->scale *= step.scale;
    for (size_t i = 0; i < step.count; i++)
        if (!product_take(product, step.parts[i].value, step.parts[i].power, whole, nodes, depth - 1))
            return false;
    return true;
}

bool match_product(Value value, Value whole, MatchNodes *nodes, MatchProduct *ret) {
    *ret = (MatchProduct){.scale = 1};
    return product_take(ret, value, 1, whole, nodes, MATCH_MOST_FACTORS);
}

const MatchFactor *match_product_factor(const MatchProduct *product, double power, const MatchFactor *after) {
    for (size_t i = after ? (size_t)(after - product->factors) + 1 : 0; i < product->count; i++)
        if (product->factors[i].power == power)
            return &product->factors[i];
    return NULL;
}

bool match_last_axis(int64_t axis, Value value) {
    int rank = value_type(value).rank;
    return axis == -1 || (rank > 0 && axis == rank - 1);
}

bool match_mean(Value value, Value *ret_of) {
    const Node *mean = match_node(value, TENSOR_REDUCE_MEAN);
    int64_t axes[8];
    size_t count;
    if (!mean || node_int(mean, "keepdims", 1) != 1 || !match_ints(rewrite_input(mean, 1), axes, &count) ||
        count != 1 || !match_last_axis(axes[0], mean->inputs[0]))
        return false;
    *ret_of = mean->inputs[0];
    return true;
}

// The last dimension of a value, by its type or by the weights it is a product with; -1: not known.
static int64_t last_dim(Value value) {
    ValueType type = value_type(value);
    const Node *product = match_node(value, TENSOR_MATMUL);
    if (type.rank < 0 && product && product->inputs[1].constant && product->inputs[1].constant->shape.rank == 2)
        return product->inputs[1].constant->shape.dims[1];
    return type.rank > 0 ? type_dim(&type, 1) : -1;
}

bool match_bias(Value sum, Value *ret_rest, Value *ret_bias) {
    const Node *add = match_node(sum, TENSOR_ADD);
    for (size_t i = 0; add && i < 2; i++)
        if (add->inputs[1 - i].node && match_vector(add->inputs[i], last_dim(add->inputs[1 - i])) &&
            last_dim(add->inputs[1 - i]) >= 0) {
            *ret_bias = add->inputs[i];
            *ret_rest = add->inputs[1 - i];
            return true;
        }
    return false;
}

// SPDX-License-Identifier: Apache-2.0
// Nodes of an ONNX graph, one after another: constants become constants of the graph, calls of model-local functions
// are written out (functions.c), bodies are read into graphs of their own, everything else becomes a node.
#include <onnx.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "format/onnx/reader.h"
#include "op/op.h"

const char *onnx_node_name(const OnnxNode *node) {
    static _Thread_local char text[200];
    const Onnx__NodeProto *proto = node->proto;
    const char *name = proto->name && *proto->name ? proto->name : proto->n_output ? proto->output[0] : "";
    snprintf(text, sizeof text, "node '%s' (%s)", name, proto->op_type ? proto->op_type : "");
    return text;
}

static const Onnx__AttributeProto *attribute_in(Onnx__AttributeProto *const *list, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (list[i]->name && strcmp(list[i]->name, name) == 0)
            return list[i];
    return NULL;
}

static bool is_reference(const Onnx__AttributeProto *attribute) {
    return attribute && attribute->ref_attr_name && *attribute->ref_attr_name;
}

// Follows a reference to an attribute of the function's call, or to the function's default; NULL where there is
// neither.
static const Onnx__AttributeProto *attribute_resolve(const OnnxScope *scope, const Onnx__AttributeProto *attribute) {
    if (!is_reference(attribute))
        return attribute;
    if (!scope->call)
        return NULL;
    const char *name = attribute->ref_attr_name;
    const Onnx__AttributeProto *given =
        attribute_resolve(scope->caller, attribute_in(scope->call->attribute, scope->call->n_attribute, name));
    return given ? given : attribute_in(scope->function->defaults, scope->function->default_count, name);
}

// Field of the type that a file of IR version 1 did not name.
static Onnx__AttributeProto__AttributeType type_of(const Onnx__AttributeProto *a) {
    if (a->has_type && a->type)
        return a->type;
    return a->has_f      ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT
           : a->has_i    ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT
           : a->has_s    ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING
           : a->t        ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR
           : a->g        ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH
           : a->n_floats ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS
           : a->n_ints   ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS
                         : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

const Onnx__AttributeProto *onnx_attribute(const OnnxNode *node, const char *name, int type) {
    const Onnx__AttributeProto *a =
        attribute_resolve(node->scope, attribute_in(node->proto->attribute, node->proto->n_attribute, name));
    return a && (int)type_of(a) == type ? a : NULL;
}

void onnx_attribute_drop(OnnxNode *node, const char *name) {
    for (size_t i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            node->attributes[i--] = node->attributes[--node->attribute_count];
}

void onnx_attribute_set(OnnxNode *node, Attribute attribute) {
    onnx_attribute_drop(node, attribute.name);
    node->attributes[node->attribute_count++] = attribute;
}

Status onnx_emit(OnnxScope *scope, OpCode op, const char *name, const Value *inputs, size_t input_count,
                 const Attribute *attributes, size_t attribute_count, Value *ret, Error *err) {
    NodeSpec spec = {.op = op,
                     .name = name,
                     .inputs = inputs,
                     .input_count = input_count,
                     .attributes = attributes,
                     .attribute_count = attribute_count,
                     .output_count = 1};
    Node *node;
    TRY(onnx_charge(scope->reader, 1, ONNX_NODE_BYTES, err));
    TRY(graph_add_node(scope->graph, &spec, &node, err));
    TRY(op_infer(node, err));
    *ret = value_of(node, 0);
    return OK;
}

// The IR's attribute of one of the file's; *ret_kept false for those that only Constant, bodies or older forms have.
static Status attribute_read(OnnxNode *node, const Onnx__AttributeProto *from, const char *name, bool *ret_kept,
                             Error *err) {
    Attribute *to = &node->attributes[node->attribute_count];
    *ret_kept = true;
    switch (type_of(from)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        *to = attribute_real(name, (double)from->f);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        *to = attribute_int(name, from->i);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: {
        TRY(onnx_charge(node->scope->reader, from->s.len, 2, err));
        if (from->s.len && memchr(from->s.data, 0, from->s.len))
            return FAIL(err, ERR_FORMAT, "%s: attribute '%s' is a text with a NUL in it", onnx_node_name(node), name);
        const char *text = arena_copy_text(node->scope->reader->scratch, (const char *)from->s.data, from->s.len, err);
        TRY_NEW(text);
        *to = attribute_text(name, text);
        *ret_kept = from->s.len > 0;
        break;
    }
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        TRY(onnx_charge(node->scope->reader, from->n_ints, sizeof *from->ints, err));
        *to = attribute_ints(name, from->ints, from->n_ints);
        break;
    default:
        *ret_kept = false;
    }
    return OK;
}

static Status attributes_read(OnnxNode *node, Error *err) {
    const Onnx__NodeProto *proto = node->proto;
    TRY_NEW(node->attributes = arena_array(node->scope->reader->scratch, proto->n_attribute + ONNX_MOST_ADDED,
                                           sizeof *node->attributes, err));
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const char *name = proto->attribute[i]->name;
        const Onnx__AttributeProto *from = attribute_resolve(node->scope, proto->attribute[i]);
        bool kept = false;
        if (!name)
            return FAIL(err, ERR_FORMAT, "%s: an attribute without a name", onnx_node_name(node));
        for (size_t k = 0; k < i; k++)
            if (strcmp(proto->attribute[k]->name, name) == 0)
                return FAIL(err, ERR_FORMAT, "%s: attribute '%s' is there twice", onnx_node_name(node), name);
        if (from)
            TRY(attribute_read(node, from, name, &kept, err));
        node->attribute_count += kept;
    }
    return OK;
}

static Status inputs_read(OnnxNode *node, Error *err) {
    const Onnx__NodeProto *proto = node->proto;
    TRY_NEW(node->inputs =
                arena_array(node->scope->reader->scratch, proto->n_input + ONNX_MOST_ADDED, sizeof *node->inputs, err));
    node->input_count = proto->n_input;
    for (size_t i = 0; i < proto->n_input; i++)
        if (*proto->input[i] && scope_find(node->scope, proto->input[i], &node->inputs[i], err) != OK)
            return error_context(err, "%s", onnx_node_name(node));
    return OK;
}

// ONNX's own shape inference calls what it knows nothing of unk__0, unk__1, ..: that is no knowledge, and would stand
// in the way of what is found out later.
static Dim dim_claimed(const Graph *graph, Dim dim) {
    bool nothing = dim.variable && dim.value != DIM_UNKNOWN && strncmp(graph->dims[dim.value], "unk__", 5) == 0;
    return nothing ? (Dim){true, DIM_UNKNOWN} : dim;
}

// Types that the file claims, where the rule could not tell.
static void types_claim(const OnnxScope *scope, const Onnx__NodeProto *proto, Node *node) {
    for (size_t o = 0; o < node->output_count && o < proto->n_output; o++) {
        const NameEntry *entry = names_find(&scope->types, proto->output[o]);
        ValueType *type = &node->types[o];
        if (!entry)
            continue;
        ValueType claimed = *(const ValueType *)entry->object;
        for (int i = 0; i < claimed.rank; i++)
            claimed.dims[i] = dim_claimed(scope->graph, claimed.dims[i]);
        if (type->rank < 0)
            *type = claimed;
        else if (type_agrees(type, &claimed) && claimed.rank == type->rank)
            for (int i = 0; i < type->rank; i++)
                if (type->dims[i].variable && type->dims[i].value == DIM_UNKNOWN)
                    type->dims[i] = claimed.dims[i];
    }
}

// The node as it is now, with its operator's number of outputs.
static Status node_add(OnnxNode *node, OpCode op, Error *err) {
    OnnxScope *scope = node->scope;
    const Onnx__NodeProto *proto = node->proto;
    OpArity arity = op_arity(op);
    if (node->input_count < (size_t)arity.fewest || node->input_count > (size_t)arity.most)
        return FAIL(err, ERR_FORMAT, "%s has %zu inputs, expected %d to %d", onnx_node_name(node), node->input_count,
                    arity.fewest, arity.most);
    if (node->input_count && value_absent(node->inputs[0]))
        return FAIL(err, ERR_FORMAT, "%s has no first input", onnx_node_name(node));
    size_t outputs = arity.outputs >= 0 ? (size_t)arity.outputs : node->output_count;
    if (!node->output_count || node->output_count > outputs)
        return FAIL(err, ERR_FORMAT, "%s has %zu outputs, expected at most %zu and at least one", onnx_node_name(node),
                    node->output_count, outputs);
    const char **names = arena_array(scope->reader->scratch, outputs, sizeof *names, err);
    TRY_NEW(names);
    for (size_t o = 0; o < outputs; o++)
        names[o] = o < proto->n_output && *proto->output[o] ? proto->output[o] : "unused";
    NodeSpec spec = {.op = op,
                     .names = names,
                     .inputs = node->inputs,
                     .input_count = node->input_count,
                     .attributes = node->attributes,
                     .attribute_count = node->attribute_count,
                     .output_count = outputs,
                     .note = proto->name && *proto->name ? proto->name : NULL};
    Node *added;
    TRY(graph_add_node(scope->graph, &spec, &added, err));
    TRY(op_infer(added, err));
    types_claim(scope, proto, added);
    for (size_t o = 0; o < node->output_count; o++)
        if (*proto->output[o])
            TRY(scope_add(scope, proto->output[o], value_of(added, (int)o), err));
    return OK;
}

static Status scalar_int(OnnxScope *scope, const char *name, const int64_t *number, Value *ret, Error *err) {
    int64_t *data = arena_array(scope->graph->arena, 1, sizeof *data, err);
    TRY_NEW(data);
    *data = *number;
    return onnx_constant(scope, name, DTYPE_I64, &(Shape){0}, data, ret, err);
}

// Constant: whatever attribute holds its value.
static Status constant_read(OnnxNode *node, Error *err) {
    OnnxScope *scope = node->scope;
    const Onnx__AttributeProto *a;
    Value value;
    if (node->proto->n_output != 1 || !*node->proto->output[0])
        return FAIL(err, ERR_FORMAT, "%s has %zu outputs, expected one with a name", onnx_node_name(node),
                    node->proto->n_output);
    const char *name = node->proto->output[0];
    if ((a = onnx_attribute(node, "value", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR))) {
        TRY(onnx_tensor(scope, a->t, name, &value, err));
    } else if ((a = onnx_attribute(node, "value_int", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT))) {
        TRY(scalar_int(scope, name, &a->i, &value, err));
    } else if ((a = onnx_attribute(node, "value_ints", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS))) {
        TRY(onnx_ints(scope, name, a->ints, a->n_ints, &value, err));
    } else {
        bool one = (a = onnx_attribute(node, "value_float", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT)) != NULL;
        if (!one && !(a = onnx_attribute(node, "value_floats", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS)))
            return FAIL(err, ERR_UNSUPPORTED,
                        "%s: expected a tensor, a number or numbers; texts and sparse tensors are "
                        "not read",
                        onnx_node_name(node));
        size_t count = one ? 1 : a->n_floats;
        TRY(onnx_charge(scope->reader, count, sizeof(float), err));
        float *data = arena_array(scope->graph->arena, count + 1, sizeof *data, err);
        TRY_NEW(data);
        if (count)
            memcpy(data, one ? &a->f : a->floats, count * sizeof *data);
        Shape shape = {one ? 0 : 1, {(int64_t)count}};
        TRY(onnx_constant(scope, name, DTYPE_F32, &shape, data, &value, err));
    }
    return scope_add(scope, name, value, err);
}

// A body's graph. `first`, if not NULL, is a body whose captures it begins with.
static Status body_read(OnnxNode *node, const char *name, const OnnxScope *first, OnnxScope *body, Error *err) {
    OnnxScope *scope = node->scope;
    const Onnx__AttributeProto *a = onnx_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH);
    if (!a || !a->g)
        return FAIL(err, ERR_FORMAT, "%s: attribute %s is missing", onnx_node_name(node), name);
    if (is_reference(attribute_in(node->proto->attribute, node->proto->n_attribute, name)))
        return FAIL(err, ERR_UNSUPPORTED, "%s: a body that is an attribute of a function's call", onnx_node_name(node));
    if (scope->depth + 1 >= GRAPH_MOST_DEPTH)
        return FAIL(err, ERR_UNSUPPORTED, "%s: bodies nest deeper than %d", onnx_node_name(node), GRAPH_MOST_DEPTH - 1);
    body->reader = scope->reader;
    body->outer = scope;
    body->call = scope->call;
    body->function = scope->function;
    body->caller = scope->caller;
    body->opset = scope->opset;
    body->depth = scope->depth + 1;
    body->calls = scope->calls;
    TRY(onnx_charge(body->reader, 1, ONNX_CALL_BYTES, err));
    TRY_NEW(body->graph = graph_make(scope->graph->arena, name, err));
    const char **output_names;
    Value unused;
    for (const OnnxCapture *c = first ? first->captures : NULL; c; c = c->next)
        TRY(scope_capture(body, c->name, c->outer, &unused, err));
    TRY(onnx_graph(body, a->g, &output_names, err));
    onnx_attribute_set(node, attribute_graph(name, body->graph));
    return OK;
}

// What a body takes and gives has to fit its node.
static Status body_check(const OnnxNode *node, const OnnxScope *body, size_t inputs, size_t returns, Error *err) {
    size_t own = 0;
    for (size_t n = 0; n < body->graph->node_count; n++)
        own += body->graph->nodes[n]->op == OP_INPUT;
    own -= body->capture_count;
    if (own != inputs || body->graph->return_count != returns)
        return FAIL(err, ERR_FORMAT, "%s: its %s takes %zu values and gives %zu, expected %zu and %zu",
                    onnx_node_name(node), body->graph->name, own, body->graph->return_count, inputs, returns);
    return OK;
}

// What a body reads from around it become inputs of the node.
static Status captures_add(OnnxNode *node, const OnnxScope *body, Error *err) {
    Value *inputs = arena_array(node->scope->reader->scratch, node->input_count + body->capture_count + ONNX_MOST_ADDED,
                                sizeof *inputs, err);
    TRY_NEW(inputs);
    memcpy(inputs, node->inputs, node->input_count * sizeof *inputs);
    node->inputs = inputs;
    for (const OnnxCapture *c = body->captures; c; c = c->next)
        node->inputs[node->input_count++] = c->outer;
    return OK;
}

// Both bodies get the same inputs in the same order: the second begins with the first's, the first ends with what only
// the second reads.
static Status if_read(OnnxNode *node, Error *err) {
    OnnxScope bodies[2] = {0};
    Value unused;
    TRY(body_read(node, "then_branch", NULL, &bodies[0], err));
    TRY(body_read(node, "else_branch", &bodies[0], &bodies[1], err));
    const OnnxCapture *c = bodies[1].captures;
    for (size_t i = bodies[0].capture_count; i > 0; i--)
        c = c->next;
    for (; c; c = c->next)
        TRY(scope_capture(&bodies[0], c->name, c->outer, &unused, err));
    node->output_count = node->proto->n_output;
    for (size_t i = 0; i < 2; i++)
        TRY(body_check(node, &bodies[i], 0, node->output_count, err));
    return captures_add(node, &bodies[0], err);
}

static Status loop_read(OnnxNode *node, Error *err) {
    OnnxScope body = {0};
    int64_t endless = INT64_MAX;
    if (node->input_count < 2)
        return FAIL(err, ERR_FORMAT, "%s has %zu inputs, expected at least 2", onnx_node_name(node), node->input_count);
    if (value_absent(node->inputs[0])) // the IR's first inputs are there
        TRY(scalar_int(node->scope, "iterations", &endless, &node->inputs[0], err));
    TRY(body_read(node, "body", NULL, &body, err));
    node->output_count = node->proto->n_output;
    TRY(body_check(node, &body, node->input_count, node->output_count + 1, err));
    onnx_attribute_set(node, attribute_int("carried", (int64_t)node->input_count - 2));
    return captures_add(node, &body, err);
}

static Status node_read(OnnxScope *scope, const Onnx__NodeProto *proto, Error *err) {
    OnnxNode node = {.scope = scope, .proto = proto, .output_count = proto->n_output};
    if (!proto->op_type)
        return FAIL(err, ERR_FORMAT, "a node without an operator");
    if (proto->n_attribute > ONNX_MOST_ATTRIBUTES || proto->n_output > ONNX_MOST_OUTPUTS)
        return FAIL(err, ERR_UNSUPPORTED, "%s has %zu attributes and %zu outputs, at most %d and %d are read",
                    onnx_node_name(&node), proto->n_attribute, proto->n_output, ONNX_MOST_ATTRIBUTES,
                    ONNX_MOST_OUTPUTS);
    TRY(onnx_charge(scope->reader, 1, ONNX_NODE_BYTES, err));
    TRY(onnx_charge(scope->reader, proto->n_input + proto->n_attribute, sizeof(Value), err));
    TRY(onnx_charge(scope->reader, proto->n_output, ONNX_NAME_BYTES, err));
    while (node.output_count > 1 && !*proto->output[node.output_count - 1])
        node.output_count--;
    TRY_NEW(node.op = onnx_op_name(scope->reader, proto->domain, proto->op_type, err));
    if (strcmp(node.op, "Constant") == 0)
        return constant_read(&node, err);
    TRY(inputs_read(&node, err));
    const OnnxFunction *function = onnx_function_find(scope->reader, node.op);
    if (function)
        return onnx_function_call(&node, function, err);
    TRY(attributes_read(&node, err));
    if (strcmp(node.op, "If") == 0)
        TRY(if_read(&node, err));
    if (strcmp(node.op, "Loop") == 0)
        TRY(loop_read(&node, err));
    TRY(onnx_node_form(&node, err));
    OpCode op;
    if (!op_from_name(node.op, &op) || !op_is_tensor(op))
        return FAIL(err, ERR_UNSUPPORTED, "%s: there is no operator '%s' here (docs/onnx.md says what is read)",
                    onnx_node_name(&node), node.op);
    return node_add(&node, op, err);
}

Status onnx_nodes(OnnxScope *scope, Onnx__NodeProto *const *nodes, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++)
        if (node_read(scope, nodes[i], err) != OK)
            return strstr(err->message, "node ") ? err->status : error_context(err, "node %zu", i);
    return OK;
}

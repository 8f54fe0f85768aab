// SPDX-License-Identifier: Apache-2.0
// Model-local functions: found by name, written out where they are called.
#include <onnx.pb-c.h>
#include <string.h>

#include "format/onnx/reader.h"
#include "format/tensorproto/wire.h"

const char *onnx_op_name(OnnxReader *reader, const char *domain, const char *name, Error *err) {
    if (!domain || !*domain || strcmp(domain, "ai.onnx") == 0)
        return name;
    return arena_format(reader->scratch, err, "%s.%s", domain, name);
}

// FunctionProto's attribute_proto, which came with IR version 9. protobuf-c's code for an older onnx.proto keeps fields
// it does not know, a length before each.
enum { FIELD_ATTRIBUTE_PROTO = 11 };

static Status default_read(OnnxReader *reader, const ProtobufCMessageUnknownField *field, OnnxFunction *function,
                           Error *err) {
    Wire wire;
    uint64_t bytes;
    wire_init(&wire, (Bytes){field->data, field->len});
    TRY(wire_varint(&wire, &bytes, err));
    Onnx__AttributeProto *attribute =
        onnx__attribute_proto__unpack(&reader->allocator, (size_t)(wire.end - wire.at), wire.at);
    if (!attribute)
        return FAIL(err, ERR_FORMAT, "function '%s': a damaged default of an attribute", function->proto->name);
    function->defaults[function->default_count++] = attribute;
    return OK;
}

static Status defaults_read(OnnxReader *reader, OnnxFunction *function, Error *err) {
    const ProtobufCMessage *message = &function->proto->base;
    TRY_NEW(function->defaults =
                arena_array(reader->scratch, message->n_unknown_fields, sizeof *function->defaults, err));
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        if (field->tag == FIELD_ATTRIBUTE_PROTO && field->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            TRY(default_read(reader, field, function, err));
    }
    if (function->default_count > ONNX_MOST_ATTRIBUTES)
        return FAIL(err, ERR_UNSUPPORTED, "function '%s' has %zu attributes, at most %d are read",
                    function->proto->name, function->default_count, ONNX_MOST_ATTRIBUTES);
    return OK;
}

Status onnx_functions_read(OnnxReader *reader, Error *err) {
    for (size_t i = 0; i < reader->model->n_functions; i++) {
        OnnxFunction *function = arena_array(reader->scratch, 1, sizeof *function, err);
        TRY_NEW(function);
        function->proto = reader->model->functions[i];
        if (!function->proto->name)
            return FAIL(err, ERR_FORMAT, "function %zu has no name", i);
        const char *op = onnx_op_name(reader, function->proto->domain, function->proto->name, err);
        TRY_NEW(op);
        if (names_find(&reader->functions, op))
            return FAIL(err, ERR_UNSUPPORTED, "function '%s' is there twice; overloads are not read", op);
        TRY(defaults_read(reader, function, err));
        TRY(names_add(&reader->functions, reader->scratch, op, function, 0, err));
    }
    return OK;
}

const OnnxFunction *onnx_function_find(const OnnxReader *reader, const char *op) {
    const NameEntry *entry = names_find(&reader->functions, op);
    return entry ? entry->object : NULL;
}

static Status call_check(const OnnxNode *node, const OnnxScope *inner, Error *err) {
    const Onnx__FunctionProto *proto = inner->function->proto;
    if (inner->calls > ONNX_MOST_CALLS)
        return FAIL(err, ERR_UNSUPPORTED, "%s: functions nest deeper than %d", onnx_node_name(node), ONNX_MOST_CALLS);
    if (node->input_count > proto->n_input || node->output_count > proto->n_output)
        return FAIL(err, ERR_FORMAT, "%s has %zu inputs and %zu outputs, its function has %zu and %zu",
                    onnx_node_name(node), node->input_count, node->output_count, proto->n_input, proto->n_output);
    TRY(onnx_charge(inner->reader, 1, ONNX_CALL_BYTES, err));
    return onnx_charge(inner->reader, proto->n_input + proto->n_output, ONNX_NAME_BYTES, err);
}

// The innermost function is enough: a chain of them would push the reason out of the message.
static Status function_context(const Onnx__FunctionProto *proto, Error *err) {
    return strstr(err->message, "in function ") ? err->status : error_context(err, "in function %.60s", proto->name);
}

Status onnx_function_call(OnnxNode *node, const OnnxFunction *function, Error *err) {
    OnnxScope *scope = node->scope;
    const Onnx__FunctionProto *proto = function->proto;
    OnnxScope inner = {.reader = scope->reader,
                       .graph = scope->graph,
                       .call = node->proto,
                       .function = function,
                       .caller = scope,
                       .depth = scope->depth,
                       .calls = scope->calls + 1};
    TRY(call_check(node, &inner, err));
    TRY(onnx_opset(proto->opset_import, proto->n_opset_import, scope->opset, &inner.opset, err));
    for (size_t i = 0; i < proto->n_input; i++)
        TRY(scope_add(&inner, proto->input[i], i < node->input_count ? node->inputs[i] : (Value){0}, err));
    if (onnx_nodes(&inner, proto->node, proto->n_node, err) != OK)
        return function_context(proto, err);
    for (size_t o = 0; o < node->output_count; o++) {
        Value value;
        if (!*node->proto->output[o])
            continue;
        if (scope_find(&inner, proto->output[o], &value, err) != OK)
            return function_context(proto, err);
        TRY(scope_add(scope, node->proto->output[o], value, err));
    }
    return OK;
}

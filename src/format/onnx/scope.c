// SPDX-License-Identifier: Apache-2.0
// Names of values while a model is read.
#include <onnx.pb-c.h>
#include <string.h>

#include "format/onnx/reader.h"

Status onnx_charge(OnnxReader *reader, size_t count, size_t bytes_each, Error *err) {
    if (count > (ONNX_MOST_BYTES - reader->charged_bytes) / bytes_each)
        return FAIL(err, ERR_LIMIT, "written out, the model would take more than %d MiB without its tensors",
                    ONNX_MOST_BYTES >> 20);
    reader->charged_bytes += count * bytes_each;
    return OK;
}

Status scope_add(OnnxScope *scope, const char *name, Value value, Error *err) {
    if (names_find(&scope->names, name))
        return FAIL(err, ERR_FORMAT, "value '%s' is made twice", name);
    Value *kept = arena_array(scope->reader->scratch, 1, sizeof *kept, err);
    TRY_NEW(kept);
    *kept = value;
    return names_add(&scope->names, scope->reader->scratch, name, kept, 0, err);
}

Status scope_dim(OnnxScope *scope, const char *name, Dim *ret, Error *err) {
    Arena *scratch = scope->reader->scratch;
    const NameEntry *known = names_find(&scope->dims, name);
    if (!known && scope->graph->dim_count >= ONNX_MOST_DIMS) {
        *ret = (Dim){true, DIM_UNKNOWN};
        return OK;
    }
    if (!known) {
        Dim *dim = arena_array(scratch, 1, sizeof *dim, err);
        TRY_NEW(dim);
        TRY(graph_add_dim(scope->graph, name, dim, err));
        TRY(names_add(&scope->dims, scratch, scope->graph->dims[dim->value], dim, 0, err));
        known = names_find(&scope->dims, name);
    }
    *ret = *(const Dim *)known->object;
    return OK;
}

Status scope_capture(OnnxScope *scope, const char *name, Value outer, Value *ret, Error *err) {
    ValueType type = value_type(outer);
    for (int i = 0; i < type.rank; i++) // a body has dimension variables of its own
        if (type.dims[i].variable && type.dims[i].value != DIM_UNKNOWN) {
            const Graph *around = scope->outer->graph;
            TRY(scope_dim(scope, around->dims[type.dims[i].value], &type.dims[i], err));
        }
    NodeSpec spec = {.op = OP_INPUT, .name = name, .types = &type, .output_count = 1};
    Node *node;
    OnnxCapture *capture = arena_array(scope->reader->scratch, 1, sizeof *capture, err);
    TRY_NEW(capture);
    TRY(onnx_charge(scope->reader, 1, ONNX_NODE_BYTES, err));
    TRY(graph_add_node(scope->graph, &spec, &node, err));
    *capture = (OnnxCapture){NULL, name, outer};
    *(scope->captures_end ? scope->captures_end : &scope->captures) = capture;
    scope->captures_end = &capture->next;
    scope->capture_count++;
    *ret = value_of(node, 0);
    return scope_add(scope, name, *ret, err);
}

Status scope_find(OnnxScope *scope, const char *name, Value *ret, Error *err) {
    const NameEntry *entry = names_find(&scope->names, name);
    if (entry) {
        *ret = *(const Value *)entry->object;
        return OK;
    }
    if (!scope->outer)
        return FAIL(err, ERR_FORMAT, "'%s' is read, but nothing before it makes it", name);
    Value outer;
    TRY(scope_find(scope->outer, name, &outer, err));
    if (value_absent(outer)) {
        *ret = outer;
        return OK;
    }
    return scope_capture(scope, name, outer, ret, err);
}

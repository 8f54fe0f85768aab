// SPDX-License-Identifier: Apache-2.0
// The front door: a file becomes a model; graphs, their inputs and outputs, and the types that files claim.
#include "format/onnx/onnx.h"

#include <limits.h>
#include <onnx.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/onnx/reader.h"
#include "format/onnx/skeleton.h"
#include "op/op.h"

enum { IR_FIRST = 3, IR_LAST = 13, OPSET_LAST = 27 };

bool onnx_recognise(Bytes file) { // ir_version, then another field of ModelProto
    return file.size > 2 && file.data[0] == 8 && file.data[1] >= 1 && file.data[1] < 32 &&
           (file.data[2] == 0x12 || file.data[2] == 0x1A || file.data[2] == 0x22 || file.data[2] == 0x2A ||
            file.data[2] == 0x32 || file.data[2] == 0x3A || file.data[2] == 0x42);
}

Status onnx_is_file(Arena *arena, const char *path, bool *ret, Error *err) {
    Bytes file;
    *ret = false;
    if (path_kind(path) != PATH_FILE)
        return OK;
    TRY(file_map(arena, path, &file, err));
    size_t bytes = strlen(path);
    bool named = bytes > 5 && strcmp(path + bytes - 5, ".onnx") == 0; // what is wrong with it is said in ONNX's words
    *ret = named || onnx_recognise(file);
    return OK;
}

// The IR's name of a dimension: an identifier, "past + 1" becomes past___1. What only then is equal gets a number.
static const char *dim_name(OnnxReader *reader, const char *param, Error *err) {
    const NameEntry *known = names_find(&reader->dims, param);
    if (known)
        return known->object;
    char *name = arena_format(reader->scratch, err, "%s%.60s", name_is_identifier(param) ? "" : "d_", param);
    for (char *c = name; c && *c; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9'))
            *c = '_';
    while (name && names_find(&reader->dims_taken, name))
        name = arena_format(reader->scratch, err, "%s_%zu", name, reader->dims.count);
    bool kept = name && names_add(&reader->dims, reader->scratch, param, name, 0, err) == OK &&
                names_add(&reader->dims_taken, reader->scratch, name, name, 0, err) == OK;
    return kept ? name : NULL;
}

static Status dim_read(OnnxScope *scope, const Onnx__TensorShapeProto__Dimension *dim, Dim *ret, Error *err) {
    *ret = (Dim){true, DIM_UNKNOWN};
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && dim->dim_value >= 0)
        *ret = (Dim){false, dim->dim_value};
    if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM || !*dim->dim_param)
        return OK;
    const char *name = dim_name(scope->reader, dim->dim_param, err);
    TRY_NEW(name);
    return scope_dim(scope, name, ret, err);
}

Status onnx_type(OnnxScope *scope, const Onnx__TypeProto *proto, const char *name, ValueType *ret, Error *err) {
    ValueType type = {.rank = -1};
    if (!proto || proto->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET) {
        *ret = type;
        return OK;
    }
    if (proto->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return FAIL(err, ERR_UNSUPPORTED, "'%s' is a sequence, map or optional; tensors are read", name);
    const Onnx__TypeProto__Tensor *tensor = proto->tensor_type;
    if (tensor->elem_type < 0 || !dtype_from_onnx((uint64_t)tensor->elem_type, &type.dtype))
        return FAIL(err, ERR_UNSUPPORTED, "'%s' has elements of ONNX's type %d, which is not read", name,
                    tensor->elem_type);
    if (tensor->shape) {
        if (tensor->shape->n_dim > SHAPE_MOST_DIMS)
            return FAIL(err, ERR_UNSUPPORTED, "'%s' has %zu dimensions, at most %d are possible", name,
                        tensor->shape->n_dim, SHAPE_MOST_DIMS);
        type.rank = (int)tensor->shape->n_dim;
        for (int i = 0; i < type.rank; i++)
            TRY(dim_read(scope, tensor->shape->dim[i], &type.dims[i], err));
    }
    *ret = type;
    return OK;
}

static Status initializers_read(OnnxScope *scope, const Onnx__GraphProto *proto, Error *err) {
    if (proto->n_sparse_initializer)
        return FAIL(err, ERR_UNSUPPORTED, "sparse initializers are not read");
    for (size_t i = 0; i < proto->n_initializer; i++) {
        Value value;
        TRY(onnx_tensor(scope, proto->initializer[i], NULL, &value, err));
        TRY(scope_add(scope, value.constant->name, value, err));
    }
    return OK;
}

// Inputs that are no initializers; those of old IR versions that are have a default, which is taken.
static Status inputs_read(OnnxScope *scope, const Onnx__GraphProto *proto, Error *err) {
    for (size_t i = 0; i < proto->n_input; i++) {
        const Onnx__ValueInfoProto *input = proto->input[i];
        if (!input->name || !*input->name)
            return FAIL(err, ERR_FORMAT, "input %zu has no name", i);
        const NameEntry *known = names_find(&scope->names, input->name);
        if (known && ((const Value *)known->object)->constant)
            continue;
        ValueType type;
        TRY(onnx_type(scope, input->type, input->name, &type, err));
        NodeSpec spec = {.op = OP_INPUT, .name = input->name, .types = &type, .output_count = 1};
        Node *node;
        TRY(graph_add_node(scope->graph, &spec, &node, err));
        TRY(scope_add(scope, input->name, value_of(node, 0), err));
    }
    return OK;
}

// Types that the file claims for values in between and for outputs. What cannot be one is passed over: nothing depends
// on them.
static Status types_read(OnnxScope *scope, Onnx__ValueInfoProto *const *infos, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++) {
        ValueType *type = arena_array(scope->reader->scratch, 1, sizeof *type, err);
        TRY_NEW(type);
        Status status = infos[i]->name ? onnx_type(scope, infos[i]->type, infos[i]->name, type, err) : ERR_UNSUPPORTED;
        if (status == ERR_UNSUPPORTED)
            continue;
        TRY(status);
        TRY(names_add(&scope->types, scope->reader->scratch, infos[i]->name, type, 0, err));
    }
    return OK;
}

static Status outputs_read(OnnxScope *scope, const Onnx__GraphProto *proto, const char ***ret_names, Error *err) {
    if (proto->n_output > ONNX_MOST_OUTPUTS)
        return FAIL(err, ERR_UNSUPPORTED, "graph '%s' has %zu outputs, at most %d are read",
                    proto->name ? proto->name : "", proto->n_output, ONNX_MOST_OUTPUTS);
    Value *values = arena_array(scope->reader->scratch, proto->n_output, sizeof *values, err);
    const char **names = arena_array(scope->graph->arena, proto->n_output, sizeof *names, err);
    TRY_NEW(values);
    TRY_NEW(names);
    for (size_t i = 0; i < proto->n_output; i++) {
        const char *name = proto->output[i]->name;
        if (!name || !*name)
            return FAIL(err, ERR_FORMAT, "output %zu has no name", i);
        if (scope_find(scope, name, &values[i], err) != OK)
            return error_context(err, "output %zu", i);
        if (value_absent(values[i]))
            return FAIL(err, ERR_FORMAT, "output '%s' is absent", name);
        TRY_NEW(names[i] = arena_copy_text(scope->graph->arena, name, strlen(name), err));
    }
    *ret_names = names;
    return graph_set_returns(scope->graph, values, proto->n_output, err);
}

Status onnx_graph(OnnxScope *scope, const Onnx__GraphProto *proto, const char ***ret_output_names, Error *err) {
    size_t values = proto->n_initializer + proto->n_input + proto->n_value_info + proto->n_output;
    TRY(onnx_charge(scope->reader, values, ONNX_VALUE_BYTES, err));
    TRY(initializers_read(scope, proto, err));
    TRY(inputs_read(scope, proto, err));
    TRY(types_read(scope, proto->value_info, proto->n_value_info, err));
    TRY(types_read(scope, proto->output, proto->n_output, err));
    TRY(onnx_nodes(scope, proto->node, proto->n_node, err));
    return outputs_read(scope, proto, ret_output_names, err);
}

// protobuf-c's messages live in the scratch arena and go with it. It makes a hundred bytes and more out of two, so what
// it makes is bounded.
static void *message_alloc(void *context, size_t bytes) {
    OnnxReader *reader = context;
    Error err;
    reader->unpacked_bytes += bytes + 16;
    return reader->unpacked_bytes > ONNX_MOST_UNPACKED_BYTES ? NULL : arena_alloc(reader->scratch, bytes, 16, &err);
}

static void message_free(void *context, void *message) {
    (void)context;
    (void)message;
}

Status onnx_opset(Onnx__OperatorSetIdProto *const *imports, size_t count, int64_t missing, int64_t *ret, Error *err) {
    int64_t opset = missing;
    for (size_t i = 0; i < count; i++) {
        const char *domain = imports[i]->domain;
        if (!domain || !*domain || strcmp(domain, "ai.onnx") == 0)
            opset = imports[i]->version;
    }
    if (opset < 1 || opset > OPSET_LAST)
        return FAIL(err, ERR_UNSUPPORTED, "opset %lld, those from 1 to %d are read", (long long)opset, OPSET_LAST);
    *ret = opset;
    return OK;
}

static Status versions_read(OnnxReader *reader, Error *err) {
    const Onnx__ModelProto *model = reader->model;
    if (model->ir_version < IR_FIRST || model->ir_version > IR_LAST)
        return FAIL(err, ERR_UNSUPPORTED, "IR version %lld, those from %d to %d are read", (long long)model->ir_version,
                    IR_FIRST, IR_LAST);
    return onnx_opset(model->opset_import, model->n_opset_import, 1, &reader->opset, err);
}

static Status model_read(OnnxReader *reader, OnnxModel *ret, Error *err) {
    Bytes skeleton;
    TRY(skeleton_make(reader->scratch, reader->file, &skeleton, err));
    reader->allocator = (ProtobufCAllocator){message_alloc, message_free, reader};
    reader->model = onnx__model_proto__unpack(&reader->allocator, skeleton.size, skeleton.data);
    if (reader->unpacked_bytes > ONNX_MOST_UNPACKED_BYTES)
        return FAIL(err, ERR_LIMIT, "unpacked, the model would take more than %d MiB without its tensors",
                    ONNX_MOST_UNPACKED_BYTES >> 20);
    if (!reader->model)
        return FAIL(err, ERR_FORMAT, "expected an ONNX ModelProto, found a damaged message");
    if (!reader->model->graph)
        return FAIL(err, ERR_FORMAT, "the model has no graph");
    TRY(versions_read(reader, err));
    TRY(onnx_functions_read(reader, err));
    const char *name = reader->model->graph->name;
    OnnxScope scope = {.reader = reader, .opset = reader->opset};
    TRY_NEW(scope.graph = graph_make(reader->arena, name && *name ? name : "main", err));
    OnnxModel model = {.graph = scope.graph, .ir_version = reader->model->ir_version, .opset = reader->opset};
    TRY(onnx_graph(&scope, reader->model->graph, &model.output_names, err));
    TRY(onnx_externals_check(reader, err));
    TRY(onnx_files(reader, &model, err));
    TRY_NEW(model.producer = arena_format(reader->arena, err, "%s%s%s",
                                          reader->model->producer_name ? reader->model->producer_name : "",
                                          reader->model->producer_version ? " " : "",
                                          reader->model->producer_version ? reader->model->producer_version : ""));
    TRY(op_verify(model.graph, err));
    *ret = model;
    return OK;
}

static const char *folder_of(Arena *arena, const char *path, Error *err) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_copy_text(arena, path, (size_t)(slash - path), err);
}

// `path` is for messages.
static Status file_read(OnnxReader *reader, const char *path, OnnxModel *ret_model, Error *err) {
    Arena scratch;
    arena_init(&scratch, 0);
    reader->scratch = &scratch;
    Status status = model_read(reader, ret_model, err);
    if (status != OK && status != ERR_IO)
        error_context(err, "file '%s'", path);
    if (status == ERR_INTERNAL) // a check of ours that the reader left to graph_verify
        status = err->status = ERR_FORMAT;
    arena_done(&scratch);
    return status;
}

Status onnx_read(Arena *arena, const char *path, OnnxModel *ret_model, Error *err) {
    OnnxReader reader = {.arena = arena, .mapped = true};
    char real[PATH_MAX];
    TRY(file_map(arena, path, &reader.file, err));
    TRY_NEW(reader.path = arena_copy_text(arena, path, strlen(path), err));
    TRY_NEW(reader.folder = folder_of(arena, path, err));
    if (realpath(path, real))
        TRY_NEW(reader.home = folder_of(arena, real, err));
    return file_read(&reader, path, ret_model, err);
}

Status onnx_read_bytes(Arena *arena, const char *name, const char *folder, Bytes file, OnnxModel *ret_model,
                       Error *err) {
    OnnxReader reader = {.arena = arena, .file = file, .folder = folder};
    return file_read(&reader, name, ret_model, err);
}

// SPDX-License-Identifier: Apache-2.0
// Initializers and other tensors of an ONNX model: out of the file itself, or out of files of external data, which lie
// in the model's folder and nowhere else.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "format/onnx/reader.h"
#include "format/onnx/skeleton.h"

// What a tensor took of a file. Equal ranges are tied weights; ranges that overlap otherwise are damage.
typedef struct Range {
    struct Range *next;
    uint64_t offset, bytes;
} Range;

struct OnnxExternal {
    OnnxExternal *next;
    const char *location;
    Bytes file;
    Range *ranges;
    size_t range_count;
};

// The path of a location: relative, below the model's folder even through links.
static Status location_path(const OnnxReader *reader, const char *location, char ret_path[PATH_MAX], Error *err) {
    char folder[PATH_MAX];
    const char *path = path_join(reader->scratch, reader->folder, location, err);
    TRY_NEW(path);
    if (location[0] == '/' || strstr(location, ".."))
        return FAIL(err, ERR_FORMAT, "external data at '%s' lies outside of the model's folder", location);
    if (!realpath(reader->folder, folder) || !realpath(path, ret_path))
        return FAIL(err, ERR_FORMAT, "external data: there is no file '%s'", path);
    size_t bytes = strlen(folder);
    if (strncmp(folder, ret_path, bytes) != 0 || (ret_path[bytes] != '/' && folder[bytes - 1] != '/'))
        return FAIL(err, ERR_FORMAT, "external data at '%s' lies outside of the model's folder", location);
    return OK;
}

static Status external_open(OnnxReader *reader, Bytes location, OnnxExternal **ret, Error *err) {
    const char *name = arena_copy_text(reader->scratch, (const char *)location.data, location.size, err);
    TRY_NEW(name);
    if (strlen(name) != location.size)
        return FAIL(err, ERR_FORMAT, "external data: a location with a NUL in it");
    for (OnnxExternal *e = reader->externals; e; e = e->next)
        if (strcmp(e->location, name) == 0) {
            *ret = e;
            return OK;
        }
    char path[PATH_MAX];
    TRY(location_path(reader, name, path, err));
    OnnxExternal *external = arena_array(reader->scratch, 1, sizeof *external, err);
    TRY_NEW(external);
    *external = (OnnxExternal){.next = reader->externals, .location = name};
    TRY(file_map(reader->arena, path, &external->file, err));
    reader->externals = external;
    *ret = external;
    return OK;
}

static Status range_take(OnnxReader *reader, OnnxExternal *external, uint64_t offset, uint64_t bytes, Error *err) {
    Range *range = arena_array(reader->scratch, 1, sizeof *range, err);
    TRY_NEW(range);
    *range = (Range){external->ranges, offset, bytes};
    external->ranges = range;
    external->range_count++;
    return OK;
}

static int range_order(const void *a, const void *b) {
    const Range *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

Status onnx_externals_check(const OnnxReader *reader, Error *err) {
    for (const OnnxExternal *e = reader->externals; e; e = e->next) {
        Range *ranges = arena_array(reader->scratch, e->range_count, sizeof *ranges, err);
        TRY_NEW(ranges);
        size_t count = 0;
        for (const Range *r = e->ranges; r; r = r->next)
            if (r->bytes)
                ranges[count++] = *r;
        if (count > 1)
            qsort(ranges, count, sizeof *ranges, range_order);
        for (size_t i = 1; i < count; i++) {
            const Range *before = &ranges[i - 1], *r = &ranges[i];
            if (r->offset < before->offset + before->bytes && range_order(before, r) != 0)
                return FAIL(err, ERR_FORMAT, "external data at bytes %llu and %llu of '%s' overlaps",
                            (unsigned long long)before->offset, (unsigned long long)r->offset, e->location);
        }
    }
    return OK;
}

static Status external_find(void *context, const TensorExternal *external, Bytes *ret_bytes, Error *err) {
    OnnxReader *reader = context;
    OnnxExternal *file;
    TRY(external_open(reader, external->location, &file, err));
    if (external->offset > file->file.size || external->bytes > file->file.size - external->offset)
        return FAIL(err, ERR_FORMAT, "external data at byte %llu of '%s' needs %llu bytes, the file has %zu",
                    (unsigned long long)external->offset, file->location, (unsigned long long)external->bytes,
                    file->file.size);
    TRY(range_take(reader, file, external->offset, external->bytes, err));
    *ret_bytes = (Bytes){file->file.data + external->offset, (size_t)external->bytes};
    return OK;
}

// Kernels read elements where they lie: those that do not lie at a multiple of their size are copied.
static Status data_align(Arena *arena, Tensor *tensor, Error *err) {
    if ((uintptr_t)tensor->data % dtype_bytes(tensor->dtype) == 0)
        return OK;
    void *copy = arena_alloc(arena, tensor->bytes, 64, err);
    TRY_NEW(copy);
    memcpy(copy, tensor->data, tensor->bytes);
    file_forget(tensor->data, tensor->bytes);
    tensor->data = copy;
    return OK;
}

Status onnx_constant(OnnxScope *scope, const char *name, DType dtype, const Shape *shape, const void *data, Value *ret,
                     Error *err) {
    Constant constant = {.name = name && *name ? name : "constant", .dtype = dtype, .shape = *shape, .data = data};
    const Constant *added;
    TRY(graph_add_constant(scope->graph, &constant, &added, err));
    *ret = value_constant(added);
    return OK;
}

Status onnx_ints(OnnxScope *scope, const char *name, const int64_t *values, size_t count, Value *ret, Error *err) {
    int64_t *data = arena_array(scope->graph->arena, count + 1, sizeof *data, err);
    TRY_NEW(data);
    if (count)
        memcpy(data, values, count * sizeof *data);
    return onnx_constant(scope, name, DTYPE_I64, &(Shape){1, {(int64_t)count}}, data, ret, err);
}

Status onnx_tensor(OnnxScope *scope, const Onnx__TensorProto *proto, const char *name, Value *ret, Error *err) {
    OnnxReader *reader = scope->reader;
    static const unsigned char nothing[8];
    Bytes message;
    if (!proto || !skeleton_tensor(reader->file, proto->raw_data.data, proto->raw_data.len, &message))
        return FAIL(err, ERR_FORMAT, "tensor '%s' is empty", name ? name : "");
    Tensor tensor;
    TensorFiles files = {external_find, reader};
    if (tensorproto_read_in(scope->graph->arena, message, &files, &tensor, err) != OK ||
        data_align(scope->graph->arena, &tensor, err) != OK)
        return error_context(err, "tensor '%s'", name ? name : "");
    if (!tensor.data)
        tensor.data = nothing;
    if (!name && graph_find_constant(scope->graph, tensor.name))
        return FAIL(err, ERR_FORMAT, "initializer '%s' is there twice", tensor.name);
    return onnx_constant(scope, name ? name : tensor.name, tensor.dtype, &tensor.shape, tensor.data, ret, err);
}

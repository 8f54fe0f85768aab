// SPDX-License-Identifier: Apache-2.0
// Initializers and other tensors of an ONNX model: out of the file itself, or out of files of external data, which lie
// in the model's folder and nowhere else.
#include <limits.h>
#include <onnx.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "format/onnx/reader.h"
#include "format/onnx/skeleton.h"
#include "format/tensorproto/wire.h"

// What tensors took of a file. Equal ranges are tied weights; ranges that overlap otherwise are damage.
typedef struct Range {
    struct Range *next;
    uint64_t offset, bytes;
    const void *aligned; // a copy, where the range lies at an odd place
} Range;

struct OnnxExternal {
    OnnxExternal *next;
    const char *location, *path;
    Bytes file;
    NameTable known; // "offset bytes" to a Range
    Range *ranges;
    size_t range_count;
    uint64_t taken_bytes;
};

// Whether a step of a path is "..".
static bool leads_up(const char *path) {
    for (const char *step = path; step; step = strchr(step, '/')) {
        step += *step == '/';
        if (strncmp(step, "..", 2) == 0 && (step[2] == '/' || !step[2]))
            return true;
    }
    return false;
}

static bool lies_below(const char *path, const char *folder) {
    size_t bytes = strlen(folder);
    return strncmp(folder, path, bytes) == 0 && (path[bytes] == '/' || (bytes && folder[bytes - 1] == '/'));
}

// The path of a location: relative, a file below the model's folder even through links. Where the model is a link
// itself, as in the cache of huggingface_hub, links may lead to where it lies.
static Status location_path(const OnnxReader *reader, const char *location, char ret_path[PATH_MAX], Error *err) {
    char folder[PATH_MAX];
    const char *path = path_join(reader->scratch, reader->folder, location, err);
    TRY_NEW(path);
    if (location[0] == '/' || leads_up(location))
        return FAIL(err, ERR_FORMAT, "external data at '%s' lies outside of the model's folder", location);
    if (!realpath(reader->folder, folder) || !realpath(path, ret_path))
        return FAIL(err, ERR_FORMAT, "external data: there is no file '%s'", path);
    if (!lies_below(ret_path, folder) && !(reader->home && lies_below(ret_path, reader->home)))
        return FAIL(err, ERR_FORMAT, "external data at '%s' lies outside of the model's folder", location);
    if (path_kind(ret_path) != PATH_FILE)
        return FAIL(err, ERR_FORMAT, "external data: '%s' is no regular file", path);
    return OK;
}

static Status external_open(OnnxReader *reader, Bytes location, OnnxExternal **ret, Error *err) {
    const char *name = arena_copy_text(reader->scratch, (const char *)location.data, location.size, err);
    TRY_NEW(name);
    if (strlen(name) != location.size)
        return FAIL(err, ERR_FORMAT, "external data: a location with a NUL in it");
    const NameEntry *known = names_find(&reader->locations, name);
    OnnxExternal *external = known ? ((OnnxExternal *const *)known->object)[0] : NULL;
    if (!external) {
        char path[PATH_MAX];
        if (reader->locations.count == ONNX_MOST_FILES)
            return FAIL(err, ERR_UNSUPPORTED, "external data lies in more than %d files", ONNX_MOST_FILES);
        TRY(location_path(reader, name, path, err));
        TRY_NEW(external = arena_array(reader->scratch, 1, sizeof *external, err));
        OnnxExternal **place = arena_array(reader->scratch, 1, sizeof(OnnxExternal *), err);
        TRY_NEW(place);
        *place = external;
        *external = (OnnxExternal){.next = reader->externals, .location = name};
        TRY_NEW(external->path = arena_copy_text(reader->arena, path, strlen(path), err));
        TRY(file_map(reader->arena, path, &external->file, err));
        TRY(names_add(&reader->locations, reader->scratch, name, place, 0, err));
        reader->externals = external;
    }
    *ret = external;
    return OK;
}

// Ranges that are not equal do not overlap, so together they have no more bytes than the file: what is copied of them
// is bounded before onnx_externals_check has seen them all.
static Status range_take(OnnxReader *reader, OnnxExternal *external, uint64_t offset, uint64_t bytes, Range **ret,
                         Error *err) {
    char *name = arena_format(reader->scratch, err, "%llu %llu", (unsigned long long)offset, (unsigned long long)bytes);
    TRY_NEW(name);
    const NameEntry *known = names_find(&external->known, name);
    if (known) {
        *ret = ((Range *const *)known->object)[0];
        return OK;
    }
    Range *range = arena_array(reader->scratch, 1, sizeof *range, err), **place;
    TRY_NEW(range);
    TRY_NEW(place = arena_array(reader->scratch, 1, sizeof(Range *), err));
    *place = range;
    if (bytes > external->file.size - external->taken_bytes)
        return FAIL(err, ERR_FORMAT, "external data at byte %llu of '%s' overlaps other tensors' data",
                    (unsigned long long)offset, external->location);
    external->taken_bytes += bytes;
    *range = (Range){external->ranges, offset, bytes, NULL};
    external->ranges = range;
    external->range_count++;
    *ret = range;
    return names_add(&external->known, reader->scratch, name, place, 0, err);
}

Status onnx_files(const OnnxReader *reader, OnnxModel *model, Error *err) {
    TRY_NEW(model->files = arena_array(reader->arena, reader->locations.count + 1, sizeof *model->files, err));
    TRY_NEW(model->contents = arena_array(reader->arena, reader->locations.count + 1, sizeof(Bytes), err));
    model->files[0] = reader->path;
    model->contents[model->file_count++] = reader->file;
    for (const OnnxExternal *e = reader->externals; e; e = e->next) {
        model->files[model->file_count] = e->path;
        model->contents[model->file_count++] = e->file;
    }
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
            if (r->offset < before->offset + before->bytes)
                return FAIL(err, ERR_FORMAT, "external data at bytes %llu and %llu of '%s' overlaps",
                            (unsigned long long)before->offset, (unsigned long long)r->offset, e->location);
        }
    }
    return OK;
}

// Where a tensor's data was found, for the one that is being read.
typedef struct Found {
    OnnxReader *reader;
    Range *range; // NULL: in the model itself
} Found;

static Status external_find(void *context, const TensorExternal *external, Bytes *ret_bytes, Error *err) {
    Found *found = context;
    OnnxExternal *file;
    TRY(external_open(found->reader, external->location, &file, err));
    if (external->offset > file->file.size || external->bytes > file->file.size - external->offset)
        return FAIL(err, ERR_FORMAT, "external data at byte %llu of '%s' needs %llu bytes, the file has %zu",
                    (unsigned long long)external->offset, file->location, (unsigned long long)external->bytes,
                    file->file.size);
    TRY(range_take(found->reader, file, external->offset, external->bytes, &found->range, err));
    *ret_bytes = (Bytes){file->file.data + external->offset, (size_t)external->bytes};
    return OK;
}

// Kernels read elements where they lie: those that do not lie at a multiple of their size are copied, a range of
// external data once.
static Status data_align(const Found *found, Tensor *tensor, Error *err) {
    if ((uintptr_t)tensor->data % dtype_bytes(tensor->dtype) == 0)
        return OK;
    if (found->range && found->range->aligned) {
        tensor->data = found->range->aligned;
        return OK;
    }
    void *copy = arena_alloc(found->reader->arena, tensor->bytes, 64, err);
    TRY_NEW(copy);
    if (tensor->bytes)
        memcpy(copy, tensor->data, tensor->bytes);
    if (found->range || found->reader->mapped)
        file_forget(tensor->data, tensor->bytes);
    if (found->range)
        found->range->aligned = copy;
    tensor->data = copy;
    return OK;
}

Status onnx_constant(OnnxScope *scope, const char *name, DType dtype, const Shape *shape, const void *data, Value *ret,
                     Error *err) {
    TRY(onnx_charge(scope->reader, 1, ONNX_VALUE_BYTES, err));
    Constant constant = {.name = name && *name ? name : "constant", .dtype = dtype, .shape = *shape, .data = data};
    const Constant *added;
    TRY(graph_add_constant(scope->graph, &constant, &added, err));
    *ret = value_constant(added);
    return OK;
}

Status onnx_ints(OnnxScope *scope, const char *name, const int64_t *values, size_t count, Value *ret, Error *err) {
    TRY(onnx_charge(scope->reader, count, sizeof *values, err));
    int64_t *data = arena_array(scope->graph->arena, count + 1, sizeof *data, err);
    TRY_NEW(data);
    if (count)
        memcpy(data, values, count * sizeof *data);
    return onnx_constant(scope, name, DTYPE_I64, &(Shape){1, {(int64_t)count}}, data, ret, err);
}

// The tensor of a message in the file; a function's is read once for all its calls.
static const Tensor *tensor_read(OnnxReader *reader, Bytes message, Error *err) {
    static const unsigned char nothing[8];
    char *place = arena_format(reader->scratch, err, "%zu", (size_t)(message.data - reader->file.data));
    const NameEntry *known = place ? names_find(&reader->tensors, place) : NULL;
    if (known)
        return known->object;
    Tensor *tensor = place ? arena_array(reader->scratch, 1, sizeof *tensor, err) : NULL;
    Found found = {.reader = reader};
    TensorFiles files = {external_find, &found};
    bool there = tensor && tensorproto_read_in(reader->arena, message, &files, tensor, err) == OK &&
                 data_align(&found, tensor, err) == OK &&
                 names_add(&reader->tensors, reader->scratch, place, tensor, 0, err) == OK;
    if (there && !tensor->data)
        tensor->data = nothing;
    return there ? tensor : NULL;
}

// The name in a message that may be damaged, for messages.
static Bytes message_name(Bytes message) {
    enum { FIELD_NAME = 8 };
    Error unused;
    Wire wire;
    WireField field;
    Bytes name = {0};
    wire_init(&wire, message);
    while (wire.at < wire.end && wire_next(&wire, &field, &unused) == OK)
        if (field.number == FIELD_NAME && field.type == WIRE_BYTES)
            name = field.bytes;
    return name;
}

Status onnx_tensor(OnnxScope *scope, const Onnx__TensorProto *proto, const char *name, Value *ret, Error *err) {
    OnnxReader *reader = scope->reader;
    Bytes message;
    if (!proto || !skeleton_tensor(reader->file, proto->raw_data.data, proto->raw_data.len, &message))
        return FAIL(err, ERR_FORMAT, "tensor '%s' is empty", name ? name : "");
    const Tensor *tensor = tensor_read(reader, message, err);
    if (!tensor) {
        Bytes own = name ? (Bytes){(const unsigned char *)name, strlen(name)} : message_name(message);
        return error_context(err, "tensor '%.*s'", (int)(own.size < 80 ? own.size : 80), (const char *)own.data);
    }
    if (!name && !*tensor->name)
        return FAIL(err, ERR_FORMAT, "an initializer without a name");
    if (!name && graph_find_constant(scope->graph, tensor->name))
        return FAIL(err, ERR_FORMAT, "initializer '%s' is there twice", tensor->name);
    return onnx_constant(scope, name ? name : tensor->name, tensor->dtype, &tensor->shape, tensor->data, ret, err);
}

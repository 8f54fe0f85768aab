// SPDX-License-Identifier: Apache-2.0
// Writing safetensors: sort, print the header, stream the tensors. Only the header is held in memory.
#include "format/safetensors/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

struct SafetensorsSink {
    FileWriter *writer;
    const Tensor *tensor;
    size_t left_bytes;
};

// The reference writer's order of dtypes, last first: wide ones lead, so that every tensor is aligned to its elements.
static int rank_of(DType dtype) {
    static const DType order[] = {DTYPE_BOOL, DTYPE_U8,  DTYPE_I8,  DTYPE_I16, DTYPE_U16, DTYPE_F16, DTYPE_BF16,
                                  DTYPE_I32,  DTYPE_U32, DTYPE_F32, DTYPE_F64, DTYPE_I64, DTYPE_U64};
    enum { RANKS = sizeof order / sizeof *order };
    int rank = 0;
    while (rank < RANKS && order[rank] != dtype) // those without a name have none
        rank++;
    return rank;
}

static int by_file_order(const void *a, const void *b) {
    const Tensor *left = a, *right = b;
    int difference = rank_of(right->dtype) - rank_of(left->dtype);
    return difference ? difference : strcmp(left->name, right->name);
}

Status safetensors_put(SafetensorsSink *sink, const void *data, size_t bytes, Error *err) {
    if (bytes > sink->left_bytes)
        return FAIL(err, ERR_INTERNAL, "tensor '%s' was given more than its %zu bytes", sink->tensor->name,
                    sink->tensor->bytes);
    sink->left_bytes -= bytes;
    return file_write(sink->writer, data, bytes, err);
}

static Status header_make(const Tensor *tensors, size_t count, Buffer *header, Error *err) {
    buffer_add_text(header, "01234567{\"__metadata__\":{\"format\":\"pt\"}"); // eight bytes for the length
    size_t begin = 0, end;
    for (size_t i = 0; i < count; i++, begin = end) {
        if (!size_add(begin, tensors[i].bytes, &end))
            return FAIL(err, ERR_LIMIT, "tensor '%s' makes the file larger than any disk", tensors[i].name);
        buffer_add_char(header, ',');
        buffer_add_json(header, tensors[i].name, strlen(tensors[i].name));
        char shape[SHAPE_TEXT_BYTES];
        buffer_format(header, ":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                      dtype_safetensors_name(tensors[i].dtype), shape_text(&tensors[i].shape, shape), begin, end);
    }
    buffer_add_char(header, '}');
    while (header->failed == OK && header->bytes % 8)
        buffer_add_char(header, ' ');
    TRY(buffer_status(header, err));
    uint64_t length = header->bytes - 8;
    if (length > SAFETENSORS_MOST_HEADER_BYTES)
        return FAIL(err, ERR_LIMIT, "%zu tensors need a header of more than %d bytes", count,
                    SAFETENSORS_MOST_HEADER_BYTES);
    for (int i = 0; i < 8; i++)
        header->data[i] = (char)(length >> 8 * i & 0xFF);
    return OK;
}

static Status tensors_write(FileWriter *writer, const Tensor *tensors, size_t count, SafetensorsProduce *produce,
                            void *context, Error *err) {
    for (size_t i = 0; i < count; i++) {
        SafetensorsSink sink = {writer, &tensors[i], tensors[i].bytes};
        if (tensors[i].data || tensors[i].bytes == 0)
            TRY(safetensors_put(&sink, tensors[i].data, tensors[i].bytes, err));
        else
            TRY(produce(context, &tensors[i], &sink, err));
        if (sink.left_bytes)
            return FAIL(err, ERR_INTERNAL, "tensor '%s' was given %zu of its %zu bytes", tensors[i].name,
                        tensors[i].bytes - sink.left_bytes, tensors[i].bytes);
    }
    return OK;
}

static Status sorted_write(const char *path, const Tensor *tensors, size_t count, SafetensorsProduce *produce,
                           void *context, Buffer *header, Error *err) {
    TRY(header_make(tensors, count, header, err));
    FileWriter *writer = NULL;
    TRY(file_create(path, &writer, err));
    Status status = file_write(writer, header->data, header->bytes, err);
    if (status == OK)
        status = tensors_write(writer, tensors, count, produce, context, err);
    if (status == OK)
        status = file_commit(writer, err);
    else
        file_discard(writer);
    return status;
}

// Copies the list, with `bytes` filled in, and sorts it into the file's order.
static Status tensors_sort(Arena *arena, const Tensor *tensors, size_t count, Tensor **ret_sorted, Error *err) {
    Bundle bundle = {.count = count};
    TRY_NEW(bundle.tensors = arena_array(arena, count, sizeof *tensors, err));
    for (size_t i = 0; i < count; i++) {
        bundle.tensors[i] = tensors[i];
        if (!shape_bytes(&tensors[i].shape, tensors[i].dtype, &bundle.tensors[i].bytes))
            return FAIL(err, ERR_LIMIT, "tensor '%s' is larger than any memory", tensors[i].name);
        if (!*dtype_safetensors_name(tensors[i].dtype))
            return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' is of type %s, which safetensors files do not hold",
                        tensors[i].name, dtype_name(tensors[i].dtype));
    }
    TRY(bundle_seal(&bundle, err));
    if (count)
        qsort(bundle.tensors, count, sizeof *tensors, by_file_order);
    *ret_sorted = bundle.tensors;
    return OK;
}

Status safetensors_write(const char *path, const Tensor *tensors, size_t count, SafetensorsProduce *produce,
                         void *context, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    Buffer header = {0};
    Tensor *sorted = NULL;
    Status status = tensors_sort(&arena, tensors, count, &sorted, err);
    if (status == OK)
        status = sorted_write(path, sorted, count, produce, context, &header, err);
    buffer_done(&header);
    arena_done(&arena);
    return status;
}

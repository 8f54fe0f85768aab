// SPDX-License-Identifier: Apache-2.0
// Tensors of a model that is written: within the message, or in a file of external data, where each lies at a multiple
// of a page (small ones of a cache line) and data that several constants share lies once.
#include <string.h>

#include "base/memory.h"
#include "format/onnx/writer.h"
#include "format/tensorproto/tensorproto.h"

// Field numbers of TensorProto and StringStringEntryProto.
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_DATA_LOCATION = 14,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2
};

enum { LEAST_EXTERNAL_BYTES = 1024, SMALL_BYTES = 4096, ALIGNMENT = 4096, SMALL_ALIGNMENT = 64 };

static Status places_grow(OnnxWriter *writer, Error *err) {
    if (writer->placed_count < writer->placed_room)
        return OK;
    size_t room = writer->placed_room ? writer->placed_room * 2 : 64;
    MessagePiece *placed = arena_array(writer->arena, room, sizeof *placed, err);
    TRY_NEW(placed);
    if (writer->placed_count)
        memcpy(placed, writer->placed, writer->placed_count * sizeof *placed);
    writer->placed = placed;
    writer->placed_room = room;
    return OK;
}

// Where the constant's data lies in the file of external data, which gets it if it has not yet.
static Status constant_place(OnnxWriter *writer, const Constant *constant, size_t *ret_offset, Error *err) {
    uint64_t bytes = packed_bytes(constant);
    const void *data = constant->part_count ? (const void *)constant : constant->data;
    const char *key = arena_format(writer->arena, err, "%p, %llu", data, (unsigned long long)bytes);
    TRY_NEW(key);
    const NameEntry *known = names_find(&writer->places, key);
    if (known) {
        const size_t *offset = known->object;
        *ret_offset = *offset;
        return OK;
    }
    size_t alignment = bytes < SMALL_BYTES ? SMALL_ALIGNMENT : ALIGNMENT, end;
    size_t *offset = arena_array(writer->arena, 1, sizeof *offset, err);
    TRY_NEW(offset);
    if (!size_add(writer->data_bytes, alignment - 1, offset) || !size_add(*offset, bytes, &end))
        return FAIL(err, ERR_LIMIT, "tensor '%s' makes the external data larger than any disk", constant->name);
    *offset -= *offset % alignment;
    TRY(places_grow(writer, err));
    TRY(names_add(&writer->places, writer->arena, key, offset, 0, err));
    writer->placed[writer->placed_count++] = (MessagePiece){*offset, constant};
    writer->data_bytes = *offset + bytes;
    *ret_offset = *offset;
    return OK;
}

static void entry_put(Message *message, const char *key, const char *value) {
    MessageMark entry = message_begin(message);
    message_text(message, ENTRY_KEY, key);
    message_text(message, ENTRY_VALUE, value);
    message_end(message, entry, TENSOR_EXTERNAL_DATA);
}

static Status external_put(OnnxWriter *writer, const Constant *constant, Error *err) {
    size_t offset = 0;
    char number[24];
    TRY(constant_place(writer, constant, &offset, err));
    entry_put(&writer->message, "location", writer->location);
    snprintf(number, sizeof number, "%zu", offset);
    entry_put(&writer->message, "offset", number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)packed_bytes(constant));
    entry_put(&writer->message, "length", number);
    message_int(&writer->message, TENSOR_DATA_LOCATION, 1);
    return OK;
}

Status write_tensor(OnnxWriter *writer, uint32_t field, const char *name, const Constant *constant, Error *err) {
    if (constant->scheme != SCHEME_DENSE)
        return FAIL(err, ERR_UNSUPPORTED, "constant '@%s' is quantized by row or group, which an ONNX tensor cannot be",
                    constant->name);
    if (!constant_has_data(constant))
        return FAIL(err, ERR_UNSUPPORTED, "constant '@%s' has no values that could be written", constant->name);
    int64_t type = (int64_t)dtype_onnx(constant->dtype);
    if (!type)
        return FAIL(err, ERR_UNSUPPORTED, "constant '@%s': ONNX has no element type %s", constant->name,
                    dtype_name(constant->dtype));
    Message *message = &writer->message;
    MessageMark tensor = message_begin(message);
    for (int i = 0; i < constant->shape.rank; i++)
        message_int(message, TENSOR_DIMS, constant->shape.dims[i]);
    message_int(message, TENSOR_TYPE, type);
    if (name)
        message_text(message, TENSOR_NAME, name);
    if (name && writer->location && packed_bytes(constant) >= LEAST_EXTERNAL_BYTES)
        TRY(external_put(writer, constant, err));
    else
        message_constant(message, TENSOR_RAW_DATA, constant);
    message_end(message, tensor, field);
    return OK;
}

Status write_data(const OnnxWriter *writer, FileWriter *file, Error *err) {
    static const unsigned char zeros[ALIGNMENT];
    size_t at = 0;
    for (size_t i = 0; i < writer->placed_count; i++) {
        const MessagePiece *piece = &writer->placed[i];
        TRY(file_write(file, zeros, piece->at - at, err)); // less than the alignment
        TRY(packed_write(piece->constant, file, err));
        at = piece->at + (size_t)packed_bytes(piece->constant);
    }
    return OK;
}

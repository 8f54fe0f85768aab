// SPDX-License-Identifier: Apache-2.0
// Tensors of a model that is written: within the message, or in a file of external data, where each lies at a multiple
// of a page (small ones of a cache line) and data that several constants or models share lies once.
#include <string.h>

#include "base/hash.h"
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

// What lies at a page can be mapped by itself. Smaller tensors would lose too much by it: so the gaps are at most 3 %.
enum { LEAST_EXTERNAL_BYTES = 1024, SMALL_BYTES = 128 << 10, ALIGNMENT = 4096, SMALL_ALIGNMENT = 64 };

static Status places_grow(OnnxData *data, Arena *arena, Error *err) {
    if (data->placed_count < data->placed_room)
        return OK;
    size_t room = data->placed_room ? data->placed_room * 2 : 64;
    MessagePiece *placed = arena_array(arena, room, sizeof *placed, err);
    TRY_NEW(placed);
    if (data->placed_count)
        memcpy(placed, data->placed, data->placed_count * sizeof *placed);
    data->placed = placed;
    data->placed_room = room;
    return OK;
}

// The next place in the file.
static Status place_take(OnnxData *data, Arena *arena, const Constant *constant, const size_t **ret_offset,
                         Error *err) {
    size_t bytes = (size_t)packed_bytes(constant), alignment = bytes < SMALL_BYTES ? SMALL_ALIGNMENT : ALIGNMENT, end;
    size_t *offset = arena_array(arena, 1, sizeof *offset, err);
    TRY_NEW(offset);
    if (!size_add(data->bytes, alignment - 1, offset) || !size_add(*offset, bytes, &end))
        return FAIL(err, ERR_LIMIT, "tensor '%s' makes the external data larger than any disk", constant->name);
    *offset -= *offset % alignment;
    TRY(places_grow(data, arena, err));
    data->placed[data->placed_count++] = (MessagePiece){*offset, constant};
    data->bytes = *offset + bytes;
    *ret_offset = offset;
    return OK;
}

static Status digest_sink(void *context, const void *data, size_t bytes, Error *err) {
    (void)err;
    sha256_add(context, data, bytes);
    return OK;
}

// The place of equal bytes that another model has put there, or the next one.
static Status content_place(OnnxData *data, Arena *arena, const Constant *constant, const size_t **ret_offset,
                            Error *err) {
    Sha256 hash;
    char text[SHA256_TEXT_BYTES];
    sha256_init(&hash);
    TRY(packed_each(constant, digest_sink, &hash, err));
    sha256_text(&hash, text);
    const NameEntry *known = names_find(&data->contents, text);
    if (known) {
        *ret_offset = known->object;
        return OK;
    }
    const char *key = arena_copy_text(arena, text, sizeof text - 1, err);
    TRY_NEW(key);
    TRY(place_take(data, arena, constant, ret_offset, err));
    return names_add(&data->contents, arena, key, *ret_offset, 0, err);
}

// Where the constant's data lies in the file of external data, which gets it if it has not yet.
static Status constant_place(OnnxData *data, Arena *arena, const Constant *constant, size_t *ret_offset, Error *err) {
    const void *address = constant->part_count ? (const void *)constant : constant->data;
    const char *key =
        arena_format(arena, err, "%p, %llu of %u bits%s", address, (unsigned long long)packed_bytes(constant),
                     dtype_bits(constant->dtype), constant->turned ? ", turned" : "");
    TRY_NEW(key);
    const NameEntry *known = names_find(&data->places, key);
    const size_t *offset = known ? known->object : NULL;
    if (!known) {
        TRY(data->several ? content_place(data, arena, constant, &offset, err)
                          : place_take(data, arena, constant, &offset, err));
        TRY(names_add(&data->places, arena, key, offset, 0, err));
    }
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
    TRY(constant_place(writer->data, writer->arena, constant, &offset, err));
    entry_put(&writer->message, "location", writer->data->location);
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
    if (name && writer->data && packed_bytes(constant) >= LEAST_EXTERNAL_BYTES)
        TRY(external_put(writer, constant, err));
    else
        message_constant(message, TENSOR_RAW_DATA, constant);
    message_end(message, tensor, field);
    return OK;
}

Status write_data(const OnnxData *data, FileWriter *file, Error *err) {
    static const unsigned char zeros[ALIGNMENT];
    size_t at = 0;
    for (size_t i = 0; i < data->placed_count; i++) {
        const MessagePiece *piece = &data->placed[i];
        TRY(file_write(file, zeros, piece->at - at, err)); // less than the alignment
        TRY(packed_write(piece->constant, file, err));
        at = piece->at + (size_t)packed_bytes(piece->constant);
    }
    return OK;
}

// Takes bytes off the front that are to be the same.
static Status equal_sink(void *context, const void *data, size_t bytes, Error *err) {
    Bytes *rest = context;
    if (bytes > rest->size || (bytes && memcmp(rest->data, data, bytes) != 0))
        return FAIL(err, ERR_FORMAT, "other data");
    *rest = (Bytes){rest->data + bytes, rest->size - bytes};
    return OK;
}

bool write_data_equal(const OnnxData *data, Bytes file) {
    if (file.size != data->bytes)
        return false;
    for (size_t i = 0; i < data->placed_count; i++) {
        const MessagePiece *piece = &data->placed[i];
        Error unused;
        Bytes rest = {file.data + piece->at, file.size - piece->at};
        if (packed_each(piece->constant, equal_sink, &rest, &unused) != OK)
            return false;
    }
    return true;
}

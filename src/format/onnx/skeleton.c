// SPDX-License-Identifier: Apache-2.0
// One walk over the messages of onnx.proto that matter, by the table below.
#include "format/onnx/skeleton.h"

#include <string.h>

#include "format/tensorproto/wire.h"

typedef enum Message {
    MESSAGE_OTHER, // copied as it is
    MESSAGE_MODEL,
    MESSAGE_GRAPH,
    MESSAGE_NODE,
    MESSAGE_ATTRIBUTE,
    MESSAGE_TENSOR,
    MESSAGE_SPARSE_TENSOR,
    MESSAGE_VALUE_INFO,
    MESSAGE_TYPE,
    MESSAGE_TYPE_OF_TYPE, // Sequence and Optional: elem_type
    MESSAGE_MAP,
    MESSAGE_FUNCTION,
} Message;

// Fields that hold messages which may nest or hold tensors.
static const struct {
    Message parent;
    uint32_t field;
    Message child;
} fields[] = {
    {MESSAGE_MODEL, 7, MESSAGE_GRAPH},
    {MESSAGE_MODEL, 25, MESSAGE_FUNCTION},
    {MESSAGE_GRAPH, 1, MESSAGE_NODE},
    {MESSAGE_GRAPH, 5, MESSAGE_TENSOR},
    {MESSAGE_GRAPH, 11, MESSAGE_VALUE_INFO},
    {MESSAGE_GRAPH, 12, MESSAGE_VALUE_INFO},
    {MESSAGE_GRAPH, 13, MESSAGE_VALUE_INFO},
    {MESSAGE_GRAPH, 15, MESSAGE_SPARSE_TENSOR},
    {MESSAGE_NODE, 5, MESSAGE_ATTRIBUTE},
    {MESSAGE_ATTRIBUTE, 5, MESSAGE_TENSOR},
    {MESSAGE_ATTRIBUTE, 6, MESSAGE_GRAPH},
    {MESSAGE_VALUE_INFO, 2, MESSAGE_TYPE},
    {MESSAGE_TYPE, 4, MESSAGE_TYPE_OF_TYPE},
    {MESSAGE_TYPE, 5, MESSAGE_MAP},
    {MESSAGE_TYPE, 9, MESSAGE_TYPE_OF_TYPE},
    {MESSAGE_TYPE_OF_TYPE, 1, MESSAGE_TYPE},
    {MESSAGE_MAP, 2, MESSAGE_TYPE},
    {MESSAGE_FUNCTION, 7, MESSAGE_NODE},
    {MESSAGE_FUNCTION, 11, MESSAGE_ATTRIBUTE},
};

// Bit n: field n is read. The others are left out: documentation, metadata (exporters put whole stack traces there),
// training, kinds of attributes that no operator here has, and what later versions bring.
#define FIELD(number) (UINT32_C(1) << (number))
#define FIELDS(first, last) ((UINT32_C(2) << (last)) - FIELD(first))
static const uint32_t fields_read[] = {
    [MESSAGE_MODEL] = FIELDS(1, 3) | FIELD(7) | FIELD(8) | FIELD(25),
    [MESSAGE_GRAPH] = FIELDS(1, 2) | FIELD(5) | FIELDS(11, 13) | FIELD(15),
    [MESSAGE_NODE] = FIELDS(1, 5) | FIELD(7),
    [MESSAGE_ATTRIBUTE] = FIELDS(1, 8) | FIELDS(20, 21),
    [MESSAGE_VALUE_INFO] = FIELDS(1, 2),
    [MESSAGE_TYPE] = FIELD(1) | FIELDS(4, 5) | FIELDS(8, 9),
    [MESSAGE_TYPE_OF_TYPE] = FIELD(1),
    [MESSAGE_MAP] = FIELDS(1, 2),
    [MESSAGE_FUNCTION] = FIELD(1) | FIELDS(4, 7) | FIELDS(9, 11),
};

static bool is_read(Message parent, uint32_t field) {
    return field < 32 && fields_read[parent] & FIELD(field);
}

static Message child_of(Message parent, uint32_t field) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].parent == parent && fields[i].field == field)
            return fields[i].child;
    return MESSAGE_OTHER;
}

// Where a tensor lies in the file.
typedef struct Place {
    uint64_t magic, offset, bytes;
} Place;

#define PLACE_MAGIC UINT64_C(0x746e656d656c506f)

enum { FIELD_RAW_DATA = 9, PLACE_MESSAGE_BYTES = 2 + sizeof(Place) };

typedef struct Walk {
    Bytes file;
    Buffer out;
    size_t messages;
} Walk;

// Bytes of a length that is only known later: a varint of as many bytes whatever its value.
enum { LENGTH_BYTES = 5 };

static void length_patch(Walk *walk, size_t at) {
    size_t bytes = walk->out.bytes - at - LENGTH_BYTES;
    for (size_t i = 0; i < LENGTH_BYTES; i++, bytes >>= 7)
        walk->out.data[at + i] = (char)((bytes & 0x7F) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}

static Status message_walk(Walk *walk, Message kind, Bytes message, int depth, Error *err);

static Status child_walk(Walk *walk, Message kind, const WireField *field, int depth, Error *err) {
    Buffer *out = &walk->out;
    if (field->type != WIRE_BYTES)
        return FAIL(err, ERR_FORMAT, "field %u should be a message", field->number);
    if (++walk->messages > SKELETON_MOST_MESSAGES)
        return FAIL(err, ERR_UNSUPPORTED, "more than %d messages", SKELETON_MOST_MESSAGES);
    if (kind == MESSAGE_TENSOR) {
        Place place = {PLACE_MAGIC, (uint64_t)(field->bytes.data - walk->file.data), field->bytes.size};
        wire_put_header(out, field->number, PLACE_MESSAGE_BYTES);
        wire_put_header(out, FIELD_RAW_DATA, sizeof place);
        buffer_add(out, &place, sizeof place);
        return OK;
    }
    wire_put_varint(out, (uint64_t)field->number << 3 | WIRE_BYTES);
    size_t at = out->bytes;
    buffer_add(out, (char[LENGTH_BYTES]){0}, LENGTH_BYTES);
    TRY(message_walk(walk, kind, field->bytes, depth + 1, err));
    length_patch(walk, at);
    return OK;
}

static Status message_walk(Walk *walk, Message kind, Bytes message, int depth, Error *err) {
    if (depth > SKELETON_MOST_DEPTH)
        return FAIL(err, ERR_UNSUPPORTED, "messages nest deeper than %d", SKELETON_MOST_DEPTH);
    Wire wire;
    wire_init(&wire, message);
    while (wire.at < wire.end) {
        WireField field;
        const unsigned char *start = wire.at;
        if (wire_next(&wire, &field, err) != OK)
            return error_context(err, "in the message at byte %zu", (size_t)(message.data - walk->file.data));
        if (!is_read(kind, field.number))
            continue;
        Message child = child_of(kind, field.number);
        if (child == MESSAGE_OTHER)
            buffer_add(&walk->out, start, (size_t)(wire.at - start));
        else
            TRY(child_walk(walk, child, &field, depth, err));
    }
    if (walk->out.failed == ERR_LIMIT)
        return FAIL(err, ERR_UNSUPPORTED, "the model without its tensors has more than %d bytes", SKELETON_MOST_BYTES);
    return buffer_status(&walk->out, err);
}

Status skeleton_make(Arena *arena, Bytes file, Bytes *ret_skeleton, Error *err) {
    if (file.size > INT32_MAX)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%zu bytes: a protocol buffer has less than 2 GiB; larger models keep their "
                    "tensors in files of external data",
                    file.size);
    Walk walk = {.file = file, .out.limit_bytes = SKELETON_MOST_BYTES};
    Status status = message_walk(&walk, MESSAGE_MODEL, file, 0, err);
    if (status == OK) {
        const Buffer *out = &walk.out;
        char *copy = arena_copy_text(arena, out->data ? out->data : "", out->bytes, err);
        status = copy ? OK : err->status;
        *ret_skeleton = (Bytes){(unsigned char *)copy, out->bytes};
    }
    buffer_done(&walk.out);
    return status;
}

bool skeleton_tensor(Bytes file, const void *raw_data, size_t raw_bytes, Bytes *ret_tensor) {
    Place place;
    if (raw_bytes != sizeof place)
        return false;
    memcpy(&place, raw_data, sizeof place);
    if (place.magic != PLACE_MAGIC || place.offset > file.size || place.bytes > file.size - place.offset)
        return false;
    *ret_tensor = (Bytes){file.data + place.offset, (size_t)place.bytes};
    return true;
}

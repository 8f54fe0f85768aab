// SPDX-License-Identifier: Apache-2.0
// One walk over the fields collects shape, type and where the data is; then the data is taken as it is or unpacked.
#include "format/tensorproto/tensorproto.h"

#include <string.h>

#include "base/memory.h"
#include "format/tensorproto/wire.h"

// Field numbers of TensorProto.
enum {
    FIELD_DIMS = 1,
    FIELD_TYPE = 2,
    FIELD_SEGMENT = 3,
    FIELD_FLOAT = 4,
    FIELD_INT32 = 5,
    FIELD_STRING = 6,
    FIELD_INT64 = 7,
    FIELD_NAME = 8,
    FIELD_RAW = 9,
    FIELD_DOUBLE = 10,
    FIELD_UINT64 = 11,
    FIELD_EXTERNAL = 13,
    FIELD_LOCATION = 14,
};

// ONNX's element types that hone has not.
static const struct {
    uint64_t number;
    const char *name;
} foreign_types[] = {{8, "STRING"}, {14, "COMPLEX64"}, {15, "COMPLEX128"}};

// The field that holds elements when raw_data does not.
static unsigned typed_field(DType dtype) {
    switch (dtype) {
    case DTYPE_F32:
        return FIELD_FLOAT;
    case DTYPE_F64:
        return FIELD_DOUBLE;
    case DTYPE_I64:
        return FIELD_INT64;
    case DTYPE_U32:
    case DTYPE_U64:
        return FIELD_UINT64;
    default:
        return FIELD_INT32;
    }
}

typedef struct Proto {
    Shape shape;
    uint64_t type;
    Bytes raw, name;
    bool has_raw, is_external;
    TensorExternal external;
    const TensorFiles *files; // NULL: data in other files is refused
} Proto;

static Status dim_add(Proto *proto, uint64_t value, Error *err) {
    if (proto->shape.rank == SHAPE_MOST_DIMS)
        return FAIL(err, ERR_UNSUPPORTED, "the tensor has more than %d dimensions", SHAPE_MOST_DIMS);
    if (value > INT64_MAX)
        return FAIL(err, ERR_FORMAT, "the tensor has the negative dimension %lld", (long long)value);
    proto->shape.dims[proto->shape.rank++] = (int64_t)value;
    return OK;
}

static bool bytes_are(Bytes bytes, const char *text) {
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

// A number in decimal; false for anything else.
static bool bytes_number(Bytes bytes, uint64_t *ret) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] < '0' || bytes.data[i] > '9' || value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(bytes.data[i] - '0');
    }
    *ret = value;
    return bytes.size > 0;
}

// One entry of external_data: StringStringEntryProto {key = 1, value = 2}.
static Status external_read(TensorExternal *external, Bytes entry, Error *err) {
    Wire wire;
    Bytes texts[3] = {0};
    wire_init(&wire, entry);
    while (wire.at < wire.end) {
        WireField field;
        TRY(wire_next(&wire, &field, err));
        if (field.type == WIRE_BYTES && field.number < 3)
            texts[field.number] = field.bytes;
    }
    if (bytes_are(texts[1], "location"))
        external->location = texts[2];
    bool offset = bytes_are(texts[1], "offset"), length = bytes_are(texts[1], "length");
    if ((offset || length) && !bytes_number(texts[2], offset ? &external->offset : &external->bytes))
        return FAIL(err, ERR_FORMAT, "external data's %s is '%.*s', expected a number", offset ? "offset" : "length",
                    (int)(texts[2].size < 40 ? texts[2].size : 40), (const char *)texts[2].data);
    external->has_bytes |= length;
    return OK;
}

static Status field_read(Proto *proto, const WireField *field, Error *err) {
    switch (field->number) {
    case FIELD_DIMS:
        if (field->type != WIRE_BYTES)
            return dim_add(proto, field->value, err);
        Wire packed;
        wire_init(&packed, field->bytes);
        while (packed.at < packed.end) {
            uint64_t value;
            TRY(wire_varint(&packed, &value, err));
            TRY(dim_add(proto, value, err));
        }
        return OK;
    case FIELD_TYPE:
        proto->type = field->value;
        return OK;
    case FIELD_RAW:
    case FIELD_NAME:
        if (field->type != WIRE_BYTES)
            return FAIL(err, ERR_FORMAT, "field %u is no string of bytes", field->number);
        proto->has_raw |= field->number == FIELD_RAW;
        *(field->number == FIELD_RAW ? &proto->raw : &proto->name) = field->bytes;
        return OK;
    case FIELD_SEGMENT:
        return FAIL(err, ERR_UNSUPPORTED, "the tensor is one segment of a larger one");
    case FIELD_EXTERNAL:
        return field->type == WIRE_BYTES ? external_read(&proto->external, field->bytes, err)
                                         : FAIL(err, ERR_FORMAT, "field %u is no message", field->number);
    case FIELD_LOCATION:
        proto->is_external = field->value == 1;
        return OK;
    default:
        return OK; // the typed data is read later; documentation and fields of later versions do not matter
    }
}

// Appends one element of a typed field; false when it does not fit the dtype.
static bool element_store(DType dtype, uint64_t value, unsigned char *to) {
    int64_t number = (int64_t)value;
    size_t width = dtype_bytes(dtype);
    bool fits = true;
    if (dtype == DTYPE_I8 || dtype == DTYPE_I16 || dtype == DTYPE_I32)
        fits = number >= -(INT64_C(1) << (8 * width - 1)) && number < INT64_C(1) << (8 * width - 1);
    else if (dtype == DTYPE_BOOL)
        fits = value <= 1;
    else if (width < 8 && dtype != DTYPE_F32)
        fits = value < UINT64_C(1) << 8 * width;
    memcpy(to, &value, width);
    return fits;
}

// Bytes of one element as the typed field has it when fixed; 0 for varints.
static size_t fixed_width(unsigned field) {
    return field == FIELD_FLOAT ? 4 : field == FIELD_DOUBLE ? 8 : 0;
}

// Unpacks every occurrence of the typed field, packed or not, into exactly `elements` places.
static Status typed_read(Bytes file, unsigned number, DType dtype, size_t elements, unsigned char *to, Error *err) {
    Wire wire;
    wire_init(&wire, file);
    size_t count = 0, width = fixed_width(number);
    while (wire.at < wire.end) {
        WireField field;
        TRY(wire_next(&wire, &field, err));
        if (field.number != number)
            continue;
        Wire packed = {0};
        bool single = field.type != WIRE_BYTES;
        if (!single)
            wire_init(&packed, field.bytes);
        while (single || packed.at < packed.end) {
            uint64_t value = field.value;
            if (!single && width == 0) {
                TRY(wire_varint(&packed, &value, err));
            } else if (!single) {
                if ((size_t)(packed.end - packed.at) < width)
                    return FAIL(err, ERR_FORMAT, "field %u is cut off within an element", number);
                value = 0;
                memcpy(&value, packed.at, width);
                packed.at += width;
            }
            if (count == elements)
                return FAIL(err, ERR_FORMAT, "the tensor has more than the %zu elements of its shape", elements);
            if (!element_store(dtype, value, to + count * dtype_bytes(dtype)))
                return FAIL(err, ERR_FORMAT, "element %zu, %lld, is out of the range of %s", count, (long long)value,
                            dtype_name(dtype));
            count++;
            if (single)
                break;
        }
    }
    if (count != elements)
        return FAIL(err, ERR_FORMAT, "the tensor has %zu elements, its shape needs %zu", count, elements);
    return OK;
}

// Elements of 2 or 4 bits, the first in the lowest bits of its byte, one to a byte.
static void packed_spread(const unsigned char *from, unsigned bits, DType dtype, size_t elements, unsigned char *to) {
    unsigned mask = (1u << bits) - 1, sign = dtype == DTYPE_I4 || dtype == DTYPE_I2 ? 1u << (bits - 1) : 0;
    for (size_t i = 0; i < elements; i++) {
        unsigned value = from[i * bits / 8] >> i * bits % 8 & mask;
        to[i] = (unsigned char)((value ^ sign) - sign);
    }
}

// The bytes of a tensor that lie in another file become its raw_data.
static Status external_find(Proto *proto, size_t bytes, Error *err) {
    if (!proto->files)
        return FAIL(err, ERR_UNSUPPORTED, "the tensor's data is in another file (external data)");
    if (!proto->external.location.size)
        return FAIL(err, ERR_FORMAT, "external data without a location");
    if (!proto->external.has_bytes)
        proto->external.bytes = bytes;
    proto->has_raw = true;
    return proto->files->find(proto->files->context, &proto->external, &proto->raw, err);
}

// The tensor's elements, which lie in the file as `stored` elements of type `stored_as`: its own, or u8 of packed ones.
static Status stored_read(Arena *arena, Bytes file, Proto *proto, DType dtype, DType stored_as, size_t stored,
                          const void **ret_data, Error *err) {
    char text[SHAPE_TEXT_BYTES];
    size_t bytes;
    if (!size_multiply(stored, dtype_bytes(stored_as), &bytes))
        return FAIL(err, ERR_FORMAT, "the tensor's shape %s is larger than any memory",
                    shape_text(&proto->shape, text));
    if (proto->is_external)
        TRY(external_find(proto, bytes, err));
    if (proto->has_raw) {
        if (proto->raw.size != bytes)
            return FAIL(err, ERR_FORMAT, "raw_data has %zu bytes, shape %s of %s needs %zu", proto->raw.size,
                        shape_text(&proto->shape, text), dtype_name(dtype), bytes);
        *ret_data = proto->raw.data;
        return OK;
    }
    if (stored > file.size) // each takes a byte at least, so nothing larger is allocated
        return FAIL(err, ERR_FORMAT, "shape %s needs %zu elements, the file has %zu bytes",
                    shape_text(&proto->shape, text), stored, file.size);
    unsigned char *data = arena_alloc(arena, bytes, 64, err);
    TRY_NEW(data);
    TRY(typed_read(file, typed_field(dtype), stored_as, stored, data, err));
    *ret_data = data;
    return OK;
}

static Status elements_read(Arena *arena, Bytes file, Proto *proto, size_t elements, Tensor *tensor, Error *err) {
    unsigned bits = dtype_bits(tensor->dtype);
    if (bits >= 8)
        return stored_read(arena, file, proto, tensor->dtype, tensor->dtype, elements, &tensor->data, err);
    const void *packed = NULL;
    size_t each = 8 / bits;
    TRY(stored_read(arena, file, proto, tensor->dtype, DTYPE_U8, elements / each + (elements % each != 0), &packed,
                    err));
    unsigned char *data = arena_alloc(arena, elements, 64, err);
    TRY_NEW(data);
    packed_spread(packed, bits, tensor->dtype, elements, data);
    tensor->data = data;
    return OK;
}

static Status file_read(Arena *arena, Bytes file, const TensorFiles *files, Tensor *ret, Error *err) {
    Proto proto = {.files = files};
    Wire wire;
    wire_init(&wire, file);
    while (wire.at < wire.end) {
        WireField field;
        TRY(wire_next(&wire, &field, err));
        TRY(field_read(&proto, &field, err));
    }
    if (proto.type == 0)
        return FAIL(err, ERR_FORMAT, "expected an ONNX TensorProto with a data_type, found none");
    Tensor tensor = {.shape = proto.shape};
    if (!dtype_from_onnx(proto.type, &tensor.dtype)) {
        const char *foreign = "unknown";
        for (size_t i = 0; i < sizeof foreign_types / sizeof *foreign_types; i++)
            if (foreign_types[i].number == proto.type)
                foreign = foreign_types[i].name;
        return FAIL(err, ERR_UNSUPPORTED, "the tensor's data_type %llu (%s) is not read",
                    (unsigned long long)proto.type, foreign);
    }
    size_t elements;
    char text[SHAPE_TEXT_BYTES];
    if (!shape_elements(&proto.shape, &elements) || !shape_bytes(&proto.shape, tensor.dtype, &tensor.bytes))
        return FAIL(err, ERR_FORMAT, "the tensor's shape %s is larger than any memory", shape_text(&proto.shape, text));
    TRY_NEW(tensor.name =
                arena_copy_text(arena, proto.name.size ? (const char *)proto.name.data : "", proto.name.size, err));
    TRY(elements_read(arena, file, &proto, elements, &tensor, err));
    *ret = tensor;
    return OK;
}

Status tensorproto_read(Arena *arena, const char *name, Bytes file, Tensor *ret_tensor, Error *err) {
    if (file_read(arena, file, NULL, ret_tensor, err) != OK)
        return error_context(err, "file '%s'", name);
    return OK;
}

Status tensorproto_read_in(Arena *arena, Bytes message, const TensorFiles *files, Tensor *ret_tensor, Error *err) {
    return file_read(arena, message, files, ret_tensor, err);
}

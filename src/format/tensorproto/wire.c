// SPDX-License-Identifier: Apache-2.0
// Tags, varints and lengths of protocol buffers.
#include "format/tensorproto/wire.h"

void wire_init(Wire *wire, Bytes message) {
    *wire = (Wire){message.data, message.data, message.data + message.size};
}

Status wire_varint(Wire *wire, uint64_t *ret_value, Error *err) {
    uint64_t value = 0;
    const unsigned char *at = wire->at;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (at == wire->end)
            return FAIL(err, ERR_FORMAT, "byte %zu: a number is cut off", (size_t)(wire->at - wire->start));
        value |= (uint64_t)(*at & 0x7F) << shift;
        if (!(*at++ & 0x80)) {
            wire->at = at;
            *ret_value = value;
            return OK;
        }
    }
    return FAIL(err, ERR_FORMAT, "byte %zu: a number of more than ten bytes", (size_t)(wire->at - wire->start));
}

Status wire_next(Wire *wire, WireField *ret_field, Error *err) {
    size_t byte = (size_t)(wire->at - wire->start);
    uint64_t tag = 0;
    TRY(wire_varint(wire, &tag, err));
    WireField field = {.number = (uint32_t)(tag >> 3), .type = (WireType)(tag & 7)};
    if (tag >> 3 == 0 || tag >> 3 >= 1u << 29)
        return FAIL(err, ERR_FORMAT, "byte %zu: %llu is no field number", byte, (unsigned long long)(tag >> 3));
    uint64_t length = field.type == WIRE_FIXED64 ? 8 : 4;
    switch (field.type) {
    case WIRE_VARINT:
        TRY(wire_varint(wire, &field.value, err));
        break;
    case WIRE_BYTES:
        TRY(wire_varint(wire, &length, err));
        __attribute__((fallthrough));
    case WIRE_FIXED64:
    case WIRE_FIXED32:
        if (length > (uint64_t)(wire->end - wire->at))
            return FAIL(err, ERR_FORMAT, "byte %zu: field %u claims %llu bytes, %zu are left", byte, field.number,
                        (unsigned long long)length, (size_t)(wire->end - wire->at));
        field.bytes = (Bytes){wire->at, (size_t)length};
        wire->at += length;
        for (size_t i = (size_t)length; field.type != WIRE_BYTES && i-- > 0;)
            field.value = field.value << 8 | field.bytes.data[i];
        break;
    default:
        return FAIL(err, ERR_FORMAT, "byte %zu: field %u has the unknown wire type %d", byte, field.number,
                    (int)field.type);
    }
    *ret_field = field;
    return OK;
}

void wire_put_varint(Buffer *buffer, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        buffer_add_char(buffer, (char)(value | 0x80));
    buffer_add_char(buffer, (char)value);
}

void wire_put_header(Buffer *buffer, uint32_t field, uint64_t bytes) {
    wire_put_varint(buffer, (uint64_t)field << 3 | WIRE_BYTES);
    wire_put_varint(buffer, bytes);
}

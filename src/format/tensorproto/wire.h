// SPDX-License-Identifier: Apache-2.0
// Wire: protocol buffers read field by field in place, for messages of which a few fields matter and whose data must
// not be copied; and the pieces that messages are written of. Encoding: protobuf.dev, "Encoding".
//
//     while (wire.at < wire.end) {
//         TRY(wire_next(&wire, &field, err));
//         if (field.number == 1) TRY(wire_varint(...)) ...
//     }
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/status.h"

typedef enum WireType { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 } WireType;

typedef struct Wire {
    const unsigned char *start, *at, *end;
} Wire;

typedef struct WireField {
    uint32_t number;
    WireType type;
    uint64_t value; // of varints and fixed numbers
    Bytes bytes;    // of length-delimited fields, into the message; of fixed ones, their own bytes
} WireField;

void wire_init(Wire *wire, Bytes message);

// The next field with its value; call while `at < end`. ERR_FORMAT with the byte for anything cut off and for groups.
MUST_CHECK Status wire_next(Wire *wire, WireField *ret_field, Error *err);

// One varint at the cursor, for packed fields.
MUST_CHECK Status wire_varint(Wire *wire, uint64_t *ret_value, Error *err);

// Writing: a number, and what stands before `bytes` bytes of a length-delimited field.
void wire_put_varint(Buffer *buffer, uint64_t value);
void wire_put_header(Buffer *buffer, uint32_t field, uint64_t bytes);

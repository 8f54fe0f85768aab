// SPDX-License-Identifier: Apache-2.0
// Message: a protocol buffer on its way to a file. Its text is in memory, the weights in it are not: they are pieces
// that stand at places in the text and are written when their turn comes.
//
//     MessageMark node = message_begin(m);
//     message_text(m, 4, "Add");
//     message_end(m, node, 1);               // field 1 of the message around it
//
// As a Buffer, a message remembers its first failure (message.text.failed).
#pragma once

#include "base/buffer.h"
#include "base/file.h"
#include "graph/graph.h"

typedef struct MessagePiece {
    size_t at; // in the text
    const Constant *constant;
} MessagePiece;

typedef struct Message {
    Buffer text;
    MessagePiece *pieces; // in order
    size_t piece_count, piece_room;
    uint64_t piece_bytes; // of all
} Message;

typedef struct MessageMark {
    size_t at, piece;
    uint64_t piece_bytes;
} MessageMark;

void message_done(Message *message);

void message_int(Message *message, uint32_t field, int64_t value);
void message_float(Message *message, uint32_t field, float value);
void message_text(Message *message, uint32_t field, const char *text);
// The constant's elements as ONNX packs them, as one field of bytes.
void message_constant(Message *message, uint32_t field, const Constant *constant);

// What is added between the two becomes one field.
MessageMark message_begin(const Message *message);
void message_end(Message *message, MessageMark mark, uint32_t field);

uint64_t message_bytes(const Message *message);
MUST_CHECK Status message_write(const Message *message, FileWriter *writer, Error *err);

// A constant's elements as ONNX stores them: those of 4 and 2 bits, one to a byte in memory, share bytes, the first in
// the low bits, and those of turned ones are put in order. The constant is dense and has data.
uint64_t packed_bytes(const Constant *constant);
typedef Status PackedSink(void *context, const void *data, size_t bytes, Error *err);
MUST_CHECK Status packed_each(const Constant *constant, PackedSink *sink, void *context, Error *err);
MUST_CHECK Status packed_write(const Constant *constant, FileWriter *writer, Error *err);

// SPDX-License-Identifier: Apache-2.0
// Messages within messages are built in place: their length is put before them when they end.
#include "format/onnx/message.h"

#include <string.h>

#include "base/memory.h"
#include "format/tensorproto/wire.h"

void message_done(Message *message) {
    buffer_done(&message->text);
    memory_free(message->pieces);
    *message = (Message){0};
}

void message_int(Message *message, uint32_t field, int64_t value) {
    wire_put_varint(&message->text, (uint64_t)field << 3 | WIRE_VARINT);
    wire_put_varint(&message->text, (uint64_t)value);
}

void message_float(Message *message, uint32_t field, float value) {
    wire_put_varint(&message->text, (uint64_t)field << 3 | WIRE_FIXED32);
    buffer_add(&message->text, &value, sizeof value);
}

void message_text(Message *message, uint32_t field, const char *text) {
    size_t bytes = strlen(text);
    wire_put_header(&message->text, field, bytes);
    buffer_add(&message->text, text, bytes);
}

void message_constant(Message *message, uint32_t field, const Constant *constant) {
    wire_put_header(&message->text, field, packed_bytes(constant));
    if (message->text.failed != OK)
        return;
    if (message->piece_count == message->piece_room) {
        Error err;
        size_t room = message->piece_room ? message->piece_room * 2 : 64;
        MessagePiece *pieces = memory_resize(message->pieces, room, sizeof *pieces, &err);
        if (!pieces) {
            message->text.failed = err.status;
            return;
        }
        message->pieces = pieces;
        message->piece_room = room;
    }
    message->pieces[message->piece_count++] = (MessagePiece){message->text.bytes, constant};
    message->piece_bytes += packed_bytes(constant);
}

MessageMark message_begin(const Message *message) {
    return (MessageMark){message->text.bytes, message->piece_count, message->piece_bytes};
}

void message_end(Message *message, MessageMark mark, uint32_t field) {
    Buffer *text = &message->text;
    size_t bytes = text->bytes - mark.at;
    wire_put_header(text, field, bytes + (message->piece_bytes - mark.piece_bytes));
    unsigned char header[20];
    size_t header_bytes = text->bytes - mark.at - bytes;
    if (text->failed != OK)
        return;
    memcpy(header, text->data + mark.at + bytes, header_bytes);
    memmove(text->data + mark.at + header_bytes, text->data + mark.at, bytes);
    memcpy(text->data + mark.at, header, header_bytes);
    for (size_t i = mark.piece; i < message->piece_count; i++)
        message->pieces[i].at += header_bytes;
}

uint64_t message_bytes(const Message *message) {
    return message->text.bytes + message->piece_bytes;
}

Status message_write(const Message *message, FileWriter *writer, Error *err) {
    size_t at = 0;
    for (size_t i = 0; i < message->piece_count; i++) {
        const MessagePiece *piece = &message->pieces[i];
        TRY(file_write(writer, message->text.data + at, piece->at - at, err));
        TRY(packed_write(piece->constant, writer, err));
        at = piece->at;
    }
    return file_write(writer, message->text.data + at, message->text.bytes - at, err);
}

static size_t elements_of(const Constant *constant) {
    size_t elements = 0;
    return shape_elements(&constant->shape, &elements) ? elements : 0;
}

uint64_t packed_bytes(const Constant *constant) {
    unsigned bits = dtype_bits(constant->dtype);
    size_t elements = elements_of(constant);
    return bits < 8 ? elements / (8 / bits) + (elements % (8 / bits) != 0) : elements * (uint64_t)(bits / 8);
}

// Elements that share bytes, also across the parts of a constant.
typedef struct Packer {
    PackedSink *sink;
    void *context;
    unsigned char chunk[4096];
    size_t filled;
    unsigned bits, byte, used_bits;
} Packer;

static Status packer_flush(Packer *packer, Error *err) {
    size_t filled = packer->filled;
    packer->filled = 0;
    return packer->sink(packer->context, packer->chunk, filled, err);
}

static Status packer_put(Packer *packer, const unsigned char *data, size_t elements, Error *err) {
    for (size_t i = 0; i < elements; i++) {
        packer->byte |= (data[i] & ((1u << packer->bits) - 1)) << packer->used_bits;
        packer->used_bits += packer->bits;
        if (packer->used_bits < 8)
            continue;
        packer->chunk[packer->filled++] = (unsigned char)packer->byte;
        packer->byte = packer->used_bits = 0;
        if (packer->filled == sizeof packer->chunk)
            TRY(packer_flush(packer, err));
    }
    return OK;
}

// Rows that are put in order together: so many of their elements lie side by side.
enum { TURNED_ROWS = 64 };

static Status turned_each(const Constant *constant, PackedSink *sink, void *context, Error *err) {
    size_t row_bytes = constant_row_bytes(constant), rows = (size_t)constant->shape.dims[0], count;
    Buffer buffer = {0};
    void *room = buffer_extend(&buffer, TURNED_ROWS * row_bytes);
    Status status = buffer_status(&buffer, err);
    for (size_t first = 0; first < rows && status == OK; first += count) {
        count = rows - first < TURNED_ROWS ? rows - first : TURNED_ROWS;
        status = sink(context, constant_rows(constant, first, count, room), count * row_bytes, err);
    }
    buffer_done(&buffer);
    return status;
}

Status packed_each(const Constant *constant, PackedSink *sink, void *context, Error *err) {
    Packer packer = {.sink = sink, .context = context, .bits = dtype_bits(constant->dtype)};
    size_t count = constant->part_count ? constant->part_count : 1;
    if (constant->turned)
        return turned_each(constant, sink, context, err);
    for (size_t i = 0; i < count; i++) {
        const Constant *part = constant->part_count ? constant->parts[i] : constant;
        if (packer.bits < 8)
            TRY(packer_put(&packer, part->data, elements_of(part), err));
        else
            TRY(sink(context, part->data, (size_t)packed_bytes(part), err));
    }
    if (packer.used_bits) // flushed whenever it is full, so there is room
        packer.chunk[packer.filled++] = (unsigned char)packer.byte;
    return packer_flush(&packer, err);
}

static Status file_sink(void *context, const void *data, size_t bytes, Error *err) {
    return file_write(context, data, bytes, err);
}

Status packed_write(const Constant *constant, FileWriter *writer, Error *err) {
    return packed_each(constant, file_sink, writer, err);
}

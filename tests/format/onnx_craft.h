// SPDX-License-Identifier: Apache-2.0
// Makes ONNX models byte by byte, good ones and bad ones: buffers are messages, field numbers those of onnx.proto.
#pragma once

#include "format/craft.h"
#include "format/onnx/onnx.h"
#include "graph/print.h"

static Error err;
static Arena arena;

static inline void put_varint(Buffer *b, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        buffer_add_char(b, (char)(value | 0x80));
    buffer_add_char(b, (char)value);
}

static inline void put_int(Buffer *b, unsigned field, int64_t value) {
    put_varint(b, field << 3);
    put_varint(b, (uint64_t)value);
}

static inline void put_bytes(Buffer *b, unsigned field, const void *data, size_t bytes) {
    put_varint(b, field << 3 | 2);
    put_varint(b, bytes);
    buffer_add(b, data, bytes);
}

static inline void put_text(Buffer *b, unsigned field, const char *text) {
    put_bytes(b, field, text, strlen(text));
}

static inline void put_float(Buffer *b, unsigned field, float value) {
    put_varint(b, field << 3 | 5);
    buffer_add(b, &value, sizeof value);
}

// The message goes into `b` and is empty afterwards.
static inline void put_message(Buffer *b, unsigned field, Buffer *message) {
    put_bytes(b, field, message->data ? message->data : "", message->bytes);
    buffer_done(message);
    *message = (Buffer){0};
}

// "a,,b" becomes three strings; "" none.
static inline void put_list(Buffer *b, unsigned field, const char *list) {
    if (!*list)
        return;
    for (;; list++) {
        size_t bytes = strcspn(list, ",");
        put_bytes(b, field, list, bytes);
        list += bytes;
        if (!*list)
            return;
    }
}

enum { ATTRIBUTE_F = 1, ATTRIBUTE_I, ATTRIBUTE_S, ATTRIBUTE_T, ATTRIBUTE_G, ATTRIBUTE_FS, ATTRIBUTE_IS };

// Attributes: a buffer of NodeProto's field 5.
static inline void attribute_end(Buffer *attributes, Buffer *a, const char *name, int kind) {
    put_text(a, 1, name);
    put_int(a, 20, kind);
    put_message(attributes, 5, a);
}

static inline void put_attribute_int(Buffer *attributes, const char *name, int64_t value) {
    Buffer a = {0};
    put_int(&a, 3, value);
    attribute_end(attributes, &a, name, ATTRIBUTE_I);
}

static inline void put_attribute_float(Buffer *attributes, const char *name, float value) {
    Buffer a = {0};
    put_float(&a, 2, value);
    attribute_end(attributes, &a, name, ATTRIBUTE_F);
}

static inline void put_attribute_text(Buffer *attributes, const char *name, const char *value) {
    Buffer a = {0};
    put_text(&a, 4, value);
    attribute_end(attributes, &a, name, ATTRIBUTE_S);
}

static inline void put_attribute_ints(Buffer *attributes, const char *name, const int64_t *values, size_t count) {
    Buffer a = {0};
    for (size_t i = 0; i < count; i++)
        put_int(&a, 8, values[i]);
    attribute_end(attributes, &a, name, ATTRIBUTE_IS);
}

static inline void put_attribute_message(Buffer *attributes, const char *name, int kind, Buffer *message) {
    Buffer a = {0};
    put_message(&a, kind == ATTRIBUTE_T ? 5 : 6, message);
    attribute_end(attributes, &a, name, kind);
}

static inline void put_attribute_reference(Buffer *attributes, const char *name, const char *of, int kind) {
    Buffer a = {0};
    put_text(&a, 21, of);
    attribute_end(attributes, &a, name, kind);
}

// A node of "Op" or "domain:Op" into field `field` of a graph (1) or a function (7).
static inline void put_node(Buffer *graph, unsigned field, const char *op, const char *inputs, const char *outputs,
                            Buffer *attributes) {
    Buffer node = {0};
    const char *colon = strchr(op, ':');
    put_list(&node, 1, inputs);
    put_list(&node, 2, outputs);
    put_text(&node, 4, colon ? colon + 1 : op);
    if (colon)
        put_bytes(&node, 7, op, (size_t)(colon - op));
    if (attributes) {
        buffer_add(&node, attributes->data ? attributes->data : "", attributes->bytes);
        buffer_done(attributes);
        *attributes = (Buffer){0};
    }
    put_message(graph, field, &node);
}

// Inputs (11), outputs (12) and value_info (13): dims "2,B,?"; NULL: no shape; type 0: no type at all.
static inline void put_value(Buffer *graph, unsigned field, const char *name, int type, const char *dims) {
    Buffer value = {0}, proto = {0}, tensor = {0}, shape = {0};
    put_text(&value, 1, name);
    put_int(&tensor, 1, type);
    for (const char *d = dims; d && *d;) {
        Buffer dim = {0};
        size_t bytes = strcspn(d, ",");
        if (*d >= '0' && *d <= '9')
            put_int(&dim, 1, strtoll(d, NULL, 10));
        else if (*d != '?')
            put_bytes(&dim, 2, d, bytes);
        put_message(&shape, 1, &dim);
        d += bytes + (d[bytes] == ',');
    }
    if (dims)
        put_message(&tensor, 2, &shape);
    put_message(&proto, 1, &tensor);
    if (type)
        put_message(&value, 2, &proto);
    buffer_done(&proto);
    put_message(graph, field, &value);
}

// The beginning of a TensorProto: name, type, dims "2,3".
static inline void put_tensor_head(Buffer *tensor, const char *name, int type, const char *dims) {
    for (const char *d = dims; *d;) {
        char *end;
        put_int(tensor, 1, strtoll(d, &end, 10));
        d = end + (*end == ',');
    }
    put_int(tensor, 2, type);
    put_text(tensor, 8, name);
}

static inline void put_tensor(Buffer *b, unsigned field, const char *name, int type, const char *dims, const void *raw,
                              size_t bytes) {
    Buffer tensor = {0};
    put_tensor_head(&tensor, name, type, dims);
    put_bytes(&tensor, 9, raw, bytes);
    put_message(b, field, &tensor);
}

static inline void put_entry(Buffer *b, unsigned field, const char *key, const char *value) {
    Buffer entry = {0};
    put_text(&entry, 1, key);
    put_text(&entry, 2, value);
    put_message(b, field, &entry);
}

// An initializer whose data lies elsewhere; offset and bytes NULL: not said.
static inline void put_external(Buffer *graph, const char *name, int type, const char *dims, const char *location,
                                const char *offset, const char *bytes) {
    Buffer tensor = {0};
    put_tensor_head(&tensor, name, type, dims);
    put_entry(&tensor, 13, "location", location);
    if (offset)
        put_entry(&tensor, 13, "offset", offset);
    if (bytes)
        put_entry(&tensor, 13, "length", bytes);
    put_int(&tensor, 14, 1);
    put_message(graph, 5, &tensor);
}

static inline void put_opset(Buffer *b, unsigned field, int64_t version) {
    Buffer opset = {0};
    put_int(&opset, 2, version);
    put_message(b, field, &opset);
}

// The model of a graph; `more` (may be NULL) are further fields of ModelProto.
static inline Bytes make_model(Buffer *graph, int64_t ir, int64_t opset, Buffer *more) {
    Buffer model = {0};
    put_int(&model, 1, ir);
    put_opset(&model, 8, opset);
    put_message(&model, 7, graph);
    if (more) {
        buffer_add(&model, more->data ? more->data : "", more->bytes);
        buffer_done(more);
    }
    CHECK_OK(buffer_status(&model, &err));
    char *copy = arena_alloc(&arena, model.bytes, 8, &err);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, model.data, model.bytes);
    Bytes bytes = {(unsigned char *)copy, model.bytes};
    buffer_done(&model);
    return bytes;
}

static inline const char *graph_text(const Graph *graph) {
    Buffer text = {0};
    graph_print(graph, true, &text);
    CHECK_OK(buffer_status(&text, &err));
    char *copy = arena_copy_text(&arena, text.data, text.bytes, &err);
    buffer_done(&text);
    return copy;
}

// The text without the types of nodes, which are the operators' business.
static inline const char *untyped(const char *text) {
    Buffer out = {0};
    while (*text) {
        size_t bytes = strcspn(text, "\n"), kept = bytes, indent = strspn(text, " ");
        const char *line = arena_copy_text(&arena, text, bytes, &err);
        bool is_node = (line[indent] == '%' && !strstr(line, " = input")) || line[indent] == ')';
        for (const char *colon = line; is_node && (colon = strstr(colon, " : ")); colon++)
            kept = (size_t)(colon - line);
        buffer_add(&out, line, kept);
        buffer_add_char(&out, '\n');
        text += bytes + (text[bytes] == '\n');
    }
    const char *copy = arena_copy_text(&arena, out.data, out.bytes, &err);
    buffer_done(&out);
    return copy;
}

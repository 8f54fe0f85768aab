// SPDX-License-Identifier: Apache-2.0
// .npy: six bytes of magic, a version, the length of a header, the header (the text of a Python dict), the elements.
#include "format/npy/npy.h"

#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

static const char magic[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, ALIGNMENT = 64, MOST_HEADER_BYTES = 1 << 16 };

bool npy_recognise(Bytes file) {
    return file.size >= MAGIC_BYTES && memcmp(file.data, magic, MAGIC_BYTES) == 0;
}

typedef struct Header {
    const char *start, *at, *end;
    bool has_descr, has_order, has_shape;
    bool fortran;
    DType dtype;
    Shape shape;
} Header;

static char peek(Header *h) {
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t'))
        h->at++;
    return h->at < h->end ? *h->at : '\0';
}

static bool take(Header *h, char c) {
    if (peek(h) != c || c == '\0')
        return false;
    h->at++;
    return true;
}

static Status unexpected(Header *h, const char *expected, Error *err) {
    char c = peek(h);
    return FAIL(err, ERR_FORMAT, "byte %zu of the header: expected %s, found '%c'", (size_t)(h->at - h->start),
                expected, c ? c : ' ');
}

// A quoted text without escapes.
static Status quoted_read(Header *h, Bytes *ret, Error *err) {
    char quote = peek(h);
    if (quote != '\'' && quote != '"')
        return unexpected(h, "a string", err);
    const char *start = ++h->at, *end = memchr(start, quote, (size_t)(h->end - start));
    if (!end)
        return FAIL(err, ERR_FORMAT, "byte %zu of the header: a string without an end", (size_t)(start - h->start));
    h->at = end + 1;
    *ret = (Bytes){(const unsigned char *)start, (size_t)(end - start)};
    return OK;
}

static bool text_is(Bytes text, const char *expected) {
    return strlen(expected) == text.size && memcmp(text.data, expected, text.size) == 0;
}

static Status descr_read(Header *h, Error *err) {
    if (peek(h) == '[')
        return FAIL(err, ERR_UNSUPPORTED, "the array has records; one element type is read");
    Bytes text;
    TRY(quoted_read(h, &text, err));
    Bytes kind = text; // without the byte order, which single bytes have none of
    if (text.size && strchr("<|=", (char)text.data[0]))
        kind = (Bytes){text.data + 1, text.size - 1};
    if (text_is(kind, "V2")) {
        h->dtype = DTYPE_BF16;
        return OK;
    }
    for (DType d = 0; d < DTYPE_COUNT; d++)
        if (*dtype_numpy_name(d) && text_is(kind, dtype_numpy_name(d) + 1) &&
            (text.data[0] != '|' || dtype_bytes(d) == 1)) {
            h->dtype = d;
            return OK;
        }
    return FAIL(err, ERR_UNSUPPORTED,
                "the array's dtype '%.*s' is not read; little-endian floats, integers and bools are",
                (int)(text.size > 40 ? 40 : text.size), (const char *)text.data);
}

static Status order_read(Header *h, Error *err) {
    peek(h);
    size_t left = (size_t)(h->end - h->at);
    if (left >= 4 && memcmp(h->at, "True", 4) == 0) {
        h->fortran = true;
        h->at += 4;
        return OK;
    }
    if (left < 5 || memcmp(h->at, "False", 5) != 0)
        return unexpected(h, "True or False", err);
    h->at += 5;
    return OK;
}

// (), (3,), (3, 4), Python 2's (3L,) too.
static Status shape_read(Header *h, Error *err) {
    if (!take(h, '('))
        return unexpected(h, "'('", err);
    while (!take(h, ')')) {
        int64_t size = 0;
        char c = peek(h);
        if (c < '0' || c > '9')
            return unexpected(h, "a dimension", err);
        for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++)
            if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, *h->at - '0', &size))
                return unexpected(h, "a dimension below 2^63", err);
        if (h->shape.rank == SHAPE_MOST_DIMS)
            return FAIL(err, ERR_UNSUPPORTED, "the array has more than %d dimensions", SHAPE_MOST_DIMS);
        h->shape.dims[h->shape.rank++] = size;
        take(h, 'L');
        if (!take(h, ',') && peek(h) != ')')
            return unexpected(h, "',' or ')'", err);
    }
    return OK;
}

static Status header_parse(Header *h, Error *err) {
    if (!take(h, '{'))
        return unexpected(h, "'{'", err);
    while (!take(h, '}')) {
        Bytes key;
        TRY(quoted_read(h, &key, err));
        bool *seen = text_is(key, "descr")           ? &h->has_descr
                     : text_is(key, "fortran_order") ? &h->has_order
                     : text_is(key, "shape")         ? &h->has_shape
                                                     : NULL;
        if (!seen || *seen)
            return FAIL(err, ERR_FORMAT, "the header has the key '%.*s'%s", (int)(key.size > 40 ? 40 : key.size),
                        (const char *)key.data, seen ? " twice" : ", expected descr, fortran_order and shape");
        *seen = true;
        if (!take(h, ':'))
            return unexpected(h, "':'", err);
        TRY(seen == &h->has_descr   ? descr_read(h, err)
            : seen == &h->has_order ? order_read(h, err)
                                    : shape_read(h, err));
        if (!take(h, ',') && peek(h) != '}')
            return unexpected(h, "',' or '}'", err);
    }
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return FAIL(err, ERR_FORMAT, "the header lacks '%s'",
                    !h->has_descr   ? "descr"
                    : !h->has_order ? "fortran_order"
                                    : "shape");
    peek(h);
    return h->at == h->end ? OK : unexpected(h, "the end", err);
}

// Elements of a column-major array in row-major order.
static void transpose(const Shape *shape, size_t width, size_t elements, const unsigned char *from, unsigned char *to) {
    int64_t index[SHAPE_MOST_DIMS] = {0};
    size_t steps[SHAPE_MOST_DIMS], step = width, at = 0;
    for (int i = 0; i < shape->rank; i++) {
        steps[i] = step;
        step *= (size_t)shape->dims[i];
    }
    for (size_t e = 0; e < elements; e++) {
        memcpy(to + e * width, from + at, width);
        for (int i = shape->rank; i-- > 0;) {
            at += steps[i];
            if (++index[i] < shape->dims[i])
                break;
            at -= steps[i] * (size_t)shape->dims[i];
            index[i] = 0;
        }
    }
}

static Status file_read(Arena *arena, Bytes file, Tensor *tensor, Error *err) {
    if (!npy_recognise(file) || file.size < MAGIC_BYTES + 4)
        return FAIL(err, ERR_FORMAT,
                    "expected an .npy file, which begins with \\x93NUMPY, and a header; found %zu bytes", file.size);
    unsigned version = file.data[6];
    if (version < 1 || version > 3 || file.data[7] != 0)
        return FAIL(err, ERR_UNSUPPORTED, ".npy version %u.%u; 1.0, 2.0 and 3.0 are read", version, file.data[7]);
    size_t start = version == 1 ? 10 : 12, length = 0;
    for (size_t i = start; i-- > 8 && file.size >= start;)
        length = length << 8 | file.data[i];
    if (file.size < start || length > file.size - start || length > MOST_HEADER_BYTES)
        return FAIL(err, ERR_FORMAT, "the header claims %zu bytes of %zu, at most %d are allowed", length, file.size,
                    MOST_HEADER_BYTES);
    const char *text = (const char *)file.data + start;
    Header h = {.start = text, .at = text, .end = text + length};
    TRY(header_parse(&h, err));
    Tensor result = {.name = tensor->name, .dtype = h.dtype, .shape = h.shape, .data = file.data + start + length};
    char shape[SHAPE_TEXT_BYTES];
    size_t left = file.size - start - length, elements;
    if (!shape_bytes(&h.shape, h.dtype, &result.bytes) || result.bytes != left)
        return FAIL(err, ERR_FORMAT,
                    "an array of shape %s and dtype %s does not take the %zu bytes that follow the header",
                    shape_text(&h.shape, shape), dtype_name(h.dtype), left);
    if (h.fortran && h.shape.rank > 1 && result.bytes) {
        unsigned char *copy = arena_alloc(arena, result.bytes, 64, err);
        TRY_NEW(copy);
        elements = result.bytes / dtype_bytes(h.dtype);
        transpose(&h.shape, dtype_bytes(h.dtype), elements, result.data, copy);
        result.data = copy;
    }
    *tensor = result;
    return OK;
}

Status npy_read(Arena *arena, const char *name, Bytes file, Tensor *ret_tensor, Error *err) {
    Tensor tensor = {0};
    TRY_NEW(tensor.name = arena_copy_text(arena, name, strlen(name), err));
    if (file_read(arena, file, &tensor, err) != OK)
        return error_context(err, "file '%s'", name);
    *ret_tensor = tensor;
    return OK;
}

static void header_add(Buffer *b, const Tensor *tensor) {
    const char *descr = dtype_numpy_name(tensor->dtype);
    if (!*descr)
        descr = tensor->dtype == DTYPE_BF16 ? "<V2" : "|V1";
    buffer_add(b, "\x93NUMPY\1\0??", 10);
    buffer_format(b, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < tensor->shape.rank; i++)
        buffer_format(b, tensor->shape.rank == 1 ? "%lld," : i ? ", %lld" : "%lld", (long long)tensor->shape.dims[i]);
    buffer_add_text(b, "), }");
    while (b->failed == OK && b->bytes % ALIGNMENT != ALIGNMENT - 1)
        buffer_add_char(b, ' ');
    buffer_add_char(b, '\n');
    if (b->failed != OK)
        return;
    b->data[8] = (char)((b->bytes - 10) & 0xFF);
    b->data[9] = (char)((b->bytes - 10) >> 8);
}

Status npy_write(const char *path, const Tensor *tensor, Error *err) {
    Buffer header = {0};
    FileWriter *writer = NULL;
    header_add(&header, tensor);
    Status status = buffer_status(&header, err);
    if (status == OK)
        status = file_create(path, &writer, err);
    if (status == OK) {
        status = file_write(writer, header.data, header.bytes, err);
        if (status == OK)
            status = file_write(writer, tensor->data, tensor->bytes, err);
        if (status == OK)
            status = file_commit(writer, err);
        else
            file_discard(writer);
    }
    buffer_done(&header);
    return status;
}

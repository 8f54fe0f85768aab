// SPDX-License-Identifier: Apache-2.0
// Rows of constants, seen through the parts they may be made of.
#include <string.h>

#include "graph/graph.h"

bool constant_has_data(const Constant *constant) {
    for (size_t i = 0; i < constant->part_count; i++)
        if (!constant_has_data(constant->parts[i]))
            return false;
    if (constant->part_count)
        return true;
    bool scaled = constant->scheme == SCHEME_DENSE || constant->scales;
    return constant->data && scaled && (constant->scheme != SCHEME_Q4 || constant->codes);
}

bool constant_is_plain(const Constant *constant) {
    return constant && constant->scheme == SCHEME_DENSE && !constant->part_count && !constant->turned &&
           constant_has_data(constant);
}

size_t constant_row_bytes(const Constant *constant) {
    size_t bytes = dtype_bytes(constant->dtype);
    for (int i = 1; i < constant->shape.rank; i++)
        bytes *= (size_t)constant->shape.dims[i];
    return constant->scheme == SCHEME_Q4 ? bytes / 2 : bytes;
}

// The piece that holds row *first, and how many rows it has from there; *first becomes the row within it.
static const Constant *piece_at(const Constant *constant, size_t *first, size_t *ret_rows) {
    for (size_t i = 0; i < constant->part_count; i++) {
        size_t rows = (size_t)constant->parts[i]->shape.dims[0];
        if (*first < rows) {
            *ret_rows = rows - *first;
            return constant->parts[i];
        }
        *first -= rows;
    }
    *ret_rows = SIZE_MAX; // a constant in one piece
    return constant;
}

// Rows [first, first + count) of a piece, put in order.
static void rows_turn(const Constant *piece, size_t first, size_t count, unsigned char *ret_rows) {
    size_t rows = (size_t)piece->shape.dims[0], columns = (size_t)piece->shape.dims[1];
    size_t element = dtype_bytes(piece->dtype);
    const unsigned char *data = piece->data;
    for (size_t c = 0; c < columns; c++)
        for (size_t r = 0; r < count; r++)
            memcpy(ret_rows + (r * columns + c) * element, data + (c * rows + first + r) * element, element);
}

const void *constant_rows(const Constant *constant, size_t first, size_t count, void *scratch) {
    size_t row_bytes = constant_row_bytes(constant), at = first, rows;
    const Constant *piece = piece_at(constant, &at, &rows);
    if (count <= rows && !piece->turned)
        return (const char *)piece->data + at * row_bytes;
    for (size_t done = 0; done < count; done += rows) {
        at = first + done;
        piece = piece_at(constant, &at, &rows);
        if (rows > count - done)
            rows = count - done;
        unsigned char *place = (unsigned char *)scratch + done * row_bytes;
        if (piece->turned)
            rows_turn(piece, at, rows, place);
        else
            memcpy(place, (const char *)piece->data + at * row_bytes, rows * row_bytes);
    }
    return scratch;
}

size_t constant_row_scales(const Constant *constant) {
    const Constant *piece = constant->part_count ? constant->parts[0] : constant;
    if (piece->scheme == SCHEME_DENSE)
        return 0;
    return piece->scheme == SCHEME_Q4 ? (size_t)piece->shape.dims[1] / piece->group : 1;
}

void constant_scales(const Constant *constant, size_t first, size_t count, float *ret_scales) {
    size_t rows, each = constant_row_scales(constant);
    for (size_t done = 0; done < count; done += rows) {
        size_t at = first + done;
        const Constant *piece = piece_at(constant, &at, &rows);
        if (rows > count - done)
            rows = count - done;
        memcpy(ret_scales + done * each, piece->scales + at * each, rows * each * sizeof *ret_scales);
    }
}

void constant_codes(const Constant *constant, size_t first, size_t count, uint8_t *ret_codes) {
    size_t row_bytes = constant_row_bytes(constant);
    for (size_t r = 0; r < count; r++) {
        size_t at = first + r, rows;
        const Constant *piece = piece_at(constant, &at, &rows);
        const uint8_t *pairs = (const uint8_t *)piece->data + at * row_bytes;
        unsigned shift = piece->high_first ? 4 : 0;
        for (size_t i = 0; i < row_bytes; i++) {
            *ret_codes++ = pairs[i] >> shift & 15;
            *ret_codes++ = pairs[i] >> (4 - shift) & 15;
        }
    }
}

bool constant_stacks(const Constant *a, const Constant *b) {
    if (a->scheme != b->scheme || a->dtype != b->dtype)
        return false;
    if (a->scheme != SCHEME_Q4)
        return true;
    bool same_codes = a->codes == b->codes || (a->codes && b->codes && memcmp(a->codes, b->codes, 16) == 0);
    return a->group == b->group && a->high_first == b->high_first && same_codes;
}

// SPDX-License-Identifier: Apache-2.0
// Blocks that fit, and gathering rows.
#include "exec/seq2seq_values.h"

#include <string.h>

#include "base/memory.h"

enum { ALIGNMENT = 64 }; // what runtimes give their own tensors

struct Block {
    Block *next;
    unsigned char *memory, *data;
    size_t bytes;
};

void value_pool_done(ValuePool *pool) {
    for (Block *block = pool->free, *next; block; block = next) {
        next = block->next;
        memory_free(block->memory);
        memory_free(block);
    }
    pool->free = NULL;
}

// The smallest free block that is large enough, else the largest of all.
static Block *block_pick(ValuePool *pool, size_t bytes) {
    Block **best = NULL;
    for (Block **at = &pool->free; *at; at = &(*at)->next) {
        bool fits = (*at)->bytes >= bytes, best_fits = best && (*best)->bytes >= bytes;
        if (!best || (fits && (!best_fits || (*at)->bytes < (*best)->bytes)) ||
            (!fits && !best_fits && (*at)->bytes > (*best)->bytes))
            best = at;
    }
    Block *block = best ? *best : NULL;
    if (block)
        *best = block->next;
    return block;
}

// Keys and values grow by a token each step: a block that is too small grows by more than that.
static Status block_grow(Block *block, size_t bytes, Error *err) {
    size_t room;
    if (!size_add(bytes, bytes / 2 + ALIGNMENT, &room))
        return FAIL(err, ERR_LIMIT, "a value of %zu bytes is more than this machine can address", bytes);
    memory_free(block->memory);
    block->bytes = 0;
    block->memory = memory_new(room, 1, err);
    TRY_NEW(block->memory);
    block->data = block->memory + (ALIGNMENT - (uintptr_t)block->memory % ALIGNMENT) % ALIGNMENT;
    block->bytes = room - ALIGNMENT;
    return OK;
}

static void block_give(ValuePool *pool, Block *block) {
    block->next = pool->free;
    pool->free = block;
}

Status value_new(ValuePool *pool, DType dtype, const Shape *shape, Value *ret_value, Error *err) {
    size_t bytes;
    if (!shape_bytes(shape, dtype, &bytes))
        return FAIL(err, ERR_LIMIT, "a value for decoding is more than this machine can address");
    Block *block = block_pick(pool, bytes);
    if (!block) {
        TRY_NEW(block = memory_new(1, sizeof *block, err));
        *block = (Block){0};
    }
    if (block->bytes < bytes || !block->memory) {
        Status status = block_grow(block, bytes, err);
        if (status != OK) {
            block_give(pool, block);
            return status;
        }
    }
    Tensor tensor = {.dtype = dtype, .shape = *shape, .data = block->data, .bytes = bytes};
    *ret_value = (Value){{tensor, block->data, NULL}, block};
    return OK;
}

void value_release(ValuePool *pool, Value *value) {
    if (value->block)
        block_give(pool, value->block);
    else if (value->held.held)
        pool->runner->release(pool->runner->context, &value->held);
    *value = (Value){0};
}

static size_t row_bytes(const Tensor *tensor) {
    return tensor->shape.dims[0] ? tensor->bytes / (size_t)tensor->shape.dims[0] : 0;
}

Status value_gather(ValuePool *pool, const Value *from, const size_t *rows, size_t count, Value *ret_value,
                    Error *err) {
    const Tensor *tensor = &from->held.tensor;
    Shape shape = tensor->shape;
    shape.dims[0] = (int64_t)count;
    TRY(value_new(pool, tensor->dtype, &shape, ret_value, err));
    size_t bytes = row_bytes(tensor);
    const unsigned char *data = tensor->data;
    for (size_t r = 0; r < count && bytes; r++)
        memcpy((unsigned char *)ret_value->held.data + r * bytes, data + rows[r] * bytes, bytes);
    return OK;
}

Status value_gather_padded(ValuePool *pool, const Value *const *from, const size_t *rows, size_t count,
                           Value *ret_value, Error *err) {
    Shape shape = from[0]->held.tensor.shape;
    for (size_t r = 1; r < count; r++) {
        Shape other = from[r]->held.tensor.shape, one = shape;
        shape.dims[1] = other.dims[1] > shape.dims[1] ? other.dims[1] : shape.dims[1];
        one.dims[0] = one.dims[1] = other.dims[0] = other.dims[1] = 0;
        if (!shape_equal(&one, &other))
            return FAIL(err, ERR_FORMAT, "the encoder gave states of different widths");
    }
    shape.dims[0] = (int64_t)count;
    TRY(value_new(pool, from[0]->held.tensor.dtype, &shape, ret_value, err));
    size_t bytes = row_bytes(&ret_value->held.tensor);
    for (size_t r = 0; r < count && bytes; r++) {
        const Tensor *tensor = &from[r]->held.tensor;
        unsigned char *to = (unsigned char *)ret_value->held.data + r * bytes;
        size_t own = row_bytes(tensor);
        memcpy(to, (const unsigned char *)tensor->data + rows[r] * own, own);
        memset(to + own, 0, bytes - own);
    }
    return OK;
}

// SPDX-License-Identifier: Apache-2.0
// Values of exec/seq2seq.c: tensors that a runtime holds, or that lie in blocks of ours that are used again.
#pragma once

#include "exec/seq2seq.h"

typedef struct Block Block;

typedef struct Value {
    HeldTensor held;
    Block *block; // NULL: the runtime's, or none
} Value;

typedef struct ValuePool {
    const PartRunner *runner;
    Block *free;
} ValuePool;

void value_pool_done(ValuePool *pool);

// Elements are not set. ERR_LIMIT, ERR_MEMORY.
MUST_CHECK Status value_new(ValuePool *pool, DType dtype, const Shape *shape, Value *ret_value, Error *err);

// {0} afterwards; {0} is fine.
void value_release(ValuePool *pool, Value *value);

// Row r of the result is row rows[r] of `from` along the first dimension.
MUST_CHECK Status value_gather(ValuePool *pool, const Value *from, const size_t *rows, size_t count, Value *ret_value,
                               Error *err);

// The same from a value for each row, whose second dimensions may differ: shorter ones end in zeros.
MUST_CHECK Status value_gather_padded(ValuePool *pool, const Value *const *from, const size_t *rows, size_t count,
                                      Value *ret_value, Error *err);

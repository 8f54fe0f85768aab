// SPDX-License-Identifier: Apache-2.0
// Epilogue: what the only reader of a product does to it, where the product's kernel can do it at the end of a tile
// (kernel/gemm.h): the result need not go through memory once more. Bits stay the same, but for a bias of 8-bit
// products, which is added in one rounding less.
#pragma once

#include "op/op.h"

typedef struct Epilogue {
    const float *bias; // [n], or NULL
    Activation activation;
} Epilogue;

// Takes the reader (op/op.h, OpPrepare) of a product of n columns of f32 where it is a GELU, with a constant bias or
// without one; `biased`: the product has a bias itself. False, and *ret as it was, where it takes nothing.
bool epilogue_take(const OpPrepare *args, size_t n, bool biased, Epilogue *ret);

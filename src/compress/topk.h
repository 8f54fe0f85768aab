// SPDX-License-Identifier: Apache-2.0
// The k smallest of many values, picked as torch.topk picks them on a CPU.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Ranked {
    float value; // no NaN
    uint32_t index;
} Ranked;

// Moves the k smallest to items[0..k-1], in no order. k is at most count. Which of several equal values are taken is
// decided by the order in which values are exchanged, as in torch (2.13, built with libstdc++): a heap of the first k
// where 64 k <= count (std::partial_sort), else quickselect by the median of three with 2 log2(count) rounds, then a
// heap (std::nth_element). For the k largest, negate the values.
void topk_smallest(Ranked *items, size_t count, size_t k);

// SPDX-License-Identifier: Apache-2.0
// Selection as the C++ standard library of GCC does it: every comparison and exchange counts, since they decide which
// of several equal values come first.
#include "compress/topk.h"

#include <assert.h>
#include <stdbool.h>

static bool less(const Ranked *a, const Ranked *b) {
    return a->value < b->value;
}

static void swap(Ranked *a, Ranked *b) {
    Ranked kept = *a;
    *a = *b;
    *b = kept;
}

// A hole at `hole` of a heap of `count` with its largest on top sinks to a leaf along the larger children; there
// `value` rises to its place, no higher than where the hole was.
static void heap_settle(Ranked *heap, size_t hole, size_t count, Ranked value) {
    size_t top = hole, child = hole;
    while (child < (count - 1) / 2) {
        child = 2 * (child + 1);
        if (less(&heap[child], &heap[child - 1]))
            child--;
        heap[hole] = heap[child];
        hole = child;
    }
    if (count % 2 == 0 && child == (count - 2) / 2) {
        child = 2 * child + 1;
        heap[hole] = heap[child];
        hole = child;
    }
    for (; hole > top && less(&heap[(hole - 1) / 2], &value); hole = (hole - 1) / 2)
        heap[hole] = heap[(hole - 1) / 2];
    heap[hole] = value;
}

// The k smallest into items[0..k-1], as a heap.
static void heap_select(Ranked *items, size_t count, size_t k) {
    for (size_t parent = k / 2; parent-- > 0;)
        heap_settle(items, parent, k, items[parent]);
    for (size_t i = k; i < count; i++)
        if (less(&items[i], &items[0])) {
            Ranked value = items[i];
            items[i] = items[0];
            heap_settle(items, 0, k, value);
        }
}

// The median of three to *place.
static void median_to(Ranked *place, Ranked *a, Ranked *b, Ranked *c) {
    Ranked *median;
    if (less(a, b))
        median = less(b, c) ? b : less(a, c) ? c : a;
    else
        median = less(a, c) ? a : less(b, c) ? c : b;
    swap(place, median);
}

// Splits items[1..count-1] by the median that it puts into items[0]; returns where the upper part begins.
static size_t partition(Ranked *items, size_t count) {
    median_to(items, items + 1, items + count / 2, items + count - 1);
    size_t low = 1, high = count;
    for (;; low++) {
        while (less(&items[low], &items[0]))
            low++;
        high--;
        while (less(&items[0], &items[high]))
            high--;
        if (low >= high)
            return low;
        swap(&items[low], &items[high]);
    }
}

static void insertion_sort(Ranked *items, size_t count) {
    for (size_t i = 1; i < count; i++) {
        Ranked value = items[i];
        size_t at = i;
        for (; at > 0 && less(&value, &items[at - 1]); at--)
            items[at] = items[at - 1];
        items[at] = value;
    }
}

// Puts the item of rank `rank` in its place, smaller ones before it.
static void nth_select(Ranked *items, size_t count, size_t rank) {
    size_t rounds = 0;
    for (size_t n = count; n > 1; n /= 2)
        rounds += 2;
    while (count > 3) {
        if (rounds-- == 0) {
            heap_select(items, count, rank + 1);
            swap(&items[0], &items[rank]);
            return;
        }
        size_t cut = partition(items, count);
        if (cut <= rank) {
            items += cut;
            count -= cut;
            rank -= cut;
        } else {
            count = cut;
        }
    }
    insertion_sort(items, count);
}

void topk_smallest(Ranked *items, size_t count, size_t k) {
    assert(k <= count);
    if (!k)
        return;
    if (k * 64 <= count)
        heap_select(items, count, k);
    else
        nth_select(items, count, k - 1);
}

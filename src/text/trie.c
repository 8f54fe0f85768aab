// SPDX-License-Identifier: Apache-2.0
// Building the double array: keys are sorted, a node is a range of them, and its children are placed at the first base
// where all their cells are free.
#include "text/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

// The root's cell is taken, but no node's child.
#define OWNER_OF_ROOT (TRIE_NONE - 1)

typedef struct Range {
    size_t low, high; // keys
    uint32_t node, depth;
} Range;

typedef struct Builder {
    const TrieKey *keys;
    TrieNode *nodes;
    size_t capacity;
    uint32_t highest;    // one past the last used cell
    uint32_t first_free; // no free cell before it
    Range *ranges;       // a stack
    size_t range_count, range_capacity;
} Builder;

static int key_compare(const void *a, const void *b) {
    const TrieKey *x = a, *y = b;
    size_t shorter = x->bytes < y->bytes ? x->bytes : y->bytes;
    int order = shorter ? memcmp(x->text, y->text, shorter) : 0;
    if (!order)
        order = (x->bytes > y->bytes) - (x->bytes < y->bytes);
    return order ? order : (x->value > y->value) - (x->value < y->value);
}

static Status nodes_reserve(Builder *b, size_t need, Error *err) {
    if (need <= b->capacity)
        return OK;
    size_t capacity = b->capacity * 2 > need ? b->capacity * 2 : need + 1024;
    TrieNode *nodes = memory_resize(b->nodes, capacity, sizeof *nodes, err);
    TRY_NEW(nodes);
    for (size_t i = b->capacity; i < capacity; i++)
        nodes[i] = (TrieNode){0, TRIE_NONE, TRIE_NONE};
    b->nodes = nodes;
    b->capacity = capacity;
    return OK;
}

static Status range_push(Builder *b, Range range, Error *err) {
    if (b->range_count == b->range_capacity) {
        size_t capacity = b->range_capacity ? b->range_capacity * 2 : 256;
        Range *ranges = memory_resize(b->ranges, capacity, sizeof *ranges, err);
        TRY_NEW(ranges);
        b->ranges = ranges;
        b->range_capacity = capacity;
    }
    b->ranges[b->range_count++] = range;
    return OK;
}

// A base whose cells base ^ byte are free for all bytes.
static Status base_find(Builder *b, const unsigned char *bytes, size_t count, uint32_t *ret_base, Error *err) {
    while (b->first_free < b->capacity && b->nodes[b->first_free].owner != TRIE_NONE)
        b->first_free++;
    // Trying every free cell is quadratic when few fit; after a while only fresh cells are tried.
    size_t tries = 0;
    for (uint32_t cell = b->first_free;; cell++) {
        if (tries++ > 512 && cell < b->highest)
            cell = b->highest;
        TRY(nodes_reserve(b, (size_t)(cell | 255) + 257, err));
        if (b->nodes[cell].owner != TRIE_NONE)
            continue;
        uint32_t base = cell ^ bytes[0];
        size_t i = 1;
        while (i < count && b->nodes[base ^ bytes[i]].owner == TRIE_NONE)
            i++;
        if (i == count) {
            *ret_base = base;
            return OK;
        }
    }
}

static Status range_place(Builder *b, Range range, Error *err) {
    unsigned char bytes[256];
    size_t starts[257], count = 0;
    size_t low = range.low;
    for (; low < range.high && b->keys[low].bytes == range.depth; low++)
        b->nodes[range.node].value = b->keys[low].value; // equal keys follow each other: the last one stays
    for (size_t i = low; i < range.high; i++) {
        unsigned char byte = (unsigned char)b->keys[i].text[range.depth];
        if (!count || bytes[count - 1] != byte) {
            starts[count] = i;
            bytes[count++] = byte;
        }
    }
    if (!count)
        return OK;
    starts[count] = range.high;
    uint32_t base;
    TRY(base_find(b, bytes, count, &base, err));
    b->nodes[range.node].base = base;
    for (size_t i = 0; i < count; i++) {
        uint32_t child = base ^ bytes[i];
        b->nodes[child].owner = range.node;
        if (child >= b->highest)
            b->highest = child + 1;
        TRY(range_push(b, (Range){starts[i], starts[i + 1], child, range.depth + 1}, err));
    }
    return OK;
}

static Status build(Builder *b, size_t count, Error *err) {
    TRY(nodes_reserve(b, 512, err));
    b->nodes[TRIE_ROOT].owner = OWNER_OF_ROOT;
    b->highest = b->first_free = 1;
    TRY(range_push(b, (Range){0, count, TRIE_ROOT, 0}, err));
    while (b->range_count)
        TRY(range_place(b, b->ranges[--b->range_count], err));
    return OK;
}

Status trie_make(Arena *arena, TrieKey *keys, size_t count, int later, Trie *ret, Error *err) {
    qsort(keys, count, sizeof *keys, key_compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool same =
            kept && keys[kept - 1].bytes == keys[i].bytes && !memcmp(keys[kept - 1].text, keys[i].text, keys[i].bytes);
        if (!keys[i].bytes)
            continue;
        if (same && later)
            keys[kept - 1] = keys[i];
        else if (!same)
            keys[kept++] = keys[i];
    }
    Builder builder = {.keys = keys};
    Status status = build(&builder, kept, err);
    Trie trie = {NULL, builder.highest};
    if (status == OK && !(trie.nodes = arena_alloc(arena, builder.highest * sizeof *trie.nodes, 64, err)))
        status = err->status;
    if (status == OK) {
        memcpy(trie.nodes, builder.nodes, builder.highest * sizeof *trie.nodes);
        *ret = trie;
    }
    memory_free(builder.nodes);
    memory_free(builder.ranges);
    return status;
}

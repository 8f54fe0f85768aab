// SPDX-License-Identifier: Apache-2.0
// Trie: byte strings to numbers, as a double array. A step is one load and one compare: child = base[node] ^ byte, and
// it is a child if owner[child] == node. (J. Aoe, "An efficient digital search algorithm by using a double-array
// structure", 1989.)
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

#define TRIE_NONE UINT32_MAX
enum { TRIE_ROOT = 0 };

typedef struct TrieNode {
    uint32_t base, owner; // owner TRIE_NONE: free
    uint32_t value;       // TRIE_NONE: no string ends here
} TrieNode;

typedef struct Trie {
    TrieNode *nodes;
    uint32_t count;
} Trie;

typedef struct TrieKey {
    const char *text;
    uint32_t bytes;
    uint32_t value;
} TrieKey;

// Builds from `count` keys (sorted in place). Of equal keys the one with the `later` (else the earlier) position wins;
// empty keys are left out.
MUST_CHECK Status trie_make(Arena *arena, TrieKey *keys, size_t count, int later, Trie *ret, Error *err);

// The node behind `byte`, or TRIE_NONE. `node` must be a node.
static inline uint32_t trie_step(const Trie *trie, uint32_t node, unsigned char byte) {
    uint32_t child = trie->nodes[node].base ^ byte;
    return child < trie->count && trie->nodes[child].owner == node ? child : TRIE_NONE;
}

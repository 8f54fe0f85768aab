// SPDX-License-Identifier: Apache-2.0
// Added tokens in a text: the leftmost, and of those that begin there the longest. A table of first bytes skips what
// cannot begin one.
#include "text/encoder.h"

static const AddedToken *longest_at(const Tokenizer *tokenizer, const AddedSet *set, const char *text, size_t bytes,
                                    size_t at, size_t *ret_end) {
    uint32_t node = TRIE_ROOT, value = TRIE_NONE;
    for (size_t i = at; i < bytes; i++) {
        node = trie_step(&set->trie, node, (unsigned char)text[i]);
        if (node == TRIE_NONE)
            break;
        if (set->trie.nodes[node].value != TRIE_NONE) {
            value = set->trie.nodes[node].value;
            *ret_end = i + 1;
        }
    }
    return value == TRIE_NONE ? NULL : &tokenizer->added[value];
}

static bool is_word_apart(const char *text, size_t bytes, size_t start, size_t end) {
    size_t before = start ? char_before(text, start) : 0, behind = end;
    if (start && char_flags(char_next(text, &before)) & CHAR_WORD)
        return false;
    return end == bytes || !(char_flags(char_next(text, &behind)) & CHAR_WORD);
}

static size_t blanks_before(const char *text, size_t start, size_t least) {
    while (start > least) {
        size_t before = char_before(text, start), next = before;
        if (!(char_flags(char_next(text, &next)) & CHAR_SPACE))
            break;
        start = before;
    }
    return start;
}

static size_t blanks_behind(const char *text, size_t bytes, size_t end) {
    while (end < bytes) {
        size_t next = end;
        if (!(char_flags(char_next(text, &next)) & CHAR_SPACE))
            break;
        end = next;
    }
    return end;
}

bool added_next(const Tokenizer *tokenizer, const AddedSet *set, const char *text, size_t bytes, size_t *at,
                size_t *covered, AddedMatch *ret) {
    while (set->count && *at < bytes) {
        size_t start = *at, end = 0;
        if (!set->starts[(unsigned char)text[start]]) {
            ++*at;
            continue;
        }
        const AddedToken *token = longest_at(tokenizer, set, text, bytes, start, &end);
        *at = token ? end : start + 1;
        if (!token || (token->single_word && !is_word_apart(text, bytes, start, end)))
            continue;
        if (token->lstrip)
            start = start > *covered ? blanks_before(text, start, *covered) : start;
        if (token->rstrip)
            end = blanks_behind(text, bytes, end);
        *covered = end;
        *ret = (AddedMatch){start, end, token};
        return true;
    }
    return false;
}

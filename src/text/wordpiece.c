// SPDX-License-Identifier: Apache-2.0
// WordPiece: from the left, the longest token that fits; a word that cannot be covered, or is too long, is unknown as a
// whole. WordLevel: the whole piece or unknown.
#include "text/encoder.h"

static Status unknown_add(uint32_t unk, const Text *token, Buffer *ids, Error *err) {
    if (unk == ID_NONE)
        return FAIL(err, ERR_FORMAT, "the text needs the unknown-token '%s', which the vocabulary lacks", token->data);
    buffer_add(ids, &unk, sizeof unk);
    return buffer_status(ids, err);
}

// Appends the tokens of a word; false, with nothing appended, when some part of it has none.
static bool word_cover(const WordPiece *model, const char *text, size_t bytes, Buffer *ids) {
    size_t before = ids->bytes;
    for (size_t at = 0, end; at < bytes; at = end) {
        uint32_t node = at ? model->continuing : TRIE_ROOT, id = TRIE_NONE;
        end = at;
        for (size_t i = at; i < bytes && node != TRIE_NONE; i++) {
            node = trie_step(&model->trie, node, (unsigned char)text[i]);
            if (node != TRIE_NONE && model->trie.nodes[node].value != TRIE_NONE) {
                id = model->trie.nodes[node].value;
                end = i + 1;
            }
        }
        if (id == TRIE_NONE) {
            ids->bytes = before;
            return false;
        }
        buffer_add(ids, &id, sizeof id);
    }
    return true;
}

Status word_piece_encode(const Model *model, const char *text, size_t bytes, Buffer *ids, Error *err) {
    const WordPiece *word_piece = &model->word_piece;
    size_t chars = 0;
    for (size_t i = 0; i < bytes; i++)
        chars += ((unsigned char)text[i] & 0xC0) != 0x80;
    if (chars > word_piece->max_chars || !word_cover(word_piece, text, bytes, ids))
        return unknown_add(word_piece->unk, &word_piece->unk_token, ids, err);
    return buffer_status(ids, err);
}

Status word_level_encode(const Model *model, const char *text, size_t bytes, Buffer *ids, Error *err) {
    uint32_t id = vocab_find(&model->vocab, text, bytes);
    if (id == ID_NONE)
        return unknown_add(model->word_piece.unk, &model->word_piece.unk_token, ids, err);
    buffer_add(ids, &id, sizeof id);
    return buffer_status(ids, err);
}

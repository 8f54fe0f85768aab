// SPDX-License-Identifier: Apache-2.0
// Unigram: the segmentation with the highest sum of scores, by dynamic programming over byte positions (Kudo, 2018);
// ties go to the path found first. A character that no token covers costs the least score minus 10; neighbouring
// unknowns become one.
#include "text/encoder.h"

// The best way to reach a position: from where, with which token.
typedef struct Step {
    double score;
    uint32_t from, id; // from STEP_NONE: not reached
} Step;

#define STEP_NONE UINT32_MAX

static double scores_add(const Unigram *unigram, double a, double b) {
    return unigram->sentencepiece ? (double)((float)a + (float)b) : a + b;
}

static void step_offer(Step *step, double score, uint32_t from, uint32_t id) {
    if (step->from == STEP_NONE || score > step->score)
        *step = (Step){score, from, id};
}

// Fills steps[1 .. bytes]. False: a character is unknown and the model has no unknown-token.
static bool steps_fill(const Unigram *unigram, const char *text, size_t bytes, Step *steps) {
    for (size_t at = 0; at < bytes;) {
        size_t length = char_bytes(text[at]);
        double before = steps[at].score;
        bool covered = false;
        uint32_t node = TRIE_ROOT;
        for (size_t i = at; i < bytes; i++) {
            node = trie_step(&unigram->trie, node, (unsigned char)text[i]);
            if (node == TRIE_NONE)
                break;
            uint32_t id = unigram->trie.nodes[node].value;
            if (id == TRIE_NONE)
                continue;
            step_offer(&steps[i + 1], scores_add(unigram, before, unigram->scores[id]), (uint32_t)at, id);
            covered = covered || i + 1 == at + length;
        }
        if (!covered) {
            if (unigram->unk == ID_NONE)
                return false;
            step_offer(&steps[at + length], scores_add(unigram, before, unigram->unk_score), (uint32_t)at,
                       unigram->unk);
        }
        at += length;
    }
    return true;
}

// An unknown stretch: a token that happens to be spelled so, its bytes, or the unknown-token.
static void unknown_add(const Model *model, const char *text, size_t bytes, Buffer *ids) {
    const Unigram *unigram = &model->unigram;
    uint32_t id = unigram->sentencepiece ? ID_NONE : vocab_find(&model->vocab, text, bytes);
    bool falls_back = id == ID_NONE && unigram->byte_fallback;
    for (size_t i = 0; i < bytes && falls_back; i++)
        falls_back = unigram->byte_ids[(unsigned char)text[i]] != ID_NONE;
    for (size_t i = 0; i < bytes && falls_back; i++)
        buffer_add(ids, &unigram->byte_ids[(unsigned char)text[i]], sizeof id);
    if (!falls_back)
        buffer_add(ids, id == ID_NONE ? &unigram->unk : &id, sizeof id);
}

Status unigram_encode(Encoder *encoder, const Model *model, const char *text, size_t bytes, Buffer *ids, Error *err) {
    const Unigram *unigram = &model->unigram;
    buffer_clear(&encoder->nodes);
    if (!buffer_extend(&encoder->nodes, (bytes + 1) * sizeof(Step)))
        return buffer_status(&encoder->nodes, err);
    Step *steps = BUFFER_ITEMS(Step, &encoder->nodes);
    for (size_t i = 0; i <= bytes; i++)
        steps[i] = (Step){0, STEP_NONE, 0};
    if (!steps_fill(unigram, text, bytes, steps))
        return FAIL(err, ERR_FORMAT, "the text needs an unknown-token, but the model names none ('unk_id' is absent)");
    // Turn the chain around: `from` of a reached position becomes where the next token ends.
    for (size_t at = bytes, from = steps[bytes].from; at > 0;) {
        size_t before = from ? steps[from].from : 0;
        steps[from].from = (uint32_t)at;
        at = from;
        from = before;
    }
    for (size_t at = 0, end; at < bytes; at = end) {
        end = steps[at].from;
        if (steps[end].id != unigram->unk) {
            buffer_add(ids, &steps[end].id, sizeof steps[end].id);
            continue;
        }
        while (end < bytes && steps[steps[end].from].id == unigram->unk)
            end = steps[end].from;
        unknown_add(model, text + at, end - at, ids);
    }
    return buffer_status(ids, err);
}

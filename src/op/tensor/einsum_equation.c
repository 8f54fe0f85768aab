// SPDX-License-Identifier: Apache-2.0
// Reading equations.
#include "op/tensor/einsum_equation.h"

typedef struct Reader {
    const Node *node;
    const char *text, *at;
} Reader;

static Status fail(const Reader *r, const char *why, Error *err) {
    return FAIL(err, ERR_FORMAT, "Einsum '%s': equation '%s', character %zu: %s", r->node->names[0], r->text,
                (size_t)(r->at - r->text), why);
}

static void spaces_skip(Reader *r) {
    while (*r->at == ' ')
        r->at++;
}

static bool at_arrow(const Reader *r) {
    return r->at[0] == '-' && r->at[1] == '>';
}

// One term up to a comma, the arrow or the end. `ellipsis`: dimensions an ellipsis stands for; -1: what remains of
// `rank`.
static Status term_read(Reader *r, int rank, int ellipsis, EinsumTerm *ret, Error *err) {
    int letters = 0, dots = -1;
    uint8_t labels[SHAPE_MOST_DIMS];
    for (spaces_skip(r); *r->at && *r->at != ',' && !at_arrow(r); spaces_skip(r)) {
        if (r->at[0] == '.' && r->at[1] == '.' && r->at[2] == '.' && dots < 0) {
            dots = letters;
            r->at += 3;
            continue;
        }
        char c = *r->at;
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        if (!upper && !lower)
            return fail(r, "expected letters and one ellipsis", err);
        if (letters == SHAPE_MOST_DIMS)
            return fail(r, "more dimensions than a tensor has", err);
        labels[letters++] = (uint8_t)(upper ? c - 'A' : c - 'a' + 26);
        r->at++;
    }
    if (ellipsis < 0)
        ellipsis = rank - letters;
    int whole = letters + (dots < 0 ? 0 : ellipsis);
    if (ellipsis < 0 || whole > SHAPE_MOST_DIMS || (rank >= 0 && whole != rank))
        return fail(r, "the term has not as many labels as its operand has dimensions", err);
    ret->rank = whole;
    for (int i = 0, from = 0; i < whole; i++) {
        bool inside = dots >= 0 && i >= dots && i < dots + ellipsis;
        ret->labels[i] = inside ? (uint8_t)(EINSUM_LABELS - ellipsis + (i - dots)) : labels[from++];
    }
    return OK;
}

// Labels that occur once in order of the alphabet, behind those of ellipses.
static Status output_implied(const Reader *r, const int *uses, EinsumTerm *ret, Error *err) {
    ret->rank = 0;
    for (int i = 0; i < EINSUM_LABELS; i++) {
        int label = (EINSUM_ELLIPSIS + i) % EINSUM_LABELS;
        if (!uses[label] || (label < EINSUM_ELLIPSIS && uses[label] > 1))
            continue;
        if (ret->rank == SHAPE_MOST_DIMS)
            return fail(r, "the result has more dimensions than a tensor has", err);
        ret->labels[ret->rank++] = (uint8_t)label;
    }
    return OK;
}

static Status output_check(const Reader *r, const int *uses, const EinsumTerm *output, Error *err) {
    bool seen[EINSUM_LABELS] = {false};
    for (int i = 0; i < output->rank; i++) {
        if (!uses[output->labels[i]])
            return fail(r, "the result has a label that no operand has", err);
        if (seen[output->labels[i]])
            return fail(r, "the result has a label twice", err);
        seen[output->labels[i]] = true;
    }
    return OK;
}

Status einsum_equation(const Node *node, const int *ranks, EinsumEquation *ret, Error *err) {
    Reader r = {.node = node, .text = node_text(node, "equation", "")};
    int uses[EINSUM_LABELS] = {0}, ellipsis = 0;
    r.at = r.text;
    if (node->input_count > EINSUM_MOST_OPERANDS)
        return FAIL(err, ERR_LIMIT, "Einsum '%s': %zu operands, at most %d are possible", node->names[0],
                    node->input_count, EINSUM_MOST_OPERANDS);
    for (size_t o = 0; o < node->input_count; o++) {
        EinsumTerm *term = &ret->operands[o];
        TRY(term_read(&r, ranks[o], -1, term, err));
        if (o + 1 < node->input_count && *r.at++ != ',') {
            r.at--;
            return fail(&r, "the equation has fewer terms than there are operands", err);
        }
        for (int i = 0; i < term->rank; i++) {
            uses[term->labels[i]]++;
            int dims = EINSUM_LABELS - term->labels[i]; // of an ellipsis
            ellipsis = term->labels[i] >= EINSUM_ELLIPSIS && dims > ellipsis ? dims : ellipsis;
        }
    }
    if (!*r.at)
        return output_implied(&r, uses, &ret->output, err);
    if (!at_arrow(&r))
        return fail(&r, "the equation has more terms than there are operands", err);
    r.at += 2;
    TRY(term_read(&r, -1, ellipsis, &ret->output, err));
    if (*r.at)
        return fail(&r, "expected the end", err);
    return output_check(&r, uses, &ret->output, err);
}

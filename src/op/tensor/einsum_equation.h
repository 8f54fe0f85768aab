// SPDX-License-Identifier: Apache-2.0
// Equation: "bhid,bhjd->bhij", "...ij,jk", "ii->i": which label each dimension of each operand of an Einsum has.
#pragma once

#include "op/op.h"

// Labels are numbered A-Z, a-z, then the dimensions of an ellipsis, the last of which is 59: they line up from the
// right. Numbers are in the order in which an output that is not written has them, but for the ellipsis, which is
// first.
enum { EINSUM_ELLIPSIS = 52, EINSUM_LABELS = EINSUM_ELLIPSIS + SHAPE_MOST_DIMS, EINSUM_MOST_OPERANDS = 64 };

typedef struct EinsumTerm {
    int rank;
    uint8_t labels[SHAPE_MOST_DIMS];
} EinsumTerm;

typedef struct EinsumEquation {
    EinsumTerm operands[EINSUM_MOST_OPERANDS], output;
} EinsumEquation;

// Reads {equation} for operands of these ranks.
MUST_CHECK Status einsum_equation(const Node *node, const int *ranks, EinsumEquation *ret, Error *err);

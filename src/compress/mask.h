// SPDX-License-Identifier: Apache-2.0
// Pruning masks: which values of a weight become zero, as torch.nn.utils.prune (2.13) chooses them. Equal weights give
// equal masks: counts round half to even, scores have the weights' precision, and of equal scores those go that
// torch.topk takes (topk.h).
//
// One difference: torch sums norms in f32 in an order of its own, here they are summed in f64 and then rounded, so that
// two slices whose norms differ by the last bit may change places.
#pragma once

#include "compress/weights.h"

// As torch's `amount`: a fraction of the units, or, written without a point, a count of them.
typedef struct PruneAmount {
    bool counted;
    size_t count;
    double fraction; // 0 to 1
} PruneAmount;

// ERR_USAGE unless `text` is a fraction from 0 to 1 ("0.3") or a count ("3").
MUST_CHECK Status prune_amount_parse(const char *text, PruneAmount *ret_amount, Error *err);

// How many of `units` go. ERR_USAGE when there are fewer than the count; `what` ("tensor 'x' has 8 rows") says so.
MUST_CHECK Status prune_amount_of(const PruneAmount *amount, size_t units, const char *what, size_t *ret_count,
                                  Error *err);

// One bit an element of the source, row-major, bit i % 8 of byte i / 8: 1 stays.
typedef struct Mask {
    uint8_t *kept;
    size_t elements, removed;
} Mask;

static inline bool mask_keeps(const Mask *mask, size_t element) {
    return mask->kept[element / 8] >> element % 8 & 1;
}

// WeightChange.apply of a mask, for a weight that is not cut: values that go become zero.
void mask_apply(const void *mask, size_t first, size_t count, float *values);

// ln_structured: whole rows (dim 0) or columns (dim 1) of a matrix, those of the smallest norm of order `n`: any number
// above 0, or plus or minus infinity. Masks live in `arena`. ERR_FORMAT for values that are not finite.
MUST_CHECK Status mask_ln_structured(Arena *arena, const ModelInfo *info, const Tensor *tensor, double n, int dim,
                                     const PruneAmount *amount, Mask *ret_mask, Error *err);

// l1_unstructured, and with more than one tensor global_unstructured over all of them in their order: the values of the
// smallest magnitude. Takes 8 bytes an element while it ranks. ERR_LIMIT beyond 2^32 elements.
MUST_CHECK Status mask_l1_unstructured(Arena *arena, const ModelInfo *info, const Tensor *const *tensors, size_t count,
                                       const PruneAmount *amount, Mask *ret_masks, Error *err);

// Of each four values along a row the two largest magnitudes stay, of equal ones the first. ERR_USAGE where a row is no
// multiple of four.
MUST_CHECK Status mask_two_of_four(Arena *arena, const ModelInfo *info, const Tensor *tensor, Mask *ret_mask,
                                   Error *err);

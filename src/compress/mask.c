// SPDX-License-Identifier: Apache-2.0
// Scores of slices or of single values, the smallest of them picked, bits cleared.
#include "compress/mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compress/source_values.h"
#include "compress/topk.h"

Status prune_amount_parse(const char *text, PruneAmount *ret_amount, Error *err) {
    PruneAmount amount = {.counted = *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 16};
    char *end = NULL;
    if (amount.counted)
        amount.count = strtoull(text, NULL, 10);
    else
        amount.fraction = strtod(text, &end);
    if (!amount.counted && (end == text || *end || !(amount.fraction >= 0 && amount.fraction <= 1)))
        return FAIL(err, ERR_USAGE, "--amount is '%s', expected a fraction from 0.0 to 1.0, or a count without a point",
                    text);
    *ret_amount = amount;
    return OK;
}

Status prune_amount_of(const PruneAmount *amount, size_t units, const char *what, size_t *ret_count, Error *err) {
    if (amount->counted && amount->count > units)
        return FAIL(err, ERR_USAGE, "--amount is %zu, and %s", amount->count, what);
    *ret_count = amount->counted ? amount->count : (size_t)nearbyint(amount->fraction * (double)units);
    return OK;
}

void mask_apply(const void *context, size_t first, size_t count, float *values) {
    const Mask *mask = context;
    for (size_t i = 0; i < count; i++)
        if (!mask_keeps(mask, first + i))
            values[i] = 0;
}

static Status mask_make(Arena *arena, const Tensor *tensor, Mask *ret_mask, Error *err) {
    Mask mask = {.elements = tensor->bytes / dtype_bytes(tensor->dtype)};
    TRY_NEW(mask.kept = arena_alloc(arena, (mask.elements + 7) / 8, 1, err));
    memset(mask.kept, 0xff, (mask.elements + 7) / 8);
    *ret_mask = mask;
    return OK;
}

static void mask_clear(Mask *mask, size_t element) {
    mask->removed += mask_keeps(mask, element);
    mask->kept[element / 8] &= (uint8_t) ~(1u << element % 8);
}

// To the precision in which torch compares.
static float score_round(double score, DType dtype) {
    if (dtype == DTYPE_F16)
        return f16_to_f32(f32_to_f16((float)score));
    return dtype == DTYPE_BF16 ? bf16_to_f32(f32_to_bf16((float)score)) : (float)score;
}

static double norm_add(double sum, double magnitude, double n) {
    if (isinf(n))
        return n > 0 ? fmax(sum, magnitude) : fmin(sum, magnitude);
    return sum + (n == 1 ? magnitude : n == 2 ? magnitude * magnitude : pow(magnitude, n));
}

static double norm_end(double sum, double n) {
    return isinf(n) || n == 1 ? sum : n == 2 ? sqrt(sum) : pow(sum, 1 / n);
}

typedef struct Norms {
    double *sums; // one a row or column
    double n;
    size_t columns;
    bool by_row;
} Norms;

static void norms_take(void *context, size_t first, size_t count, const float *values) {
    const Norms *norms = context;
    for (size_t i = 0; i < count; i++) {
        size_t slice = norms->by_row ? (first + i) / norms->columns : (first + i) % norms->columns;
        norms->sums[slice] = norm_add(norms->sums[slice], fabs((double)values[i]), norms->n);
    }
}

// Clears the slices that are not among the `keep` largest: torch picks the ones that stay.
static void slices_clear(const Tensor *tensor, int dim, Ranked *ranked, size_t keep, Mask *mask) {
    size_t rows = (size_t)tensor->shape.dims[0], columns = (size_t)tensor->shape.dims[1], slices = dim ? columns : rows;
    topk_smallest(ranked, slices, keep);
    for (size_t s = keep; s < slices; s++)
        for (size_t i = 0; i < (dim ? rows : columns); i++)
            mask_clear(mask, dim ? i * columns + ranked[s].index : ranked[s].index * columns + i);
}

Status mask_ln_structured(Arena *arena, const ModelInfo *info, const Tensor *tensor, double n, int dim,
                          const PruneAmount *amount, Mask *ret_mask, Error *err) {
    size_t slices = (size_t)tensor->shape.dims[dim], gone = 0;
    char what[300];
    snprintf(what, sizeof what, "tensor '%.200s' has %zu %s", tensor->name, slices, dim ? "columns" : "rows");
    TRY(prune_amount_of(amount, slices, what, &gone, err));
    Mask mask;
    TRY(mask_make(arena, tensor, &mask, err));
    Arena scratch;
    arena_init(&scratch, 0);
    Norms norms = {.n = n, .columns = (size_t)tensor->shape.dims[1], .by_row = dim == 0};
    norms.sums = arena_array(&scratch, slices, sizeof *norms.sums, err);
    Ranked *ranked = norms.sums ? arena_array(&scratch, slices, sizeof *ranked, err) : NULL;
    for (size_t s = 0; s < slices && ranked && n < 0; s++)
        norms.sums[s] = INFINITY; // the smallest is looked for
    Status status = ranked ? source_values_each(info, tensor, norms_take, &norms, err) : err->status;
    if (status == OK) {
        for (size_t s = 0; s < slices; s++)
            ranked[s] = (Ranked){-score_round(norm_end(norms.sums[s], n), tensor->dtype), (uint32_t)s};
        slices_clear(tensor, dim, ranked, slices - gone, &mask);
        *ret_mask = mask;
    }
    arena_done(&scratch);
    return status;
}

typedef struct Magnitudes {
    Ranked *ranked;
    size_t at;
} Magnitudes;

static void magnitudes_take(void *context, size_t first, size_t count, const float *values) {
    (void)first;
    Magnitudes *magnitudes = context;
    for (size_t i = 0; i < count; i++, magnitudes->at++)
        magnitudes->ranked[magnitudes->at] = (Ranked){fabsf(values[i]), (uint32_t)magnitudes->at};
}

// Clears elements whose indices count through all masks.
static void ranked_clear(const Ranked *ranked, size_t gone, Mask *masks, size_t count, const size_t *starts) {
    for (size_t i = 0; i < gone; i++) {
        size_t low = 0, high = count; // the last mask that starts at or before the index and is not empty
        while (high - low > 1) {
            size_t middle = (low + high) / 2;
            *(starts[middle] <= ranked[i].index ? &low : &high) = middle;
        }
        mask_clear(&masks[low], ranked[i].index - starts[low]);
    }
}

Status mask_l1_unstructured(Arena *arena, const ModelInfo *info, const Tensor *const *tensors, size_t count,
                            const PruneAmount *amount, Mask *ret_masks, Error *err) {
    size_t elements = 0, gone = 0, *starts = arena_array(arena, count, sizeof *starts, err);
    TRY_NEW(starts);
    for (size_t t = 0; t < count; t++) {
        TRY(mask_make(arena, tensors[t], &ret_masks[t], err));
        starts[t] = elements;
        elements += ret_masks[t].elements;
    }
    char what[300];
    if (count == 1)
        snprintf(what, sizeof what, "tensor '%.200s' has %zu values", tensors[0]->name, elements);
    else
        snprintf(what, sizeof what, "the %zu weights have %zu values", count, elements);
    TRY(prune_amount_of(amount, elements, what, &gone, err));
    if (elements > UINT32_MAX)
        return FAIL(err, ERR_LIMIT, "%zu values are more than can be ranked at once: leave out --global", elements);
    size_t bytes = elements * sizeof(Ranked) + 1;
    Magnitudes magnitudes = {.ranked = memory_map(bytes, err)};
    TRY_NEW(magnitudes.ranked);
    Status status = OK;
    for (size_t t = 0; t < count && status == OK; t++)
        status = source_values_each(info, tensors[t], magnitudes_take, &magnitudes, err);
    if (status == OK) {
        topk_smallest(magnitudes.ranked, elements, gone);
        ranked_clear(magnitudes.ranked, gone, ret_masks, count, starts);
    }
    memory_unmap(magnitudes.ranked, bytes);
    return status;
}

// Of each four values the two smallest go, the later of equal ones first. Pieces and rows are multiples of four.
static void fours_take(void *context, size_t first, size_t count, const float *values) {
    for (size_t i = 0; i < count; i++) {
        const float *four = values + i / 4 * 4;
        size_t larger = 0;
        for (size_t j = 0; j < 4; j++)
            larger += fabsf(four[j]) > fabsf(values[i]) || (fabsf(four[j]) == fabsf(values[i]) && j < i % 4);
        if (larger >= 2)
            mask_clear(context, first + i);
    }
}

Status mask_two_of_four(Arena *arena, const ModelInfo *info, const Tensor *tensor, Mask *ret_mask, Error *err) {
    if (tensor->shape.dims[1] % 4)
        return FAIL(err, ERR_USAGE, "tensor '%s' has %lld columns, and the pattern 2:4 needs a multiple of 4",
                    tensor->name, (long long)tensor->shape.dims[1]);
    Mask mask;
    TRY(mask_make(arena, tensor, &mask, err));
    TRY(source_values_each(info, tensor, fours_take, &mask, err));
    *ret_mask = mask;
    return OK;
}

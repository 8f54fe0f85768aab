// SPDX-License-Identifier: Apache-2.0
// Attend: softmax(q k' scale + biases) v for every head, which all attention operators end in. Q, K and V lie in any
// layout in which the elements of a head's token are neighbours; masks are biases of -infinity (or what the operator
// says), counts of valid keys, or causal.
#pragma once

#include "op/tensor/wide.h"

// Heads of f32 tokens: element d of token t of head h lies at data[b * batch + h * head + t * row + d].
typedef struct AttendView {
    size_t batches, heads, tokens, width;
    const float *data;
    size_t batch, head, row;
} AttendView;

// What is added to the scores of a query: values[b * batch + h * head + query * row + key], steps of 0 where one value
// serves all. Keys from `keys` on are masked.
typedef struct AttendBias {
    const float *values; // NULL: none
    size_t batch, head, row, keys;
} AttendBias;

// The stage of the scores that an operator may give out.
typedef enum AttendStage { ATTEND_PRODUCT, ATTEND_CAPPED, ATTEND_BIASED, ATTEND_WEIGHTS } AttendStage;

typedef struct Attend {
    AttendView q, k, v;   // heads of k and v divide those of q
    float scale, softcap; // softcap 0: none; it comes before the biases
    AttendBias biases[2];
    bool causal; // query i sees keys 0 .. past + i only
    size_t past;
    const int64_t *valid_keys; // [batches] keys from there on are masked, and `past` is valid_keys - queries; or NULL
    float *y;                  // as q, v.width wide, in steps of its own
    size_t y_batch, y_head, y_row;
    float *scores; // [batches, heads, queries, keys] at `stage`, or NULL
    AttendStage stage;
} Attend;

// In parallel over batches and heads. A query that sees no key at all becomes NaN; without any keys there are, 0.
MUST_CHECK Status attend(Evaluation *run, const Attend *args, Error *err);

// Input `index`, [batches, heads, tokens, width] or [batches, tokens, heads * width], of f32, f16 or bf16. `heads` is
// for the latter; ERR_FORMAT where it does not divide.
MUST_CHECK Status attend_view(Evaluation *run, size_t index, int64_t heads, AttendView *ret, Error *err);
// A dense [batches, heads, tokens, width].
AttendView attend_dense(const float *data, size_t batches, size_t heads, size_t tokens, size_t width);
// The tokens of `past` (NULL: none) and then `fresh`, which must fit, as a dense view in `to`, or in the run's scratch
// where that is NULL.
MUST_CHECK Status attend_join(Evaluation *run, const AttendView *past, const AttendView *fresh, float *to,
                              AttendView *ret, Error *err);
// `view` behind what input `past` holds [batches, heads, tokens, width], if it is there; given out as output `present`,
// of input 0's type, where the node has that.
MUST_CHECK Status attend_past(Evaluation *run, size_t past, size_t present, AttendView *view, WideOutput *ret_present,
                              Error *err);
// Input `index` as a bias that broadcasts to [batches, heads, queries, keys]: bool (false: masked) or real; its last
// dimension may be shorter.
MUST_CHECK Status attend_bias(Evaluation *run, size_t index, const AttendView *q, size_t keys, AttendBias *ret,
                              Error *err);

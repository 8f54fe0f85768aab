// SPDX-License-Identifier: Apache-2.0
// What layer_norm and add_norm prepare alike: gain and bias as f32, and epsilon.
#pragma once

#include "op/rules.h"

typedef struct NormState {
    const float *gain, *bias; // bias may be NULL
    float epsilon;
} NormState;

// Gain at input `index`, bias after it.
static inline Status norm_prepare(const OpPrepare *args, size_t index, void **ret_state, Error *err) {
    NormState *state = arena_array(args->arena, 1, sizeof *state, err);
    TRY_NEW(state);
    TRY(prepare_vector(args, index, &state->gain, err));
    TRY(prepare_vector(args, index + 1, &state->bias, err));
    state->epsilon = (float)node_real(args->node, "epsilon", 1e-5);
    *ret_state = state;
    return OK;
}

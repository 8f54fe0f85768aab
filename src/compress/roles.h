// SPDX-License-Identifier: Apache-2.0
// What each tensor of a model is for, told by the nodes that read it, so that no family's names are known here.
#pragma once

#include "model/model.h"

typedef enum TensorRole {
    ROLE_UNUSED,    // no graph reads it: buffers, further names of a tied table
    ROLE_OTHER,     // biases and norms
    ROLE_LINEAR,    // [outputs, inputs] of a linear inside the layers
    ROLE_EMBEDDING, // the word table, or the head's weight, or both in one
    ROLE_POSITIONS, // a table of positions
    ROLE_SCALES     // of the packed tensor beside it, or of its activations
} TensorRole;

// One role for each of model_tensors(model). `model` must have been opened without passes, while its constants are
// still called like the tensors.
MUST_CHECK Status roles_find(Arena *arena, const Model *model, TensorRole **ret_roles, Error *err);

// The scales of an int8 tensor, "<name>_scale"; NULL for any other tensor and where there are none.
const Tensor *scales_of(const Bundle *bundle, const Tensor *tensor);

// What static activations of an int8 tensor X.weight are quantized by: "X.input_scale", and hone's own
// "X.input_factors"; NULL where there is none.
const Tensor *input_scale_of(const Bundle *bundle, const Tensor *tensor);
const Tensor *input_factors_of(const Bundle *bundle, const Tensor *tensor);

// True for the roles whose tensors may be packed.
bool role_is_weight(TensorRole role);

// ERR_UNSUPPORTED where a weight is quantized: codes have no rows that could go, no zeros that would be worth it, and
// no values to start from. `verb` ("prune") says what to do with the model it was made from.
MUST_CHECK Status roles_check_real(Arena *arena, const Model *model, const char *verb, Error *err);

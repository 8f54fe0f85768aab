// SPDX-License-Identifier: Apache-2.0
// Weight schemes by their names on the command line, and rules that choose them by a weight's name.
#pragma once

#include <stdbool.h>

#include "tensor/tensor.h"

typedef enum WeightScheme {
    STORE_AS_IS, // as the source has it
    STORE_FP32,
    STORE_FP16,
    STORE_BF16,
    STORE_INT8,        // per output row, symmetric (tensor/quantize.h)
    STORE_INT4,        // groups of columns, symmetric (tensor/quantize4.h)
    STORE_NF4,         // blocks of 64 over the flattened tensor (tensor/quantize4.h)
    STORE_INT8_STATIC, // STORE_INT8, for linears with one scale for all activations (compress/static_input.h)
    STORE_COUNT
} WeightScheme;

const char *weight_scheme_name(WeightScheme scheme);
DType weight_scheme_dtype(WeightScheme scheme); // of the tensor's elements in the file; not for STORE_AS_IS
bool weight_scheme_packs(WeightScheme scheme);  // codes with scales beside them

// ERR_USAGE for a name that means nothing; `option` ("--scheme") begins the message.
MUST_CHECK Status weight_scheme_parse(const char *option, const char *name, WeightScheme *ret_scheme, Error *err);

// --keep 'PATTERN=SCHEME': the first rule whose pattern matches decides.
typedef struct KeepRule {
    const char *pattern; // pass/pattern.h
    WeightScheme scheme;
} KeepRule;

// Splits "PATTERN=SCHEME" at its last '='; the pattern lives in `arena`.
MUST_CHECK Status keep_rule_parse(Arena *arena, const char *text, KeepRule *ret_rule, Error *err);

// Whether the pattern matches a tensor: its name ("model.encoder.layers.0.fc1.weight") or its module's
// ("model.encoder.layers.0.fc1"), either with or without "model." before it.
MUST_CHECK Status keep_rule_matches(const KeepRule *rule, const char *tensor_name, bool *ret_matches, Error *err);

// "model.encoder.layers.0.fc1" of "model.encoder.layers.0.fc1.weight", in `arena`; a name without a dot is itself.
char *module_name(Arena *arena, const char *tensor_name, Error *err);

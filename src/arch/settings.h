// SPDX-License-Identifier: Apache-2.0
// Reading a family's config: numbers it needs, and settings that change the arithmetic, which are refused by name where
// they ask for something that hone does not compute.
#pragma once

#include "arch/arch.h"

// A required positive integer of at most `most`.
MUST_CHECK Status setting_size(const ArchInput *input, const char *key, size_t most, size_t *ret, Error *err);

// A setting that must have one value, or be absent: refused by name (ERR_UNSUPPORTED) otherwise.
typedef struct FixedSetting {
    const char *key;
    const char *value; // as JSON: "false", "2", "\"absolute\""
} FixedSetting;
MUST_CHECK Status setting_fixed(const ArchInput *input, const FixedSetting *settings, size_t count, Error *err);

// activation_function under its Hugging Face name -> the name hone's graphs use ("gelu", "relu", ...).
MUST_CHECK Status setting_activation(const ArchInput *input, const char *key, const char *missing,
                                     const char **ret_name, Error *err);

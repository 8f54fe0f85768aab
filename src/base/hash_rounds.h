// SPDX-License-Identifier: Apache-2.0
// The constants of SHA-256's rounds, for its two ways of adding blocks (hash.c, hash_x86.c).
#pragma once

#include <stdint.h>

extern const uint32_t sha256_rounds[64];

// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4): names for contents, not secrets.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Adds whole blocks of 64 bytes to a state. Every way of doing it gives the same.
typedef void Sha256Blocks(uint32_t state[8], const unsigned char *blocks, size_t count);

typedef struct Sha256 {
    Sha256Blocks *blocks; // chosen by sha256_init: the processor's own instructions where it has them
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
} Sha256;

enum { SHA256_TEXT_BYTES = 65 };

Sha256Blocks sha256_blocks_plain;
Sha256Blocks sha256_blocks_x86; // only where cpu_has_sha

void sha256_init(Sha256 *hash);
void sha256_add(Sha256 *hash, const void *data, size_t bytes);

// The digest as 64 lower-case hexadecimal digits and a NUL.
void sha256_text(Sha256 *hash, char ret_text[SHA256_TEXT_BYTES]);

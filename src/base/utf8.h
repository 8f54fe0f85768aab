// SPDX-License-Identifier: Apache-2.0
// UTF-8, strictly by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { UTF8_REPLACEMENT = 0xFFFD };

// Decodes the character at text (bytes > 0). Returns the bytes it takes and stores its code point; for a byte that
// starts no valid character, 1 and U+FFFD (the caller tells a real U+FFFD by its three bytes).
size_t utf8_decode(const char *text, size_t bytes, uint32_t *ret_code_point);

// Writes 1..4 bytes and returns how many; what is no scalar value is written as U+FFFD.
size_t utf8_encode(uint32_t code_point, char *ret_text);

// The byte where the text stops being valid UTF-8; `bytes` when all of it is valid.
size_t utf8_valid_prefix(const char *text, size_t bytes);

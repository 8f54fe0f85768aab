// SPDX-License-Identifier: Apache-2.0
// The Porter stemmer with the extensions of NLTK ("NLTK_EXTENSIONS"), as rouge_score applies it.
// M. F. Porter, "An algorithm for suffix stripping", Program 14.3 (1980); the extensions are named in porter.c.
#pragma once

#include <stddef.h>

// Stems one lower-case word of ASCII letters and digits in place and returns its new length, never more than `bytes`.
// The text is not terminated. Time is linear in `bytes`. Any thread.
size_t porter_stem(char *word, size_t bytes);

// SPDX-License-Identifier: Apache-2.0
// UNROLL(n) before a loop of at most n constant steps: both compilers unroll it wholly, so that arrays indexed by its
// variable become registers.
#pragma once

#define UNROLL_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define UNROLL(n) UNROLL_PRAGMA(clang loop unroll(full))
#else
#define UNROLL(n) UNROLL_PRAGMA(GCC unroll n)
#endif

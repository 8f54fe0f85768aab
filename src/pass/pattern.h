// SPDX-License-Identifier: Apache-2.0
// Patterns over names of weights, as in --keep 'PATTERN=SCHEME': a glob in which `*` stands for any text and `?` for
// one character, or, after "re:", a Perl-compatible regular expression. Both have to match the whole name.
#pragma once

#include <stdbool.h>

#include "base/status.h"

// ERR_USAGE for a regular expression that does not compile, with the place; ERR_LIMIT for one that backtracks without
// end.
MUST_CHECK Status pattern_matches(const char *pattern, const char *name, bool *ret_matches, Error *err);

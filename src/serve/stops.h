// SPDX-License-Identifier: Apache-2.0
// Stops: texts before which an answer ends, looked for while the answer grows.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// How many bytes of `text` belong to the answer for certain: up to the stop that begins first, where *ret_met is set;
// without one, everything but an end that may be the beginning of a stop, or, with `complete`, when nothing more comes,
// everything. `sure`: what the last call for a shorter text of the same answer returned, 0 at first.
size_t stops_find(const char *const *stops, size_t count, const char *text, size_t bytes, size_t sure, bool complete,
                  bool *ret_met);

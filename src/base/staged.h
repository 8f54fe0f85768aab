// SPDX-License-Identifier: Apache-2.0
// The table of paths that are half-written, so that a signal handler can remove them. Used by file.c and folder.c only.
#pragma once

#include <stddef.h>

enum { STAGED_SLOTS = 16, STAGED_NONE = STAGED_SLOTS };

// Remembers a path (copied); returns its slot. When the table is full the path is not remembered: it is only lost to
// file_discard_all, not to file_discard.
size_t staged_add(const char *path);
// STAGED_NONE is fine.
void staged_remove(size_t slot);

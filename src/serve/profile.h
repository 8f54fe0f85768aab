// SPDX-License-Identifier: Apache-2.0
// Profile: where a session's time goes, by operator and kernel.
#pragma once

#include "exec/session.h"

enum { PROFILE_MOST_ROWS = 64 };

// Time spent in one kernel of one operator so far.
typedef struct ProfileRow {
    const char *op, *kernel; // live as long as the session
    double seconds;
    uint64_t runs;
} ProfileRow;

// All steps of all plans since their timing was turned on (session_set_timing), those of one operator and kernel
// together, the longest first; returns their number. For the thread that runs the session.
size_t profile_collect(const Session *session, ProfileRow ret_rows[PROFILE_MOST_ROWS]);

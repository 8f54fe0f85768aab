// SPDX-License-Identifier: Apache-2.0
// Summing up the steps of plans.
#include "serve/profile.h"

#include <string.h>

static ProfileRow *row_of(ProfileRow *rows, size_t *count, const char *op, const char *kernel) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(rows[i].op, op) == 0 && strcmp(rows[i].kernel, kernel) == 0)
            return &rows[i];
    if (*count == PROFILE_MOST_ROWS)
        return NULL;
    rows[*count] = (ProfileRow){.op = op, .kernel = kernel};
    return &rows[(*count)++];
}

static void sort(ProfileRow *rows, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && rows[j].seconds > rows[j - 1].seconds; j--) {
            ProfileRow row = rows[j];
            rows[j] = rows[j - 1];
            rows[j - 1] = row;
        }
}

size_t profile_collect(const Session *session, ProfileRow ret_rows[PROFILE_MOST_ROWS]) {
    size_t count = 0;
    for (int stage = 0; stage < SESSION_STAGES; stage++) {
        const PlanStep *steps;
        size_t step_count = plan_steps(session_plan(session, (SessionStage)stage), &steps);
        for (size_t i = 0; i < step_count; i++) {
            ProfileRow *row = row_of(ret_rows, &count, op_name(steps[i].node->op), steps[i].kernel);
            if (!row)
                continue;
            row->seconds += (double)steps[i].spent_ns / 1e9;
            row->runs += steps[i].runs;
        }
    }
    sort(ret_rows, count);
    return count;
}

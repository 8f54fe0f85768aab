// SPDX-License-Identifier: Apache-2.0
// The part of hone explain that tells where packed weights came from and what was tried for them.
#pragma once

#include "cli/command.h"
#include "exec/session.h"

// One line: from the engine cache or packed now, where, how long tuning took, and what went wrong.
MUST_CHECK Status explain_origin(CommandRun *run, Session *session, Error *err);

// What a linear runs with for so many rows and what else was timed: members of a JSON object, each with a comma before
// it, or a text in brackets. Nothing for other operators.
void explain_choice(CommandRun *run, Session *session, const Node *node, size_t rows, Buffer *text);

// One line: what sharing a piece of work out to the pool's threads and waiting for its end costs beyond the work.
MUST_CHECK Status explain_region(CommandRun *run, Pool *pool, Error *err);

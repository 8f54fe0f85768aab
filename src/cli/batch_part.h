// SPDX-License-Identifier: Apache-2.0
// The part of a batch that is done: OUT.part grows line by line, OUT.part.of says what it is of, so that only the same
// work goes on with it.
#pragma once

#include "base/file.h"
#include "base/journal.h"

// What decides every answer of a run.
typedef struct BatchWork {
    const char *input_digest, *model_digest;
    const char *shard;   // "0/1"
    const char *options; // as typed
} BatchWork;

typedef struct BatchPart {
    Journal *journal;
    Bytes done; // whole lines that are there already
    const char *output, *side;
} BatchPart;

// Opens OUT.part. Without `resume` it must not be there, with it it must be of the same work: ERR_USAGE says what
// differs.
MUST_CHECK Status batch_part_open(Arena *arena, const char *output, bool resume, const BatchWork *work, BatchPart *ret,
                                  Error *err);

// Makes OUT of it, and removes what is beside it. Ends the journal.
MUST_CHECK Status batch_part_commit(BatchPart *part, Error *err);

// What a line of OUT.part is of: the custom_id (NULL: null), and whether it is an answer. ERR_FORMAT for a line that no
// batch wrote.
MUST_CHECK Status batch_part_line(Arena *arena, Bytes line, const char *name, const char **ret_id, bool *ret_good,
                                  Error *err);

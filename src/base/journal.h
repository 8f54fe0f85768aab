// SPDX-License-Identifier: Apache-2.0
// Journal: a file of lines that grows while long work goes on and outlives whoever writes it: after a kill at any
// moment its whole lines are the work that is done.
//
//     TRY(journal_open("out.jsonl.part", &journal, err));   // what is there stays, a torn last line goes
//     TRY(journal_add(journal, line, bytes, err));          // written soon, on disk within seconds
//     TRY(journal_commit(journal, "out.jsonl", err));       // all on disk, then renamed
#pragma once

#include <stddef.h>

#include "base/status.h"

typedef struct Journal Journal;

// Opens or makes the file. ERR_IO also while another process has it open.
MUST_CHECK Status journal_open(const char *path, Journal **ret_journal, Error *err);

// One or more whole lines, newlines included.
MUST_CHECK Status journal_add(Journal *journal, const void *lines, size_t bytes, Error *err);

// Flushes everything to disk and renames the file. Ends the journal whether it succeeds or not; without that the file
// stays as it is.
MUST_CHECK Status journal_commit(Journal *journal, const char *path, Error *err);

// Ends the journal, what was added so far written; the file stays. NULL is fine.
void journal_close(Journal *journal);

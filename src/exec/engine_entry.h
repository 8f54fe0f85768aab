// SPDX-License-Identifier: Apache-2.0
// One entry of the engine cache: a file with a block of packed weights, ready to be mapped and run, and the choices it
// was packed by.
//
//   header | places | shapes | digests of pieces | zeros to 2 MiB | the block
//
// The header tells all sizes and is digested with its key; what lies between it and the block is digested as one; the
// block by pieces of 2 MiB. The block begins at a multiple of 2 MiB so that it can be mapped with huge pages. Numbers
// are as this machine has them: the key names the processor.
#pragma once

#include "base/digest.h"
#include "exec/tune.h"

// What names an entry: `name` is a digest of all that it depends on.
typedef struct EntryKey {
    DigestKey digests;
    Digest name;
} EntryKey;

// Bytes of the file that entry_write makes.
size_t entry_bytes(const PackedBlock *block, const Tuning *tuning);

// Writes beside `path` and renames. Any thread.
MUST_CHECK Status entry_write(const char *path, const EntryKey *key, const PackedBlock *block, const Tuning *tuning,
                              Error *err);

// Maps the entry for as long as the arena lives, checks every byte of it on the pool's threads, and gives the block
// its kernels, layout, tilings and data, and the tuning its shapes. ERR_FORMAT, and neither touched, when anything is
// not as expected. `block` and `tuning` are as packed_block_make and tuning_make left them.
MUST_CHECK Status entry_map(Arena *arena, const char *path, const EntryKey *key, CpuLevel level, Pool *pool,
                            PackedBlock *block, Tuning *tuning, Error *err);

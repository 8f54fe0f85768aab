// SPDX-License-Identifier: Apache-2.0
// Engine cache: packed weights and tuned choices kept from one start to the next. A start that finds its entry maps it
// and runs within milliseconds; processes that run the same model share its pages.
//
//     folder/key             a random key of this folder's digests
//     folder/files           digests of weight files by their stamps (weights_digest.h)
//     folder/<name>.engine   entries (engine_entry.h)
//
// An entry's name digests what it depends on: the contents of the weight files, the graphs, the build of hone, kernel
// level, processor, caches and threads. An entry that is damaged, foreign or not ours is ignored and made again. The
// folder is kept below 4 GiB, least recently used first to go. The cache never makes a session fail:
// what went wrong is told in the report.
#pragma once

#include "base/file.h"
#include "exec/tune.h"

typedef enum EngineOrigin {
    ENGINE_UNCACHED, // no folder was given, or it cannot be used
    ENGINE_PACKED,   // packed and tuned now, and being written
    ENGINE_MAPPED    // found
} EngineOrigin;

typedef struct EngineReport {
    EngineOrigin origin;
    const char *path; // of the entry; NULL: none
    char note[256];   // why not, where something went wrong; "" otherwise
} EngineReport;

typedef struct EngineCacheSettings {
    const char *folder;       // NULL: no cache
    const char *const *files; // of the weights
    const Bytes *contents;
    size_t file_count;
    const Graph *const *graphs;
    size_t graph_count;
    CpuLevel level;
    Pool *pool;
} EngineCacheSettings;

typedef struct EngineCache EngineCache;

// ERR_MEMORY only.
MUST_CHECK Status engine_cache_new(const EngineCacheSettings *settings, const PackedBlock *block,
                                   EngineCache **ret_cache, Error *err);

// True: the block and the tuning come from the entry now, which stays mapped until engine_cache_free.
bool engine_cache_load(EngineCache *cache, PackedBlock *block, Tuning *tuning);

// Starts writing the entry on a thread of its own. Block and tuning must stay until engine_cache_free. Does nothing
// where there is no folder.
void engine_cache_store(EngineCache *cache, const PackedBlock *block, const Tuning *tuning);

bool engine_cache_usable(const EngineCache *cache);

// `note` of writing is known once engine_cache_settle returned, which waits until the entry is written.
void engine_cache_settle(EngineCache *cache);
const EngineReport *engine_cache_report(const EngineCache *cache);

// Settles; unmaps what was loaded. NULL is fine.
void engine_cache_free(EngineCache *cache);

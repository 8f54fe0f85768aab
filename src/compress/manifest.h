// SPDX-License-Identifier: Apache-2.0
// hone.json: what a folder that hone wrote was made from and how, and the hash of every file in it.
//
//     {"hone": version, "recipe": {...}, "source": {"files": [{"name", "bytes", "sha256"}...]},
//      "files": [{"name", "bytes", "sha256"}...], "original_bytes", "quantized_bytes" or "pruned_bytes",
//      "tensors": {name: {"scheme", "bytes"}...}, "notes": [sentence...], "shapes": sizes layer by layer where they
//      differ (arch/shapes.h), "loaders": {name: takes...},
//      "runtime": how to run it, "evidence": what was measured (compress/report.h)}    the last two by a search
//
// Nothing in it depends on when or where it was written: the same input gives the same bytes. Only evidence has times.
#pragma once

#include "base/hash.h"
#include "base/json.h"
#include "compress/rewrite.h"

typedef struct FileRecord {
    const char *name;
    size_t bytes;
    char sha256[SHA256_TEXT_BYTES];
} FileRecord;

typedef struct FileRecords {
    FileRecord *items;
    size_t count;
} FileRecords;

// Hashes mapped bytes, letting go of the pages behind it.
void file_record_fill(const char *name, Bytes mapped, WorkMeter *meter, FileRecord *ret_record);

// Writes hone.json into `folder`.
MUST_CHECK Status manifest_write(Arena *arena, const char *folder, const Rewrite *rewrite, const FileRecords *sources,
                                 const FileRecords *files, const RewriteReport *report, Error *err);

// What a hone.json tells. Members that are missing or null are NULL; what they hold is for others to check.
typedef struct Manifest {
    bool there; // false: the folder has none
    FileRecords files;
    const json_t *recipe, *runtime, *evidence;
} Manifest;

// Lives in `arena`. ERR_FORMAT when `files` is not as above, or when a name would lead out of the folder.
MUST_CHECK Status manifest_read(Arena *arena, const char *folder, Manifest *ret_manifest, Error *err);

// What a search has to say of a folder that it made from intermediate ones.
typedef struct ManifestOutcome {
    const char *recipe, *runtime; // JSON objects
    const FileRecords *sources;   // of the model that it all began with
    size_t original_bytes;        // of its weights
    json_t *evidence;             // an object; the hash of the folder's weights is added: "weights_sha256"
} ManifestOutcome;

// Writes the folder's hone.json again, with these in place of what its last step said.
MUST_CHECK Status manifest_retell(Arena *arena, const char *folder, const ManifestOutcome *outcome, Error *err);

// SPDX-License-Identifier: Apache-2.0
// Zip archives read in place: the directory of an archive whose entries are stored uncompressed, as torch.save writes
// them.
//
// Written here rather than taken from libzip because an entry has to be a view into the mapping (no copy of a model's
// weights) and because the whole layout is held against itself before any entry is used: central directory and local
// headers agree, no two entries share a byte, no name is there twice, nothing lies outside the file. zip64 included.
// Format: PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"

typedef struct ZipEntry {
    const char *name;
    Bytes data;      // as stored
    uint32_t crc;    // of the data, as the directory claims
    uint16_t method; // 0: stored
    bool checked;    // the CRC was computed and is right
} ZipEntry;

typedef struct Zip {
    ZipEntry *entries; // sorted by name
    size_t count;
    const char *first; // name of the directory's first entry; "" in an empty archive
} Zip;

// True for a file that begins as a zip archive does.
bool zip_recognise(Bytes file);

// Reads the directory; the entries point into `file`. ERR_FORMAT, naming entry and byte, for anything inconsistent;
// ERR_UNSUPPORTED for archives in several parts and encrypted entries.
MUST_CHECK Status zip_open(Arena *arena, Bytes file, Zip *ret_zip, Error *err);

// NULL when there is no such entry.
ZipEntry *zip_find(const Zip *zip, const char *name);

// The bytes of an entry, their CRC verified (once). ERR_UNSUPPORTED for compressed entries.
MUST_CHECK Status zip_data(ZipEntry *entry, Bytes *ret_data, Error *err);

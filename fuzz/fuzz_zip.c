// SPDX-License-Identifier: Apache-2.0
// Fuzz target: zip archives, and torch.save's files in them. The entries of an accepted archive lie in it, apart.
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "format/torch/torch.h"
#include "format/torch/zip.h"
#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Zip zip;
    if (zip_open(&arena, (Bytes){data, size}, &zip, &err) == OK) {
        size_t bytes = 0;
        for (size_t i = 0; i < zip.count; i++) {
            const ZipEntry *entry = &zip.entries[i];
            Bytes content;
            if (zip_find(&zip, entry->name) != entry || entry->data.data < data || entry->data.size > size ||
                (size_t)(entry->data.data - data) > size - entry->data.size)
                abort();
            bytes += entry->data.size + strlen(entry->name);
            IGNORE_STATUS(zip_data(&zip.entries[i], &content, &err)); // a wrong CRC is a fine answer
        }
        if (bytes > size)
            abort();
    }
    Bundle bundle;
    Notes notes = {0};
    if (torch_zip_read(&arena, "fuzz", (Bytes){data, size}, &notes, &bundle, &err) == OK)
        bundle_touch(&bundle);
    arena_done(&arena);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Fuzz target: safetensors files. In what is accepted the tensors tile the data: their sizes add up to it.
#include <stdint.h>

#include "base/memory.h"
#include "format/safetensors/safetensors.h"
#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Bundle bundle;
    if (safetensors_read(&arena, "fuzz", (Bytes){data, size}, &bundle, &err) == OK) {
        bundle_touch(&bundle);
        size_t header = 0, bytes = 0;
        for (size_t i = 8; i-- > 0;)
            header = header << 8 | data[i];
        for (size_t i = 0; i < bundle.count; i++)
            bytes += bundle.tensors[i].bytes;
        if (8 + header + bytes != size)
            abort();
    }
    arena_done(&arena);
    return 0;
}

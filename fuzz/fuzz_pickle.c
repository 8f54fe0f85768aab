// SPDX-License-Identifier: Apache-2.0
// Fuzz target: pickles and the state dicts in them, without a file around whose checksums would stop the fuzzer: three
// storages are there by the names "0", "1" and "2". Files of the legacy stream form are read as such.
#include <stdint.h>

#include "base/memory.h"
#include "format/torch/file.h"
#include "format/torch/torch.h"
#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char storage_bytes[96];

static void state_read(Arena *arena, Bytes text) {
    Error err;
    Arena work;
    arena_init(&work, PICKLE_MOST_BYTES);
    TorchStorage storages[] = {
        {.key = {(const unsigned char *)"0", 1}, .data = {storage_bytes, 24}},
        {.key = {(const unsigned char *)"1", 1}, .data = {storage_bytes, 16}},
        {.key = {(const unsigned char *)"2", 1}, .data = {storage_bytes, 96}},
    };
    Notes notes = {0};
    TorchFile torch = {
        .arena = arena, .work = &work, .file = text, .notes = &notes, .storages = storages, .storage_count = 3};
    Bundle bundle;
    if (pickle_read(&work, text, &torch.pickle, &err) == OK) {
        if (torch.pickle.bytes > text.size)
            abort();
        if (torch_state_read(&torch, &bundle, &err) == OK)
            bundle_touch(&bundle);
    }
    arena_done(&work);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Bytes text = {data, size};
    Bundle bundle;
    Notes notes = {0};
    if (!torch_legacy_recognise(text))
        state_read(&arena, text);
    else if (torch_legacy_read(&arena, "fuzz", text, &notes, &bundle, &err) == OK)
        bundle_touch(&bundle);
    arena_done(&arena);
    return 0;
}

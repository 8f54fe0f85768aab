// SPDX-License-Identifier: Apache-2.0
// Fuzz target: safetensors files, and the quantized weights in them, whoever laid them out. In what is accepted the
// tensors tile the data: their sizes add up to it.
#include <stdint.h>

#include "base/memory.h"
#include "format/safetensors/safetensors.h"
#include "model/canonical.h"
#include "tensor/four_bits.h"
#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Whatever is beside codes: a clean answer, and every value within reach of memory and of its scale.
static void four_bits_touch(Arena *arena, const Bundle *bundle) {
    Error err;
    volatile float sum = 0;
    for (size_t i = 0; i < bundle->count; i++) {
        FourBits w;
        const Tensor *tensor = &bundle->tensors[i];
        if (four_bits_form(bundle, tensor) == FOUR_BITS_NONE || four_bits_read(arena, bundle, tensor, &w, &err) != OK)
            continue;
        if ((w.pairs != NULL) == (w.dense != NULL) || (w.pairs && (w.group % FOUR_BITS_STEP || w.columns % w.group)))
            abort();
        for (size_t r = 0; r < w.rows; r++)
            for (size_t c = 0; c < w.columns; c++)
                sum = sum + (w.dense ? w.dense[r * w.columns + c]
                                     : (float)w.codes[w.pairs[(r * w.columns + c) / 2] & 15] *
                                           w.scales[r * (w.columns / w.group) + c / w.group]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Bundle bundle;
    if (safetensors_read(&arena, "fuzz", (Bytes){data, size}, &bundle, &err) == OK) {
        bundle_touch(&bundle);
        four_bits_touch(&arena, &bundle);
        Bundle canonical;
        if (bundle_canonical(&arena, &bundle, size & 1, &canonical, &err) == OK) {
            bundle_touch(&canonical);
            four_bits_touch(&arena, &canonical);
        }
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

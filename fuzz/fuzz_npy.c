// SPDX-License-Identifier: Apache-2.0
// Fuzz target: files of one tensor, .npy and, where the magic is missing, ONNX TensorProto.
#include <stdint.h>

#include "base/memory.h"
#include "format/npy/npy.h"
#include "format/tensorproto/tensorproto.h"
#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Bytes file = {data, size};
    Tensor tensor;
    if ((npy_recognise(file) ? npy_read : tensorproto_read)(&arena, "fuzz", file, &tensor, &err) == OK)
        tensor_touch(&tensor);
    arena_done(&arena);
    return 0;
}

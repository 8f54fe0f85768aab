// SPDX-License-Identifier: Apache-2.0
// .npy files begin with their magic; what does not is taken for a TensorProto, which has none.
#include "format/tensor_file.h"

#include "base/file.h"
#include "format/npy/npy.h"
#include "format/tensorproto/tensorproto.h"

Status tensor_file_read(Arena *arena, const char *path, Tensor *ret_tensor, Error *err) {
    Bytes file;
    TRY(file_map(arena, path, &file, err));
    return npy_recognise(file) ? npy_read(arena, path, file, ret_tensor, err)
                               : tensorproto_read(arena, path, file, ret_tensor, err);
}

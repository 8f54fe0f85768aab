// SPDX-License-Identifier: Apache-2.0
// Files told apart by their content: formats.def in order, and the sentences for those that cannot be read.
#include <string.h>

#include "format/checkpoint.h"
#include "format/onnx/onnx.h"
#include "format/safetensors/safetensors.h"
#include "format/torch/torch.h"
#include "format/torch/zip.h"

static bool begins(Bytes file, const char *bytes, size_t count) {
    return file.size >= count && memcmp(file.data, bytes, count) == 0;
}

static bool is_lfs_pointer(Bytes file) {
    static const char line[] = "version https://git-lfs.github.com/spec/";
    return begins(file, line, sizeof line - 1);
}

static bool is_web_page(Bytes file) {
    return begins(file, "<!DOCTYPE", 9) || begins(file, "<!doctype", 9) || begins(file, "<html", 5);
}

static bool is_gguf(Bytes file) {
    return begins(file, "GGUF", 4) || begins(file, "ggml", 4) || begins(file, "lmgg", 4);
}

static bool is_hdf5(Bytes file) {
    return begins(file, "\x89HDF\r\n\x1A\n", 8);
}

static bool is_saved_model(Bytes file) {
    return begins(file, "\x08\x01\x12", 3); // schema version 1, then the first graph
}

static bool is_tensorflow_index(Bytes file) {
    return file.size >= 8 && memcmp(file.data + file.size - 8, "\x57\xFB\x80\x8B\x24\x75\x47\xDB", 8) == 0;
}

static bool is_tar(Bytes file) {
    return file.size > 262 && memcmp(file.data + 257, "ustar", 5) == 0;
}

static bool is_gzip(Bytes file) {
    return begins(file, "\x1F\x8B\x08", 3);
}

static bool is_pickle(Bytes file) {
    return file.size > 2 && file.data[0] == 0x80 && file.data[1] >= 1 && file.data[1] <= 5 &&
           file.data[file.size - 1] == '.';
}

static bool is_flax(Bytes file) { // a map whose first key is a text
    return file.size > 2 && file.data[0] > 0x80 && file.data[0] < 0x90 && (file.data[1] & 0xE0) == 0xA0;
}

static Status safetensors_read_noteless(Arena *arena, const char *name, Bytes file, Notes *notes, Bundle *ret_bundle,
                                        Error *err) {
    (void)notes;
    return safetensors_read(arena, name, file, ret_bundle, err);
}

typedef struct Format {
    const char *name;
    bool (*recognise)(Bytes file);
    Status (*read)(Arena *arena, const char *name, Bytes file, Notes *notes, Bundle *ret_bundle,
                   Error *err); // NULL: refused
    const char *advice;
    Status refusal;
} Format;

static const Format formats[] = {
#define FORMAT(name, recognise, read) {name, recognise, read, NULL, OK},
#define REFUSED(name, recognise, advice, status) {name, recognise, NULL, advice, status},
#include "format/formats.def"
#undef FORMAT
#undef REFUSED
};

Status checkpoint_read(Arena *arena, const char *name, Bytes file, Notes *notes, Bundle *ret_bundle,
                       const char **ret_format, Error *err) {
    if (file.size == 0)
        return FAIL(err, ERR_FORMAT, "file '%s' is empty, expected a model", name);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const Format *format = &formats[i];
        if (!format->recognise(file))
            continue;
        if (!format->read)
            return FAIL(err, format->refusal, "file '%s' is %s: %s", name, format->name, format->advice);
        TRY(format->read(arena, name, file, notes, ret_bundle, err));
        *ret_format = format->name;
        return OK;
    }
    return FAIL(err, ERR_FORMAT,
                "file '%s' is neither safetensors nor PyTorch: it begins with the bytes %02x %02x %02x %02x", name,
                file.data[0], file.size > 1 ? file.data[1] : 0, file.size > 2 ? file.data[2] : 0,
                file.size > 3 ? file.data[3] : 0);
}

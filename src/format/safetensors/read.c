// SPDX-License-Identifier: Apache-2.0
// Reading safetensors: the header becomes tensors that point into the file; then the tensors, sorted by place, must
// tile the data exactly.
#include "format/safetensors/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "format/scan.h"

enum { LENGTH_BYTES = 8, MOST_METADATA = 1024 };

static uint64_t length_of(Bytes file) {
    uint64_t length = 0;
    for (int i = LENGTH_BYTES; i-- > 0;)
        length = length << 8 | file.data[i];
    return length;
}

bool safetensors_recognise(Bytes file) {
    return file.size > LENGTH_BYTES && file.data[LENGTH_BYTES] == '{' && file.data[6] == 0 && file.data[7] == 0;
}

// The JSON text and the data behind it.
static Status header_find(Bytes file, Bytes *ret_header, Bytes *ret_data, Error *err) {
    if (file.size < LENGTH_BYTES)
        return FAIL(err, ERR_FORMAT, "expected at least 8 bytes for the header's length, found %zu", file.size);
    uint64_t length = length_of(file);
    if (length > SAFETENSORS_MOST_HEADER_BYTES)
        return FAIL(err, ERR_FORMAT, "the header claims %llu bytes, at most %d are allowed", (unsigned long long)length,
                    SAFETENSORS_MOST_HEADER_BYTES);
    if (length > file.size - LENGTH_BYTES)
        return FAIL(err, ERR_FORMAT, "the header ends at byte %llu of %zu", (unsigned long long)length + LENGTH_BYTES,
                    file.size);
    if (length == 0 || file.data[LENGTH_BYTES] != '{')
        return FAIL(err, ERR_FORMAT, "byte 0 of the header: expected '{'");
    *ret_header = (Bytes){file.data + LENGTH_BYTES, (size_t)length};
    *ret_data = (Bytes){file.data + LENGTH_BYTES + length, file.size - LENGTH_BYTES - (size_t)length};
    return OK;
}

// {"key":"text", ...}; nothing in it changes what the tensors mean.
static Status metadata_check(Scan *scan, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    char *keys[MOST_METADATA];
    size_t count = 0;
    bool more = true;
    Status status = scan_open(scan, '{', err);
    while (status == OK && (status = scan_more(scan, '}', &more, err)) == OK && more) {
        if (count == MOST_METADATA) {
            status = FAIL(err, ERR_LIMIT, "__metadata__ has more than %d entries", MOST_METADATA);
            break;
        }
        if ((status = scan_key(scan, &arena, &keys[count], err)) != OK)
            break;
        for (size_t i = 0; i < count && status == OK; i++)
            if (strcmp(keys[i], keys[count]) == 0)
                status = FAIL(err, ERR_FORMAT, "__metadata__ has the key '%s' twice", keys[i]);
        count++;
        if (status == OK)
            status = scan_text(scan, NULL, NULL, err);
    }
    arena_done(&arena);
    return status;
}

static Status dtype_read(Scan *scan, Tensor *tensor, Error *err) {
    static const char *const known[] = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
                                        "F4",      "F6_E2M3", "F6_E3M2", "C64"};
    Arena arena;
    arena_init(&arena, 0);
    char *text;
    Status status = scan_text(scan, &arena, &text, err);
    if (status == OK && !dtype_from_safetensors_name(text, &tensor->dtype)) {
        status = FAIL(err, ERR_FORMAT, "tensor '%s' has the unknown dtype '%s'", tensor->name, text);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strcmp(known[i], text) == 0)
                status = FAIL(err, ERR_UNSUPPORTED, "tensor '%s' has dtype %s, which hone does not read", tensor->name,
                              text);
    }
    arena_done(&arena);
    return status;
}

static Status shape_read(Scan *scan, Tensor *tensor, Error *err) {
    tensor->shape = (Shape){0};
    TRY(scan_open(scan, '[', err));
    for (bool more;;) {
        TRY(scan_more(scan, ']', &more, err));
        if (!more)
            return OK;
        if (tensor->shape.rank == SHAPE_MOST_DIMS)
            return FAIL(err, ERR_UNSUPPORTED, "tensor '%s' has more than %d dimensions", tensor->name, SHAPE_MOST_DIMS);
        TRY(scan_integer(scan, &tensor->shape.dims[tensor->shape.rank], err));
        tensor->shape.rank++;
    }
}

static Status offsets_read(Scan *scan, int64_t ret_offsets[2], Error *err) {
    bool more;
    TRY(scan_open(scan, '[', err));
    for (int i = 0; i < 3; i++) {
        TRY(scan_more(scan, ']', &more, err));
        if (more != (i < 2))
            return FAIL(err, ERR_FORMAT, "byte %zu of the %s: data_offsets must be two integers", scan->at, scan->what);
        if (more)
            TRY(scan_integer(scan, &ret_offsets[i], err));
    }
    return OK;
}

// {"dtype":…,"shape":[…],"data_offsets":[begin,end]} of the tensor whose name is set.
static Status entry_read(Scan *scan, Bytes data, Tensor *tensor, Error *err) {
    int64_t offsets[2] = {0, 0};
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4 };
    int seen = 0;
    TRY(scan_open(scan, '{', err));
    for (bool more;;) {
        TRY(scan_more(scan, '}', &more, err));
        if (!more)
            break;
        Arena arena;
        arena_init(&arena, 0);
        char *key;
        Status status = scan_key(scan, &arena, &key, err);
        int field = 0;
        if (status == OK) {
            field = strcmp(key, "dtype") == 0          ? DTYPE
                    : strcmp(key, "shape") == 0        ? SHAPE
                    : strcmp(key, "data_offsets") == 0 ? OFFSETS
                                                       : 0;
            if (!field)
                status = FAIL(err, ERR_FORMAT, "tensor '%s' has the unknown field '%s'", tensor->name, key);
            else if (seen & field)
                status = FAIL(err, ERR_FORMAT, "tensor '%s' has the field '%s' twice", tensor->name, key);
        }
        arena_done(&arena);
        TRY(status);
        seen |= field;
        TRY(field == DTYPE   ? dtype_read(scan, tensor, err)
            : field == SHAPE ? shape_read(scan, tensor, err)
                             : offsets_read(scan, offsets, err));
    }
    if (seen != (DTYPE | SHAPE | OFFSETS))
        return FAIL(err, ERR_FORMAT, "tensor '%s' lacks '%s'", tensor->name,
                    !(seen & DTYPE)   ? "dtype"
                    : !(seen & SHAPE) ? "shape"
                                      : "data_offsets");
    char shape[SHAPE_TEXT_BYTES];
    if (offsets[0] > offsets[1])
        return FAIL(err, ERR_FORMAT, "tensor '%s' begins at byte %lld and ends before, at byte %lld", tensor->name,
                    (long long)offsets[0], (long long)offsets[1]);
    if ((uint64_t)offsets[1] > data.size)
        return FAIL(err, ERR_FORMAT, "tensor '%s' ends at byte %lld of %zu", tensor->name, (long long)offsets[1],
                    data.size);
    if (!shape_bytes(&tensor->shape, tensor->dtype, &tensor->bytes))
        return FAIL(err, ERR_FORMAT, "tensor '%s' of shape %s is larger than any memory", tensor->name,
                    shape_text(&tensor->shape, shape));
    if (tensor->bytes != (size_t)(offsets[1] - offsets[0]))
        return FAIL(err, ERR_FORMAT, "tensor '%s' of shape %s and dtype %s needs %zu bytes, its data_offsets give %lld",
                    tensor->name, shape_text(&tensor->shape, shape), dtype_safetensors_name(tensor->dtype),
                    tensor->bytes, (long long)(offsets[1] - offsets[0]));
    tensor->data = data.data + offsets[0];
    return OK;
}

static int by_place(const void *a, const void *b) {
    const Tensor *left = a, *right = b;
    const char *l = left->data, *r = right->data;
    if (l != r)
        return l < r ? -1 : 1;
    return left->bytes < right->bytes ? -1 : left->bytes > right->bytes;
}

// Sorts the tensors by place and checks that they tile the data.
static Status tiling_check(Tensor *tensors, size_t count, Bytes data, Error *err) {
    if (count)
        qsort(tensors, count, sizeof *tensors, by_place);
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        size_t begin = (size_t)((const unsigned char *)tensors[i].data - data.data);
        if (begin != end)
            return FAIL(err, ERR_FORMAT, "tensor '%s' begins at byte %zu of the data, expected %zu: %s",
                        tensors[i].name, begin, end,
                        begin > end ? "there is a hole before it" : "it overlaps the tensor before it");
        end += tensors[i].bytes;
    }
    if (end != data.size)
        return FAIL(err, ERR_FORMAT, "the tensors end at byte %zu of the data, the file at byte %zu", end, data.size);
    return OK;
}

static Status tensors_read(Arena *arena, Bytes header, Bytes data, Buffer *tensors, Error *err) {
    Scan scan;
    scan_init(&scan, "header", header);
    bool metadata = false;
    TRY(scan_open(&scan, '{', err));
    for (bool more;;) {
        TRY(scan_more(&scan, '}', &more, err));
        if (!more)
            break;
        char *key;
        TRY(scan_key(&scan, arena, &key, err));
        if (strcmp(key, "__metadata__") == 0) {
            if (metadata)
                return FAIL(err, ERR_FORMAT, "the header has the key '__metadata__' twice");
            metadata = true;
            TRY(metadata_check(&scan, err));
            continue;
        }
        if (tensors->bytes == SAFETENSORS_MOST_TENSORS * sizeof(Tensor))
            return FAIL(err, ERR_LIMIT, "the header lists more than %d tensors", SAFETENSORS_MOST_TENSORS);
        Tensor tensor = {.name = key};
        TRY(entry_read(&scan, data, &tensor, err));
        buffer_add(tensors, &tensor, sizeof tensor);
        TRY(buffer_status(tensors, err));
    }
    return scan_end(&scan, err);
}

static Status file_read(Arena *arena, Bytes file, Buffer *tensors, Bundle *ret_bundle, Error *err) {
    Bytes header = {0}, data = {0};
    TRY(header_find(file, &header, &data, err));
    TRY(tensors_read(arena, header, data, tensors, err));
    Bundle bundle = {.count = tensors->bytes / sizeof(Tensor)};
    TRY_NEW(bundle.tensors = arena_array(arena, bundle.count, sizeof(Tensor), err));
    if (bundle.count)
        memcpy(bundle.tensors, tensors->data, tensors->bytes);
    TRY(bundle_seal(&bundle, err)); // a name that is there twice is the better message, so before the tiling
    TRY(tiling_check(bundle.tensors, bundle.count, data, err));
    TRY(bundle_seal(&bundle, err));
    *ret_bundle = bundle;
    return OK;
}

Status safetensors_read(Arena *arena, const char *name, Bytes file, Bundle *ret_bundle, Error *err) {
    Buffer tensors = {0};
    Status status = file_read(arena, file, &tensors, ret_bundle, err);
    buffer_done(&tensors);
    return status == OK ? OK : error_context(err, "file '%s'", name);
}

// SPDX-License-Identifier: Apache-2.0
// Shared: weights of the bodies of If and Loop, which lie in the outermost graph once for equal bytes. Bodies read them
// by name, as they read all that is around them.
#include <string.h>

#include "format/onnx/writer.h"

enum { LEAST_SHARED_BYTES = 256 };

struct WriteShared {
    const Constant *constant;
    const char *name;
    bool added, read;   // added: it is none of the outermost graph's own
    WriteShared *next;  // of the same hash
    WriteShared *after; // in the order in which they came
};

// Plain constants large enough, and the name under which those of equal type and bytes are found.
static Status key_make(const OnnxWriter *writer, const Constant *constant, const char **ret_key, Error *err) {
    size_t bytes;
    char shape[SHAPE_TEXT_BYTES];
    *ret_key = NULL;
    if (!constant_is_plain(constant) || !shape_bytes(&constant->shape, constant->dtype, &bytes) ||
        bytes < LEAST_SHARED_BYTES)
        return OK;
    *ret_key = arena_format(writer->arena, err, "%s%s %016llx", dtype_name(constant->dtype),
                            shape_text(&constant->shape, shape), (unsigned long long)names_hash(constant->data, bytes));
    return *ret_key ? OK : err->status;
}

static bool bytes_equal(const Constant *a, const Constant *b) {
    size_t bytes;
    return shape_bytes(&a->shape, a->dtype, &bytes) && (a->data == b->data || memcmp(a->data, b->data, bytes) == 0);
}

static Status shared_add(OnnxWriter *writer, const char *key, const WriteShared *shared, WriteShared **ret,
                         Error *err) {
    NameEntry *entry = names_find(&writer->shared, key);
    TRY_NEW(*ret = arena_array(writer->arena, 1, sizeof **ret, err));
    **ret = *shared;
    if (entry) {
        (*ret)->next = (WriteShared *)(uintptr_t)entry->object;
        entry->object = *ret;
    } else {
        TRY(names_add(&writer->shared, writer->arena, key, *ret, 0, err));
    }
    *(writer->shared_last ? &writer->shared_last->after : &writer->shared_first) = *ret;
    writer->shared_last = *ret;
    return OK;
}

// The outermost graph's own constants, once somebody asks.
static Status own_add(OnnxWriter *writer, const WriteScope *root, Error *err) {
    const char *key;
    WriteShared *added;
    for (size_t c = 0; c < root->graph->constant_count && !writer->shared_begun; c++) {
        WriteShared shared = {.constant = root->graph->constants[c], .name = root->constants[c]};
        TRY(key_make(writer, shared.constant, &key, err));
        if (key)
            TRY(shared_add(writer, key, &shared, &added, err));
    }
    writer->shared_begun = true;
    return OK;
}

Status write_share(WriteScope *scope, const Constant *constant, WriteShared **ret, Error *err) {
    OnnxWriter *writer = scope->writer;
    WriteScope *root = scope;
    const char *key;
    *ret = NULL;
    if (!scope->outer)
        return OK;
    while (root->outer)
        root = root->outer;
    TRY(key_make(writer, constant, &key, err));
    if (!key)
        return OK;
    TRY(own_add(writer, root, err));
    const NameEntry *entry = names_find(&writer->shared, key);
    for (*ret = entry ? (WriteShared *)(uintptr_t)entry->object : NULL; *ret; *ret = (*ret)->next)
        if (bytes_equal((*ret)->constant, constant))
            return OK;
    WriteShared shared = {.constant = constant, .name = constant->name, .added = true};
    NameEntry *taken = names_find(&writer->names, shared.name); // of any body's
    if (taken)
        do
            TRY_NEW(shared.name = arena_format(writer->arena, err, "%s.%u", constant->name, ++taken->last_suffix));
        while (names_find(&writer->names, shared.name));
    TRY(names_add(&writer->names, writer->arena, shared.name, constant, 0, err));
    TRY(names_add(&root->taken, writer->arena, shared.name, constant, 0, err));
    return shared_add(writer, key, &shared, ret, err);
}

const char *write_shared_name(WriteScope *scope, WriteShared *shared) {
    while (scope->outer)
        scope = scope->outer;
    shared->read = true;
    if (!shared->added)
        scope->constant_read[shared->constant->index] = true;
    return shared->name;
}

Status write_shared(OnnxWriter *writer, uint32_t field, Error *err) {
    for (const WriteShared *shared = writer->shared_first; shared; shared = shared->after)
        if (shared->added && shared->read)
            TRY(write_tensor(writer, field, shared->name, shared->constant, err));
    return OK;
}

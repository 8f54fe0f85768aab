// SPDX-License-Identifier: Apache-2.0
// From a pickled storage reference to its bytes in the file, and the two file forms that say where those are.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/torch/file.h"
#include "format/torch/torch.h"

Status torch_storage_parse(const PickleValue *persistent, TorchStorage *ret, Error *err) {
    const PickleValue *id = persistent && persistent->kind == PICKLE_PERSISTENT ? persistent->items[0] : NULL;
    const PickleGlobal *class = pickle_global(pickle_item(id, 1));
    const PickleValue *key = pickle_item(id, 2), *view = pickle_item(id, 5);
    int64_t elements;
    if (!pickle_text_is(pickle_item(id, 0), "storage") || !class || !key || key->kind != PICKLE_TEXT ||
        !pickle_integer(pickle_item(id, 4), &elements) || elements < 0)
        return FAIL(err, ERR_FORMAT, "expected a storage, found %s", pickle_kind_name(id ? id : persistent));
    if (class->meaning != GLOBAL_STORAGE && class->meaning != GLOBAL_BYTE_STORAGE)
        return FAIL(err, ERR_UNSUPPORTED, "its elements are of '%s.%s', which hone does not read", class->module,
                    class->name);
    TorchStorage s = {.key = key->text,
                      .dtype = class->dtype,
                      .typed = class->meaning == GLOBAL_STORAGE,
                      .elements = (size_t)elements,
                      .view_elements = (size_t)elements};
    if (view && view->kind != PICKLE_NONE) {
        int64_t begin, count;
        if (!pickle_integer(pickle_item(view, 1), &begin) || !pickle_integer(pickle_item(view, 2), &count) ||
            begin < 0 || count < 0 || begin > elements || count > elements - begin)
            return FAIL(err, ERR_FORMAT, "a view that does not fit into its storage of %lld elements",
                        (long long)elements);
        s.view_begin = (size_t)begin;
        s.view_elements = (size_t)count;
    }
    *ret = s;
    return OK;
}

int torch_storage_by_key(const void *a, const void *b) {
    const TorchStorage *left = a, *right = b;
    size_t common = left->key.size < right->key.size ? left->key.size : right->key.size;
    int order = common ? memcmp(left->key.data, right->key.data, common) : 0;
    return order ? order : left->key.size < right->key.size ? -1 : left->key.size > right->key.size;
}

static Status zip_storage(const TorchFile *torch, const TorchStorage *storage, Bytes *ret, Error *err) {
    char name[512];
    int length = snprintf(name, sizeof name, "%sdata/%.*s", torch->folder,
                          (int)(storage->key.size > 64 ? 64 : storage->key.size), (const char *)storage->key.data);
    ZipEntry *entry = length > 0 && (size_t)length < sizeof name ? zip_find(&torch->zip, name) : NULL;
    if (!entry || storage->key.size > 64)
        return FAIL(err, ERR_FORMAT, "its storage '%s' is not in the file", name);
    return zip_data(entry, ret, err);
}

Status torch_storage_find(const TorchFile *torch, const PickleValue *persistent, TorchStorage *ret, Error *err) {
    TorchStorage storage;
    TRY(torch_storage_parse(persistent, &storage, err));
    Bytes data;
    if (torch->folder) {
        TRY(zip_storage(torch, &storage, &data, err));
    } else {
        const TorchStorage *found = torch->storage_count ? bsearch(&storage, torch->storages, torch->storage_count,
                                                                   sizeof storage, torch_storage_by_key)
                                                         : NULL;
        if (!found || !found->data.data)
            return FAIL(err, ERR_FORMAT, "its storage '%.*s' is not in the file",
                        (int)(storage.key.size > 64 ? 64 : storage.key.size), (const char *)storage.key.data);
        data = found->data;
    }
    size_t width = dtype_bytes(storage.dtype), bytes;
    if (!size_multiply(storage.elements, width, &bytes) || bytes != data.size)
        return FAIL(err, ERR_FORMAT, "its storage has %zu bytes, but is said to have %zu elements of %zu", data.size,
                    storage.elements, width);
    storage.data = (Bytes){data.data + storage.view_begin * width, storage.view_elements * width};
    *ret = storage;
    return OK;
}

// ---- the zip form

static Status record_read(const TorchFile *torch, const char *record, bool optional, Bytes *ret, Error *err) {
    char name[512];
    int length = snprintf(name, sizeof name, "%s%s", torch->folder, record);
    ZipEntry *entry = length > 0 && (size_t)length < sizeof name ? zip_find(&torch->zip, name) : NULL;
    if (!entry && !optional)
        return FAIL(err, ERR_FORMAT, "the zip archive has no entry '%s': torch.save did not write it", name);
    *ret = (Bytes){0};
    return entry ? zip_data(entry, ret, err) : OK;
}

// Every entry lies in one folder, whose name (with its slash) becomes `folder`.
static Status folder_find(TorchFile *torch, Error *err) {
    const char *first = torch->zip.first, *slash = strchr(first, '/');
    size_t length = slash ? (size_t)(slash - first) + 1 : 0;
    if (!length || length > 256)
        return FAIL(err, ERR_FORMAT, "the zip archive's entry '%s' is in no folder: torch.save did not write it",
                    first);
    for (size_t i = 0; i < torch->zip.count; i++)
        if (strncmp(torch->zip.entries[i].name, first, length) != 0)
            return FAIL(err, ERR_FORMAT, "the zip archive's entries '%s' and '%s' are not in one folder", first,
                        torch->zip.entries[i].name);
    torch->folder = arena_copy_text(torch->work, first, length, err);
    return torch->folder ? OK : err->status;
}

static Status version_check(const TorchFile *torch, Error *err) {
    Bytes text, order;
    TRY(record_read(torch, ".data/version", true, &text, err));
    if (!text.data)
        TRY(record_read(torch, "version", false, &text, err));
    int version = 0;
    for (size_t i = 0; i < text.size && i < 4 && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        version = version * 10 + (text.data[i] - '0');
    if (version < 1 || version > 10)
        return FAIL(err, ERR_UNSUPPORTED, "the file is of version %d of torch.save's format; 1 to 10 are read",
                    version);
    TRY(record_read(torch, "byteorder", true, &order, err));
    if (order.data && !(order.size == 6 && memcmp(order.data, "little", 6) == 0))
        return FAIL(err, ERR_UNSUPPORTED, "the file's byteorder is '%.*s', only 'little' is read",
                    order.size > 16 ? 16 : (int)order.size, (const char *)order.data);
    return OK;
}

static Status zip_form_read(TorchFile *torch, Bundle *ret_bundle, Error *err) {
    TRY(zip_open(torch->work, torch->file, &torch->zip, err));
    TRY(folder_find(torch, err));
    Bytes script, pickle;
    TRY(record_read(torch, "constants.pkl", true, &script, err));
    if (script.data)
        return FAIL(
            err, ERR_UNSUPPORTED,
            "the file is a TorchScript program; save the state dict instead: torch.save(model.state_dict(), ...)");
    TRY(version_check(torch, err));
    TRY(record_read(torch, "data.pkl", false, &pickle, err));
    TRY(pickle_read(torch->work, pickle, &torch->pickle, err));
    if (torch->pickle.bytes != pickle.size)
        return FAIL(err, ERR_FORMAT, "data.pkl has %zu bytes behind its pickle", pickle.size - torch->pickle.bytes);
    return torch_state_read(torch, ret_bundle, err);
}

// ---- the legacy form

static const unsigned char legacy_magic[] = {0x80, 2,    0x8A, 10,   0x6C, 0xFC, 0x9C, 0x46,
                                             0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, '.'};

bool torch_legacy_recognise(Bytes file) {
    // The first two bytes name the protocol, which may be another.
    return file.size >= sizeof legacy_magic && file.data[0] == 0x80 && file.data[1] >= 2 && file.data[1] <= 5 &&
           memcmp(file.data + 2, legacy_magic + 2, sizeof legacy_magic - 2) == 0;
}

static Status next_pickle(TorchFile *torch, Bytes *rest, const char *what, Pickle *ret, Error *err) {
    if (pickle_read(torch->work, *rest, ret, err) != OK)
        return error_context(err, "%s", what);
    rest->data += ret->bytes;
    rest->size -= ret->bytes;
    return OK;
}

// The storages that the object names, sorted, each once.
static Status storages_collect(TorchFile *torch, Error *err) {
    size_t count = torch->pickle.storage_count, kept = 0;
    TRY_NEW(torch->storages = arena_array(torch->work, count, sizeof *torch->storages, err));
    for (size_t i = 0; i < count; i++)
        TRY(torch_storage_parse(torch->pickle.storages[i], &torch->storages[i], err));
    if (count)
        qsort(torch->storages, count, sizeof *torch->storages, torch_storage_by_key);
    for (size_t i = 0; i < count; i++) {
        TorchStorage *last = kept ? &torch->storages[kept - 1] : NULL, *next = &torch->storages[i];
        if (!last || torch_storage_by_key(last, next) != 0)
            torch->storages[kept++] = *next;
        else if (last->dtype != next->dtype || last->elements != next->elements)
            return FAIL(err, ERR_FORMAT, "storage '%.*s' is named with different types or sizes",
                        (int)(next->key.size > 64 ? 64 : next->key.size), (const char *)next->key.data);
    }
    torch->storage_count = kept;
    return OK;
}

// Count and elements of each key's storage.
static Status storages_locate(TorchFile *torch, const PickleValue *keys, Bytes rest, Error *err) {
    if (keys->kind != PICKLE_LIST)
        return FAIL(err, ERR_FORMAT, "the storage keys are %s, expected a list", pickle_kind_name(keys));
    for (size_t i = 0; i < keys->count; i++) {
        TorchStorage key = {.key = keys->items[i]->kind == PICKLE_TEXT ? keys->items[i]->text : (Bytes){0}};
        TorchStorage *storage = torch->storage_count ? bsearch(&key, torch->storages, torch->storage_count, sizeof key,
                                                               torch_storage_by_key)
                                                     : NULL;
        int shown = (int)(key.key.size > 64 ? 64 : key.key.size);
        const char *name = key.key.size ? (const char *)key.key.data : "";
        if (!storage || storage->data.data)
            return FAIL(err, ERR_FORMAT, "storage key '%.*s' is %s", shown, name,
                        storage ? "listed twice" : "of no tensor");
        uint64_t elements = 0;
        for (size_t b = 8; b-- > 0 && rest.size >= 8;)
            elements = elements << 8 | rest.data[b];
        size_t bytes;
        if (rest.size < 8 || !size_multiply((size_t)elements, dtype_bytes(storage->dtype), &bytes) ||
            bytes > rest.size - 8)
            return FAIL(err, ERR_FORMAT, "storage '%.*s' claims %llu elements, the file ends %zu bytes further", shown,
                        name, (unsigned long long)elements, rest.size < 8 ? 0 : rest.size - 8);
        if (elements != storage->elements)
            return FAIL(err, ERR_FORMAT, "storage '%.*s' has %llu elements, expected %zu", shown, name,
                        (unsigned long long)elements, storage->elements);
        storage->data = (Bytes){rest.data + 8, bytes};
        rest.data += 8 + bytes;
        rest.size -= 8 + bytes;
    }
    if (rest.size)
        return FAIL(err, ERR_FORMAT, "%zu bytes follow the last storage", rest.size);
    return OK;
}

static Status legacy_form_read(TorchFile *torch, Bundle *ret_bundle, Error *err) {
    Bytes rest = torch->file;
    Pickle magic, protocol, system, keys;
    TRY(next_pickle(torch, &rest, "magic number", &magic, err));
    TRY(next_pickle(torch, &rest, "protocol number", &protocol, err));
    int64_t number = 0;
    if (!pickle_integer(protocol.root, &number) || number != 1001)
        return FAIL(err, ERR_UNSUPPORTED,
                    "the file is of protocol %lld of torch.save's legacy format, only 1001 is read", (long long)number);
    TRY(next_pickle(torch, &rest, "system information", &system, err));
    int64_t little = 1;
    if (pickle_integer(pickle_get(system.root, "little_endian"), &little) && !little)
        return FAIL(err, ERR_UNSUPPORTED, "the file's byteorder is 'big', only 'little' is read");
    TRY(next_pickle(torch, &rest, "saved object", &torch->pickle, err));
    TRY(next_pickle(torch, &rest, "storage keys", &keys, err));
    TRY(storages_collect(torch, err));
    TRY(storages_locate(torch, keys.root, rest, err));
    return torch_state_read(torch, ret_bundle, err);
}

static Status form_read(Status (*read)(TorchFile *, Bundle *, Error *), Arena *arena, const char *name, Bytes file,
                        Notes *notes, Bundle *ret_bundle, Error *err) {
    Arena work;
    // Bounds what a hostile pickle can make of a small file; a directory of zip entries grows with the file itself.
    arena_init(&work, file.size > SIZE_MAX / 2 ? SIZE_MAX : PICKLE_MOST_BYTES + file.size);
    TorchFile torch = {.arena = arena, .work = &work, .file = file, .notes = notes};
    Status status = read(&torch, ret_bundle, err);
    arena_done(&work);
    return status == OK ? OK : error_context(err, "file '%s'", name);
}

Status torch_zip_read(Arena *arena, const char *name, Bytes file, Notes *notes, Bundle *ret_bundle, Error *err) {
    return form_read(zip_form_read, arena, name, file, notes, ret_bundle, err);
}

Status torch_legacy_read(Arena *arena, const char *name, Bytes file, Notes *notes, Bundle *ret_bundle, Error *err) {
    return form_read(legacy_form_read, arena, name, file, notes, ret_bundle, err);
}

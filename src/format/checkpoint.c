// SPDX-License-Identifier: Apache-2.0
// A MODEL path to one bundle: pick the file or the index, read each file, hold shards against their index.
#include "format/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "format/scan.h"

enum { MOST_SHARDS = 10000, MOST_LISTED = 250000 };

// One line of an index: which shard holds a tensor.
typedef struct Listed {
    const char *tensor, *shard;
} Listed;

typedef struct Index {
    Listed *listed; // sorted by tensor
    size_t count;
    int64_t total_bytes; // 0: not said
} Index;

static int by_tensor(const void *a, const void *b) {
    return strcmp(((const Listed *)a)->tensor, ((const Listed *)b)->tensor);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// {"tensor":"shard", ...}. A shard is a file of the same folder.
static Status weight_map_read(Scan *scan, Arena *arena, Buffer *listed, Error *err) {
    TRY(scan_open(scan, '{', err));
    for (bool more;;) {
        TRY(scan_more(scan, '}', &more, err));
        if (!more)
            return OK;
        char *tensor, *shard;
        TRY(scan_key(scan, arena, &tensor, err));
        TRY(scan_text(scan, arena, &shard, err));
        if (!*shard || *shard == '.' || strchr(shard, '/') || strchr(shard, '\\'))
            return FAIL(err, ERR_FORMAT,
                        "tensor '%s' is said to be in '%s', expected the name of a file in the same folder", tensor,
                        shard);
        if (listed->bytes == MOST_LISTED * sizeof(Listed))
            return FAIL(err, ERR_LIMIT, "the index lists more than %d tensors", MOST_LISTED);
        buffer_add(listed, &(Listed){tensor, shard}, sizeof(Listed));
        TRY(buffer_status(listed, err));
    }
}

static Status metadata_read(Scan *scan, Arena *arena, int64_t *ret_total_bytes, Error *err) {
    TRY(scan_open(scan, '{', err));
    for (bool more;;) {
        TRY(scan_more(scan, '}', &more, err));
        if (!more)
            return OK;
        char *key;
        TRY(scan_key(scan, arena, &key, err));
        Scan before = *scan;
        if (strcmp(key, "total_size") != 0 ||
            scan_integer(scan, ret_total_bytes, err) != OK) { // some writers print 1.0
            *scan = before;
            TRY(scan_skip(scan, err));
        }
    }
}

static Status index_scan(Arena *arena, Bytes text, Buffer *listed, int64_t *ret_total_bytes, Error *err) {
    Scan scan;
    scan_init(&scan, "index", text);
    bool metadata = false, weight_map = false;
    TRY(scan_open(&scan, '{', err));
    for (bool more;;) {
        TRY(scan_more(&scan, '}', &more, err));
        if (!more)
            break;
        char *key;
        TRY(scan_key(&scan, arena, &key, err));
        bool *seen = strcmp(key, "metadata") == 0 ? &metadata : strcmp(key, "weight_map") == 0 ? &weight_map : NULL;
        if (seen && *seen)
            return FAIL(err, ERR_FORMAT, "the index has the key '%s' twice", key);
        if (!seen) {
            TRY(scan_skip(&scan, err));
            continue;
        }
        *seen = true;
        TRY(seen == &metadata ? metadata_read(&scan, arena, ret_total_bytes, err)
                              : weight_map_read(&scan, arena, listed, err));
    }
    if (!weight_map)
        return FAIL(err, ERR_FORMAT, "the index has no 'weight_map'");
    return scan_end(&scan, err);
}

static Status index_read(Arena *arena, const char *name, Bytes text, Index *ret_index, Error *err) {
    Buffer listed = {0};
    Index index = {0};
    Status status = index_scan(arena, text, &listed, &index.total_bytes, err);
    index.count = listed.bytes / sizeof(Listed);
    if (status == OK && !(index.listed = arena_array(arena, index.count, sizeof(Listed), err)))
        status = err->status;
    if (status == OK && index.count) {
        memcpy(index.listed, listed.data, listed.bytes);
        qsort(index.listed, index.count, sizeof(Listed), by_tensor);
    }
    for (size_t i = 1; i < index.count && status == OK; i++)
        if (strcmp(index.listed[i - 1].tensor, index.listed[i].tensor) == 0)
            status = FAIL(err, ERR_FORMAT, "the index lists tensor '%s' twice", index.listed[i].tensor);
    buffer_done(&listed);
    if (status != OK)
        return error_context(err, "file '%s'", name);
    *ret_index = index;
    return OK;
}

static Status files_make(Arena *arena, size_t count, Checkpoint *checkpoint, Error *err) {
    TRY_NEW(checkpoint->files = arena_array(arena, count, sizeof *checkpoint->files, err));
    TRY_NEW(checkpoint->contents = arena_array(arena, count, sizeof *checkpoint->contents, err));
    checkpoint->file_count = count;
    return OK;
}

// Maps and reads files[i].
static Status file_open(Arena *arena, Checkpoint *checkpoint, size_t i, Bundle *ret_bundle, const char **ret_format,
                        Error *err) {
    TRY(file_map(arena, checkpoint->files[i], &checkpoint->contents[i], err));
    return checkpoint_read(arena, checkpoint->files[i], checkpoint->contents[i], &checkpoint->notes, ret_bundle,
                           ret_format, err);
}

// The shards' names, sorted, each once.
static Status shards_list(Arena *arena, const Index *index, const char ***ret_names, size_t *ret_count, Error *err) {
    const char **names = arena_array(arena, index->count, sizeof *names, err);
    TRY_NEW(names);
    size_t count = 0;
    for (size_t i = 0; i < index->count; i++)
        names[i] = index->listed[i].shard;
    if (index->count)
        qsort(names, index->count, sizeof *names, by_text);
    for (size_t i = 0; i < index->count; i++)
        if (count == 0 || strcmp(names[count - 1], names[i]) != 0)
            names[count++] = names[i];
    if (count > MOST_SHARDS)
        return FAIL(err, ERR_LIMIT, "the index names %zu files, at most %d are read", count, MOST_SHARDS);
    *ret_names = names;
    *ret_count = count;
    return OK;
}

// Every tensor of a shard is listed there.
static Status shard_check(const Index *index, const char *shard, const Bundle *bundle, Error *err) {
    for (size_t i = 0; i < bundle->count; i++) {
        Listed key = {.tensor = bundle->tensors[i].name};
        const Listed *found = bsearch(&key, index->listed, index->count, sizeof key, by_tensor);
        if (!found)
            return FAIL(err, ERR_FORMAT, "file '%s' holds tensor '%s', which the index does not list", shard,
                        key.tensor);
        if (strcmp(found->shard, shard) != 0)
            return FAIL(err, ERR_FORMAT, "file '%s' holds tensor '%s', which the index places in '%s'", shard,
                        key.tensor, found->shard);
    }
    return OK;
}

static Status shards_open(Arena *arena, const char *folder, const char *index_path, Checkpoint *checkpoint,
                          Error *err) {
    Index index = {0};
    Bytes text;
    TRY(file_map(arena, index_path, &text, err));
    TRY(index_read(arena, index_path, text, &index, err));
    const char **shards = NULL;
    size_t count = 0, kept = 0, bytes = 0;
    TRY(shards_list(arena, &index, &shards, &count, err));
    TRY(files_make(arena, count + 1, checkpoint, err));
    checkpoint->files[0] = index_path;
    checkpoint->contents[0] = text;
    TRY_NEW(checkpoint->bundle.tensors = arena_array(arena, index.count, sizeof(Tensor), err));
    for (size_t i = 0; i < count; i++) {
        Bundle shard;
        const char *format;
        TRY_NEW(checkpoint->files[i + 1] = path_join(arena, folder, shards[i], err));
        if (path_kind(checkpoint->files[i + 1]) != PATH_FILE)
            return FAIL(err, ERR_FORMAT, "file '%s' places tensors in '%s', and its folder has no such file",
                        index_path, shards[i]);
        TRY(file_open(arena, checkpoint, i + 1, &shard, &format, err));
        if (i == 0)
            checkpoint->format = format;
        TRY(shard_check(&index, shards[i], &shard, err)); // so each name is new, and they fit
        for (size_t t = 0; t < shard.count; t++) {
            bytes += shard.tensors[t].bytes;
            checkpoint->bundle.tensors[kept++] = shard.tensors[t];
        }
    }
    checkpoint->bundle.count = kept;
    TRY(bundle_seal(&checkpoint->bundle, err));
    for (size_t i = 0; i < index.count; i++)
        if (!bundle_find(&checkpoint->bundle, index.listed[i].tensor))
            return FAIL(err, ERR_FORMAT, "file '%s' lacks tensor '%s', which '%s' places there", index.listed[i].shard,
                        index.listed[i].tensor, path_name(index_path));
    if (index.total_bytes && (uint64_t)index.total_bytes != bytes)
        TRY(notes_add(&checkpoint->notes, arena, err, "'%s' gives a total size of %lld bytes, the tensors have %zu",
                      path_name(index_path), (long long)index.total_bytes, bytes));
    return OK;
}

static bool has_ending(const char *name, const char *ending) {
    size_t length = strlen(name), end = strlen(ending);
    return length > end && strcmp(name + length - end, ending) == 0;
}

// No file has a known name: the one *.safetensors, or an error that says what is there.
static Status other_find(Arena *arena, const char *folder, const char **ret_path, Error *err) {
    char **names;
    size_t count, found = 0;
    TRY(folder_list(arena, folder, &names, &count, err));
    const char *only = NULL;
    Buffer list = {.limit_bytes = 300};
    for (size_t i = 0; i < count; i++)
        if (has_ending(names[i], ".safetensors")) {
            only = names[i];
            buffer_format(&list, "%s'%s'", found++ ? ", " : "", names[i]);
        }
    Status status = OK;
    if (found > 1)
        status = FAIL(err, ERR_FORMAT, "folder '%s' has several models and neither model.safetensors nor an index: %s",
                      folder, list.data ? list.data : "");
    for (size_t i = 0; i < count && status == OK && !found;
         i++) { // the first file of another program, for its sentence
        static const char *const endings[] = {".gguf", ".h5", ".msgpack", ".onnx", ".pt", ".pth", ".bin"};
        for (size_t e = 0; e < sizeof endings / sizeof *endings && status == OK; e++)
            if (has_ending(names[i], endings[e]))
                status = FAIL(err, ERR_FORMAT,
                              "folder '%s' has neither model.safetensors nor pytorch_model.bin; if '%s' is the model, "
                              "name that file",
                              folder, names[i]);
    }
    if (status == OK && !found)
        status = FAIL(err, ERR_FORMAT,
                      "folder '%s' holds no model: expected model.safetensors, pytorch_model.bin or encoder_model.onnx",
                      folder);
    buffer_done(&list);
    TRY(status);
    *ret_path = path_join(arena, folder, only, err);
    return *ret_path ? OK : err->status;
}

static Status one_open(Arena *arena, const char *path, Checkpoint *checkpoint, Error *err) {
    TRY(files_make(arena, 1, checkpoint, err));
    TRY_NEW(checkpoint->files[0] = arena_copy_text(arena, path, strlen(path), err));
    return file_open(arena, checkpoint, 0, &checkpoint->bundle, &checkpoint->format, err);
}

Status checkpoint_open(Arena *arena, const char *path, Checkpoint *ret_checkpoint, Error *err) {
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};
    Checkpoint checkpoint = {0};
    const char *file = path;
    if (path_kind(path) == PATH_FOLDER) {
        file = NULL;
        for (size_t i = 0; i < sizeof names / sizeof *names && !file; i++) {
            TRY_NEW(file = path_join(arena, path, names[i], err));
            if (path_kind(file) == PATH_NONE)
                file = NULL;
        }
        if (!file)
            TRY(other_find(arena, path, &file, err));
    }
    if (file != path && has_ending(file, ".index.json"))
        TRY(shards_open(arena, path, file, &checkpoint, err));
    else
        TRY(one_open(arena, file, &checkpoint, err));
    *ret_checkpoint = checkpoint;
    return OK;
}

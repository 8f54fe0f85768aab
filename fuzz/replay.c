// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over every file of the folders named, without a fuzzer: the corpus as a test. Speaks TAP.
#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Status replay_file(const char *folder, const char *name, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    Bytes bytes = {0};
    char *path = path_join(&arena, folder, name, err);
    Status status = path ? file_map(&arena, path, &bytes, err) : err->status;
    if (status == OK)
        LLVMFuzzerTestOneInput(bytes.data, bytes.size);
    arena_done(&arena);
    return status;
}

int main(int count, char **words) {
    memory_init();
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    int failed = 0;
    size_t number = 0;
    for (int f = 1; f < count; f++) {
        char **names = NULL;
        size_t name_count = 0;
        err.message[0] = '\0';
        bool listed = folder_list(&arena, words[f], &names, &name_count, &err) == OK && name_count > 0;
        if (!listed)
            printf("not ok %zu - %s holds inputs # %s\n", ++number, words[f], err.message);
        failed += !listed;
        for (size_t i = 0; i < name_count; i++) {
            bool done = replay_file(words[f], names[i], &err) == OK;
            printf("%s %zu - %s\n", done ? "ok" : "not ok", ++number, names[i]);
            fflush(stdout);
            failed += !done;
        }
    }
    printf("1..%zu\n", number);
    arena_done(&arena);
    return failed ? 1 : 0;
}

// SPDX-License-Identifier: Apache-2.0
// The engine cache: what is found gives the same bits as what is packed; whatever is damaged, foreign, not ours, cut or
// in the way is ignored and made again; writers at once, faults in every operation, and the limit on its size.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fault.h"
#include "base/own.h"
#include "exec/engine_entry.h"
#include "exec/engines.h"

static Error err;
static const size_t row_counts[] = {1, 3, 16, 50, ENGINE_ROWS};

static void check_same(const TestEngine *a, const TestEngine *b) {
    static float x[ENGINE_ROWS * ENGINE_COLUMNS], y[ENGINE_ROWS * ENGINE_COLUMNS];
    for (size_t i = 0; i < ARRAY_COUNT(row_counts); i++) {
        test_engine_run(a, row_counts[i], x);
        test_engine_run(b, row_counts[i], y);
        ck_assert_mem_eq(x, y, row_counts[i] * ENGINE_COLUMNS * sizeof *x);
    }
}

START_TEST(test_found_again) {
    Scratch scratch = scratch_make();
    for (CpuLevel level = CPU_REF; level <= cpu_detect(); level++) {
        TestModel model = test_model(&scratch, level, 2), uncached = model;
        uncached.folder = NULL;
        TestEngine plain = test_engine(&uncached), packed = test_engine(&model);
        ck_assert_int_eq(engine_cache_report(plain.cache)->origin, ENGINE_UNCACHED);
        ck_assert_int_eq(engine_cache_report(packed.cache)->origin, ENGINE_PACKED);
        engine_cache_settle(packed.cache);
        ck_assert_str_eq(engine_cache_report(packed.cache)->note, "");
        TestEngine found = test_engine(&model), again = test_engine(&model);
        ck_assert_int_eq(engine_cache_report(found.cache)->origin, ENGINE_MAPPED);
        ck_assert(found.loaded && again.loaded && !packed.loaded);
        check_same(&plain, &packed);
        check_same(&plain, &found);
        ck_assert_uint_eq(found.block.bytes, packed.block.bytes);
        ck_assert_mem_eq(found.block.data, packed.block.data, found.block.bytes);
        ck_assert_uint_eq(found.tuning.count, packed.tuning.count);
        ck_assert_mem_eq(found.tuning.shapes, packed.tuning.shapes, found.tuning.count * sizeof *found.tuning.shapes);
        for (size_t i = 0; i < found.block.count; i++)
            ck_assert_mem_eq(found.block.places[i].tilings, packed.block.places[i].tilings,
                             sizeof found.block.places[i].tilings);
        test_engine_close(&again);
        test_engine_close(&found);
        test_engine_close(&packed);
        test_engine_close(&plain);
        test_model_done(&model);
    }
    scratch_done(&scratch);
}
END_TEST

// The one entry of the cache; what is in it is the caller's to free.
static char *entry_path(Scratch *scratch, const TestModel *model) {
    char **names, *path = NULL;
    size_t count;
    CHECK_OK(folder_list(&scratch->arena, model->folder, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (strstr(names[i], ".engine")) {
            ck_assert_ptr_null(path);
            path = path_join(&scratch->arena, model->folder, names[i], &err);
        }
    return path;
}

// Opens on top of the file as it is: it must not be used, and be made anew.
static void check_refused(const TestModel *model, const TestEngine *good, const char *why) {
    TestEngine engine = test_engine(model);
    ck_assert_msg(!engine.loaded, "loaded, expected: %s", why);
    ck_assert_int_eq(engine_cache_report(engine.cache)->origin, ENGINE_PACKED);
    ck_assert_msg(strstr(engine_cache_report(engine.cache)->note, why) != NULL, "note '%s' lacks '%s'",
                  engine_cache_report(engine.cache)->note, why);
    check_same(&engine, good);
    test_engine_close(&engine);
    TestEngine again = test_engine(model);
    ck_assert(again.loaded);
    test_engine_close(&again);
}

START_TEST(test_damage) {
    Scratch scratch = scratch_make();
    TestModel model = test_model(&scratch, cpu_detect(), 2);
    TestEngine good = test_engine(&model);
    engine_cache_settle(good.cache);
    char *path = entry_path(&scratch, &model);
    Bytes file;
    CHECK_OK(file_map(&scratch.arena, path, &file, &err));
    unsigned char *copy = memory_map(file.size, &err);
    size_t header = 104, tables = header + good.block.count * 104, block = DIGEST_PIECE_BYTES;
    ck_assert_uint_eq(file.size, block + good.block.bytes);
    size_t places[400], count = 0;
    for (size_t at = 0; at < header; at += 4) // every field
        places[count++] = at;
    for (size_t at = header; at < tables + good.tuning.count * sizeof(ShapeTuning) + 16; at += 37)
        places[count++] = at;
    places[count++] = block - 1;
    for (size_t i = 0; i <= 8; i++)
        places[count++] = block + i * (good.block.bytes - 1) / 8;
    ck_assert_uint_lt(count, ARRAY_COUNT(places));
    for (size_t i = 0; i < count; i++) {
        memcpy(copy, file.data, file.size);
        copy[places[i]] ^= 0x10;
        CHECK_OK(file_replace(path, copy, file.size, &err));
        check_refused(&model, &good,
                      places[i] < 12       ? "it has another format"
                      : places[i] < header ? "its header is damaged"
                      : places[i] < block  ? "its tables are damaged"
                                           : "its weights are damaged");
    }
    const size_t lengths[] = {1, header - 1, header, tables, block - 1, block, file.size - 1};
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        CHECK_OK(file_replace(path, file.data, lengths[i], &err));
        check_refused(&model, &good, lengths[i] < header ? "it is shorter than a header" : "do not fit together");
    }
    CHECK_OK(file_replace(path, "", 0, &err));
    check_refused(&model, &good, "or is empty");
    memory_unmap(copy, file.size);
    test_engine_close(&good);
    test_model_done(&model);
    folder_discard(model.folder);
    scratch_done(&scratch);
}
END_TEST

// Another level, number of threads, model or file does not find the entry; put in its place, it is refused.
START_TEST(test_foreign) {
    Scratch scratch = scratch_make();
    TestModel model = test_model(&scratch, cpu_detect(), 2), others[] = {model, model, model, model};
    TestEngine good = test_engine(&model);
    engine_cache_settle(good.cache);
    char *path = entry_path(&scratch, &model);
    Bytes file;
    CHECK_OK(file_map(&scratch.arena, path, &file, &err));
    kernels_pick(CPU_REF, &others[0].kernels);
    CHECK_OK(pool_new(3, &others[1].pool, &err));
    char *other_text = arena_copy_text(&scratch.arena, engine_text, strlen(engine_text), &err);
    memcpy(strstr(other_text, "gelu"), "silu", 4);
    others[2].graph = graph_from(&scratch.arena, other_text, 3);
    others[3].file = scratch_path(&scratch, "other");
    CHECK_OK(file_replace(others[3].file, "weights of a west", 17, &err));
    CHECK_OK(file_map(&scratch.arena, others[3].file, &others[3].contents, &err));
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        TestEngine other = test_engine(&others[i]);
        ck_assert(!other.loaded);
        engine_cache_settle(other.cache);
        const char *own = engine_cache_report(other.cache)->path;
        ck_assert_str_ne(own, path);
        CHECK_OK(file_replace(own, file.data, file.size, &err));
        ck_assert_int_eq(chmod(own, 0600), 0);
        TestEngine fooled = test_engine(&others[i]);
        ck_assert(!fooled.loaded);
        ck_assert_ptr_nonnull(
            strstr(engine_cache_report(fooled.cache)->note, "it belongs to another model, build or machine"));
        check_same(&other, &fooled);
        test_engine_close(&fooled);
        test_engine_close(&other);
    }
    pool_free(others[1].pool);
    // Writable by others, a link, or a folder in its place: not used. A key of another size: no cache at all.
    ck_assert_int_eq(chmod(path, 0666), 0);
    check_refused(&model, &good, "is not a file that only this user may write");
    char *moved = scratch_path(&scratch, "moved");
    ck_assert(rename(path, moved) == 0 && symlink(moved, path) == 0);
    check_refused(&model, &good, "cannot be opened");
    CHECK_OK(file_replace(path_join(&scratch.arena, model.folder, "key", &err), "short", 5, &err));
    TestEngine keyless = test_engine(&model);
    ck_assert_int_eq(engine_cache_report(keyless.cache)->origin, ENGINE_UNCACHED);
    ck_assert_ptr_nonnull(strstr(engine_cache_report(keyless.cache)->note, "expected a key of 192: remove it"));
    check_same(&keyless, &good);
    test_engine_close(&keyless);
    test_engine_close(&good);
    test_model_done(&model);
    folder_discard(model.folder);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_folders_in_the_way) {
    Scratch scratch = scratch_make();
    TestModel model = test_model(&scratch, cpu_detect(), 1);
    const char *const folders[] = {"/dev/null/cache", model.file, "", "/proc/cache", NULL};
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
        model.folder = folders[i];
        TestEngine engine = test_engine(&model);
        ck_assert_int_eq(engine_cache_report(engine.cache)->origin, ENGINE_UNCACHED);
        ck_assert_int_eq(engine_cache_report(engine.cache)->note[0] != '\0', folders[i] != NULL);
        ck_assert_uint_eq(engine.block.places[0].tilings[0].most_rows, 0);
        test_engine_close(&engine);
    }
    test_model_done(&model);
    scratch_done(&scratch);
}
END_TEST

// Processes that start together all run, and what they leave is whole; two that found it share its pages.
START_TEST(test_many_at_once) {
    Scratch scratch = scratch_make();
    TestModel model = test_model(&scratch, cpu_detect(), 1);
    pid_t children[4];
    for (size_t i = 0; i < ARRAY_COUNT(children); i++)
        if ((children[i] = fork()) == 0) {
            for (int round = 0; round < 5; round++) {
                TestEngine engine = {.loaded = false};
                arena_init(&engine.arena, 0);
                if (test_engine_open(&model, &engine, &err) != OK)
                    _exit(1);
                if (round == 2 && engine_cache_report(engine.cache)->path)
                    file_remove(engine_cache_report(engine.cache)->path);
                test_engine_close(&engine);
            }
            _exit(0);
        }
    for (size_t i = 0; i < ARRAY_COUNT(children); i++) {
        int status;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    TestEngine found = test_engine(&model);
    if (!found.loaded) { // a key drawn twice leaves entries under the first
        test_engine_close(&found);
        found = test_engine(&model);
    }
    ck_assert(found.loaded);
    char line[4096];
    bool shared = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        shared |= strstr(line, engine_cache_report(found.cache)->path) && strstr(line, " r--s ");
    fclose(maps);
    ck_assert(shared);
    test_engine_close(&found);
    test_model_done(&model);
    folder_discard(model.folder);
    scratch_done(&scratch);
}
END_TEST

// The nth read, write or allocation fails, for every n: opening may only fail for want of memory, and results are the
// same. What was left behind is whole.
START_TEST(test_faults) {
    Scratch scratch = scratch_make();
    TestModel model = test_model(&scratch, cpu_detect(), 1);
    TestEngine good = test_engine(&model);
    engine_cache_settle(good.cache);
    for (FaultKind kind = 0; kind < FAULT_COUNT; kind++)
        for (int there = 0; there < 2; there++) {
            bool struck = true;
            for (uint64_t nth = 1; struck; nth++) {
                ck_assert_uint_lt(nth, 1000);
                if (!there)
                    folder_discard(model.folder);
                TestEngine engine = {.loaded = false};
                arena_init(&engine.arena, 0);
                fault_arm(kind, nth);
                Status status = test_engine_open(&model, &engine, &err);
                if (status == OK)
                    engine_cache_settle(engine.cache);
                struck = fault_seen(kind) >= nth;
                fault_arm(kind, 0);
                ck_assert(status == OK || (status == ERR_MEMORY && kind == FAULT_ALLOCATION));
                if (status == OK)
                    check_same(&engine, &good);
                test_engine_close(&engine);
            }
        }
    test_engine_close(&good);
    test_model_done(&model);
    folder_discard(model.folder);
    scratch_done(&scratch);
}
END_TEST

static void fake_entry(Scratch *scratch, const TestModel *model, const char *name, off_t bytes, time_t age) {
    char *path = path_join(&scratch->arena, model->folder, name, &err);
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(ftruncate(file, bytes), 0); // a hole: takes no room
    time_t then = time(NULL) - age;
    ck_assert_int_eq(futimens(file, (struct timespec[]){{.tv_sec = then}, {.tv_sec = then}}), 0);
    close(file);
}

static bool there(Scratch *scratch, const TestModel *model, const char *name) {
    return path_kind(path_join(&scratch->arena, model->folder, name, &err)) == PATH_FILE;
}

START_TEST(test_least_recently_used_go_first) {
    Scratch scratch = scratch_make();
    TestModel model = test_model(&scratch, cpu_detect(), 1);
    const off_t gigabyte = (off_t)1 << 30;
    CHECK_OK(folder_make_own(model.folder, &err));
    fake_entry(&scratch, &model, "a.engine", 2 * gigabyte, 3000);
    fake_entry(&scratch, &model, "b.engine", 2 * gigabyte, 9000);
    fake_entry(&scratch, &model, "c.engine", gigabyte, 5000);
    fake_entry(&scratch, &model, "old.engine.1-1.part", gigabyte, 9000);
    fake_entry(&scratch, &model, "new.engine.1-2.part", gigabyte, 10);
    fake_entry(&scratch, &model, "notes.txt", 8 * gigabyte, 90000);
    TestEngine engine = test_engine(&model);
    engine_cache_settle(engine.cache);
    ck_assert_str_eq(engine_cache_report(engine.cache)->note, "");
    ck_assert(there(&scratch, &model, "a.engine") && !there(&scratch, &model, "b.engine"));
    ck_assert(there(&scratch, &model, "c.engine") && there(&scratch, &model, "notes.txt"));
    ck_assert(!there(&scratch, &model, "old.engine.1-1.part") && there(&scratch, &model, "new.engine.1-2.part"));
    FileStamp before, after;
    CHECK_OK(file_stamp(engine_cache_report(engine.cache)->path, &before, &err));
    usleep(20000);
    TestEngine found = test_engine(&model); // use makes it young
    ck_assert(found.loaded);
    CHECK_OK(file_stamp(engine_cache_report(engine.cache)->path, &after, &err));
    ck_assert_int_gt(after.modified_ns, before.modified_ns);
    test_engine_close(&found);
    test_engine_close(&engine);
    test_model_done(&model);
    folder_discard(model.folder);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("engine_cache", test_found_again, test_damage, test_foreign, test_folders_in_the_way, test_many_at_once,
          test_faults, test_least_recently_used_go_first)

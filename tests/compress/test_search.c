// SPDX-License-Identifier: Apache-2.0
// The search on a small model whose own outputs are the labels: what is found holds, comes out the same again, goes on
// where it was killed, and says no where the budget asks for too much.
#include "check.h"

#include <signal.h>
#include <sys/wait.h>

#define TINY_SCALE 4
#include "base/random.h"
#include "compress/manifest.h"
#include "compress/search.h"
#include "compress/split.h"
#include "compress/tiny.h"
#include "compress/verify.h"
#include "measure/evaluate.h"

static Error err;

enum { ROWS = 120 };

static char *model_write(Scratch *scratch, const char *name) {
    Tiny tiny = tiny_make(&scratch->arena);
    return tiny_write(&tiny, scratch, name, tiny_config_scaled(&scratch->arena));
}

static Status greedy(const void *context, Arena *arena, GenerationOptions *options, Error *error) {
    (void)context;
    (void)arena;
    (void)error;
    options->num_beams = 1;
    options->max_new_tokens = 8;
    return OK;
}

typedef struct Labels {
    Buffer lines;
    const DataSet *data;
} Labels;

static void add_ids(Buffer *out, const char *key, const int32_t *ids, size_t count) {
    buffer_format(out, "\"%s\": [", key);
    for (size_t i = 0; i < count; i++)
        buffer_format(out, "%s%d", i ? ", " : "", ids[i]);
    buffer_add_char(out, ']');
}

static Status label(void *context, size_t index, const int32_t *ids, size_t count, const char *text, size_t bytes,
                    Error *error) {
    (void)text;
    (void)bytes;
    Labels *labels = context;
    const DataRow *row = &labels->data->rows[index];
    buffer_add_char(&labels->lines, '{');
    add_ids(&labels->lines, "input_ids", row->ids, row->id_count);
    buffer_add_text(&labels->lines, ", ");
    add_ids(&labels->lines, "label_ids", ids, count);
    buffer_add_text(&labels->lines, "}\n");
    return buffer_status(&labels->lines, error);
}

// Random sources with what the model makes of them.
static char *data_write(Scratch *scratch, const char *model, size_t rows) {
    Random random = {11};
    DataRow *all = arena_array(&scratch->arena, rows, sizeof *all, &err);
    for (size_t i = 0; i < rows; i++) {
        int32_t *ids = arena_array(&scratch->arena, 10, sizeof *ids, &err);
        for (size_t t = 0; t < 10; t++)
            ids[t] = (int32_t)(3 + random_below(&random, 37));
        all[i] = (DataRow){.ids = ids, .id_count = 10};
    }
    DataSet data = {all, rows, true};
    Labels labels = {.data = &data};
    RuntimeSettings settings = {.level = cpu_detect(), .threads = 1, .batch = 8};
    Runtime *runtime;
    CHECK_OK(runtime_new(model, &settings, &runtime, &err));
    EvaluateSettings evaluation = {
        .generation = *model_generation(runtime->model), .batch = 8, .on_output = label, .context = &labels};
    CHECK_OK(greedy(NULL, NULL, &evaluation.generation, &err));
    Evaluation result = {0};
    CHECK_OK(evaluate(runtime, &data, &evaluation, &result, &err));
    evaluation_done(&result);
    runtime_free(runtime);
    char *path = scratch_path(scratch, "data.jsonl");
    CHECK_OK(file_replace(path, labels.lines.data, labels.lines.bytes, &err));
    buffer_done(&labels.lines);
    return path;
}

typedef struct Bed {
    Scratch scratch;
    SearchOptions options;
} Bed;

static Bed bed_make(void) {
    Bed bed = {.scratch = scratch_make()};
    char *model = model_write(&bed.scratch, "model");
    bed.options = (SearchOptions){.model = model,
                                  .output = scratch_path(&bed.scratch, "out"),
                                  .data = data_write(&bed.scratch, model, ROWS),
                                  .max_loss = 0.5,
                                  .goal = SEARCH_MEMORY,
                                  .seed = 1,
                                  .threads = 1,
                                  .level = cpu_detect(),
                                  .generation = greedy,
                                  .generation_text = "greedy",
                                  .command = "a test",
                                  .cache = scratch_path(&bed.scratch, "cache")};
    return bed;
}

// The bytes of the weights and the recipe: all that may not hang on chance.
static char *outcome(Bed *bed, const char *folder) {
    Bytes weights;
    json_t *manifest;
    Sha256 hash;
    char digits[SHA256_TEXT_BYTES];
    CHECK_OK(file_map(&bed->scratch.arena, path_join(&bed->scratch.arena, folder, "model.safetensors", &err), &weights,
                      &err));
    CHECK_OK(json_read(&bed->scratch.arena, path_join(&bed->scratch.arena, folder, "hone.json", &err), false, &manifest,
                       &err));
    Buffer recipe = {0};
    json_print(json_object_get(manifest, "recipe"), JSON_COMPACT, &recipe);
    sha256_init(&hash);
    sha256_add(&hash, weights.data, weights.size);
    sha256_add(&hash, recipe.data, recipe.bytes);
    buffer_done(&recipe);
    sha256_text(&hash, digits);
    return arena_copy_text(&bed->scratch.arena, digits, strlen(digits), &err);
}

static size_t count_of(const SearchAnswer *answer, const char *key) {
    return json_array_size(json_object_get(answer->evidence, key));
}

START_TEST(the_answer_is_a_model_with_its_evidence) {
    Bed bed = bed_make();
    SearchAnswer answer;
    CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &answer, &err));
    ck_assert_msg(answer.met, "%s", answer.sentence);
    ck_assert_uint_ge(count_of(&answer, "rows"), 7);
    ck_assert_uint_ge(count_of(&answer, "frontier"), 10);
    ck_assert_uint_ge(count_of(&answer, "layers"), 17);
    ck_assert_uint_ge(count_of(&answer, "waterfall"), 2);
    VerifyReport report;
    CHECK_OK(verify_model(&bed.scratch.arena, bed.options.output, &(WorkMeter){0}, &report, &err));
    ck_assert_msg(!report.problems.count, "%s", report.problems.count ? report.problems.texts[0] : "");
    json_t *manifest;
    CHECK_OK(json_read(&bed.scratch.arena, path_join(&bed.scratch.arena, bed.options.output, "hone.json", &err), false,
                       &manifest, &err));
    const json_t *recipe = json_object_get(manifest, "recipe");
    ck_assert_str_eq(json_string_value(json_object_get(recipe, "command")), "optimize");
    ck_assert_ptr_nonnull(json_object_get(json_object_get(manifest, "evidence"), "rows"));
    // The source is the model itself, not what lies between.
    Bytes weights;
    FileRecord record;
    CHECK_OK(file_map(&bed.scratch.arena, path_join(&bed.scratch.arena, bed.options.model, "model.safetensors", &err),
                      &weights, &err));
    file_record_fill("model.safetensors", weights, NULL, &record);
    const json_t *files = json_object_get(json_object_get(manifest, "source"), "files"), *last = NULL;
    for (size_t i = 0; i < json_array_size(files); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(files, i), "name")), record.name) == 0)
            last = json_array_get(files, i);
    ck_assert_str_eq(json_string_value(json_object_get(last, "sha256")), record.sha256);
    ck_assert_uint_eq(scratch_count(&bed.scratch), 4); // model, data, cache, out: the search left nothing else
    scratch_done(&bed.scratch);
}
END_TEST

START_TEST(the_same_again_is_the_same_and_at_once) {
    Bed bed = bed_make();
    SearchAnswer answer, again;
    CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &answer, &err));
    char *first = outcome(&bed, bed.options.output);
    CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &again, &err));
    ck_assert_str_eq(outcome(&bed, bed.options.output), first);
    ck_assert_str_eq(again.sentence, answer.sentence); // times too: nothing was measured again
    bed.options.cache = NULL;
    CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &again, &err));
    ck_assert_str_eq(outcome(&bed, bed.options.output), first);
    scratch_done(&bed.scratch);
}
END_TEST

START_TEST(a_killed_search_goes_on) {
    Bed bed = bed_make();
    SearchAnswer answer;
    const char *cache = bed.options.cache;
    bed.options.cache = NULL;
    CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &answer, &err));
    char *whole = outcome(&bed, bed.options.output);
    bed.options.cache = cache;
    bed.options.output = scratch_path(&bed.scratch, "resumed");
    Random random = {5};
    for (size_t kills = 0; kills < 10; kills++) {
        pid_t child = fork();
        if (child == 0) {
            Status status = search_run(&bed.scratch.arena, &bed.options, &answer, &err);
            _exit(status == OK ? 0 : 1);
        }
        usleep(5000 + random_below(&random, 150000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &answer, &err));
    ck_assert_str_eq(outcome(&bed, bed.options.output), whole);
    ck_assert_uint_eq(scratch_count(&bed.scratch), 5);
    scratch_done(&bed.scratch);
}
END_TEST

// Weights as fp16 change no output here, so that some answer within any budget is there to be confirmed, whatever the
// final rows say of the boldest.
START_TEST(what_the_final_rows_do_not_bear_out_falls_back) {
    Bed bed = bed_make();
    static const double budgets[] = {0, 0.02, 0.05, 0.1, 0.2};
    for (size_t i = 0; i < ARRAY_COUNT(budgets); i++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            SearchAnswer answer;
            bed.options.max_loss = budgets[i];
            bed.options.seed = seed;
            CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &answer, &err));
            ck_assert_msg(answer.met, "budget %g, seed %d: %s", budgets[i], (int)seed, answer.sentence);
            const json_t *rows = json_object_get(answer.evidence, "rows"),
                         *last = json_array_get(rows, json_array_size(rows) - 1);
            const json_t *loss = json_object_get(json_object_get(last, "loss"), "mean");
            ck_assert_double_le(json_number_value(json_object_get(loss, "high")), budgets[i]);
        }
    scratch_done(&bed.scratch);
}
END_TEST

START_TEST(a_budget_that_cannot_be_met_keeps_the_best) {
    Bed bed = bed_make();
    SearchAnswer answer;
    bed.options.max_loss = 0;
    bed.options.most_evaluations = 6;
    CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &answer, &err));
    const json_t *evidence = answer.evidence;
    ck_assert_int_le(json_integer_value(json_object_get(evidence, "evaluations")), 6);
    ck_assert(json_is_true(json_object_get(json_object_get(evidence, "answer"), "met")) == answer.met);
    VerifyReport report;
    CHECK_OK(verify_model(&bed.scratch.arena, bed.options.output, &(WorkMeter){0}, &report, &err));
    bed.options.most_evaluations = 1; // the original alone
    CHECK_OK(search_run(&bed.scratch.arena, &bed.options, &answer, &err));
    ck_assert(!answer.met);
    ck_assert_ptr_nonnull(strstr(answer.sentence, "no recipe was tried"));
    scratch_done(&bed.scratch);
}
END_TEST

START_TEST(what_cannot_be_searched_is_said_first) {
    Bed bed = bed_make();
    SearchAnswer answer;
    SearchOptions options = bed.options;
    options.output = bed.options.model;
    CHECK_FAILS(search_run(&bed.scratch.arena, &options, &answer, &err), ERR_USAGE, "exists and is not empty");
    options = bed.options;
    char *few = scratch_path(&bed.scratch, "few.jsonl");
    static const char row[] = "{\"input_ids\": [3], \"label_ids\": [4]}\n\n";
    CHECK_OK(file_replace(few, row, strlen(row), &err));
    options.data = few;
    CHECK_FAILS(search_run(&bed.scratch.arena, &options, &answer, &err), ERR_FORMAT,
                "has 1 rows, expected at least 12");
    options.data = scratch_path(&bed.scratch, "none.jsonl");
    CHECK_FAILS(search_run(&bed.scratch.arena, &options, &answer, &err), ERR_IO, "none.jsonl");
    ck_assert_int_eq(path_kind(bed.options.output), PATH_NONE);
    ck_assert_uint_eq(scratch_count(&bed.scratch), 3);
    scratch_done(&bed.scratch);
}
END_TEST

START_TEST(rows_are_dealt_out_once) {
    Bed bed = bed_make();
    Split split, again, other;
    char *folder;
    CHECK_OK(folder_scratch(&bed.scratch.arena, scratch_path(&bed.scratch, "split"), &folder, &err));
    CHECK_OK(split_make(&bed.scratch.arena, bed.options.data, folder, 1, &split, &err));
    CHECK_OK(split_make(&bed.scratch.arena, bed.options.data, folder, 1, &again, &err));
    CHECK_OK(split_make(&bed.scratch.arena, bed.options.data, folder, 2, &other, &err));
    ck_assert_uint_eq(split.parts[SPLIT_TUNING].count, 30);
    ck_assert_uint_eq(split.parts[SPLIT_SELECTION].count, 45);
    ck_assert_uint_eq(split.parts[SPLIT_FINAL].count, 45);
    size_t seen[ROWS] = {0}, total = 0;
    DataSet all;
    CHECK_OK(data_read(&bed.scratch.arena, bed.options.data, 0, true, &all, &err));
    for (SplitPart part = 0; part < SPLIT_PARTS; part++)
        for (size_t i = 0; i < split.parts[part].count; i++)
            for (size_t r = 0; r < ROWS; r++)
                if (memcmp(split.parts[part].rows[i].ids, all.rows[r].ids, 10 * sizeof(int32_t)) == 0)
                    seen[r]++, total++;
    for (size_t r = 0; r < ROWS; r++)
        ck_assert_uint_eq(seen[r], 1);
    ck_assert_uint_eq(total, ROWS);
    for (SplitPart part = 0; part < SPLIT_PARTS; part++) {
        ck_assert_str_eq(split.sha256[part], again.sha256[part]);
        ck_assert_str_ne(split.sha256[part], other.sha256[part]);
    }
    scratch_done(&bed.scratch);
}
END_TEST

TEST_MAIN("search", the_answer_is_a_model_with_its_evidence, the_same_again_is_the_same_and_at_once,
          a_killed_search_goes_on, what_the_final_rows_do_not_bear_out_falls_back,
          a_budget_that_cannot_be_met_keeps_the_best, what_cannot_be_searched_is_said_first, rows_are_dealt_out_once)

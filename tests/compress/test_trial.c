// SPDX-License-Identifier: Apache-2.0
// Trials against what transformers generates, against the scorer and the evaluation loop, and against arithmetic; on
// the demo's model where it is there.
#include "check.h"

#include <math.h>

#include "base/json.h"
#include "base/random.h"
#include "base/scratch.h"
#include "compress/quantize.h"
#include "compress/trial.h"
#include "compress/vocabulary.h"
#include "measure/evaluate.h"

static Error err;

static char *source_path(Arena *arena, const char *name) {
    const char *source = getenv("HONE_SOURCE");
    char *path = path_join(arena, source ? source : ".", name, &err);
    ck_assert_ptr_nonnull(path);
    return path;
}

static RuntimeSettings settings(void) {
    return (RuntimeSettings){.level = cpu_detect(), .threads = 1};
}

static TrialOptions options_of(const DataSet *data) {
    return (TrialOptions){.data = data, .data_name = "the data", .runtime = settings()};
}

static Status case_options(const void *context, Arena *arena, GenerationOptions *options, Error *error) {
    TRY(generation_read(arena, context, "the case", options, error));
    options->num_return_sequences = 1;
    return OK;
}

static int32_t *ids_of(Arena *arena, const json_t *array, size_t *ret_count) {
    size_t count = *ret_count = json_array_size(array);
    int32_t *ids = arena_array(arena, count + 1, sizeof *ids, &err);
    ck_assert_ptr_nonnull(ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return ids;
}

// What transformers wrote is right throughout; a token more is one error in all labels that are no marks.
static void check_case(Arena *arena, const char *model, const json_t *item) {
    const json_t *asked = json_object_get(item, "options");
    DataRow rows[2] = {{0}};
    rows[0].ids = ids_of(arena, json_object_get(item, "source"), &rows[0].id_count);
    int32_t *labels = ids_of(arena, json_object_get(json_array_get(json_object_get(item, "sequences"), 0), "ids"),
                             &rows[0].label_count);
    rows[0].labels = labels;
    rows[1] = rows[0];
    labels[rows[1].label_count++] = 50;
    size_t words = 1;
    for (size_t i = 0; i < rows[0].label_count; i++)
        words += labels[i] > 2 ? 2 : 0;
    DataSet data = {rows, 2, true};
    TrialOptions options = options_of(&data);
    options.options = case_options;
    options.context = asked;
    Quality quality;
    CHECK_OK(trial_quality(arena, model, &options, &quality, &err));
    ck_assert_uint_eq(quality.samples, 2);
    ck_assert_uint_eq(quality.metrics, 2);
    ck_assert_str_eq(quality.names[0], "exact");
    ck_assert_str_eq(quality.names[1], "token_error");
    ck_assert(!quality.less_is_better[0] && quality.less_is_better[1]);
    ck_assert_ptr_null(quality.texts);
    ck_assert(quality.scores[0][0] == 1 && quality.scores[0][1] == 0);
    ck_assert(quality.scores[1][0] == 0);
    ck_assert_double_eq_tol(statistics_mean(quality.scores[1], 2), 1.0 / (double)words, 1e-12);
    TrialLoss none = trial_loss(&quality, &quality);
    for (size_t m = 0; m < 2; m++)
        ck_assert(none.metrics[m].relative == 0 && none.metrics[m].low == 0 && none.metrics[m].high == 0);
    ck_assert(none.mean.relative == 0 && none.mean.low == 0 && none.mean.high == 0);
}

START_TEST(labels_are_scored) {
    Arena arena;
    arena_init(&arena, 0);
    char *model = source_path(&arena, "tests/golden/engine/tiny_bart");
    json_t *cases;
    CHECK_OK(json_read(&arena, path_join(&arena, model, "cases.json", &err), false, &cases, &err));
    size_t checked = 0;
    for (size_t i = 0; i < json_array_size(cases) && checked < 12; i++) {
        const json_t *item = json_array_get(cases, i), *asked = json_object_get(item, "options");
        if (json_object_get(asked, "do_sample") || json_object_get(asked, "eos_token_id"))
            continue;
        check_case(&arena, model, item);
        checked++;
    }
    ck_assert_uint_eq(checked, 12);
    arena_done(&arena);
}
END_TEST

static Quality made_up(double (*scores)[4], size_t metrics, bool labelled) {
    Quality quality = {.samples = 4, .metrics = metrics, .less_is_better = {false, labelled, false}};
    for (size_t m = 0; m < metrics; m++)
        quality.scores[m] = scores[m];
    return quality;
}

START_TEST(losses_are_averaged) {
    double was[3][4] = {{0.5, 0.5, 0.5, 0.5}, {0.4, 0.4, 0.4, 0.4}, {0.2, 0.2, 0.2, 0.2}};
    double now[3][4] = {{0.5, 0.5, 0.5, 0.5}, {0.3, 0.3, 0.3, 0.3}, {0.1, 0.1, 0.1, 0.1}};
    Quality base = made_up(was, 3, false), candidate = made_up(now, 3, false);
    TrialLoss loss = trial_loss(&base, &candidate);
    ck_assert(loss.metrics[0].relative == 0);
    ck_assert_double_eq_tol(loss.metrics[1].relative, 0.25, 1e-12);
    ck_assert_double_eq_tol(loss.metrics[2].relative, 0.5, 1e-12);
    ck_assert_double_eq_tol(loss.mean.relative, 0.25, 1e-12);
    ck_assert_double_eq_tol(loss.mean.low, 0.25, 1e-12); // all samples lose the same
    ck_assert_double_eq_tol(loss.mean.high, 0.25, 1e-12);
    base = made_up(now, 2, true), candidate = made_up(was, 2, true);
    loss = trial_loss(&base, &candidate);
    ck_assert_double_eq_tol(loss.metrics[1].relative, 1.0 / 3, 1e-12); // a third more errors
    ck_assert(loss.mean.relative == loss.metrics[0].relative && loss.mean.high == loss.metrics[0].high);
}
END_TEST

START_TEST(ratios) {
    Arena arena;
    arena_init(&arena, 0);
    double slow[] = {4, 8, 2, 6, 10}, fast[] = {2, 4, 1, 3, 5}, uneven[] = {1, 4, 2, 2, 4};
    Speed base = {.calls_ms = slow, .calls = 5}, half = {.calls_ms = fast, .calls = 5},
          other = {.calls_ms = uneven, .calls = 5};
    Interval ratio = trial_ratio(&arena, &base, &half, &err);
    ck_assert_double_eq_tol(ratio.mean, 2, 1e-12);
    ck_assert_double_eq_tol(ratio.low, 2, 1e-12);
    ck_assert_double_eq_tol(ratio.high, 2, 1e-12);
    ratio = trial_ratio(&arena, &half, &base, &err);
    ck_assert_double_eq_tol(ratio.mean, 0.5, 1e-12);
    ratio = trial_ratio(&arena, &base, &other, &err);
    ck_assert_double_eq_tol(ratio.mean, pow(4.0 * 2 * 1 * 3 * 2.5, 1.0 / 5), 1e-12);
    ck_assert(ratio.low < ratio.mean && ratio.mean < ratio.high);
    base.calls = half.calls = 1;
    ratio = trial_ratio(&arena, &base, &half, &err);
    ck_assert(ratio.mean == 2 && isnan(ratio.low) && isnan(ratio.high));
    arena_done(&arena);
}
END_TEST

// Sources of ids with lengths that sorting moves.
static DataSet random_ids(Arena *arena, size_t count) {
    Random random = {3};
    DataSet data = {arena_array(arena, count, sizeof(DataRow), &err), count, true};
    for (size_t i = 0; i < count; i++) {
        size_t ids = data.rows[i].id_count = 3 + (i * 7) % 11;
        int32_t *source = arena_array(arena, ids, sizeof *source, &err);
        for (size_t t = 0; t < ids; t++)
            source[t] = t == 0 ? 0 : t + 1 == ids ? 2 : (int32_t)(3 + random_below(&random, 90));
        data.rows[i].ids = data.rows[i].labels = source;
        data.rows[i].label_count = ids;
    }
    return data;
}

static Status varied(const void *context, Arena *arena, GenerationOptions *options, Error *error) {
    (void)context;
    (void)arena;
    (void)error;
    options->no_repeat_ngram_size = 1;
    options->min_new_tokens = options->max_new_tokens = 30;
    return OK;
}

static void count_calls(void *context, uint64_t done, uint64_t total) {
    uint64_t *told = context;
    ck_assert_uint_eq(done, told[0] + 1);
    told[0] = done;
    told[1] = total;
}

START_TEST(speeds_are_of_whole_passes) {
    Arena arena;
    arena_init(&arena, 0);
    char *model = source_path(&arena, "tests/golden/engine/tiny_bart");
    DataSet data = random_ids(&arena, 9);
    uint64_t told[2] = {0};
    TrialOptions options = options_of(&data);
    options.speed_samples = 7;
    options.speed_batch = 3;
    options.speed_calls = 7;
    options.tell = count_calls;
    options.tell_context = told;
    TrialModel models[] = {{model, settings()}, {model, settings()}};
    models[1].runtime.lookup_decoding = true; // which changes no token
    Speed speeds[2];
    CHECK_OK(trial_speed(&arena, models, 2, &options, speeds, &err));
    ck_assert_uint_eq(told[0], told[1]);
    ck_assert_uint_eq(told[0], 2 * (3 + 9));
    ck_assert_str_eq(speeds[0].digest, speeds[1].digest);
    ck_assert_uint_eq(strlen(speeds[0].digest), 12);
    for (size_t m = 0; m < 2; m++) {
        const Speed *s = &speeds[m];
        ck_assert_uint_eq(s->calls, 9); // three passes of three batches
        double all = 0;
        for (size_t i = 0; i < s->calls; i++) {
            ck_assert(s->calls_ms[i] > 0);
            all += s->calls_ms[i];
        }
        ck_assert_double_eq_tol(s->ms_per_sample, all / 21, 1e-9);
        ck_assert_double_eq_tol(s->samples_per_s * s->ms_per_sample, 1000, 1e-6);
        ck_assert_double_eq_tol(s->latency.mean_ms, all / 9, 1e-9);
        ck_assert(s->latency.p50_ms <= s->latency.p99_ms && s->peak_rss_mb > 1 && s->load_ms > 0);
        ck_assert_double_eq_tol(s->weights_mb, speeds[0].weights_mb, 1e-12);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(failures_name_model_and_sample) {
    Arena arena;
    arena_init(&arena, 0);
    char *path = source_path(&arena, "tests/golden/engine/tiny_bart");
    DataSet data = random_ids(&arena, 5);
    TrialOptions options = options_of(&data);
    options.speed_batch = 4; // rows are sorted, and numbers stay those of the data
    TrialModel model = {path, settings()};
    static const int32_t strange[] = {0, 5, 5, 2000, 2};
    data.rows[2] = (DataRow){.ids = strange, .id_count = 5, .labels = strange, .label_count = 1};
    Quality quality;
    Speed speed;
    static const char said[] = "tiny_bart', data 'the data': sample 3: token 3 of the source is 2000";
    CHECK_FAILS(trial_check(path, &options, &err), ERR_FORMAT, said);
    CHECK_FAILS(trial_quality(&arena, path, &options, &quality, &err), ERR_FORMAT, "tiny_bart', data 'the data': ");
    ck_assert_msg(strstr(err.message, "sample 3: "), "%s", err.message);
    CHECK_FAILS(trial_speed(&arena, &model, 1, &options, &speed, &err), ERR_FORMAT, "data 'the data': model '");
    ck_assert_msg(strstr(err.message, "tiny_bart': sample 3: "), "%s", err.message);
    data.count = 2;
    CHECK_OK(trial_check(path, &options, &err));
    static const int32_t many[70] = {0};
    data.rows[1].ids = many;
    data.rows[1].id_count = 70;
    CHECK_FAILS(trial_check(path, &options, &err), ERR_LIMIT, "sample 2: the source has 70 tokens");
    data.count = 5;
    data.labelled = false;
    for (size_t i = 0; i < data.count; i++)
        data.rows[i] = (DataRow){.source = "words", .source_bytes = 5};
    CHECK_FAILS(trial_check(path, &options, &err), ERR_UNSUPPORTED, "files, and data 'the data' holds texts");
    CHECK_FAILS(trial_quality(&arena, path, &options, &quality, &err), ERR_UNSUPPORTED, "no tokenizer files");
    CHECK_FAILS(trial_speed(&arena, &model, 1, &options, &speed, &err), ERR_UNSUPPORTED, "no tokenizer files");
    CHECK_FAILS(trial_check("nowhere", &options, &err), ERR_IO, "nowhere");
    model.path = "nowhere";
    CHECK_FAILS(trial_speed(&arena, &model, 1, &options, &speed, &err), ERR_IO, "nowhere");
    arena_done(&arena);
}
END_TEST

// Keys and values in other types move the outputs of a model whose scores lie close together.
START_TEST(settings_are_used) {
    Arena arena;
    arena_init(&arena, 0);
    char *path = source_path(&arena, "tests/golden/engine/tiny_bart");
    DataSet data = random_ids(&arena, 40);
    TrialOptions options = options_of(&data);
    options.runtime.level = CPU_REF;
    Quality shorter, plain, again, coarse;
    CHECK_OK(trial_quality(&arena, path, &options, &shorter, &err));
    options.options = varied;
    CHECK_OK(trial_quality(&arena, path, &options, &plain, &err));
    ck_assert_str_ne(plain.outputs_sha256, shorter.outputs_sha256);
    options.runtime.lookup_decoding = options.runtime.lm_head_screen = true;
    options.runtime.batch = 3;
    CHECK_OK(trial_quality(&arena, path, &options, &again, &err));
    ck_assert_str_eq(plain.outputs_sha256, again.outputs_sha256);
    options.runtime.kv_kind = KV_S8;
    CHECK_OK(trial_quality(&arena, path, &options, &coarse, &err));
    ck_assert_str_ne(plain.outputs_sha256, coarse.outputs_sha256);
    arena_done(&arena);
}
END_TEST

enum { DEMO_ROWS = 10 };

// The demo's model and its first rows; false where it is not there.
static bool demo_open(Arena *arena, char **ret_model, DataSet *ret_data) {
    *ret_model = source_path(arena, "demo/model");
    if (path_kind(*ret_model) != PATH_FOLDER)
        return false;
    CHECK_OK(data_read(arena, source_path(arena, "demo/test.jsonl"), DEMO_ROWS, true, ret_data, &err));
    return true;
}

// Texts as the evaluation loop scores them, and the texts themselves scored again.
START_TEST(texts_are_scored_as_eval_does) {
    Arena arena;
    arena_init(&arena, 0);
    char *path;
    DataSet data;
    if (!demo_open(&arena, &path, &data))
        CHECK_SKIP("no demo/model");
    TrialOptions options = options_of(&data);
    Quality quality;
    CHECK_OK(trial_quality(&arena, path, &options, &quality, &err));
    ck_assert_uint_eq(quality.metrics, 3);
    EvaluateSettings evaluation = {.batch = 4};
    RuntimeSettings opened = settings();
    opened.batch = 4;
    Runtime *runtime;
    CHECK_OK(runtime_new(path, &opened, &runtime, &err));
    evaluation.generation = *model_generation(runtime->model);
    CHECK_OK(rouge_types_parse("rougeL,rouge2,rouge1", &evaluation.rouge, &err));
    Evaluation evaluated;
    CHECK_OK(evaluate(runtime, &data, &evaluation, &evaluated, &err));
    ck_assert_str_eq(quality.outputs_sha256, evaluated.outputs_sha256);
    RougeScorer *scorer = rouge_new(&evaluation.rouge, &err);
    for (size_t m = 0; m < 3; m++) {
        ck_assert_str_eq(quality.names[m], rouge_type_name(evaluation.rouge.types[2 - m]));
        const double *values = rouge_aggregate_values(&evaluated.rouge, 2 - m, ROUGE_FMEASURE);
        for (size_t i = 0; i < DEMO_ROWS; i++) {
            RougeScore scores[ROUGE_TYPES_MOST];
            Bytes text = {(const unsigned char *)quality.texts[i], strlen(quality.texts[i])};
            CHECK_OK(rouge_score(scorer, data.rows[i].references, data.rows[i].reference_count, text, scores, &err));
            ck_assert(quality.scores[m][i] == values[i]);
            ck_assert(quality.scores[m][i] == scores[2 - m].fmeasure);
        }
    }
    ck_assert_double_gt(statistics_mean(quality.scores[0], DEMO_ROWS), 0.9);
    rouge_free(scorer);
    evaluation_done(&evaluated);
    runtime_free(runtime);
    arena_done(&arena);
}
END_TEST

// A trimmed vocabulary gives other ids for the same texts, and the same outputs.
START_TEST(each_model_has_its_own_ids) {
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    char *path;
    DataSet data;
    if (!demo_open(arena, &path, &data)) {
        scratch_done(&scratch);
        CHECK_SKIP("no demo/model");
    }
    char *trimmed = scratch_path(&scratch, "trimmed"), *texts = source_path(arena, "demo/test.jsonl");
    VocabularyReport report;
    CHECK_OK(vocabulary_trim(arena, path, trimmed, &(VocabularyOptions){.data = texts}, &report, &err));
    ck_assert_uint_lt(report.kept, report.rows);
    TrialOptions options = options_of(&data);
    options.speed_samples = 3;
    Quality whole, small;
    CHECK_OK(trial_quality(arena, path, &options, &whole, &err));
    CHECK_OK(trial_quality(arena, trimmed, &options, &small, &err));
    ck_assert_str_ne(whole.outputs_sha256, small.outputs_sha256);
    for (size_t i = 0; i < DEMO_ROWS; i++)
        ck_assert_str_eq(whole.texts[i], small.texts[i]);
    TrialLoss loss = trial_loss(&whole, &small);
    ck_assert(loss.mean.relative == 0 && loss.mean.low == 0 && loss.mean.high == 0);
    TrialModel models[] = {{path, settings()}, {trimmed, settings()}};
    Speed speeds[2];
    CHECK_OK(trial_speed(arena, models, 2, &options, speeds, &err));
    ck_assert_uint_eq(speeds[0].calls, 3);
    ck_assert_double_lt(speeds[1].weights_mb, speeds[0].weights_mb);
    ck_assert_str_ne(speeds[0].digest, speeds[1].digest);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("compress/trial", labels_are_scored, losses_are_averaged, ratios, speeds_are_of_whole_passes,
          failures_name_model_and_sample, settings_are_used, texts_are_scored_as_eval_does, each_model_has_its_own_ids)

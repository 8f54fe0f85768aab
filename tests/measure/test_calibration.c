// SPDX-License-Identifier: Apache-2.0
// What passes into the linears of a small model against transformers' hooks (tools/goldens/measure/calibration.py),
// with any number of threads; and data that a model cannot be calibrated on.
#include <math.h>

#include "base/scratch.h"
#include "golden.h"
#include "measure/calibration.h"

#define MICRO "tests/golden/model/micro"

static Error err;

static char *source_file(Arena *arena, const char *path) {
    char *full = path_join(arena, getenv("HONE_SOURCE"), path, &err);
    ck_assert_ptr_nonnull(full);
    return full;
}

static const Model *micro_open(Arena *arena) {
    const Model *model;
    CHECK_OK(model_open(arena, source_file(arena, MICRO), false, &model, &err));
    return model;
}

static Status run(Arena *arena, const Model *model, const DataSet *data, const CalibrationSettings *settings,
                  int threads, Calibration *ret) {
    Kernels kernels;
    Pool *pool;
    kernels_pick(cpu_detect(), &kernels);
    CHECK_OK(pool_new(threads, &pool, &err));
    Status status = calibrate(arena, model, &kernels, pool, data, settings, ret, &err);
    pool_free(pool);
    return status;
}

static bool wants_gram(void *context, const char *weight) {
    (void)context;
    return strcmp(weight, "model.encoder.layers.0.fc2.weight") == 0 ||
           strcmp(weight, "model.decoder.layers.0.self_attn.q_proj.weight") == 0;
}

static void check_near(const char *weight, const char *what, double found, double wanted, double tolerance) {
    ck_assert_msg(fabs(found - wanted) <= tolerance, "%s: %s is %.9g, expected %.9g", weight, what, found, wanted);
}

static double number(const json_t *object, const char *key) {
    ck_assert_msg(json_is_number(json_object_get(object, key)), "no number '%s'", key);
    return json_number_value(json_object_get(object, key));
}

static double item(const json_t *object, const char *key, size_t index) {
    const json_t *value = json_array_get(json_object_get(object, key), index);
    ck_assert(json_is_number(value));
    return json_number_value(value);
}

static void check_input(const Calibration *calibration, const json_t *wanted) {
    const char *weight = json_string_value(json_object_get(wanted, "weight"));
    const InputStatistics *found = calibration_find(calibration, weight);
    ck_assert_msg(found != NULL, "nothing of '%s'", weight);
    ck_assert_uint_eq(found->columns, json_array_size(json_object_get(wanted, "absmax")));
    check_near(weight, "rows", (double)found->rows, number(wanted, "rows"), 0);
    check_near(weight, "least", (double)found->least, fmin(0, number(wanted, "least")), 1e-4);
    check_near(weight, "most", (double)found->most, fmax(0, number(wanted, "most")), 1e-4);
    check_near(weight, "average_least", (double)found->average_least, number(wanted, "average_least"), 1e-4);
    check_near(weight, "average_most", (double)found->average_most, number(wanted, "average_most"), 1e-4);
    for (size_t c = 0; c < found->columns; c++) {
        check_near(weight, "absmax", (double)found->column_absmax[c], item(wanted, "absmax", c), 1e-4);
        check_near(weight, "sum", found->column_sums[c], item(wanted, "sums", c), 1e-4 * number(wanted, "rows"));
        check_near(weight, "squares", found->column_squares[c], item(wanted, "squares", c),
                   1e-4 * item(wanted, "squares", c));
    }
    ck_assert_int_eq(found->gram != NULL, wants_gram(NULL, weight) || strstr(weight, "decoder.layers.0.self_attn.k") ||
                                              strstr(weight, "decoder.layers.0.self_attn.v"));
    size_t products = json_array_size(json_object_get(wanted, "gram"));
    for (size_t i = 0; i < products; i++)
        check_near(weight, "gram", found->gram->sums[i], item(wanted, "gram", i), 1e-4 * number(wanted, "rows"));
}

START_TEST(inputs_are_what_transformers_sees) {
    Arena arena;
    arena_init(&arena, 0);
    const Model *model = micro_open(&arena);
    DataSet data;
    CHECK_OK(data_read(&arena, source_file(&arena, "tests/measure/golden/calibration.jsonl"), 0, false, &data, &err));
    json_t *golden;
    CHECK_OK(json_parse(&arena, "calibration.json", golden_map(&arena, "calibration.json"), false, &golden, &err));
    CalibrationSettings settings = {.data_name = "rows", .most_new_tokens = 8, .wants_gram = wants_gram};
    Calibration calibration, again;
    CHECK_OK(run(&arena, model, &data, &settings, 1, &calibration));
    ck_assert_uint_eq(calibration.samples, data.count);
    check_near("all", "source tokens", (double)calibration.source_tokens, number(golden, "source_tokens"), 0);
    check_near("all", "reference tokens", (double)calibration.reference_tokens, number(golden, "reference_tokens"), 0);
    check_near("all", "generated tokens", (double)calibration.generated_tokens, number(golden, "generated_tokens"), 0);
    const json_t *inputs = json_object_get(golden, "inputs");
    ck_assert_uint_eq(json_array_size(inputs), 2 * 6 + 10 + 1);
    for (size_t i = 0; i < json_array_size(inputs); i++)
        check_input(&calibration, json_array_get(inputs, i));
    // q, k, v; every decoder layer's k and v over the encoder's output: one value each
    ck_assert_ptr_eq(calibration_find(&calibration, "model.encoder.layers.1.self_attn.q_proj.weight"),
                     calibration_find(&calibration, "model.encoder.layers.1.self_attn.v_proj.weight"));
    ck_assert_ptr_eq(calibration_find(&calibration, "model.decoder.layers.0.encoder_attn.k_proj.weight"),
                     calibration_find(&calibration, "model.decoder.layers.0.encoder_attn.v_proj.weight"));
    ck_assert_ptr_ne(calibration_find(&calibration, "model.decoder.layers.0.encoder_attn.k_proj.weight"),
                     calibration_find(&calibration, "model.decoder.layers.0.encoder_attn.q_proj.weight"));
    ck_assert_ptr_null(calibration_find(&calibration, "model.encoder.embed_positions.weight"));
    CHECK_OK(run(&arena, model, &data, &settings, 2, &again));
    ck_assert_uint_eq(again.count, calibration.count);
    for (size_t i = 0; i < again.count; i++) {
        const InputStatistics *a = &calibration.inputs[i], *b = &again.inputs[i];
        ck_assert_mem_eq(a->histogram, b->histogram, STATISTICS_BINS * sizeof *a->histogram);
        ck_assert_mem_eq(a->column_sums, b->column_sums, a->columns * sizeof *a->column_sums);
        if (a->gram)
            ck_assert_mem_eq(a->gram->sums, b->gram->sums, a->columns * a->columns * sizeof *a->gram->sums);
    }
    arena_done(&arena);
}
END_TEST

static const float *half(void *context, const char *weight) {
    return strstr(weight, "encoder.layers.0.fc1") ? context : NULL;
}

START_TEST(factors_come_before_statistics) {
    Arena arena;
    arena_init(&arena, 0);
    const Model *model = micro_open(&arena);
    DataSet data;
    CHECK_OK(data_read(&arena, source_file(&arena, "tests/measure/golden/calibration.jsonl"), 0, false, &data, &err));
    float factors[20];
    for (size_t i = 0; i < ARRAY_COUNT(factors); i++)
        factors[i] = i % 2 ? 0.5f : 1.0f;
    CalibrationSettings settings = {.data_name = "rows", .most_new_tokens = 4};
    Calibration plain, halved;
    CHECK_OK(run(&arena, model, &data, &settings, 1, &plain));
    settings.input_factors = half;
    settings.context = factors;
    CHECK_OK(run(&arena, model, &data, &settings, 1, &halved));
    const InputStatistics *a = calibration_find(&plain, "model.encoder.layers.0.fc1.weight");
    const InputStatistics *b = calibration_find(&halved, "model.encoder.layers.0.fc1.weight");
    const InputStatistics *c = calibration_find(&plain, "model.encoder.layers.0.fc2.weight");
    const InputStatistics *d = calibration_find(&halved, "model.encoder.layers.0.fc2.weight");
    for (size_t i = 0; i < a->columns; i++)
        ck_assert(b->column_absmax[i] == a->column_absmax[i] * factors[i]);
    ck_assert_mem_eq(c->column_absmax, d->column_absmax, c->columns * sizeof *c->column_absmax);
    arena_done(&arena);
}
END_TEST

static void check_refused(const Model *model, const DataSet *data, Status status, const char *text) {
    Arena arena;
    arena_init(&arena, 0);
    CalibrationSettings settings = {.data_name = "rows.jsonl", .most_new_tokens = 4};
    Calibration calibration;
    CHECK_FAILS(run(&arena, model, data, &settings, 1, &calibration), status, text);
    arena_done(&arena);
}

START_TEST(data_that_cannot_serve) {
    Arena arena;
    arena_init(&arena, 0);
    const Model *model = micro_open(&arena);
    int32_t ids[30], labels[] = {5, 41, 2};
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++)
        ids[i] = 3 + (int32_t)i;
    DataRow rows[9];
    DataSet data = {.rows = rows, .count = ARRAY_COUNT(rows), .labelled = true};
    for (size_t i = 0; i < data.count; i++)
        rows[i] = (DataRow){.ids = ids, .id_count = ARRAY_COUNT(ids)};
    data.count = 8;
    check_refused(
        model, &data, ERR_FORMAT,
        "calibration data 'rows.jsonl' is too short: its sources have 240 tokens in 8 samples, and at least 256");
    data.count = 9;
    rows[4].labels = labels;
    rows[4].label_count = ARRAY_COUNT(labels);
    check_refused(model, &data, ERR_FORMAT,
                  "calibration data 'rows.jsonl': sample 5 holds token id 41, outside the model's vocabulary of 41");
    data.labelled = false;
    check_refused(model, &data, ERR_UNSUPPORTED, "has no tokenizer files: calibration data has to be input_ids");
    // a model whose values overflow
    data.labelled = true;
    rows[4].label_count = 0;
    const Constant *bias = NULL;
    const Graph *encode = model_session(model)->encode;
    for (size_t i = 0; i < encode->constant_count; i++)
        if (strcmp(encode->constants[i]->name, "model.encoder.layers.1.fc1.bias") == 0)
            bias = encode->constants[i];
    ck_assert_ptr_nonnull(bias);
    float broken[24] = {INFINITY};
    ((Constant *)(uintptr_t)bias)->data = broken;
    check_refused(
        model, &data, ERR_FORMAT,
        "calibration data 'rows.jsonl', samples 1 to 8: the input of 'model.encoder.layers.1.fc2.weight' holds "
        "NaN or infinity");
    arena_done(&arena);
}
END_TEST

// A tokenizer of a few English words sees nothing in Korean.
START_TEST(data_in_another_language) {
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    char *folder, *path = scratch_path(&scratch, "model"), *rows = scratch_path(&scratch, "rows.jsonl");
    static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\ncat\nsat\non\na\nmat\n.\n,\nand\nsaw\ndog\n";
    CHECK_OK(folder_stage(arena, path, true, &folder, &err));
    static const char *const copies[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < ARRAY_COUNT(copies); i++) {
        char from[128];
        snprintf(from, sizeof from, MICRO "/%s", copies[i]);
        Bytes bytes = source_map(arena, from);
        CHECK_OK(file_replace(path_join(arena, folder, copies[i], &err), bytes.data, bytes.size, &err));
    }
    CHECK_OK(file_replace(path_join(arena, folder, "vocab.txt", &err), vocabulary, strlen(vocabulary), &err));
    static const char settings[] = "{\"tokenizer_class\": \"BertTokenizer\"}";
    CHECK_OK(file_replace(path_join(arena, folder, "tokenizer_config.json", &err), settings, strlen(settings), &err));
    CHECK_OK(folder_commit(folder, path, &err));
    Buffer text = {0};
    for (size_t i = 0; i < 40; i++)
        buffer_add_text(
            &text, "{\"text\": \"고양이가 매트 위에 앉았다 . 개가 고양이를 보았다 .\", \"summary\": \"the cat\"}\n");
    CHECK_OK(file_replace(rows, text.data, text.bytes, &err));
    buffer_done(&text);
    const Model *model;
    DataSet data;
    CHECK_OK(model_open(arena, path, false, &model, &err));
    CHECK_OK(data_read(arena, rows, 0, false, &data, &err));
    check_refused(model, &data, ERR_FORMAT, "it is in another language or script than the tokenizer can see");
    CHECK_OK(file_replace(rows, "\n \n", 3, &err));
    CHECK_FAILS(data_read(arena, rows, 0, false, &data, &err), ERR_FORMAT, "holds no rows");
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("measure/calibration", inputs_are_what_transformers_sees, factors_come_before_statistics,
          data_that_cannot_serve, data_in_another_language)

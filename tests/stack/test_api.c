// SPDX-License-Identifier: Apache-2.0
// The library as its users have it: through hone/hone.h alone, against the shared library.
#include "hone/hone.h"

#include <math.h>
#include <pthread.h>

#include "base/scratch.h"

#define TINY_BART "tests/golden/engine/tiny_bart"

static Scratch scratch;
static HoneModel *model;
static HoneError error;

static char *source_path(const char *path) {
    Error err;
    const char *root = getenv("HONE_SOURCE");
    ck_assert_msg(root != NULL, "HONE_SOURCE must name the folder of the sources");
    return path_join(&scratch.arena, root, path, &err);
}

// The small model with a tokenizer of words "w4" to "w95".
static void model_with_words(size_t batch) {
    scratch = scratch_make();
    static const char *const files[] = {TINY_BART "/config.json", TINY_BART "/generation_config.json",
                                        TINY_BART "/model.safetensors", "tests/golden/stack/tokenizer.json"};
    for (size_t i = 0; i < ARRAY_COUNT(files); i++)
        ck_assert_int_eq(symlink(source_path(files[i]), scratch_path(&scratch, path_name(files[i]))), 0);
    HoneModelOptions options = {.threads = 1, .batch = batch};
    ck_assert_msg(hone_model_open(scratch.path, &options, &model, &error) == HONE_OK, "%s", error.message);
}

static void done(void) {
    hone_model_free(model);
    scratch_done(&scratch);
}

static HoneInput text_input(const char *text) {
    return (HoneInput){.text = text, .text_bytes = strlen(text)};
}

START_TEST(test_version_and_status_names) {
    int major, minor, patch;
    ck_assert_int_eq(sscanf(hone_version(), "%d.%d.%d", &major, &minor, &patch), 3);
    ck_assert_str_eq(hone_status_name(HONE_OK), "ok");
    ck_assert_str_eq(hone_status_name(HONE_ERROR_FORMAT), "bad input");
    ck_assert_str_eq(hone_status_name(HONE_ERROR_MEMORY), "out of memory");
    ck_assert_str_eq(hone_status_name(HONE_ERROR_INTERNAL), "internal error");
    ck_assert_str_eq(hone_status_name((HoneStatus)1), "unknown");
}
END_TEST

START_TEST(test_info) {
    model_with_words(2);
    const HoneModelInfo *info = hone_model_info(model);
    ck_assert_str_eq(info->family, "bart");
    ck_assert_str_eq(info->quantization, "none");
    ck_assert_uint_eq(info->vocabulary, 96);
    ck_assert_uint_eq(info->width, 32);
    ck_assert_uint_eq(info->encoder_layers, 1);
    ck_assert_uint_eq(info->decoder_layers, 2);
    ck_assert_uint_eq(info->most_positions, 64);
    ck_assert_uint_gt(info->weight_bytes, 150000);
    ck_assert_uint_gt(info->memory_bytes, 0);
    ck_assert_int_eq(info->has_tokenizer, 1);
    done();
}
END_TEST

START_TEST(test_tokenize_and_back) {
    model_with_words(1);
    int32_t *ids;
    size_t count, bytes;
    char *text;
    ck_assert_int_eq(hone_tokenize(model, "w9 w40 what", 11, 0, &ids, &count, &error), HONE_OK);
    const int32_t wanted[] = {0, 9, 40, 3, 2};
    ck_assert_uint_eq(count, ARRAY_COUNT(wanted));
    ck_assert_mem_eq(ids, wanted, sizeof wanted);
    ck_assert_int_eq(hone_detokenize(model, ids, count, 0, &text, &bytes, &error), HONE_OK);
    ck_assert_str_eq(text, "w9 w40");
    ck_assert_uint_eq(bytes, 6);
    hone_free(text);
    ck_assert_int_eq(hone_detokenize(model, ids, count, 1, &text, &bytes, &error), HONE_OK);
    ck_assert_str_eq(text, "<s> w9 w40 <unk> </s>");
    hone_free(text);
    hone_free(ids);
    ck_assert_int_eq(hone_tokenize(model, "", 0, 1, &ids, &count, &error), HONE_OK);
    ck_assert_uint_eq(count, 0);
    hone_free(ids);
    ck_assert_int_eq(hone_detokenize(model, NULL, 0, 0, &text, &bytes, &error), HONE_OK);
    ck_assert_str_eq(text, "");
    ck_assert_uint_eq(bytes, 0);
    hone_free(text);
    ck_assert_int_eq(hone_tokenize(model, "w9 \xff", 4, 0, &ids, &count, &error), HONE_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, "UTF-8") != NULL, "%s", error.message);
    hone_free(NULL);
    done();
}
END_TEST

START_TEST(test_generate_text_and_ids_alike) {
    model_with_words(3);
    const int32_t ids[] = {0, 9, 40, 77, 12, 2};
    HoneInput inputs[] = {text_input("w9 w40 w77 w12"), {.ids = ids, .id_count = ARRAY_COUNT(ids)}};
    HoneResults *results;
    const char *options =
        "{\"num_beams\": 3, \"num_return_sequences\": 2, \"min_new_tokens\": 5, \"max_new_tokens\": 9}";
    ck_assert_int_eq(hone_generate(model, inputs, 2, options, &results, &error), HONE_OK);
    ck_assert_uint_eq(results->count, 2);
    const HoneResult *a = &results->items[0], *b = &results->items[1];
    ck_assert_int_eq(a->status, HONE_OK);
    ck_assert_uint_eq(a->source_tokens, 6);
    ck_assert_uint_eq(a->sequence_count, 2);
    ck_assert_uint_eq(b->sequence_count, 2);
    ck_assert(a->sequences[0].score >= a->sequences[1].score);
    for (size_t i = 0; i < 2; i++) {
        const HoneSequence *x = &a->sequences[i], *y = &b->sequences[i];
        ck_assert_uint_ge(x->id_count, 5);
        ck_assert_uint_eq(x->id_count, y->id_count);
        ck_assert_mem_eq(x->ids, y->ids, x->id_count * sizeof *x->ids);
        ck_assert(x->score == y->score && x->finish == y->finish);
        ck_assert_str_eq(x->text, y->text);
        ck_assert_uint_eq(strlen(x->text), x->text_bytes);
        char *text;
        size_t bytes;
        ck_assert_int_eq(hone_detokenize(model, x->ids, x->id_count, 0, &text, &bytes, &error), HONE_OK);
        ck_assert_str_eq(text, x->text);
        hone_free(text);
    }
    hone_results_free(results);
    hone_results_free(NULL);
    done();
}
END_TEST

// Each bad input fails alone, in its place, and the good ones are what they are without it.
START_TEST(test_bad_inputs_fail_alone) {
    model_with_words(2);
    static char longest[4 * 90];
    for (size_t i = 0; i < 89; i++)
        memcpy(longest + 4 * i, "w10 ", 4);
    const int32_t outside[] = {0, 96, 2};
    HoneInput inputs[] = {text_input("w9 w40"),
                          text_input(""),
                          text_input("w9 \xff w40"),
                          {.ids = outside, .id_count = 3},
                          {.ids = outside, .id_count = 0},
                          {0},
                          text_input(longest),
                          text_input("w9 w40")};
    static const struct {
        HoneStatus status;
        const char *text;
    } wanted[] = {{HONE_OK, NULL},
                  {HONE_OK, NULL}, // <s> </s> is a source
                  {HONE_ERROR_FORMAT, "UTF-8"},
                  {HONE_ERROR_USAGE, "token 1 of the source is 96"},
                  {HONE_ERROR_USAGE, "no tokens"},
                  {HONE_ERROR_USAGE, "neither text nor ids"},
                  {HONE_ERROR_LIMIT, "91 tokens and the model has 64 positions"},
                  {HONE_OK, NULL}};
    HoneResults *results;
    ck_assert_int_eq(hone_generate(model, inputs, ARRAY_COUNT(inputs), NULL, &results, &error), HONE_OK);
    for (size_t i = 0; i < ARRAY_COUNT(inputs); i++) {
        const HoneResult *r = &results->items[i];
        ck_assert_msg(r->status == wanted[i].status, "input %zu: %d, %s", i, r->status, r->error ? r->error : "");
        ck_assert_int_eq(r->error != NULL, r->status != HONE_OK);
        ck_assert_int_eq(r->sequence_count != 0, r->status == HONE_OK);
        if (wanted[i].text)
            ck_assert_msg(strstr(r->error, wanted[i].text) != NULL, "%s", r->error);
    }
    ck_assert_uint_eq(results->items[0].sequences[0].id_count, results->items[7].sequences[0].id_count);
    ck_assert(results->items[0].sequences[0].score == results->items[7].sequences[0].score);
    hone_results_free(results);
    ck_assert_int_eq(hone_summarize(model, &inputs[6], 1, NULL, &results, &error), HONE_OK);
    ck_assert_int_eq(results->items[0].status, HONE_OK); // cut, not refused
    ck_assert_uint_eq(results->items[0].source_tokens, 64);
    hone_results_free(results);
    ck_assert_int_eq(hone_generate(model, NULL, 0, NULL, &results, &error), HONE_OK);
    ck_assert_uint_eq(results->count, 0);
    hone_results_free(results);
    done();
}
END_TEST

START_TEST(test_wrong_options_fail_the_call) {
    static const struct {
        const char *options;
        HoneStatus status;
        const char *text;
    } cases[] = {
        {"{\"num_beams\":\"two\"}", HONE_ERROR_USAGE, "'num_beams' is \"two\""},
        {"{\"num_beams\":0}", HONE_ERROR_USAGE, "'num_beams' is 0"},
        {"[1]", HONE_ERROR_USAGE, "expected a JSON object"},
        {"{\"num_beams\":4", HONE_ERROR_USAGE, "not valid JSON at line 1"},
        {"{\"num_beams\":4,\"num_beams\":5}", HONE_ERROR_USAGE, "duplicate"},
        {"", HONE_ERROR_USAGE, "not valid JSON"},
        {"{\"num_beams\":2,\"num_return_sequences\":3}", HONE_ERROR_USAGE, "num_return_sequences"},
        {"{\"penalty_alpha\":0.6}", HONE_ERROR_UNSUPPORTED, "'penalty_alpha' is not supported"},
    };
    model_with_words(1);
    HoneInput input = text_input("w9");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        HoneResults *results = NULL;
        ck_assert_int_eq(hone_generate(model, &input, 1, cases[i].options, &results, &error), cases[i].status);
        ck_assert_msg(strstr(error.message, cases[i].text) != NULL, "%s: %s", cases[i].options, error.message);
        ck_assert_int_eq(error.status, cases[i].status);
        ck_assert_ptr_null(results);
        ck_assert_int_eq(hone_generate(model, &input, 1, cases[i].options, &results, NULL), cases[i].status);
    }
    done();
}
END_TEST

START_TEST(test_wrong_models_are_explained) {
    scratch = scratch_make();
    HoneModel *none = NULL;
    char *absent = scratch_path(&scratch, "absent");
    ck_assert_int_eq(hone_model_open(absent, NULL, &none, &error), HONE_ERROR_IO);
    ck_assert_int_eq(error.exit_code, 5);
    ck_assert_msg(strstr(error.message, "there is no model at") != NULL, "%s", error.message);
    const char *tiny = source_path(TINY_BART);
    static const struct {
        HoneModelOptions options;
        const char *text;
    } cases[] = {{{.threads = -1}, "expected 1 to 1024 threads, found -1"},
                 {{.threads = 1, .batch = 5000}, "batch is 5000, expected 1 to 4096"},
                 {{.threads = 1, .cpu = "sse9"}, "sse9"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        ck_assert_int_eq(hone_model_open(tiny, &cases[i].options, &none, &error), HONE_ERROR_USAGE);
        ck_assert_msg(strstr(error.message, cases[i].text) != NULL, "%s", error.message);
        ck_assert_int_eq(error.exit_code, 2);
    }
    ck_assert_ptr_null(none);
    hone_model_free(NULL);
    scratch_done(&scratch);
}
END_TEST

// Without tokenizer files ids go in and come out, and texts are refused.
START_TEST(test_model_without_tokenizer) {
    scratch = scratch_make();
    ck_assert_int_eq(
        hone_model_open(source_path(TINY_BART), &(HoneModelOptions){.threads = 1, .cpu = "ref"}, &model, &error),
        HONE_OK);
    ck_assert_int_eq(hone_model_info(model)->has_tokenizer, 0);
    const int32_t ids[] = {0, 9, 40, 2};
    HoneInput inputs[] = {{.ids = ids, .id_count = 4}, text_input("w9")};
    HoneResults *results;
    ck_assert_int_eq(hone_generate(model, inputs, 2, "{\"max_new_tokens\":4}", &results, &error), HONE_OK);
    ck_assert_int_eq(results->items[0].status, HONE_OK);
    ck_assert_uint_gt(results->items[0].sequences[0].id_count, 0);
    ck_assert_ptr_null(results->items[0].sequences[0].text);
    ck_assert_int_eq(results->items[1].status, HONE_ERROR_UNSUPPORTED);
    hone_results_free(results);
    char *text;
    size_t bytes;
    ck_assert_int_eq(hone_detokenize(model, ids, 4, 0, &text, &bytes, &error), HONE_ERROR_UNSUPPORTED);
    ck_assert_msg(strstr(error.message, "has no tokenizer files") != NULL, "%s", error.message);
    done();
}
END_TEST

typedef struct Caller {
    pthread_t thread;
    double score;
    size_t wrong;
} Caller;

static void *call(void *context) {
    Caller *caller = context;
    HoneInput inputs[] = {text_input("w9 w40 w77"), text_input("w12")};
    for (int round = 0; round < 10; round++) {
        HoneResults *results;
        HoneError own;
        int32_t *ids;
        size_t count;
        if (hone_generate(model, inputs, 2, "{\"num_beams\":2,\"max_new_tokens\":6}", &results, &own) != HONE_OK) {
            caller->wrong++;
            continue;
        }
        double score = results->items[0].sequences[0].score;
        caller->wrong += round > 0 && score != caller->score;
        caller->score = score;
        hone_results_free(results);
        if (hone_tokenize(model, "w9 w40", 6, 0, &ids, &count, &own) != HONE_OK) {
            caller->wrong++;
            continue;
        }
        caller->wrong += count != 4 || ids[2] != 40;
        hone_free(ids);
    }
    return NULL;
}

START_TEST(test_one_model_from_many_threads) {
    model_with_words(2);
    Caller callers[4] = {0};
    for (size_t i = 0; i < ARRAY_COUNT(callers); i++)
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    for (size_t i = 0; i < ARRAY_COUNT(callers); i++) {
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        ck_assert_uint_eq(callers[i].wrong, 0);
        ck_assert(callers[i].score == callers[0].score);
    }
    done();
}
END_TEST

// More inputs than fit at once come back in their order.
START_TEST(test_many_inputs_keep_their_order) {
    model_with_words(3);
    enum { COUNT = 40 };
    static char texts[COUNT][64];
    HoneInput inputs[COUNT];
    HoneResults *all, *one;
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "w%zu w%zu w%zu", 4 + i, 90 - i, 4 + 7 * i % 90);
        inputs[i] = text_input(texts[i]);
    }
    const char *options = "{\"max_new_tokens\":12,\"min_new_tokens\":2}";
    ck_assert_int_eq(hone_generate(model, inputs, COUNT, options, &all, &error), HONE_OK);
    ck_assert_uint_eq(all->count, COUNT);
    size_t distinct = 0;
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(hone_generate(model, &inputs[i], 1, options, &one, &error), HONE_OK);
        const HoneSequence *x = &all->items[i].sequences[0], *y = &one->items[0].sequences[0];
        ck_assert_uint_eq(x->id_count, y->id_count);
        ck_assert_mem_eq(x->ids, y->ids, x->id_count * sizeof *x->ids);
        ck_assert(x->score == y->score);
        distinct += i > 0 && x->score != all->items[i - 1].sequences[0].score;
        hone_results_free(one);
    }
    ck_assert_uint_ge(distinct, COUNT / 2);
    hone_results_free(all);
    done();
}
END_TEST

// A model opened through an engine cache, cold and then warm, says the same.
START_TEST(test_engine_cache) {
    model_with_words(2);
    HoneResults *plain, *cached;
    HoneInput input = text_input("w4 w17 w23 w95");
    ck_assert_int_eq(hone_generate(model, &input, 1, "{\"max_new_tokens\": 9}", &plain, &error), HONE_OK);
    HoneModelOptions options = {.threads = 1, .engine_cache = scratch_path(&scratch, "engines")};
    for (int start = 0; start < 2; start++) {
        HoneModel *opened;
        ck_assert_msg(hone_model_open(scratch.path, &options, &opened, &error) == HONE_OK, "%s", error.message);
        ck_assert_int_eq(hone_generate(opened, &input, 1, "{\"max_new_tokens\": 9}", &cached, &error), HONE_OK);
        ck_assert_str_eq(plain->items[0].sequences[0].text, cached->items[0].sequences[0].text);
        ck_assert(plain->items[0].sequences[0].score == cached->items[0].sequences[0].score);
        hone_results_free(cached);
        hone_model_free(opened);
    }
    Error err;
    char **names;
    size_t count;
    CHECK_OK(folder_list(&scratch.arena, options.engine_cache, &names, &count, &err));
    ck_assert_uint_ge(count, 2); // the key and an entry; the weights are remembered once they have been still
    hone_results_free(plain);
    done();
}
END_TEST

// A hone.json that recommends INT8 keys and values makes the reserved memory smaller; plain_runtime leaves it as it
// was.
START_TEST(test_recommended_settings) {
    Error err;
    model_with_words(4);
    size_t plain_bytes = hone_model_info(model)->memory_bytes;
    static const char advice[] = "{\"runtime\": {\"kv_type\": \"int8\", \"lookup_decoding\": true}}",
                      wrong[] = "{\"runtime\": {\"kv_type\": \"int2\"}}";
    CHECK_OK(file_replace(scratch_path(&scratch, "hone.json"), advice, strlen(advice), &err));
    for (int plain = 0; plain < 2; plain++) {
        HoneModelOptions options = {.threads = 1, .batch = 4, .plain_runtime = plain};
        HoneModel *opened;
        HoneResults *results;
        HoneInput input = text_input("w4 w17 w23 w95");
        ck_assert_msg(hone_model_open(scratch.path, &options, &opened, &error) == HONE_OK, "%s", error.message);
        size_t bytes = hone_model_info(opened)->memory_bytes;
        ck_assert(plain ? bytes == plain_bytes : bytes < plain_bytes);
        // lookup decoding is recommended, and beams do without it
        ck_assert_int_eq(hone_generate(opened, &input, 1, "{\"num_beams\": 3}", &results, &error), HONE_OK);
        ck_assert_int_eq(results->items[0].status, HONE_OK);
        hone_results_free(results);
        hone_model_free(opened);
    }
    CHECK_OK(file_replace(scratch_path(&scratch, "hone.json"), wrong, strlen(wrong), &err));
    HoneModel *none = NULL;
    ck_assert_int_eq(hone_model_open(scratch.path, NULL, &none, &error), HONE_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, "'kv_type' is \"int2\"") != NULL, "%s", error.message);
    done();
}
END_TEST

TEST_MAIN("stack/api", test_engine_cache, test_recommended_settings, test_version_and_status_names, test_info,
          test_tokenize_and_back, test_generate_text_and_ids_alike, test_bad_inputs_fail_alone,
          test_wrong_options_fail_the_call, test_wrong_models_are_explained, test_model_without_tokenizer,
          test_one_model_from_many_threads, test_many_inputs_keep_their_order)

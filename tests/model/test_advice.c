// SPDX-License-Identifier: Apache-2.0
// What hone.json says about running a model: read strictly where it is known, left alone where it is not.
#include "model/variants.h"

static Error err;

static Status read_text(const char *text, RuntimeAdvice *ret) {
    json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);
    ck_assert_msg(object != NULL, "not JSON: %s", text);
    Status status = advice_read(object, "file 'hone.json'", ret, &err);
    json_decref(object);
    return status;
}

static void check_text(const RuntimeAdvice *advice, const char *expected, const char *json) {
    Buffer text = {0};
    advice_print(advice, &text);
    CHECK_OK(buffer_status(&text, &err));
    ck_assert_str_eq(text.data, expected);
    buffer_done(&text);
    json_t *object = advice_json(advice);
    char *dump = json_dumps(object, 0);
    ck_assert_str_eq(dump, json);
    free(dump);
    json_decref(object);
}

START_TEST(read_and_told) {
    RuntimeAdvice advice;
    CHECK_OK(advice_read(NULL, "x", &advice, &err));
    ck_assert(!advice_is_there(&advice));
    check_text(&advice, "nothing", "{}");
    CHECK_OK(read_text("null", &advice));
    ck_assert(!advice_is_there(&advice));
    CHECK_OK(read_text("{\"kv_type\": null, \"lm_head_screen\": false, \"new\": {\"kv_type\": 4}}", &advice));
    ck_assert(!advice_is_there(&advice));
    CHECK_OK(read_text("{\"kv_type\": \"f32\"}", &advice)); // said, though it is the usual one
    ck_assert(advice.kv_told && advice.kv_kind == KV_F32 && advice_is_there(&advice));
    CHECK_OK(read_text("{\"lookup_decoding\": true, \"kv_type\": \"f16\"}", &advice));
    ck_assert(advice.kv_told && advice.kv_kind == KV_F16 && advice.lookup_decoding && !advice.lm_head_screen);
    check_text(&advice, "K/V as f16, lookup decoding", "{\"kv_type\": \"f16\", \"lookup_decoding\": true}");
    CHECK_OK(read_text("{\"lm_head_screen\": true, \"lookup_decoding\": true}", &advice));
    check_text(&advice, "screen of the lm head, lookup decoding",
               "{\"lm_head_screen\": true, \"lookup_decoding\": true}");
}
END_TEST

START_TEST(wrong_members_are_refused) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"7", "file 'hone.json': 'runtime' is no object, expected one such as {\"kv_type\": \"int8\"}"},
        {"[]", "'runtime' is no object"},
        {"{\"kv_type\": 8}", "file 'hone.json', 'runtime': 'kv_type' is 8, expected a string"},
        {"{\"kv_type\": \"int4\"}", "'kv_type' is \"int4\", expected \"f32\", \"f16\" or \"int8\""},
        {"{\"lm_head_screen\": 1}", "'lm_head_screen' is 1, expected true or false"},
        {"{\"lookup_decoding\": \"yes\"}", "'lookup_decoding' is \"yes\", expected true or false"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        RuntimeAdvice advice = {.kv_kind = KV_F16};
        CHECK_FAILS(read_text(cases[i].text, &advice), ERR_FORMAT, cases[i].message);
        ck_assert(advice.kv_kind == KV_F16 && !advice.kv_told);
    }
}
END_TEST

START_TEST(opened_with_the_model) {
    Scratch scratch = scratch_make();
    char *folder = variant_folder(&scratch, "advised", MICRO, "{}");
    variant_link(&scratch, folder, "model.safetensors", MICRO "/model.safetensors");
    char *path = path_join(&scratch.arena, folder, "hone.json", &err);
    static const char good[] = "{\"recipe\": {}, \"runtime\": {\"kv_type\": \"int8\", \"lm_head_screen\": true}}",
                      bad[] = "{\"runtime\": {\"kv_type\": \"q8\"}}";
    const Model *model;
    CHECK_OK(model_open(&scratch.arena, folder, true, &model, &err));
    ck_assert(!advice_is_there(&model_info(model)->advice));
    CHECK_OK(file_replace(path, good, strlen(good), &err));
    CHECK_OK(model_open(&scratch.arena, folder, true, &model, &err));
    const RuntimeAdvice *advice = &model_info(model)->advice;
    ck_assert(advice->kv_told && advice->kv_kind == KV_S8 && advice->lm_head_screen && !advice->lookup_decoding);
    CHECK_OK(file_replace(path, bad, strlen(bad), &err));
    CHECK_FAILS(model_open(&scratch.arena, folder, true, &model, &err), ERR_FORMAT, "hone.json', 'runtime': 'kv_type'");
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("model/advice", read_and_told, wrong_members_are_refused, opened_with_the_model)

// SPDX-License-Identifier: Apache-2.0
// Generation options: defaults, reading, what null means, refusals, and the sentences of checks.
#include "check.h"
#include "model/generation.h"

static Arena arena;

static Status read_text(const char *text, GenerationOptions *options, Error *err) {
    json_t *value;
    TRY(json_parse(&arena, "line 3", (Bytes){(const unsigned char *)text, strlen(text)}, false, &value, err));
    return generation_read(&arena, value, "line 3", options, err);
}

START_TEST(test_defaults) {
    GenerationOptions options = generation_defaults();
    ck_assert_int_eq(generation_max_length(&options), 21); // 20 new tokens
    ck_assert_int_eq(generation_min_length(&options), 0);
    ck_assert(options.num_beams == 1 && options.num_return_sequences == 1 && options.top_k == 50);
    ck_assert(options.early_stopping == EARLY_STOPPING_FALSE && !options.do_sample);
    ck_assert(options.length_penalty == 1 && options.repetition_penalty == 1 && options.temperature == 1);
    ck_assert(options.forced_bos_token_id == -1 && options.forced_eos_token_id == -1 && options.eos_token_count == 0);
}
END_TEST

START_TEST(test_read_all) {
    Error err;
    arena_init(&arena, 0);
    GenerationOptions options = generation_defaults();
    CHECK_OK(read_text("{\"max_new_tokens\":7,\"min_new_tokens\":2,\"max_length\":20,\"min_length\":3,\"num_beams\":4,"
                       "\"num_return_sequences\":2,\"length_penalty\":-0.5,\"early_stopping\":\"never\","
                       "\"no_repeat_ngram_size\":3,\"encoder_no_repeat_ngram_size\":5,\"repetition_penalty\":1.25,"
                       "\"forced_bos_token_id\":0,\"forced_eos_token_id\":[2],\"decoder_start_token_id\":9,"
                       "\"bos_token_id\":0,\"pad_token_id\":1,\"eos_token_id\":[2,17],\"bad_words_ids\":[[5],[6,7]],"
                       "\"do_sample\":true,\"temperature\":0.5,\"top_p\":0.25,\"top_k\":9,\"seed\":-1,"
                       "\"num_beam_groups\":1,\"diversity_penalty\":0.0,\"suppress_tokens\":null,\"d_model\":8}",
                       &options, &err));
    ck_assert(options.max_new_tokens == 7 && options.min_new_tokens == 2 && options.max_length == 20);
    ck_assert(options.min_length == 3 && options.num_beams == 4 && options.num_return_sequences == 2);
    ck_assert(options.length_penalty == -0.5 && options.early_stopping == EARLY_STOPPING_NEVER);
    ck_assert(options.no_repeat_ngram_size == 3 && options.encoder_no_repeat_ngram_size == 5);
    ck_assert(options.repetition_penalty == 1.25 && options.forced_bos_token_id == 0);
    ck_assert(options.forced_eos_token_id == 2 && options.decoder_start_token_id == 9);
    ck_assert(options.bos_token_id == 0 && options.pad_token_id == 1 && options.eos_token_count == 2);
    ck_assert(options.eos_token_ids[0] == 2 && options.eos_token_ids[1] == 17);
    ck_assert(options.bad_words.count == 2 && options.bad_words.lengths[1] == 2);
    ck_assert_int_eq(options.bad_words.sequences[1][1], 7);
    ck_assert(options.do_sample && options.temperature == 0.5 && options.top_p == 0.25 && options.top_k == 9);
    ck_assert(options.seed == UINT64_MAX);
    ck_assert(generation_max_length(&options) == 8 && generation_min_length(&options) == 3);
    CHECK_OK(generation_check(&options, 50, &err));

    CHECK_OK(read_text("{\"max_new_tokens\":null,\"forced_bos_token_id\":null,\"forced_eos_token_id\":null,"
                       "\"eos_token_id\":null,\"bad_words_ids\":null,\"top_k\":null,\"early_stopping\":null,"
                       "\"decoder_start_token_id\":null}",
                       &options, &err));
    ck_assert(options.max_new_tokens == -1 && options.forced_bos_token_id == -1 && options.forced_eos_token_id == -1);
    ck_assert(options.eos_token_count == 0 && options.bad_words.count == 0 && options.top_k == 0);
    ck_assert(options.early_stopping == EARLY_STOPPING_FALSE && generation_max_length(&options) == 20);
    ck_assert_int_eq(generation_start_token(&options), 0); // bos
    arena_done(&arena);
}
END_TEST

// 20 in a config is the default that nobody asked for; in a request it is 20.
START_TEST(test_max_length_of_a_config) {
    Error err;
    arena_init(&arena, 0);
    GenerationOptions options = generation_defaults();
    const char *text = "{\"max_length\":20}";
    json_t *value;
    CHECK_OK(json_parse(&arena, "x", (Bytes){(const unsigned char *)text, strlen(text)}, false, &value, &err));
    CHECK_OK(generation_read_config(&arena, value, "x", &options, &err));
    ck_assert_int_eq(options.max_length, 21);
    CHECK_OK(generation_read(&arena, value, "x", &options, &err));
    ck_assert_int_eq(options.max_length, 20);
    arena_done(&arena);
}
END_TEST

START_TEST(test_read_refuses) {
    static const struct {
        const char *text;
        Status status;
        const char *message;
    } rows[] = {
        {"{\"num_beams\":\"4\"}", ERR_FORMAT, "line 3: 'num_beams' is \"4\", expected an integer from 1"},
        {"{\"num_beams\":0}", ERR_FORMAT, "'num_beams' is 0, expected an integer from 1"},
        {"{\"max_new_tokens\":0}", ERR_FORMAT, "'max_new_tokens' is 0, expected an integer from 1"},
        {"{\"max_length\":1e300}", ERR_FORMAT, "'max_length'"},
        {"{\"max_length\":3.5}", ERR_FORMAT, "'max_length' is 3.5"},
        {"{\"top_p\":1.5}", ERR_FORMAT, "'top_p' is 1.5, expected a number from 0 to 1"},
        {"{\"temperature\":-1}", ERR_FORMAT, "'temperature'"},
        {"{\"do_sample\":1}", ERR_FORMAT, "'do_sample' is 1, expected true or false"},
        {"{\"early_stopping\":\"always\"}", ERR_FORMAT, "`early_stopping` must be a boolean or 'never'"},
        {"{\"eos_token_id\":\"</s>\"}", ERR_FORMAT, "'eos_token_id' is neither a token id nor a list"},
        {"{\"eos_token_id\":[2,-2]}", ERR_FORMAT, "'eos_token_id'"},
        {"{\"eos_token_id\":[1,2,3,4,5,6,7,8,9]}", ERR_UNSUPPORTED, "lists 9 ids; at most 8"},
        {"{\"forced_eos_token_id\":[1,2]}", ERR_UNSUPPORTED, "'forced_eos_token_id' lists 2 ids"},
        {"{\"forced_eos_token_id\":[\"a\"]}", ERR_FORMAT, "'forced_eos_token_id' holds"},
        {"{\"bad_words_ids\":[]}", ERR_FORMAT, "has to be a non-empty list of lists"},
        {"{\"bad_words_ids\":[[]]}", ERR_FORMAT, "list of non-empty lists"},
        {"{\"bad_words_ids\":[[3],4]}", ERR_FORMAT, "list of non-empty lists"},
        {"{\"bad_words_ids\":[[-3]]}", ERR_FORMAT, "non-negative integers"},
        {"{\"num_beam_groups\":2}", ERR_UNSUPPORTED, "generation setting 'num_beam_groups' is not supported"},
        {"{\"suppress_tokens\":[5]}", ERR_UNSUPPORTED, "'suppress_tokens'"},
        {"{\"renormalize_logits\":true}", ERR_UNSUPPORTED, "'renormalize_logits'"},
    };
    Error err;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        GenerationOptions options = generation_defaults(), before = options;
        CHECK_FAILS(read_text(rows[i].text, &options, &err), rows[i].status, rows[i].message);
        ck_assert_mem_eq(&options, &before, sizeof options);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_check_sentences) {
    static const struct {
        const char *text;
        const char *message; // NULL: fine
    } rows[] = {
        {"{}", NULL},
        {"{\"num_return_sequences\":2}", "greedy methods without beam search do not support `num_return_sequences`"},
        {"{\"num_return_sequences\":2,\"do_sample\":true}", NULL},
        {"{\"num_return_sequences\":3,\"num_beams\":2}",
         "`num_return_sequences` (3) has to be smaller or equal to `num_beams` (2)"},
        {"{\"max_length\":1}", "the decoder starts with 1 token, but `max_length` is set to 1"},
        {"{\"max_length\":1,\"max_new_tokens\":1}", NULL},
        {"{\"repetition_penalty\":0}", "`repetition_penalty` has to be a strictly positive float, but is 0"},
        {"{\"temperature\":0}", NULL},
        {"{\"temperature\":0,\"do_sample\":true}", "`temperature` (=0) has to be a strictly positive float"},
        {"{\"decoder_start_token_id\":null}", "`decoder_start_token_id` or `bos_token_id` has to be defined"},
        {"{\"forced_bos_token_id\":10}", "`forced_bos_token_id` is 10, but the model's vocabulary has ids 0 to 9"},
        {"{\"forced_eos_token_id\":11}", "`forced_eos_token_id` is 11"},
        {"{\"decoder_start_token_id\":12}", "`decoder_start_token_id` is 12"},
        {"{\"eos_token_id\":12}", NULL},
        {"{\"bad_words_ids\":[[3,10]]}", "`bad_words_ids` is 10"},
    };
    Error err;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        GenerationOptions options = generation_defaults();
        options.decoder_start_token_id = 2;
        CHECK_OK(read_text(rows[i].text, &options, &err));
        if (rows[i].message)
            CHECK_FAILS(generation_check(&options, 10, &err), ERR_USAGE, rows[i].message);
        else
            CHECK_OK(generation_check(&options, 10, &err));
    }
    GenerationOptions options = generation_defaults();
    options.decoder_start_token_id = 0;
    options.num_beams = 2;
    CHECK_FAILS(generation_check(&options, 1, &err), ERR_USAGE,
                "beam search with 0 `eos_token_id`s needs a vocabulary");
    arena_done(&arena);
}
END_TEST

TEST_MAIN("model/generation", test_defaults, test_read_all, test_max_length_of_a_config, test_read_refuses,
          test_check_sentences)

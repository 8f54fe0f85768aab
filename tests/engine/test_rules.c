// SPDX-License-Identifier: Apache-2.0
// Logits processors and warpers against Hugging Face's, float by float, on rows with and without equal scores.
#include <math.h>

#include "base/random.h"
#include "engine/beam.h"
#include "engine/golden_cases.h"
#include "engine/rules.h"

enum { VOCABULARY = 48 };

START_TEST(test_rows_equal_reference) {
    Arena arena;
    arena_init(&arena, 0);
    const json_t *array = golden_read(&arena, "tests/golden/engine/rows.json");
    GenerationOptions defaults = generation_defaults();
    defaults.decoder_start_token_id = defaults.eos_token_ids[0] = 2;
    defaults.eos_token_count = 1;
    size_t count;
    Case *cases = cases_read(&arena, array, &defaults, &count);
    for (size_t i = 0; i < count; i++) {
        float row[VOCABULARY], scratch[64];
        size_t length;
        const int32_t *history = ids_from_json(&arena, json_object_get(cases[i].json, "history"), &length);
        for (size_t j = 0; j < VOCABULARY; j++)
            row[j] = (float)json_number_value(json_array_get(json_object_get(cases[i].json, "scores"), j));
        Rules rules;
        rules_init(&rules, &cases[i].options, cases[i].source, cases[i].source_count, VOCABULARY);
        rules_process(&rules, history, length, scratch, row);
        rules_warp(&rules, row);
        for (size_t j = 0; j < VOCABULARY; j++) {
            const json_t *after = json_array_get(json_object_get(cases[i].json, "after"), j);
            float wanted = json_is_null(after) ? -INFINITY : (float)json_number_value(after);
            ck_assert_msg(row[j] == wanted, "row %zu, token %zu: %.9g, expected %.9g", i, j, (double)row[j],
                          (double)wanted);
        }
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_ends_and_why) {
    GenerationOptions options = generation_defaults();
    options.max_new_tokens = 4;
    options.eos_token_ids[0] = 2;
    options.eos_token_ids[1] = 7;
    options.eos_token_count = 2;
    Rules rules;
    rules_init(&rules, &options, NULL, 0, VOCABULARY);
    Finish finish = FINISH_LENGTH;
    ck_assert(!rules_ends(&rules, 3, 4, &finish));
    ck_assert(rules_ends(&rules, 7, 3, &finish) && finish == FINISH_STOP);
    ck_assert(rules_ends(&rules, 3, 5, &finish) && finish == FINISH_LENGTH);
    ck_assert(rules_ends(&rules, 2, 5, &finish) && finish == FINISH_STOP);
    rules.options.forced_eos_token_id = 2;
    ck_assert(rules_ends(&rules, 2, 5, &finish) && finish == FINISH_LENGTH);
    ck_assert(rules_ends(&rules, 2, 4, &finish) && finish == FINISH_STOP);
}
END_TEST

// An end token beyond the vocabulary (configs have such) is harmless.
START_TEST(test_eos_outside_vocabulary) {
    GenerationOptions options = generation_defaults();
    options.eos_token_ids[0] = 1000000;
    options.eos_token_count = 1;
    options.min_length = 9;
    Rules rules;
    rules_init(&rules, &options, NULL, 0, 4);
    float row[4] = {1, 2, 3, 4};
    rules_process(&rules, (const int32_t[]){0}, 1, NULL, row);
    ck_assert(row[0] == 1 && row[3] == 4);
}
END_TEST

static void check_ratings(const Beam *beam, const Candidate *expected, size_t index) {
    const Ranking *rated = &beam->rated[index];
    ck_assert_uint_eq(rated->count, beam->keep);
    for (size_t i = 0; i < rated->count; i++) {
        ck_assert_int_eq(rated->items[i].token, expected[i].token);
        ck_assert_int_eq(rated->items[i].beam, expected[i].beam);
        ck_assert(memcmp(&rated->items[i].value, &expected[i].value, sizeof(float)) == 0);
    }
}

// From logits with bans on them a beam gets the candidates that it gets from the processed log-probabilities: with
// ties, with scores of -1e9 that swallow all differences, under every instruction set.
START_TEST(test_beams_rate_logits) {
    enum { WORDS = 1000, BEAMS = 4 };
    static float logits[WORDS], row[WORDS];
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    GenerationOptions options = generation_defaults();
    options.num_beams = BEAMS;
    options.decoder_start_token_id = options.eos_token_ids[0] = 2;
    options.eos_token_count = 1;
    options.no_repeat_ngram_size = 1;
    options.min_length = 5;
    Rules rules;
    rules_init(&rules, &options, NULL, 0, WORDS);
    ck_assert(rules_only_ban(&rules, 1));
    Beam *beam;
    CHECK_OK(beam_make(&arena, &rules, &beam, &err));
    Candidate expected[2 * BEAMS];
    ck_assert_uint_eq(beam->keep, ARRAY_COUNT(expected));
    Random random = {9};
    for (int round = 0; round < 300; round++) {
        Kernels kernels;
        kernels_pick((CpuLevel)(round % CPU_LEVEL_COUNT), &kernels);
        int32_t history[] = {2, (int32_t)random_below(&random, WORDS), (int32_t)random_below(&random, WORDS)};
        size_t index = random_below(&random, BEAMS);
        beam->scores[index] = index ? -1e9f : -(float)random_below(&random, 100) / 7;
        for (size_t i = 0; i < WORDS; i++)
            logits[i] = round % 3 ? (float)random_unit(&random) * 20 : (float)random_below(&random, 9);
        kernels.log_softmax(logits, WORDS, row);
        rules_process(&rules, history, 3, NULL, row);
        beam_rate(beam, index, row);
        memcpy(expected, beam->rated[index].items, sizeof expected);
        LogNormalizer normalizer;
        kernels.log_normalizer(logits, WORDS, &normalizer);
        rules_process(&rules, history, 3, NULL, logits);
        beam_rate_logits(beam, index, &kernels, logits, normalizer);
        check_ratings(beam, expected, index);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_which_rules_only_ban) {
    GenerationOptions options = generation_defaults();
    options.forced_bos_token_id = options.forced_eos_token_id = 2;
    options.max_length = 9;
    options.no_repeat_ngram_size = 3;
    Rules rules;
    rules_init(&rules, &options, NULL, 0, VOCABULARY);
    for (size_t count = 1; count < 9; count++)
        ck_assert_int_eq(rules_only_ban(&rules, count), count > 1 && count < 8);
    rules.options.repetition_penalty = 1.1;
    ck_assert(!rules_only_ban(&rules, 3));
}
END_TEST

TEST_MAIN("engine/rules", test_rows_equal_reference, test_ends_and_why, test_eos_outside_vocabulary,
          test_beams_rate_logits, test_which_rules_only_ban)

// SPDX-License-Identifier: Apache-2.0
// A beam search that goes ahead on intervals takes the steps of one with exact scores: same parents, same histories,
// and after catching up the same bits. With narrow intervals it gets far ahead, with wide ones nowhere.
#include <math.h>

#include "base/random.h"
#include "check.h"
#include "engine/beam_guess.h"

enum { WORDS = 40, BEAMS = 4, WIDTH = 3, EOS = 2, LENGTH = 24 };

static Kernels kernels;
static Error err;

// Logits after a history: a few likely words, a tail, and an end that comes now and then.
static void logits_after(uint64_t seed, const int32_t *history, size_t count, float *ret) {
    Random random = {seed};
    for (size_t i = 0; i < count; i++)
        random.state = random.state * 31 + (uint64_t)history[i] * 77 + random_next(&(Random){random.state});
    for (size_t w = 0; w < WORDS; w++) {
        double u = random_unit(&random);
        ret[w] = (float)(10 * u * u * u * u);
    }
    ret[EOS] = random_below(&random, 5) == 0 ? 9 : 0;
}

static void exact_step(Beam *beam, uint64_t seed, bool *ret_alive) {
    float row[WORDS];
    for (size_t b = 0; b < BEAMS; b++) {
        LogNormalizer normalizer;
        logits_after(seed, beam_history(beam, b), beam->length, row);
        kernels.log_normalizer(row, WORDS, &normalizer);
        beam_rate_logits(beam, b, &kernels, row, normalizer);
    }
    *ret_alive = beam_advance(beam);
}

// One step of the guess with every word known and normalizers `width` wide, placed anywhere around the true one.
static bool guess_step(BeamGuess *guess, uint64_t seed, double width, Random *random) {
    static const float state[WIDTH];
    ScreenWord words[BEAMS][WORDS];
    GuessRow rows[BEAMS];
    float row[WORDS];
    for (size_t b = 0; b < BEAMS; b++) {
        LogNormalizer normalizer;
        logits_after(seed, beam_guess_history(guess, b), guess->length, row);
        kernels.log_normalizer(row, WORDS, &normalizer);
        for (size_t w = 0; w < WORDS; w++)
            words[b][w] = (ScreenWord){(int32_t)w, row[w]};
        double below = width * random_unit(random), exact = (double)normalizer.max + (double)normalizer.log_sum;
        rows[b] = (GuessRow){words[b], WORDS, exact - below, exact - below + width, state};
    }
    return beam_guess_advance(guess, rows);
}

static void check_histories(const BeamGuess *guess, const Beam *exact) {
    ck_assert_uint_eq(guess->length, exact->length);
    for (size_t b = 0; b < BEAMS; b++) {
        ck_assert_mem_eq(beam_guess_history(guess, b), beam_history(exact, b), exact->length * sizeof(int32_t));
        ck_assert_int_eq(guess->parents[b], exact->parents[b]);
        ck_assert_double_le(guess->low[b], (double)exact->scores[b]);
        ck_assert_double_ge(guess->high[b], (double)exact->scores[b]);
    }
}

typedef struct Tally {
    size_t held, failed, longest;
} Tally;

static void catch_up(Beam *beam, BeamGuess *guess, uint64_t seed) {
    for (size_t i = 0; i < guess->steps; i++) {
        bool alive = false;
        exact_step(beam, seed, &alive);
        ck_assert(alive);
    }
    beam_guess_reset(guess);
}

// `lagging` is behind by guess->steps; `exact` takes every step at once.
static void run(uint64_t seed, double width, Tally *tally) {
    Arena arena;
    arena_init(&arena, 0);
    Random random = {seed + 1};
    GenerationOptions options = generation_defaults();
    int32_t eos[] = {EOS};
    options.num_beams = BEAMS;
    options.max_new_tokens = LENGTH;
    options.eos_token_ids[0] = EOS;
    options.eos_token_count = 1;
    options.decoder_start_token_id = EOS;
    Rules rules;
    rules_init(&rules, &options, eos, 1, WORDS);
    Beam *exact = NULL, *lagging = NULL;
    BeamGuess *guess = NULL;
    CHECK_OK(beam_make(&arena, &rules, &exact, &err));
    CHECK_OK(beam_make(&arena, &rules, &lagging, &err));
    CHECK_OK(beam_guess_make(&arena, &rules, WIDTH, &guess, &err));
    for (bool alive = true; alive;) {
        bool held = false;
        if (beam_guess_ready(guess, lagging)) {
            held = guess_step(guess, seed, width, &random);
            tally->held += held;
            tally->failed += !held;
        }
        exact_step(exact, seed, &alive);
        if (held) {
            ck_assert(alive);
            check_histories(guess, exact);
            tally->longest = guess->steps > tally->longest ? guess->steps : tally->longest;
            continue;
        }
        catch_up(lagging, guess, seed);
        bool still = false;
        exact_step(lagging, seed, &still);
        ck_assert_int_eq(still, alive);
        ck_assert_mem_eq(lagging->scores, exact->scores, sizeof(float) * BEAMS);
    }
    for (size_t i = 0; i < BEAMS; i++) {
        const Hypothesis *a = beam_result(lagging, i), *b = beam_result(exact, i);
        ck_assert_uint_eq(a->count, b->count);
        ck_assert_mem_eq(a->ids, b->ids, a->count * sizeof *a->ids);
        ck_assert(memcmp(&a->score, &b->score, sizeof a->score) == 0 && a->finish == b->finish);
    }
    arena_done(&arena);
}

START_TEST(test_ahead_is_right) {
    kernels_pick(cpu_detect(), &kernels);
    static const double widths[] = {1e-7, 1e-3, 0.1, 5};
    Tally tallies[ARRAY_COUNT(widths)] = {{0}};
    for (size_t w = 0; w < ARRAY_COUNT(widths); w++)
        for (uint64_t seed = 1; seed <= 300; seed++)
            run(seed * 7919, widths[w], &tallies[w]);
    ck_assert_uint_gt(tallies[0].held, 1000);
    ck_assert_uint_ge(tallies[0].longest, 3);
    ck_assert_uint_gt(tallies[0].held, tallies[2].held);
    ck_assert_uint_gt(tallies[3].failed, 20 * tallies[3].held);
}
END_TEST

// A row whose words are not known proves nothing, and failures are followed by rests.
START_TEST(test_failures_rest) {
    Arena arena;
    arena_init(&arena, 0);
    GenerationOptions options = generation_defaults();
    options.num_beams = BEAMS;
    options.max_new_tokens = LENGTH;
    options.decoder_start_token_id = EOS;
    Rules rules;
    rules_init(&rules, &options, NULL, 0, WORDS);
    kernels_pick(cpu_detect(), &kernels);
    Beam *beam = NULL;
    BeamGuess *guess = NULL;
    CHECK_OK(beam_make(&arena, &rules, &beam, &err));
    CHECK_OK(beam_guess_make(&arena, &rules, WIDTH, &guess, &err));
    ck_assert(!beam_guess_ready(guess, beam)); // all beams have the start token only
    bool alive;
    exact_step(beam, 5, &alive);
    for (size_t failures = 1; failures < 4; failures++) {
        ck_assert(beam_guess_ready(guess, beam));
        ck_assert(!beam_guess_advance(guess, NULL));
        for (size_t i = 0; i < failures; i++)
            ck_assert(!beam_guess_ready(guess, beam));
    }
    arena_done(&arena);
}
END_TEST

TEST_MAIN("engine/beam_guess", test_ahead_is_right, test_failures_rest)

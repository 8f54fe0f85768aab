// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <math.h>

#include "base/buffer.h"
#include "base/random.h"
#include "measure/golden.h"
#include "measure/rouge.h"

#define ALL_TYPES "rouge1,rouge2,rouge3,rouge4,rouge5,rouge6,rouge7,rouge8,rouge9,rougeL,rougeLsum"

static Bytes text_of(const char *text) {
    return (Bytes){(const unsigned char *)text, strlen(text)};
}

static RougeScorer *scorer_make(const char *types, bool stem, RougeTokenizer tokenizer) {
    Error err;
    RougeOptions options = {.stem = stem, .tokenizer = tokenizer};
    CHECK_OK(rouge_types_parse(types, &options, &err));
    RougeScorer *scorer = rouge_new(&options, &err);
    ck_assert_ptr_nonnull(scorer);
    return scorer;
}

static RougeScore score_of(RougeScorer *scorer, const char *target, const char *prediction) {
    Error err;
    RougeScore scores[ROUGE_TYPES_MOST];
    Bytes text = text_of(target);
    CHECK_OK(rouge_score(scorer, &text, 1, text_of(prediction), scores, &err));
    return scores[0];
}

static RougeScore score_once(const char *type, bool stem, RougeTokenizer tokenizer, const char *target,
                             const char *prediction) {
    RougeScorer *scorer = scorer_make(type, stem, tokenizer);
    RougeScore score = score_of(scorer, target, prediction);
    rouge_free(scorer);
    return score;
}

static void check_row(RougeScorer *scorer, const json_t *row, const char *variant) {
    Error err;
    const json_t *targets = json_object_get(row, "target");
    Bytes texts[8];
    size_t count = json_array_size(targets);
    ck_assert_uint_le(count, ARRAY_COUNT(texts));
    for (size_t i = 0; i < count; i++)
        texts[i] = (Bytes){(const unsigned char *)json_string_value(json_array_get(targets, i)),
                           json_string_length(json_array_get(targets, i))};
    const json_t *prediction = json_object_get(row, "prediction");
    RougeScore scores[ROUGE_TYPES_MOST];
    CHECK_OK(rouge_score(scorer, texts, count,
                         (Bytes){(const unsigned char *)json_string_value(prediction), json_string_length(prediction)},
                         scores, &err));
    const RougeOptions *options = rouge_options(scorer);
    for (size_t k = 0; k < options->type_count; k++) {
        const char *name = rouge_type_name(options->types[k]);
        const json_t *expected = json_object_get(json_object_get(row, variant), name);
        ck_assert_uint_eq(json_array_size(expected), 3);
        const double got[3] = {scores[k].precision, scores[k].recall, scores[k].fmeasure};
        for (size_t m = 0; m < 3; m++)
            ck_assert_msg(fabs(got[m] - json_number_value(json_array_get(expected, m))) < 1e-12,
                          "%s %s: %.9f for %s / %s", variant, name, got[m], (const char *)texts[0].data,
                          json_string_value(prediction));
    }
}

START_TEST(goldens) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Bytes rest = golden_map(&arena, "rouge.jsonl");
    RougeScorer *plain = scorer_make(ALL_TYPES, false, ROUGE_TOKENS_DEFAULT);
    RougeScorer *stemmed = scorer_make(ALL_TYPES, true, ROUGE_TOKENS_DEFAULT);
    size_t rows = 0;
    for (Bytes line; line_next(&rest, &line); rows++) {
        json_t *row = NULL;
        CHECK_OK(json_parse(&arena, "golden", line, true, &row, &err));
        check_row(plain, row, "plain");
        check_row(stemmed, row, "stemmed");
    }
    ck_assert_uint_gt(rows, 90);
    rouge_free(plain);
    rouge_free(stemmed);
    arena_done(&arena);
}
END_TEST

// The example of Lin 2004, section 3.2, and the order of arguments.
START_TEST(known_scores) {
    RougeScore s =
        score_once("rougeLsum", false, ROUGE_TOKENS_DEFAULT, "w1 w2 w3 w4 w5", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5");
    ck_assert_double_eq_tol(s.recall, 0.8, 1e-12);
    ck_assert_double_eq_tol(s.precision, 0.4, 1e-12);
    ck_assert_double_eq_tol(s.fmeasure, 8.0 / 15, 1e-12);
    s = score_once("rouge1", false, ROUGE_TOKENS_DEFAULT, "one two three four", "one two");
    ck_assert_double_eq(s.precision, 1);
    ck_assert_double_eq(s.recall, 0.5);
}
END_TEST

START_TEST(tokenizers) {
    const char *korean =
        "\xEB\x82\xB4\xEC\x9D\xBC \xEC\x98\xA4\xEC\xA0\x84 10\xEC\x8B\x9C"; // tomorrow, morning, 10 o'clock
    const char *other = "\xEB\x82\xB4\xEC\x9D\xBC, 10\xEC\x8B\x9C!";
    ck_assert_double_eq(score_once("rouge1", false, ROUGE_TOKENS_DEFAULT, korean, other).recall,
                        1); // only the 10 is left
    ck_assert_double_eq_tol(score_once("rouge1", false, ROUGE_TOKENS_UNICODE, korean, other).recall, 2.0 / 3, 1e-12);
    ck_assert_double_eq_tol(score_once("rouge1", false, ROUGE_TOKENS_CHAR, korean, other).recall, 5.0 / 7, 1e-12);
    ck_assert_double_eq_tol(score_once("rouge1", false, ROUGE_TOKENS_CHAR, korean, other).precision, 5.0 / 7, 1e-12);
    // Greek and Cyrillic capitals, a final sigma, and a Turkish dotted I.
    const char *upper = "\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3 \xD0\x9C\xD0\x98\xD0\xA0 \xC4\xB0stanbul_x\xC2\xB2";
    const char *lower = "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82 \xD0\xBC\xD0\xB8\xD1\x80 istanbul x\xC2\xB2";
    ck_assert_double_eq(score_once("rouge4", false, ROUGE_TOKENS_UNICODE, upper, lower).fmeasure, 1);
    // No-break and ideographic spaces are white space; case stays in the char tokenizer.
    ck_assert_double_eq(score_once("rouge2", false, ROUGE_TOKENS_CHAR,
                                   "a\xC2\xA0"
                                   "b\xE3\x80\x80"
                                   "c",
                                   "abc")
                            .fmeasure,
                        1);
    ck_assert_double_eq(score_once("rouge1", false, ROUGE_TOKENS_CHAR, "A", "a").fmeasure, 0);
    // Stemming reaches the English words among others.
    ck_assert_double_eq(
        score_once("rouge2", true, ROUGE_TOKENS_UNICODE, "\xEB\x82\xB4 running", "\xEB\x82\xB4 ran").fmeasure, 0);
    ck_assert_double_eq(
        score_once("rouge2", true, ROUGE_TOKENS_UNICODE, "\xEB\x82\xB4 jumping", "\xEB\x82\xB4 JUMPED").fmeasure, 1);
    // Bytes that are no UTF-8 separate words and are characters.
    ck_assert_double_eq(score_once("rouge2", false, ROUGE_TOKENS_DEFAULT,
                                   "a\xFF"
                                   "b\xED\xA0\x80",
                                   "a b")
                            .fmeasure,
                        1);
    ck_assert_double_eq(score_once("rouge1", false, ROUGE_TOKENS_CHAR, "\xFF", "\xFF").fmeasure, 1);
    for (unsigned i = 0; i < ROUGE_TOKENIZER_COUNT; i++)
        ck_assert_uint_eq(rouge_tokenizer_find(rouge_tokenizer_name((RougeTokenizer)i)), i);
    ck_assert_uint_eq(rouge_tokenizer_find("mecab"), ROUGE_TOKENIZER_COUNT);
}
END_TEST

static void text_random(Random *random, Buffer *text) {
    static const char *const words[] = {"run", "running",      "runs",        "tie", "a",
                                        "the", "\xED\x95\x9C", "Caf\xC3\xA9", "9"};
    buffer_clear(text);
    buffer_add_text(text, "");
    for (uint32_t n = random_below(random, 30); n-- > 0;)
        buffer_format(text, "%s%c", words[random_below(random, ARRAY_COUNT(words))],
                      random_below(random, 6) ? ' ' : '\n');
}

// F, P and R lie in [0, 1]; a text with units equals itself; exchanging the texts exchanges precision and recall (but
// for Lsum, whose union is taken over the target's lines).
START_TEST(properties) {
    Error err;
    Random random = {23};
    Buffer a = {0}, b = {0};
    for (unsigned variant = 0; variant < 6; variant++) {
        RougeScorer *scorer = scorer_make(ALL_TYPES, variant % 2, (RougeTokenizer)(variant / 2));
        for (int round = 0; round < 400; round++) {
            text_random(&random, &a);
            text_random(&random, &b);
            RougeScore ab[ROUGE_TYPES_MOST], ba[ROUGE_TYPES_MOST], aa[ROUGE_TYPES_MOST];
            Bytes x = {(const unsigned char *)a.data, a.bytes};
            Bytes y = {(const unsigned char *)b.data, b.bytes};
            CHECK_OK(rouge_score(scorer, &x, 1, y, ab, &err));
            CHECK_OK(rouge_score(scorer, &y, 1, x, ba, &err));
            CHECK_OK(rouge_score(scorer, &x, 1, x, aa, &err));
            for (size_t k = 0; k < ROUGE_TYPES_MOST; k++) {
                ck_assert(ab[k].precision >= 0 && ab[k].precision <= 1 && ab[k].recall >= 0 && ab[k].recall <= 1);
                ck_assert(ab[k].fmeasure >= 0 && ab[k].fmeasure <= 1);
                ck_assert(aa[k].fmeasure == 0 || aa[k].fmeasure == 1);
                ck_assert(ab[k].fmeasure == 0 || aa[k].fmeasure == 1);
                if (rouge_options(scorer)->types[k] == ROUGE_LSUM)
                    continue;
                ck_assert(ab[k].precision == ba[k].recall && ab[k].recall == ba[k].precision);
                ck_assert_double_eq_tol(ab[k].fmeasure, ba[k].fmeasure, 1e-15);
            }
        }
        rouge_free(scorer);
    }
    buffer_done(&a);
    buffer_done(&b);
}
END_TEST

START_TEST(best_of_several_targets) {
    Error err;
    RougeScorer *scorer = scorer_make("rouge1,rouge2", false, ROUGE_TOKENS_DEFAULT);
    const Bytes targets[] = {text_of("x y z a b"), text_of("b a"), text_of("a b c d e f g h")};
    RougeScore scores[2];
    CHECK_OK(rouge_score(scorer, targets, 3, text_of("a b"), scores, &err));
    ck_assert_double_eq(scores[0].fmeasure, 1);             // the second
    ck_assert_double_eq_tol(scores[1].recall, 0.25, 1e-12); // the first
    CHECK_FAILS(rouge_score(scorer, targets, 0, text_of("a"), scores, &err), ERR_FORMAT, "at least one");
    rouge_free(scorer);
}
END_TEST

START_TEST(types) {
    Error err;
    RougeOptions options = {0};
    CHECK_OK(rouge_types_parse("rougeLsum,rouge9,rougeLsum", &options, &err));
    ck_assert_uint_eq(options.type_count, 2);
    ck_assert(options.types[0] == ROUGE_LSUM && options.types[1] == 9);
    static const char *const bad[] = {"",        "rouge",   "rouge0",         "rouge10", "rougel",
                                      "rouge1,", ",rouge1", "rouge1 ,rouge2", "bleu"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        CHECK_FAILS(rouge_types_parse(bad[i], &options, &err), ERR_USAGE,
                    "is no ROUGE type; expected rouge1 to rouge9");
    ck_assert_uint_eq(options.type_count, 2);
    ck_assert_ptr_null(rouge_type_name(ROUGE_TYPE_END));
}
END_TEST

// `count` words of which `different` differ, `per_line` to a line (0: one line).
static void words_fill(Buffer *text, size_t count, size_t different, size_t per_line, uint64_t seed) {
    Random random = {seed};
    buffer_clear(text);
    for (size_t i = 0; i < count; i++)
        buffer_format(text, "w%u%c", random_below(&random, (uint32_t)different),
                      per_line && i % per_line == per_line - 1 ? '\n' : ' ');
    ck_assert_int_eq(text->failed, OK);
}

START_TEST(long_texts) {
    Error err;
    Buffer a = {0}, b = {0};
    RougeScorer *scorer = scorer_make(ALL_TYPES, true, ROUGE_TOKENS_DEFAULT);
    static const struct {
        size_t words, different, per_line;
    } cases[] = {{5000, 700, 0}, {5000, 700, 12},    {100000, 2, 0},
                 {100000, 1, 0}, {100000, 60000, 0}, {100000, 300, 2000}};
    for (size_t k = 0; k < ARRAY_COUNT(cases); k++) {
        words_fill(&a, cases[k].words, cases[k].different, cases[k].per_line, 1);
        words_fill(&b, cases[k].words, cases[k].different, cases[k].per_line, 2);
        Bytes target = {(const unsigned char *)a.data, a.bytes};
        RougeScore scores[ROUGE_TYPES_MOST];
        CHECK_OK(rouge_score(scorer, &target, 1, (Bytes){(const unsigned char *)b.data, b.bytes}, scores, &err));
        ck_assert_msg(scores[0].fmeasure > 0.5 && scores[9].fmeasure > 0 && scores[10].fmeasure > 0,
                      "case %zu: %f %f %f", k, scores[0].fmeasure, scores[9].fmeasure, scores[10].fmeasure);
    }
    rouge_free(scorer);
    buffer_done(&a);
    buffer_done(&b);
}
END_TEST

START_TEST(limits) {
    Error err;
    Buffer a = {0};
    RougeScore scores[ROUGE_TYPES_MOST];
    RougeScorer *scorer = scorer_make("rougeLsum", false, ROUGE_TOKENS_DEFAULT);
    words_fill(&a, 100000, 1, 1, 1);
    Bytes text = {(const unsigned char *)a.data, a.bytes};
    CHECK_FAILS(rouge_score(scorer, &text, 1, text, scores, &err), ERR_LIMIT, "too long to compare: with rougeLsum");
    rouge_free(scorer);
    scorer = scorer_make("rougeL", false, ROUGE_TOKENS_CHAR);
    words_fill(&a, 200000, 9, 0, 1);
    text = (Bytes){(const unsigned char *)a.data, a.bytes};
    CHECK_FAILS(rouge_score(scorer, &text, 1, text, scores, &err), ERR_LIMIT, "too long to compare: with rougeL");
    words_fill(&a, 400000, 9, 0, 1);
    text = (Bytes){(const unsigned char *)a.data, a.bytes};
    CHECK_FAILS(rouge_score(scorer, &text, 1, text, scores, &err), ERR_LIMIT, "more than 524288 tokens");
    words_fill(&a, 3000000, 9, 0, 1);
    text = (Bytes){(const unsigned char *)a.data, a.bytes};
    CHECK_FAILS(rouge_score(scorer, &text, 1, text, scores, &err), ERR_LIMIT, "ROUGE takes at most 8388608");
    // Many targets share one budget.
    words_fill(&a, 100000, 9, 0, 1);
    Bytes many[200];
    for (size_t i = 0; i < ARRAY_COUNT(many); i++)
        many[i] = (Bytes){(const unsigned char *)a.data, a.bytes};
    CHECK_FAILS(rouge_score(scorer, many, ARRAY_COUNT(many), text_of("w1"), scores, &err), ERR_LIMIT,
                "too long to compare");
    CHECK_OK(rouge_score(scorer, many, 2, text_of("w1"), scores, &err));
    rouge_free(scorer);
    buffer_done(&a);
}
END_TEST

START_TEST(steady_state_allocates_nothing) {
    Buffer a = {0}, b = {0};
    RougeScorer *scorer = scorer_make(ALL_TYPES, true, ROUGE_TOKENS_UNICODE);
    words_fill(&a, 5000, 300, 20, 1);
    words_fill(&b, 5000, 300, 20, 2);
    score_of(scorer, a.data, b.data);
    score_of(scorer, "warm", "up");
    uint64_t before = memory_allocations();
    for (int round = 0; round < 20; round++) {
        score_of(scorer, a.data, b.data);
        score_of(scorer, "short text", "a short text");
    }
    ck_assert_uint_eq(memory_allocations(), before);
    rouge_free(scorer);
    rouge_free(NULL);
    buffer_done(&a);
    buffer_done(&b);
}
END_TEST

TEST_MAIN("measure/rouge", goldens, known_scores, tokenizers, properties, best_of_several_targets, types, long_texts,
          limits, steady_state_allocates_nothing)

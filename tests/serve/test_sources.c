// SPDX-License-Identifier: Apache-2.0
// Sources cut in parts, answers joined from them, and the texts that end an answer.
#include "base/random.h"
#include "check.h"
#include "serve/results.h"
#include "serve/stops.h"
#include "text/golden.h"

static Error err;

typedef struct Fixture {
    Arena arena;
    const Tokenizer *tokenizer;
    Encoder *encoder;
} Fixture;

static Fixture fixture_make(void) {
    Fixture fixture = {0};
    arena_init(&fixture.arena, 0);
    CHECK_OK(
        tokenizer_open(&fixture.arena, source_path(&fixture.arena, "tiny_unigram.model"), &fixture.tokenizer, &err));
    CHECK_OK(encoder_new(fixture.tokenizer, &fixture.encoder, &err));
    return fixture;
}

static void fixture_done(Fixture *fixture) {
    encoder_free(fixture->encoder);
    arena_done(&fixture->arena);
}

static Status make(Fixture *fixture, const char *text, ApiTruncation truncation, size_t positions, ApiSource *ret) {
    ApiCall call = {.truncation = truncation};
    ApiPrompt prompt = {.text = text, .bytes = strlen(text)};
    return source_make(&fixture->arena, fixture->tokenizer, fixture->encoder, &call, &prompt, positions, ret, &err);
}

// The parts' texts, joined by "|".
static const char *parts_text(Fixture *fixture, const ApiSource *source) {
    Buffer text = {0};
    for (size_t i = 0; i < source->part_count; i++) {
        buffer_add_text(&text, i ? "|" : "");
        CHECK_OK(encoder_decode(fixture->encoder, source->parts[i].ids, source->parts[i].count,
                                (DecodeOptions){.skip_special = true}, &text, &err));
    }
    const char *copy = arena_copy_text(&fixture->arena, text.data, text.bytes, &err);
    buffer_done(&text);
    return copy;
}

static const char dialogue[] = "anna: are you at the market?\nben: yes. the price of rice is up again.\n\n"
                               "anna: leave it then. the train leaves at 7.50 today.";

START_TEST(test_parts) {
    Fixture fixture = fixture_make();
    ApiSource source;
    CHECK_OK(make(&fixture, dialogue, API_TRUNCATE_CHUNK, 1000, &source));
    ck_assert_uint_eq(source.part_count, 1);
    ck_assert(!source.truncated);
    CHECK_OK(make(&fixture, dialogue, API_TRUNCATE_CHUNK, 40, &source));
    ck_assert_str_eq(parts_text(&fixture, &source),
                     "anna are you at the market? ben yes.|the price of rice is up again. anna leave it then.|"
                     "the train leaves at 7.50 today.");
    size_t tokens = 0;
    for (size_t i = 0; i < source.part_count; i++) {
        ck_assert_uint_le(source.parts[i].count, 40);
        tokens += source.parts[i].count;
    }
    ck_assert_uint_eq(tokens, source.tokens);
    // A sentence that is too long is cut between words, a word between characters.
    CHECK_OK(make(&fixture, "the price of rice is up again", API_TRUNCATE_CHUNK, 12, &source));
    ck_assert_str_eq(parts_text(&fixture, &source), "the price of rice|is up again");
    CHECK_OK(make(&fixture, "qqqqqqqqqq", API_TRUNCATE_CHUNK, 4, &source));
    ck_assert_uint_gt(source.part_count, 1);
    fixture_done(&fixture);
}
END_TEST

// Whatever the text and the limit: no part is longer, and no letter is lost.
START_TEST(test_nothing_is_lost) {
    static const char *const words[] = {"the ", "rice. ",  "\n", "price", "\xE4\xB8\xAD\xE3\x80\x82",
                                        "  ",   "again! ", "q"};
    Fixture fixture = fixture_make();
    for (uint64_t seed = 1; seed <= 200; seed++) {
        Random random = {seed};
        Buffer text = {0};
        for (uint32_t i = 0, count = 1 + random_below(&random, 60); i < count; i++)
            buffer_add_text(&text, words[random_below(&random, ARRAY_COUNT(words))]);
        buffer_add_text(&text, "end");
        ApiSource whole, parts;
        size_t limit = 8 + random_below(&random, 40);
        CHECK_OK(make(&fixture, text.data, API_TRUNCATE_CHUNK, 100000, &whole));
        CHECK_OK(make(&fixture, text.data, API_TRUNCATE_CHUNK, limit, &parts));
        const char *a = parts_text(&fixture, &whole), *b = parts_text(&fixture, &parts);
        while (*a || *b) {
            if (*a == ' ' || *a == '\n')
                a++;
            else if (*b == ' ' || *b == '\n' || *b == '|')
                b++;
            else
                ck_assert_msg(*a++ == *b++, "limit %zu, '%s': '%s'", limit, text.data, parts_text(&fixture, &parts));
        }
        for (size_t i = 0; i < parts.part_count; i++)
            ck_assert_uint_le(parts.parts[i].count, limit);
        buffer_done(&text);
    }
    fixture_done(&fixture);
}
END_TEST

START_TEST(test_truncation) {
    Fixture fixture = fixture_make();
    ApiSource source;
    CHECK_FAILS(make(&fixture, dialogue, API_TRUNCATE_ERROR, 30, &source), ERR_LIMIT, "the model has 30 positions");
    CHECK_OK(make(&fixture, "the price of rice is up again", API_TRUNCATE_END, 12, &source));
    ck_assert(source.truncated && source.part_count == 1 && source.tokens == 12);
    const char *start = parts_text(&fixture, &source);
    ck_assert_msg(strncmp(start, "the price", 9) == 0, "%s", start);
    CHECK_OK(make(&fixture, "the price of rice is up again", API_TRUNCATE_START, 12, &source));
    const char *end = parts_text(&fixture, &source);
    ck_assert_msg(strlen(end) > 5 && strcmp(end + strlen(end) - 5, "again") == 0, "%s", end);
    static char long_text[100000];
    memset(long_text, 'q', sizeof long_text - 1);
    CHECK_FAILS(make(&fixture, long_text, API_TRUNCATE_CHUNK, 12, &source), ERR_LIMIT,
                "more than 64 parts of 12 tokens");
    static const int32_t ids[] = {5, 6, 7, 8};
    ApiCall call = {.truncation = API_TRUNCATE_START};
    ApiPrompt prompt = {.ids = ids, .count = 4};
    CHECK_OK(source_make(&fixture.arena, NULL, NULL, &call, &prompt, 3, &source, &err));
    ck_assert(source.truncated && source.tokens == 3 && source.parts[0].ids[0] == 6);
    call.most_source_tokens = 2;
    CHECK_OK(source_make(&fixture.arena, NULL, NULL, &call, &prompt, 3, &source, &err));
    ck_assert(source.tokens == 2 && source.parts[0].ids[0] == 7);
    prompt.count = 0;
    CHECK_FAILS(source_make(&fixture.arena, NULL, NULL, &call, &prompt, 3, &source, &err), ERR_USAGE, "no tokens");
    prompt.text = "a";
    CHECK_FAILS(source_make(&fixture.arena, NULL, NULL, &call, &prompt, 3, &source, &err), ERR_UNSUPPORTED,
                "no tokenizer");
    fixture_done(&fixture);
}
END_TEST

START_TEST(test_results) {
    Fixture fixture = fixture_make();
    ApiSource two;
    CHECK_OK(make(&fixture, "the price of rice.\nthe train leaves at 7.50 today.", API_TRUNCATE_CHUNK, 18, &two));
    ck_assert_uint_eq(two.part_count, 2);
    Sequence answers[2] = {{two.parts[0].ids, two.parts[0].count, -1, FINISH_STOP},
                           {two.parts[1].ids, two.parts[1].count, -2, FINISH_LENGTH}};
    PartAnswer parts[2] = {{&answers[0], 1}, {&answers[1], 1}};
    static const char *const stops[] = {"leaves", "never"};
    ApiCall call = {.stops = stops};
    ApiResult result;
    CHECK_OK(result_make(&fixture.arena, fixture.tokenizer, fixture.encoder, &call, &two, parts, &result, &err));
    ck_assert_str_eq(result.sequences[0].text, "the price of rice.\nthe train leaves at 7.50 today.");
    ck_assert(result.chunks == 2 && result.sequences[0].finish == API_LENGTH);
    ck_assert_uint_eq(result.sequences[0].count, two.tokens);
    call.stop_count = 2;
    CHECK_OK(result_make(&fixture.arena, fixture.tokenizer, fixture.encoder, &call, &two, parts, &result, &err));
    ck_assert_str_eq(result.sequences[0].text, "the price of rice.\nthe train ");
    ck_assert(result.sequences[0].finish == API_STOP_TEXT);
    CHECK_OK(result_make(&fixture.arena, NULL, NULL, &call, &two, parts, &result, &err));
    ck_assert(!result.sequences[0].text && result.sequences[0].count == two.tokens);
    fixture_done(&fixture);
}
END_TEST

// Byte by byte against looking at the whole text.
START_TEST(test_stops) {
    static const char *const stops[] = {"aab", "ba", "abab", "ab"};
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        Random random = {seed};
        char text[24];
        size_t bytes = random_below(&random, sizeof text), count = 1 + random_below(&random, 4), want = bytes;
        for (size_t i = 0; i < bytes; i++)
            text[i] = (char)('a' + random_below(&random, 2) + (random_below(&random, 6) == 0));
        for (size_t at = bytes; at-- > 0;)
            for (size_t s = 0; s < count; s++)
                if (strlen(stops[s]) <= bytes - at && !memcmp(text + at, stops[s], strlen(stops[s])))
                    want = at;
        size_t sure = 0;
        bool met = false;
        for (size_t there = 1; there <= bytes + 1 && !met; there++) { // once more at the end
            bool complete = there > bytes;
            size_t now = stops_find(stops, count, text, complete ? bytes : there, sure, complete, &met);
            ck_assert_uint_ge(now, sure);
            ck_assert_uint_le(now, want); // nothing of a stop, or of what is behind it, was let go
            ck_assert_uint_ge(now + 4, there < want ? there : want);
            ck_assert(!complete || now == want);
            sure = now;
        }
        ck_assert(met == (want < bytes));
        ck_assert(!met || sure == want);
    }
}
END_TEST

TEST_MAIN("sources", test_parts, test_nothing_is_lost, test_truncation, test_results, test_stops)

// SPDX-License-Identifier: Apache-2.0
// Trimmed tokenizers against the whole ones: made-up vocabularies with random texts, the demo's own, and files byte by
// byte.
#include "text/trim.h"

#include "base/random.h"
#include "base/scratch.h"
#include "base/utf8.h"
#include "golden.h"
#include "text/chars.h"
#include "text/parts.h"

static Error err;

static char *folder_with(Scratch *scratch, const char *name, const TrimmedFile *files, size_t count) {
    char *staging, *path = scratch_path(scratch, name);
    CHECK_OK(folder_stage(&scratch->arena, path, true, &staging, &err));
    for (size_t i = 0; i < count; i++)
        if (!files[i].left_out)
            CHECK_OK(file_replace(path_join(&scratch->arena, staging, files[i].name, &err), files[i].text.data,
                                  files[i].text.size, &err));
    CHECK_OK(folder_commit(staging, path, &err));
    return path;
}

static TrimmedFile file_of(const char *name, const char *text) {
    return (TrimmedFile){name, {(const unsigned char *)text, strlen(text)}, false};
}

// The tokenizer of `folder` with what `trim` keeps, read back and checked.
static const Tokenizer *trimmed_open(Scratch *scratch, const char *folder, const Trim *trim, const int32_t *now) {
    TrimmedFile *files;
    size_t count;
    const Tokenizer *trimmed;
    char name[40];
    CHECK_OK(trim_files(&scratch->arena, folder, trim, now, &files, &count, &err));
    snprintf(name, sizeof name, "trimmed-%zu", scratch_count(scratch));
    CHECK_OK(tokenizer_open(&scratch->arena, folder_with(scratch, name, files, count), &trimmed, &err));
    CHECK_OK(trim_check(trim, now, trimmed, &err));
    return trimmed;
}

static Encoding encode(Encoder *encoder, const Buffer *text) {
    Encoding encoding;
    CHECK_OK(encoder_encode(encoder, text->data ? text->data : "", text->bytes, NULL, 0,
                            (EncodeOptions){.add_special = true}, &encoding, &err));
    return encoding;
}

// Words of few letters, so that made-up tokens are met; `spice` of 100 characters are any at all.
static void text_draw(Random *random, unsigned spice, Buffer *text) {
    buffer_clear(text);
    size_t length = 1 + random_below(random, 60);
    for (size_t i = 0; i < length; i++) {
        if (random_below(random, 100) < spice)
            buffer_add_code_point(text, random_below(random, 0x11000));
        else
            buffer_add_char(text, "abcdef  "[random_below(random, 8)]);
    }
}

// Random strings of letters behind the single ones, each once: tokens to choose from.
typedef struct Words {
    char text[400][8];
    size_t count;
} Words;

static bool words_add(Words *words, const char *text) {
    for (size_t i = 0; i < words->count; i++)
        if (!strcmp(words->text[i], text))
            return false;
    ck_assert_uint_lt(words->count, ARRAY_COUNT(words->text));
    snprintf(words->text[words->count++], sizeof words->text[0], "%s", text);
    return true;
}

static const char specials[] = "\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true},{\"id\":1,"
                               "\"content\":\"<pad>\",\"special\":true},{\"id\":2,\"content\":\"</s>\",\"special\":"
                               "true},{\"id\":%zu,\"content\":\"<mask>\",\"special\":true,\"lstrip\":true}],"
                               "\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"</s>\",2],\"cls\":"
                               "[\"<s>\",0],\"trim_offsets\":true,\"add_prefix_space\":false},";

// Byte-level BPE; a token may have several merges that lead to it, and merges come in both forms.
static void bpe_write(Random *random, Buffer *out) {
    Words words = {0};
    Buffer merges = {0};
    for (char c = 'a'; c <= 'f'; c++)
        words_add(&words, (char[]){c, '\0'});
    words_add(&words, " ");
    for (size_t i = 0; i < 300; i++) {
        char joined[16];
        const char *left = words.text[random_below(random, (uint32_t)words.count)];
        const char *right = words.text[random_below(random, (uint32_t)words.count)];
        snprintf(joined, sizeof joined, "%s%s", left, right);
        if (strlen(joined) > 6 || strchr(right, ' '))
            continue;
        words_add(&words, joined);
        bool space = left[0] == ' ';
        buffer_format(&merges, i % 2 ? "%s\"%s%s %s\"" : "%s[\"%s%s\", \"%s\"]", merges.bytes ? ", " : "",
                      space ? "\\u0120" : "", left + space, right);
    }
    buffer_format(out, "{\"version\":\"1.0\",");
    buffer_format(out, specials, 3 + 256 + words.count - 7);
    buffer_add_text(out, "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
                         "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\n  \"vocab\": {\"<s>\":0, "
                         "\"<pad>\":1,\n\"</s>\":2");
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[5] = {0};
        utf8_encode(char_of_byte((unsigned char)byte), text);
        buffer_add_text(out, ", ");
        buffer_add_json(out, text, strlen(text));
        buffer_format(out, ": %u", 3 + byte);
    }
    for (size_t i = 7; i < words.count; i++) {
        bool space = words.text[i][0] == ' ';
        buffer_format(out, ",\"%s%s\":%zu", space ? "\xC4\xA0" : "", words.text[i] + space, 3 + 256 + i - 7);
    }
    buffer_format(out, "},\"merges\":[ %s ]}}", merges.data);
    buffer_done(&merges);
}

static void unigram_write(Random *random, Buffer *out) {
    Words words = {0};
    for (size_t i = 0; i < 250; i++) {
        char text[8] = {0};
        size_t length = 2 + random_below(random, 4);
        for (size_t c = 0; c < length; c++)
            text[c] = "abcdef"[random_below(random, 6)];
        words_add(&words, text);
    }
    buffer_format(out, "{");
    buffer_format(out, specials, 12 + 2 * words.count);
    buffer_add_text(out, "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\\u2581\",\"prepend_scheme\":"
                         "\"always\",\"split\":false},\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\\u2581\","
                         "\"prepend_scheme\":\"always\"},\"model\":{\"unk_id\": 3 ,\"type\":\"Unigram\",\"vocab\":"
                         "[[\"<s>\",0.0],[\"<pad>\",0],[\"</s>\",0],[\"<unk>\",0]");
    for (char c = 'a'; c <= 'f'; c++)
        buffer_format(out, ",[\"%c\",%.3f]", c, -5 - 2 * random_unit(random));
    buffer_add_text(out, ",[\"\\u2581\",-3.5],[\"a\xC3\xA9\", -2.5]");
    for (size_t i = 0; i < words.count; i++)
        for (int space = 0; space < 2; space++)
            buffer_format(out, ",\n[\"%s%s\", %.3f]", space ? "\xE2\x96\x81" : "", words.text[i],
                          -1 - 9 * random_unit(random) - (i == 77 ? 30 : 0));
    buffer_add_text(out, "]}}");
}

static void word_piece_write(Random *random, Buffer *out) {
    Words words = {0};
    for (char c = 'a'; c <= 'f'; c++)
        words_add(&words, (char[]){c, '\0'});
    for (size_t i = 0; i < 250; i++) {
        char text[8] = {0};
        size_t length = 2 + random_below(random, 4);
        for (size_t c = 0; c < length; c++)
            text[c] = "abcdef"[random_below(random, 6)];
        words_add(&words, text);
    }
    buffer_format(out, "{");
    buffer_format(out, specials, 4 + 2 * words.count);
    buffer_add_text(out,
                    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
                    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
                    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false},\"model\":{\"type\":"
                    "\"WordPiece\",\"unk_token\":\"[UNK]\",\"max_input_chars_per_word\":100,"
                    "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"<s>\":0,\"<pad>\":1,\"</s>\":2,"
                    "\"[UNK]\":3");
    for (size_t i = 0; i < words.count; i++)
        buffer_format(out, ",\"%s\":%zu,\"##%s\":%zu", words.text[i], 4 + 2 * i, words.text[i], 5 + 2 * i);
    buffer_add_text(out, "}}}");
}

typedef struct Tally {
    size_t dropped, finer, kept_whole;
} Tally;

static bool all_kept(const Trim *trim, Encoding encoding) {
    bool kept = true;
    for (size_t i = 0; i < encoding.count; i++)
        kept &= trim->reasons[encoding.ids[i]] != KEEP_NOT;
    return kept;
}

// A text by both: tokens that are all kept come again; others decode to the same text.
static void text_check(Encoder *whole, Encoder *trimmed, const Trim *trim, const int32_t *now, const Buffer *text,
                       Tally *tally) {
    Encoding before = encode(whole, text), after = encode(trimmed, text);
    Buffer decoded[2] = {{0}};
    CHECK_OK(encoder_decode(whole, before.ids, before.count, (DecodeOptions){0}, &decoded[0], &err));
    CHECK_OK(encoder_decode(trimmed, after.ids, after.count, (DecodeOptions){0}, &decoded[1], &err));
    ck_assert_msg(decoded[0].bytes == decoded[1].bytes && !memcmp(decoded[0].data, decoded[1].data, decoded[0].bytes),
                  "'%.*s' decodes to '%s', then to '%s'", (int)text->bytes, text->data, decoded[0].data,
                  decoded[1].data);
    if (all_kept(trim, before)) {
        ck_assert_msg(before.count == after.count, "'%.*s': %zu tokens, then %zu", (int)text->bytes, text->data,
                      before.count, after.count);
        for (size_t i = 0; i < before.count; i++)
            ck_assert_int_eq(now[before.ids[i]], after.ids[i]);
        tally->kept_whole++;
    }
    tally->finer += after.count > before.count;
    buffer_done(&decoded[0]);
    buffer_done(&decoded[1]);
}

// Trims to a few texts, then checks those and many others. `spice`: share of characters of any kind, in per cent.
static Tally trim_round(Scratch *scratch, const char *folder, Random *random, unsigned spice) {
    const Tokenizer *tokenizer;
    Trim trim;
    int32_t *now;
    Encoder *whole, *trimmed;
    Buffer text = {0};
    CHECK_OK(tokenizer_open(&scratch->arena, folder, &tokenizer, &err));
    CHECK_OK(encoder_new(tokenizer, &whole, &err));
    CHECK_OK(trim_begin(&scratch->arena, tokenizer, tokenizer_id_bound(tokenizer), &trim, &err));
    Random data = *random;
    for (int i = 0; i < 12; i++) {
        text_draw(&data, spice, &text);
        Encoding encoding = encode(whole, &text);
        for (size_t t = 0; t < encoding.count; t++)
            ck_assert(trim_keep(&trim, (size_t)encoding.ids[t], KEEP_USED, trim.rows));
    }
    CHECK_OK(trim_number(&scratch->arena, &trim, &now, &err));
    CHECK_OK(encoder_new(trimmed_open(scratch, folder, &trim, now), &trimmed, &err));
    Tally of_data = {0}, tally = {.dropped = trim.rows - trim.kept};
    for (int i = 0; i < 12; i++) {
        text_draw(random, spice, &text);
        text_check(whole, trimmed, &trim, now, &text, &of_data);
    }
    ck_assert_uint_eq(of_data.kept_whole, 12);
    for (int i = 0; i < 150; i++) {
        text_draw(random, spice, &text);
        text_check(whole, trimmed, &trim, now, &text, &tally);
    }
    encoder_free(whole);
    encoder_free(trimmed);
    buffer_done(&text);
    return tally;
}

static void rounds_run(void (*write)(Random *random, Buffer *out), unsigned spice, uint64_t seed) {
    Scratch scratch = scratch_make();
    Random random = {seed};
    Tally sum = {0};
    for (int round = 0; round < 12; round++) {
        Buffer json = {0};
        write(&random, &json);
        CHECK_OK(buffer_status(&json, &err));
        char name[40];
        snprintf(name, sizeof name, "whole-%d", round);
        TrimmedFile file = file_of("tokenizer.json", json.data);
        Tally tally = trim_round(&scratch, folder_with(&scratch, name, &file, 1), &random, spice);
        sum.dropped += tally.dropped;
        sum.finer += tally.finer;
        sum.kept_whole += tally.kept_whole;
        buffer_done(&json);
    }
    printf("# 12 vocabularies: %zu ids dropped, of 1800 other texts %zu get longer, %zu have all their tokens\n",
           sum.dropped, sum.finer, sum.kept_whole);
    ck_assert_uint_gt(sum.dropped, 300);
    ck_assert_uint_gt(sum.finer, 100);
    ck_assert_uint_gt(sum.kept_whole, 10);
    scratch_done(&scratch);
}

START_TEST(bpe_keeps_segmentations) {
    rounds_run(bpe_write, 3, 1);
}
END_TEST

START_TEST(unigram_keeps_segmentations) {
    rounds_run(unigram_write, 3, 2);
}
END_TEST

START_TEST(word_piece_keeps_segmentations) {
    rounds_run(word_piece_write, 0, 3);
}
END_TEST

START_TEST(unigram_keeps_its_least_score_and_rare_characters) {
    Scratch scratch = scratch_make();
    TrimmedFile file =
        file_of("tokenizer.json", "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],"
                                  "[\"ab\",-2],[\"a\xC3\xA9\",-2],[\"aa\",-9],[\"aaa\",-3]]}}");
    const Tokenizer *tokenizer;
    Trim trim;
    CHECK_OK(tokenizer_open(&scratch.arena, folder_with(&scratch, "in", &file, 1), &tokenizer, &err));
    CHECK_OK(trim_begin(&scratch.arena, tokenizer, 6, &trim, &err));
    static const KeepReason reasons[] = {KEEP_SPECIAL,  KEEP_ALPHABET, KEEP_ALPHABET,
                                         KEEP_ALPHABET, KEEP_ALPHABET, KEEP_NOT};
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(trim.reasons[i], reasons[i]);
    scratch_done(&scratch);
}
END_TEST

// a b c ab bc abc d; "abc" comes of "ab" + "c" and of "a" + "bc".
static const char small[] =
    "{\n  \"version\": \"1.0\",\n  \"padding\": {\"strategy\": \"BatchLongest\", \"pad_id\": 8, "
    "\"pad_type_id\": 3, \"pad_token\": \"P\"},\n  \"added_tokens\": [\n    {\"id\": 8, "
    "\"content\": \"P\", \"special\": true},{\"content\":\"E\",\"id\":9,\"special\":true}\n  ],\n"
    "  \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
    "\"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"E\", \"type_id\": 7}}], \"pair\": [], "
    "\"special_tokens\": {\"E\": {\"id\": \"E\", \"ids\": [9], \"tokens\": [\"E\"]}}},\n"
    "  \"model\": {\"type\": \"BPE\", \"vocab\": {\n    \"dd\": 0,\n    \"a\": 1, \"b\": 2, \"c\": "
    "3, \"ab\": 4,\"bc\": 5 , \"abc\": 6,\n    \"\\u0064\": 7\n  },\n"
    "  \"merges\": [ \"#version: 0.2\", [\"d\", \"d\"], \"a b\",\n [\"b\", \"c\"], \"ab c\" , "
    "[\"a\",\"bc\"]]}\n}\n";

START_TEST(files_keep_every_other_byte) {
    Scratch scratch = scratch_make();
    TrimmedFile file = file_of("tokenizer.json", small), *files;
    size_t count;
    const Tokenizer *tokenizer;
    Trim trim;
    int32_t *now;
    char *in = folder_with(&scratch, "in", &file, 1);
    CHECK_OK(tokenizer_open(&scratch.arena, in, &tokenizer, &err));
    CHECK_FAILS(trim_begin(&scratch.arena, tokenizer, 9, &trim, &err), ERR_FORMAT,
                "the tokenizer has ids up to 9, and the model has 9 rows");
    CHECK_OK(trim_begin(&scratch.arena, tokenizer, 12, &trim, &err));
    ck_assert_uint_eq(trim.kept, 6); // a b c d, P E
    ck_assert(!trim_keep(&trim, 6, KEEP_USED, 8));
    ck_assert_uint_eq(trim.kept, 6);
    ck_assert(!trim.reasons[4] && !trim.reasons[5] && !trim.reasons[6]);
    ck_assert(trim_keep(&trim, 6, KEEP_USED, 9)); // both ways to it: ab, bc
    ck_assert_int_eq(trim.reasons[6], KEEP_USED);
    ck_assert_int_eq(trim.reasons[4], KEEP_MERGES);
    ck_assert(trim_keep(&trim, 5, KEEP_USED, 9));
    ck_assert_int_eq(trim.reasons[5], KEEP_USED);
    CHECK_OK(trim_number(&scratch.arena, &trim, &now, &err));
    CHECK_OK(trim_files(&scratch.arena, in, &trim, now, &files, &count, &err));
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq((const char *)files[0].text.data,
                     "{\n  \"version\": \"1.0\",\n  \"padding\": {\"strategy\": \"BatchLongest\", \"pad_id\": 7, "
                     "\"pad_type_id\": 3, \"pad_token\": \"P\"},\n  \"added_tokens\": [\n    {\"id\": 7, "
                     "\"content\": \"P\", \"special\": true},{\"content\":\"E\",\"id\":8,\"special\":true}\n  ],\n"
                     "  \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
                     "\"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"E\", \"type_id\": 7}}], \"pair\": [], "
                     "\"special_tokens\": {\"E\": {\"id\": \"E\", \"ids\": [8], \"tokens\": [\"E\"]}}},\n"
                     "  \"model\": {\"type\": \"BPE\", \"vocab\": {\n    \"a\": 0, \"b\": 1, \"c\": 2, \"ab\": "
                     "3,\"bc\": 4 , \"abc\": "
                     "5,\n    \"\\u0064\": 6\n  },\n"
                     "  \"merges\": [ \"#version: 0.2\", \"a b\",\n [\"b\", \"c\"], \"ab c\" , [\"a\",\"bc\"]]}\n}\n");
    trimmed_open(&scratch, in, &trim, now);
    now[6] = 4; // as if ids had been mixed up
    const Tokenizer *same;
    CHECK_OK(tokenizer_open(&scratch.arena, folder_with(&scratch, "out", files, count), &same, &err));
    CHECK_FAILS(trim_check(&trim, now, same, &err), ERR_UNSUPPORTED,
                "'abc' (id 6) would have id 4, where the rewritten tokenizer has 'bc'");
    scratch_done(&scratch);
}
END_TEST

START_TEST(older_files_are_rewritten_too) {
    Scratch scratch = scratch_make();
    const TrimmedFile byte_level[] = {
        file_of("vocab.json", "{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"a\":3,\"b\":4,\"ab\":5,\"aa\":6,\"abb\":7}"),
        file_of("merges.txt", "#version: 0.2\na b\r\na a\n\nab b"), file_of("added_tokens.json", "{\"<x>\": 8}"),
        file_of("tokenizer_config.json",
                "{\"tokenizer_class\": \"BartTokenizer\", \"max\": 8, \"added_tokens_decoder\": "
                "{\"8\": {\"content\": \"<x>\", \"special\": true}}}"),
        file_of("spiece.model", "?")};
    static const char *const expected[] = {
        "{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"a\":3,\"b\":4,\"aa\":5}", "#version: 0.2\na a\n\n", "{\"<x>\": 6}",
        ("{\"tokenizer_class\": \"BartTokenizer\", \"max\": 8, \"added_tokens_decoder\": "
         "{\"6\": {\"content\": \"<x>\", \"special\": true}}}")};
    const Tokenizer *tokenizer;
    Trim trim;
    int32_t *now;
    TrimmedFile *files;
    size_t count;
    char *in = folder_with(&scratch, "in", byte_level, ARRAY_COUNT(byte_level));
    CHECK_OK(tokenizer_open(&scratch.arena, in, &tokenizer, &err));
    CHECK_OK(trim_begin(&scratch.arena, tokenizer, 20, &trim, &err));
    ck_assert(trim_keep(&trim, 6, KEEP_USED, trim.rows));
    CHECK_OK(trim_number(&scratch.arena, &trim, &now, &err));
    CHECK_OK(trim_files(&scratch.arena, in, &trim, now, &files, &count, &err));
    ck_assert_uint_eq(count, 5);
    for (size_t i = 0; i < count; i++) {
        bool left_out = !strcmp(files[i].name, "spiece.model");
        ck_assert_int_eq(files[i].left_out, left_out);
        for (size_t j = 0; j < ARRAY_COUNT(expected); j++)
            if (!strcmp(files[i].name, byte_level[j].name))
                ck_assert_str_eq((const char *)files[i].text.data, expected[j]);
    }
    trimmed_open(&scratch, in, &trim, now);
    const TrimmedFile lines = file_of("vocab.txt", "[PAD]\n[UNK]\nab\na\n##b\nabb\n##a\n[CLS]\n[SEP]\nb");
    in = folder_with(&scratch, "lines", &lines, 1);
    CHECK_OK(tokenizer_open(&scratch.arena, in, &tokenizer, &err));
    CHECK_OK(trim_begin(&scratch.arena, tokenizer, 10, &trim, &err));
    CHECK_OK(trim_number(&scratch.arena, &trim, &now, &err));
    CHECK_OK(trim_files(&scratch.arena, in, &trim, now, &files, &count, &err));
    ck_assert_str_eq((const char *)files[0].text.data, "[PAD]\n[UNK]\na\n##b\n##a\n[CLS]\n[SEP]\nb");
    trimmed_open(&scratch, in, &trim, now);
    scratch_done(&scratch);
}
END_TEST

START_TEST(what_cannot_be_rewritten_is_refused) {
    Scratch scratch = scratch_make();
    const Tokenizer *tokenizer;
    Trim trim;
    int32_t *now;
    TrimmedFile *files;
    size_t count;
    const TrimmedFile whole = file_of("tokenizer.json", small), only = file_of("spiece.model", "?"),
                      escaped = file_of("tokenizer.json", "{\"mod\\u0065l\": {\"type\": \"WordLevel\", \"unk_token\": "
                                                          "\"?\", \"vocab\": {\"?\": 0, \"x\": 1}}}"),
                      holes =
                          file_of("tokenizer.json", "{\"added_tokens\": [{\"content\": \"X\", \"special\": true}], "
                                                    "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 7}, "
                                                    "\"merges\": []}}"),
                      words = file_of("tokenizer.json", "{\"model\": {\"type\": \"WordLevel\", \"unk_token\": "
                                                        "\"?\", \"vocab\": {\"?\": 0, \"x\": 1}}}");
    CHECK_OK(tokenizer_open(&scratch.arena, folder_with(&scratch, "in", &whole, 1), &tokenizer, &err));
    CHECK_OK(trim_begin(&scratch.arena, tokenizer, 10, &trim, &err));
    CHECK_OK(trim_number(&scratch.arena, &trim, &now, &err));
    CHECK_FAILS(trim_files(&scratch.arena, folder_with(&scratch, "only", &only, 1), &trim, now, &files, &count, &err),
                ERR_UNSUPPORTED, "its tokenizer is a SentencePiece model, which is not rewritten");
    CHECK_FAILS(
        trim_files(&scratch.arena, folder_with(&scratch, "escaped", &escaped, 1), &trim, now, &files, &count, &err),
        ERR_UNSUPPORTED, "the key 'model' is spelled with escapes");
    const TrimmedFile stale[] = {whole, file_of("added_tokens.json", "{\"<x>\": 6}")};
    CHECK_FAILS(trim_files(&scratch.arena, folder_with(&scratch, "stale", stale, 2), &trim, now, &files, &count, &err),
                ERR_FORMAT, "6 at byte 8 is the id of no token that is special");
    // The added token has id 2, before b: numbered anew in the old order it would have 1, which files cannot say.
    char *in = folder_with(&scratch, "holes", &holes, 1);
    CHECK_OK(tokenizer_open(&scratch.arena, in, &tokenizer, &err));
    CHECK_OK(trim_begin(&scratch.arena, tokenizer, 8, &trim, &err));
    CHECK_OK(trim_number(&scratch.arena, &trim, &now, &err));
    CHECK_OK(trim_files(&scratch.arena, in, &trim, now, &files, &count, &err));
    Status opened = tokenizer_open(&scratch.arena, folder_with(&scratch, "filled", files, count), &tokenizer, &err);
    if (opened == OK)
        CHECK_FAILS(trim_check(&trim, now, tokenizer, &err), ERR_UNSUPPORTED, "its files cannot hold these ids");
    CHECK_OK(tokenizer_open(&scratch.arena, folder_with(&scratch, "words", &words, 1), &tokenizer, &err));
    CHECK_FAILS(trim_begin(&scratch.arena, tokenizer, 2, &trim, &err), ERR_UNSUPPORTED, "knows whole words only");
    scratch_done(&scratch);
}
END_TEST

static bool is_id(const char *key, size_t bytes) {
    return bytes == 2 && !memcmp(key, "id", 2);
}

START_TEST(settings_ids_change_in_place) {
    Scratch scratch = scratch_make();
    const TrimmedFile file = file_of("tokenizer.json", small);
    const Tokenizer *tokenizer;
    Trim trim;
    int32_t *now;
    Bytes out,
        text = file_of("", "{ \"id\": [9, 8 ,99], \"size\": 8, \"more\": {\"id\": -1, \"x\": [{\"id\":3}]}}").text;
    CHECK_OK(tokenizer_open(&scratch.arena, folder_with(&scratch, "in", &file, 1), &tokenizer, &err));
    CHECK_OK(trim_begin(&scratch.arena, tokenizer, 12, &trim, &err));
    CHECK_OK(trim_number(&scratch.arena, &trim, &now, &err));
    CHECK_OK(trim_set_ids(&scratch.arena, &trim, now, text, is_id, &out, &err));
    ck_assert_str_eq((const char *)out.data,
                     "{ \"id\": [5, 4 ,99], \"size\": 8, \"more\": {\"id\": -1, \"x\": [{\"id\":2}]}}");
    ck_assert(!trim.reasons[5]);
    text = file_of("", "{\"id\": [5]}").text;
    trim_keep_ids(&trim, text, is_id);
    ck_assert_int_eq(trim.reasons[5], KEEP_SPECIAL);
    scratch_done(&scratch);
}
END_TEST

// Files with a few bytes changed: refused, or trimmed to something that opens or is refused.
START_TEST(damaged_files_end_cleanly) {
    Scratch scratch = scratch_make();
    Random random = {9};
    const TrimmedFile whole = file_of("tokenizer.json", small);
    char *in = folder_with(&scratch, "in", &whole, 1),
         *text = arena_copy_text(&scratch.arena, small, strlen(small), &err);
    size_t opened = 0, trimmed = 0;
    for (int round = 0; round < 400; round++) {
        Arena arena;
        arena_init(&arena, 0);
        memcpy(text, small, sizeof small);
        for (uint32_t changes = 1 + random_below(&random, 3); changes; changes--)
            text[random_below(&random, sizeof small - 1)] = "0129 \"[]{},:abcd\\-"[random_below(&random, 18)];
        CHECK_OK(file_replace(path_join(&arena, in, "tokenizer.json", &err), text, sizeof small - 1, &err));
        const Tokenizer *tokenizer;
        Trim trim;
        int32_t *now;
        TrimmedFile *files;
        size_t count;
        if (tokenizer_open(&arena, in, &tokenizer, &err) == OK) {
            opened++;
            CHECK_OK(trim_begin(&arena, tokenizer, tokenizer_id_bound(tokenizer), &trim, &err));
            for (size_t id = 0; id < trim.rows; id += 2)
                trim_keep(&trim, id, KEEP_USED, trim.rows);
            CHECK_OK(trim_number(&arena, &trim, &now, &err));
            if (trim_files(&arena, in, &trim, now, &files, &count, &err) == OK) {
                ck_assert_uint_eq(count, 1);
                Status status = tokenizer_parse_json(&arena, "trimmed", files[0].text, &tokenizer, &err);
                if (status == OK)
                    trimmed += trim_check(&trim, now, tokenizer, &err) == OK;
            }
        }
        arena_done(&arena);
    }
    printf("# of 400 damaged files %zu opened, %zu of which were trimmed\n", opened, trimmed);
    ck_assert_uint_gt(opened, 20);
    ck_assert_uint_gt(trimmed, 10);
    scratch_done(&scratch);
}
END_TEST

// The demo's tokenizer, trimmed to some of its data: all of that is cut as before, and the rest decodes to itself.
START_TEST(the_demo_trims_to_its_data) {
    Scratch scratch = scratch_make();
    const char *source = getenv("HONE_SOURCE");
    char *folder = arena_format(&scratch.arena, &err, "%s/demo/model", source ? source : ".");
    char *path = arena_format(&scratch.arena, &err, "%s/demo/dev.jsonl", source ? source : ".");
    const Tokenizer *tokenizer;
    Bytes data;
    Trim trim;
    int32_t *now;
    Encoder *whole, *trimmed = NULL;
    CHECK_OK(tokenizer_open(&scratch.arena, folder, &tokenizer, &err));
    CHECK_OK(file_map(&scratch.arena, path, &data, &err));
    CHECK_OK(encoder_new(tokenizer, &whole, &err));
    CHECK_OK(trim_begin(&scratch.arena, tokenizer, tokenizer_id_bound(tokenizer), &trim, &err));
    Tally of_data = {0}, others = {0};
    size_t lines = 0;
    for (int pass = 0; pass < 2; pass++) {
        lines = 0;
        for (size_t at = 0, end; at < data.size; at = end + 1, lines++) {
            const unsigned char *newline = memchr(data.data + at, '\n', data.size - at);
            end = newline ? (size_t)(newline - data.data) : data.size;
            Buffer line = {.data = (char *)(uintptr_t)data.data + at, .bytes = end - at};
            Encoding encoding = encode(whole, &line);
            for (size_t t = 0; t < encoding.count && !pass && lines < 20; t++)
                trim_keep(&trim, (size_t)encoding.ids[t], KEEP_USED, trim.rows);
            if (pass)
                text_check(whole, trimmed, &trim, now, &line, lines < 20 ? &of_data : &others);
        }
        if (!pass) {
            CHECK_OK(trim_number(&scratch.arena, &trim, &now, &err));
            CHECK_OK(encoder_new(trimmed_open(&scratch, folder, &trim, now), &trimmed, &err));
        }
    }
    ck_assert_uint_eq(of_data.kept_whole, 20);
    ck_assert_uint_gt(others.finer, 0);
    printf("# %zu of %zu tokens stay for 20 dialogues\n", trim.kept, trim.rows);
    encoder_free(whole);
    encoder_free(trimmed);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("text/trim", bpe_keeps_segmentations, unigram_keeps_segmentations, word_piece_keeps_segmentations,
          unigram_keeps_its_least_score_and_rare_characters, files_keep_every_other_byte, older_files_are_rewritten_too,
          what_cannot_be_rewritten_is_refused, settings_ids_change_in_place, damaged_files_end_cleanly,
          the_demo_trims_to_its_data)

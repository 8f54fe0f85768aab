// SPDX-License-Identifier: Apache-2.0
// The front door: errors and limits of files and texts, look-ups, older folders, long texts, and that a warm encoder
// allocates nothing.
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "golden.h"

static Error err;

#define MODEL "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2}}"
#define BPE "\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u2581\":3}"

static Status parse(Arena *arena, const char *text, const Tokenizer **ret) {
    return tokenizer_parse_json(arena, "t.json", (Bytes){(const unsigned char *)text, strlen(text)}, ret, &err);
}

START_TEST(test_refusals) {
    static const struct {
        const char *text;
        Status status;
        const char *message;
    } refused[] = {
        {"[]", ERR_FORMAT, "t.json: expected an object with a 'model'"},
        {"{", ERR_FORMAT, "t.json: not valid JSON at line 1"},
        {"{}", ERR_FORMAT, "t.json: 'model' must be an object"},
        {"{\"version\":\"2.0\"," MODEL "}", ERR_UNSUPPORTED, "version '2.0' is not supported"},
        {"{\"model\":{\"type\":\"Neural\"}}", ERR_UNSUPPORTED, "the model type 'Neural' is not supported"},
        {"{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\"}}", ERR_FORMAT, "needs 'vocab' to be an object"},
        {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", ERR_FORMAT,
         "'WordLevel' needs 'unk_token' to be a string"},
        {"{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"a\":1,\"b\":1}}}", ERR_FORMAT,
         "tokens 'a' and 'b' have the same id 1"},
        {"{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"a\":1,\"a\":2}}}", ERR_FORMAT,
         "duplicate"},
        {"{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"a\":4294967295}}}", ERR_LIMIT,
         "token 'a' has id 4294967295, the limit is 4194303"},
        {"{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"a\":-1}}}", ERR_FORMAT,
         "is no unsigned integer"},
        {"{\"model\":{" BPE ",\"merges\":[\"a c\"]}}", ERR_FORMAT,
         "merge 0, 'a c' with 'c', needs a token that the vocabulary lacks"},
        {"{\"model\":{" BPE ",\"merges\":[\"ab\"]}}", ERR_FORMAT, "merge 0 is neither"},
        {"{\"model\":{" BPE "}}", ERR_FORMAT, "needs 'merges' to be an array"},
        {"{\"model\":{" BPE ",\"merges\":[],\"dropout\":0.1}}", ERR_UNSUPPORTED, "BPE with dropout 0.1"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", ERR_FORMAT, "entry 0 of the Unigram vocabulary"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]],\"unk_id\":1}}", ERR_FORMAT,
         "'unk_id' is 1, expected"},
        {"{\"normalizer\":{\"type\":\"Rot13\"}," MODEL "}", ERR_UNSUPPORTED,
         "the normalizer type 'Rot13' is not supported"},
        {"{\"normalizer\":{\"type\":\"Strip\",\"strip_left\":1}," MODEL "}", ERR_FORMAT,
         "'Strip' needs 'strip_left' to be true or false"},
        {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"?\"}," MODEL "}", ERR_FORMAT,
         "not base64 at character 0"},
        {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////w==\"}," MODEL "}", ERR_FORMAT,
         "says its trie takes 4294967295"},
        {"{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}," MODEL "}", ERR_FORMAT,
         "the expression '(' does not compile"},
        {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"},\"behavior\":\"Removed\","
         "\"invert\":false}," MODEL "}",
         ERR_UNSUPPORTED, "intersects sets with '&&'"},
        {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Lost\",\"invert\":false}"
         "," MODEL "}",
         ERR_FORMAT, "needs 'behavior' to be Removed"},
        {"{\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":0}," MODEL "}", ERR_FORMAT,
         "'length' to be at least 1"},
        {"{\"pre_tokenizer\":{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}," MODEL "}", ERR_FORMAT,
         "a string of one character"},
        {"{\"decoder\":{\"type\":\"Magic\"}," MODEL "}", ERR_UNSUPPORTED, "the decoder type 'Magic' is not supported"},
        {"{\"post_processor\":{\"type\":\"Magic\"}," MODEL "}", ERR_UNSUPPORTED,
         "the post_processor type 'Magic' is not supported"},
        {"{\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",1],\"sep\":[\"b\",-1]}," MODEL "}",
         ERR_FORMAT, "'sep' needs ids"},
        {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}],\"pair\":[],"
         "\"special_tokens\":{}}," MODEL "}",
         ERR_FORMAT, "neither a SpecialToken nor a Sequence A"},
        {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"E\"}}],\"pair\":"
         "[],\"special_tokens\":{}}," MODEL "}",
         ERR_FORMAT, "names 'E', which its 'special_tokens' do not give ids"},
        {"{\"truncation\":{\"max_length\":5,\"strategy\":\"Random\"}," MODEL "}", ERR_UNSUPPORTED, "strategy 'Random'"},
        {"{\"added_tokens\":[{\"id\":1}]," MODEL "}", ERR_FORMAT, "added token 0 has no 'content'"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        Arena arena;
        arena_init(&arena, 0);
        const Tokenizer *tokenizer = NULL;
        CHECK_FAILS(parse(&arena, refused[i].text, &tokenizer), refused[i].status, refused[i].message);
        ck_assert_ptr_null(tokenizer);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(test_nesting) {
    Arena arena;
    arena_init(&arena, 0);
    Buffer text = {0};
    buffer_add_text(&text, "{" MODEL ",\"normalizer\":");
    for (int i = 0; i < 200; i++)
        buffer_add_text(&text, "{\"type\":\"Sequence\",\"normalizers\":[");
    buffer_add_text(&text, "{\"type\":\"NFC\"}");
    for (int i = 0; i < 200; i++)
        buffer_add_text(&text, "]}");
    buffer_add_text(&text, "}");
    const Tokenizer *tokenizer;
    CHECK_FAILS(parse(&arena, text.data, &tokenizer), ERR_LIMIT, "'normalizers' nest deeper than 32");
    buffer_done(&text);
    arena_done(&arena);
}
END_TEST

START_TEST(test_texts_refused) {
    Arena arena;
    arena_init(&arena, 0);
    const Tokenizer *tokenizer;
    Encoder *encoder = NULL;
    Encoding got;
    CHECK_OK(parse(&arena, "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"a\":0}}}", &tokenizer));
    CHECK_OK(encoder_new(tokenizer, &encoder, &err));
    CHECK_FAILS(encoder_encode(encoder, "a\xFF", 2, NULL, 0, (EncodeOptions){0}, &got, &err), ERR_FORMAT,
                "not UTF-8: byte 1 of 2");
    CHECK_FAILS(encoder_encode(encoder, "b", 1, NULL, 0, (EncodeOptions){0}, &got, &err), ERR_FORMAT,
                "needs the unknown-token '?', which the vocabulary lacks");
    Truncation second = {1, TRUNCATE_RIGHT, TRUNCATE_ONLY_SECOND}, first = {1, TRUNCATE_RIGHT, TRUNCATE_ONLY_FIRST};
    CHECK_OK(encoder_encode(encoder, "a", 1, NULL, 0, (EncodeOptions){.truncation = &second}, &got, &err));
    CHECK_FAILS(encoder_encode(encoder, "a", 1, "a", 1, (EncodeOptions){.truncation = &first}, &got, &err), ERR_LIMIT,
                "cutting all 1 tokens of the first text would not reach 1 tokens");
    encoder_free(encoder);
    arena_done(&arena);
}
END_TEST

START_TEST(test_look_ups) {
    Arena arena;
    arena_init(&arena, 0);
    const Tokenizer *tokenizer;
    size_t bytes = 0;
    CHECK_OK(parse(
        &arena,
        "{\"added_tokens\":[{\"id\":9,\"content\":\"<s>\",\"special\":true},{\"id\":1,\"content\":\"a\"}]," MODEL "}",
        &tokenizer));
    ck_assert_uint_eq(tokenizer_id_bound(tokenizer), 4); // the package numbers added tokens itself
    ck_assert_uint_eq(tokenizer_token_count(tokenizer), 4);
    ck_assert_int_eq(tokenizer_find(tokenizer, "<s>", 3), 3);
    ck_assert_int_eq(tokenizer_find(tokenizer, "b", 1), 2);
    ck_assert_int_eq(tokenizer_find(tokenizer, "c", 1), TOKEN_NONE);
    ck_assert_str_eq(tokenizer_token(tokenizer, 3, &bytes), "<s>");
    ck_assert_ptr_null(tokenizer_token(tokenizer, 4, &bytes));
    ck_assert_ptr_null(tokenizer_token(tokenizer, -1, &bytes));
    ck_assert(tokenizer_is_special(tokenizer, 3) && !tokenizer_is_special(tokenizer, 1));
    ck_assert_int_eq(tokenizer_special_id(tokenizer, "bos_token"), TOKEN_NONE);
    arena_done(&arena);
}
END_TEST

static void file_put(Arena *arena, const char *folder, const char *name, const char *text) {
    CHECK_OK(file_replace(path_join(arena, folder, name, &err), text, strlen(text), &err));
}

static void ids_expect(const Tokenizer *tokenizer, const char *text, const char *pair, size_t count,
                       const int32_t *want) {
    Encoder *encoder = NULL;
    Encoding got = {0};
    CHECK_OK(encoder_new(tokenizer, &encoder, &err));
    CHECK_OK(encoder_encode(encoder, text, strlen(text), pair, pair ? strlen(pair) : 0,
                            (EncodeOptions){.add_special = true}, &got, &err));
    ck_assert_uint_eq(got.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(got.ids[i], want[i]);
    encoder_free(encoder);
}

START_TEST(test_older_folders) {
    Arena arena;
    arena_init(&arena, 0);
    char *folder = arena_format(&arena, &err, "/tmp/hone-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    const Tokenizer *tokenizer;
    CHECK_FAILS(tokenizer_open(&arena, folder, &tokenizer, &err), ERR_FORMAT,
                "has no tokenizer: expected tokenizer.json");
    file_put(&arena, folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncaf\n##e\r\nno  \n");
    CHECK_OK(tokenizer_open(&arena, folder, &tokenizer, &err)); // alone: uncased, accents gone
    ids_expect(tokenizer, "CAF\xC3\x89 no x", "[MASK]", 8, (int32_t[]){2, 5, 6, 7, 1, 3, 4, 3});
    file_put(&arena, folder, "tokenizer_config.json",
             "{\"do_lower_case\":false,\"cls_token\":\"[CLS]\",\"clean_up_tokenization_spaces\":true}");
    CHECK_OK(tokenizer_open(&arena, folder, &tokenizer, &err));
    ids_expect(tokenizer, "Caf caf", NULL, 4, (int32_t[]){2, 1, 5, 3});
    ck_assert_int_eq(tokenizer_special_id(tokenizer, "cls_token"), 2);
    ck_assert(tokenizer_cleans_up(tokenizer));
    file_put(&arena, folder, "tokenizer_config.json",
             "{\"tokenizer_class\":\"BartTokenizer\",\"add_prefix_space\":true}");
    file_put(&arena, folder, "vocab.json",
             "{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"a\":3,\"\\u0120\":4,\"\\u0120a\":5,\"<mask>\":6}");
    file_put(&arena, folder, "merges.txt", "#version: 0.2\n\xC4\xA0 a\n");
    CHECK_OK(tokenizer_open(&arena, folder, &tokenizer, &err));
    ids_expect(tokenizer, "a a  <mask>", "a", 8, (int32_t[]){0, 5, 5, 6, 2, 2, 5, 2});
    file_put(&arena, folder, "tokenizer_config.json", "{\"tokenizer_class\":\"XLMTokenizer\"}");
    CHECK_FAILS(tokenizer_open(&arena, folder, &tokenizer, &err), ERR_UNSUPPORTED,
                "a 'XLMTokenizer' from vocab.json and merges.txt");
    file_put(&arena, folder, "tokenizer.json", "{" MODEL ",\"decoder\":7}");
    CHECK_FAILS(tokenizer_open(&arena, folder, &tokenizer, &err), ERR_FORMAT,
                "tokenizer.json': a decoder must be an object");
    static const char *const names[] = {"vocab.txt", "tokenizer_config.json", "vocab.json", "merges.txt",
                                        "tokenizer.json"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        unlink(path_join(&arena, folder, names[i], &err));
    rmdir(folder);
    arena_done(&arena);
}
END_TEST

// A megabyte of one letter, of blanks, of marks: within seconds, whatever the parts.
START_TEST(test_long_texts) {
    static const char *const tokenizers[] = {
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1,\"aaaa\":2,\"?\":3},\"merges\":[\"a a\",\"aa "
        "aa\"],\"unk_token\":\"?\"}}",
        "{\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"
        "," MODEL "}",
        "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"lowercase\":"
        "true},"
        "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," MODEL "}",
        "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{L}+|\\\\s+(?!\\\\S)|\\\\s+\"},"
        "\"behavior\":\"Isolated\",\"invert\":false}," MODEL "}",
        "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"?\",0],[\"a\",-1],[\"aa\",-1.5]],\"unk_id\":0}}",
    };
    static const char *const units[] = {"a", " ", "\xCC\xA3\xCC\x87", "a \xE2\x96\x81", "'"};
    uint64_t start = clock_ns();
    for (size_t i = 0; i < ARRAY_COUNT(tokenizers); i++) {
        Arena arena;
        arena_init(&arena, 0);
        const Tokenizer *tokenizer;
        Encoder *encoder = NULL;
        CHECK_OK(parse(&arena, tokenizers[i], &tokenizer));
        CHECK_OK(encoder_new(tokenizer, &encoder, &err));
        for (size_t j = 0; j < ARRAY_COUNT(units); j++) {
            Buffer text = {0};
            Encoding got;
            while (text.bytes < 1 << 20)
                buffer_add_text(&text, units[j]);
            CHECK_OK(encoder_encode(encoder, text.data, text.bytes, NULL, 0, (EncodeOptions){0}, &got, &err));
            buffer_done(&text);
        }
        encoder_free(encoder);
        arena_done(&arena);
    }
    ck_assert_uint_lt((clock_ns() - start) / 1000000, 60000); // about 1 s; a quadratic step would take hours
}
END_TEST

START_TEST(test_warm_encoder_allocates_nothing) {
    Arena arena;
    arena_init(&arena, 0);
    const Tokenizer *tokenizer;
    Encoder *encoder = NULL;
    Encoding got;
    Buffer decoded = {0};
    const char *text = "a ab b  caf\xC3\xA9 <s> a";
    CHECK_OK(parse(&arena,
                   "{\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":"
                   "\"\\u2581\",\"add_prefix_space\":true},"
                   "\"added_tokens\":[{\"content\":\"<s>\",\"special\":true}],\"decoder\":{\"type\":\"ByteLevel\"},"
                   "\"model\":{" BPE ",\"merges\":[\"a b\"],\"unk_token\":\"a\"}}",
                   &tokenizer));
    CHECK_OK(encoder_new(tokenizer, &encoder, &err));
    uint64_t before = 0;
    for (int i = 0; i < 8; i++) {
        before = i == 4 ? memory_allocations() : before;
        CHECK_OK(
            encoder_encode(encoder, text, strlen(text), text, 2, (EncodeOptions){.add_special = true}, &got, &err));
        buffer_clear(&decoded);
        CHECK_OK(encoder_decode(encoder, got.ids, got.count, (DecodeOptions){.clean_up = true}, &decoded, &err));
    }
    ck_assert_uint_eq(memory_allocations(), before);
    buffer_done(&decoded);
    encoder_free(encoder);
    arena_done(&arena);
}
END_TEST

static Status open_and_use(void) {
    Arena arena;
    arena_init(&arena, 0);
    const Tokenizer *tokenizer;
    Encoder *encoder = NULL;
    Buffer decoded = {0};
    Encoding got;
    Status status = parse(&arena,
                          "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x+\"},\"content\":\"y\"},"
                          "\"added_tokens\":[{\"content\":\"<s>\"}],"
                          "\"decoder\":{\"type\":\"Fuse\"},\"model\":{" BPE ",\"merges\":[\"a b\"]}}",
                          &tokenizer);
    if (status == OK)
        status = encoder_new(tokenizer, &encoder, &err);
    if (status == OK)
        status = encoder_encode(encoder, "ab<s>xx", 7, NULL, 0, (EncodeOptions){0}, &got, &err);
    if (status == OK)
        status = encoder_decode(encoder, got.ids, got.count, (DecodeOptions){0}, &decoded, &err);
    buffer_done(&decoded);
    encoder_free(encoder);
    arena_done(&arena);
    return status;
}

// Every allocation fails once: a clean error, or nobody needed it.
START_TEST(test_faults) {
    size_t failures = 0;
    ck_assert_int_eq(open_and_use(), OK);
    for (uint64_t nth = 1;; nth++) {
        fault_arm(FAULT_ALLOCATION, nth);
        Status status = open_and_use();
        bool reached = fault_seen(FAULT_ALLOCATION) >= nth;
        fault_arm(FAULT_ALLOCATION, 0);
        ck_assert_msg(status == OK || status == ERR_MEMORY, "allocation %llu: %s", (unsigned long long)nth,
                      err.message);
        failures += status != OK;
        if (!reached)
            break;
    }
    ck_assert_uint_gt(failures, 10);
}
END_TEST

TEST_MAIN("text/tokenizer", test_refusals, test_nesting, test_texts_refused, test_look_ups, test_older_folders,
          test_long_texts, test_warm_encoder_allocates_nothing, test_faults)

// SPDX-License-Identifier: Apache-2.0
#include "compress/vocabulary.h"

#include "base/fault.h"
#include "compress/quantize.h"
#include "compress/tiny.h"
#include "compress/verify.h"

static Error err;

static void put(Scratch *scratch, const char *folder, const char *name, const char *text) {
    CHECK_OK(file_replace(path_join(&scratch->arena, folder, name, &err), text, strlen(text), &err));
}

// Forty tokens: <s> <pad> </s> <unk>, a to f, ab cd ef abcd abcdef, 24 other pairs, <mask>.
static void tokenizer_put(Scratch *scratch, const char *folder) {
    static const char first[] = "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true},{\"id\":1,"
                                "\"content\":\"<pad>\",\"special\":true},{\"id\":2,\"content\":\"</s>\",\"special\":"
                                "true},{\"id\":3,\"content\":\"<unk>\",\"special\":true},{\"id\":39,\"content\":"
                                "\"<mask>\",\"special\":true}],\"post_processor\":{\"type\":\"RobertaProcessing\","
                                "\"sep\":[\"</s>\",2],\"cls\":[\"<s>\",0],\"trim_offsets\":true,\"add_prefix_space\":"
                                "false},\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"vocab\":{\"<s>\":0,"
                                "\"<pad>\":1,\"</s>\":2,\"<unk>\":3,\"a\":4,\"b\":5,\"c\":6,\"d\":7,\"e\":8,\"f\":9,"
                                "\"ab\":10,\"cd\":11,\"ef\":12,\"abcd\":13,\"abcdef\":14";
    Buffer vocab = {0}, merges = {0};
    buffer_add_text(&vocab, first);
    buffer_add_text(&merges, "\"a b\",\"c d\",\"e f\",\"ab cd\",\"abcd ef\"");
    int id = 15;
    for (int pair = 0; id < 39; pair++) {
        char left = (char)('a' + pair / 6), right = (char)('a' + pair % 6);
        if (right == left + 1 && (left - 'a') % 2 == 0)
            continue;
        buffer_format(&vocab, ",\"%c%c\":%d", left, right, id++);
        buffer_format(&merges, ",\"%c %c\"", left, right);
    }
    buffer_format(&vocab, "},\"merges\":[%s]}}", merges.data);
    put(scratch, folder, "tokenizer.json", vocab.data);
    buffer_done(&vocab);
    buffer_done(&merges);
}

static const char settings[] = "{\"num_beams\": 2, \"bad_words_ids\": [[20]], \"more_token_ids\": [39, 99]}\n";

typedef struct Made {
    Scratch scratch;
    Tiny tiny;
    char *model, *data, *out;
} Made;

static Made make(void) {
    Made made = {.scratch = scratch_make()};
    made.tiny = tiny_make(&made.scratch.arena);
    Tiny *tiny = &made.tiny;
    tiny->arena = &made.scratch.arena;
    float *bias = tiny_add(tiny, "final_logits_bias", 1, TINY_WORDS);
    for (int i = 0; i < TINY_WORDS; i++)
        bias[i] = (float)i;
    made.model = tiny_write(tiny, &made.scratch, "model", tiny_config);
    tokenizer_put(&made.scratch, made.model);
    put(&made.scratch, made.model, "generation_config.json", settings);
    put(&made.scratch, made.scratch.path, "data.jsonl", "{\"text\":\"abcdefac\",\"summary\":\"cd\"}\n");
    made.data = scratch_path(&made.scratch, "data.jsonl");
    made.out = scratch_path(&made.scratch, "out");
    return made;
}

static Bundle tensors_of(Made *made) {
    Bytes file;
    Bundle bundle;
    Arena *arena = &made->scratch.arena;
    CHECK_OK(file_map(arena, path_join(arena, made->out, "model.safetensors", &err), &file, &err));
    CHECK_OK(safetensors_read(arena, made->out, file, &bundle, &err));
    return bundle;
}

static char *text_of(Made *made, const char *name) {
    Bytes file;
    Arena *arena = &made->scratch.arena;
    CHECK_OK(file_map(arena, path_join(arena, made->out, name, &err), &file, &err));
    return arena_copy_text(arena, (const char *)file.data, file.size, &err);
}

// What stays of the forty for the data above: five special tokens, 20 and the alphabet; abcdef, ac and cd; and what
// merges need: ab, ef, abcd.
static const int stays[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 20, 39};
enum { STAYS = sizeof stays / sizeof *stays };

START_TEST(rows_and_files_are_cut) {
    Made made = make();
    VocabularyOptions options = {.data = made.data};
    VocabularyReport report;
    CHECK_OK(vocabulary_trim(&made.scratch.arena, made.model, made.out, &options, &report, &err));
    ck_assert_uint_eq(report.rows, 40);
    ck_assert_uint_eq(report.kept, STAYS);
    static const size_t reasons[] = {
        [KEEP_NOT] = 22, [KEEP_SPECIAL] = 6, [KEEP_ALPHABET] = 6, [KEEP_USED] = 3, [KEEP_MERGES] = 3};
    for (size_t i = 0; i < ARRAY_COUNT(reasons); i++)
        ck_assert_uint_eq(report.by_reason[i], reasons[i]);
    ck_assert_uint_eq(report.data_tokens, 7);
    ck_assert_uint_eq(report.covered_tokens, 7);
    ck_assert_uint_eq(report.data.texts, 2);
    ck_assert_uint_eq(report.data.changed, 0);
    Bundle written = tensors_of(&made);
    for (size_t i = 0; i < made.tiny.count; i++) {
        const Tensor *source = &made.tiny.tensors[i], *now = bundle_find(&written, source->name);
        ck_assert_msg(now, "no '%s'", source->name);
        bool words = !strcmp(source->name, "model.shared.weight"), bias = !strcmp(source->name, "final_logits_bias");
        if (!words && !bias) {
            ck_assert_uint_eq(now->bytes, source->bytes);
            ck_assert_mem_eq(now->data, source->data, source->bytes);
            continue;
        }
        size_t row = words ? TINY_WIDTH : 1;
        ck_assert_int_eq(now->shape.rank, 2);
        ck_assert_int_eq(now->shape.dims[words ? 0 : 1], STAYS);
        for (size_t r = 0; r < STAYS; r++)
            ck_assert_mem_eq((const float *)now->data + r * row, (const float *)source->data + (size_t)stays[r] * row,
                             row * sizeof(float));
    }
    ck_assert_ptr_nonnull(strstr(text_of(&made, "config.json"), "\"vocab_size\": 18,"));
    ck_assert_str_eq(text_of(&made, "generation_config.json"),
                     "{\"num_beams\": 2, \"bad_words_ids\": [[16]], \"more_token_ids\": [17, 99]}\n");
    VerifyReport verified;
    CHECK_OK(verify_model(&made.scratch.arena, made.out, &(WorkMeter){0}, &verified, &err));
    ck_assert_msg(!verified.problems.count, "%s", verified.problems.count ? verified.problems.texts[0] : "");
    ck_assert(verified.manifest.there);
    ck_assert_uint_eq(verified.info->vocabulary, STAYS);
    scratch_done(&made.scratch);
}
END_TEST

START_TEST(held_out_texts_get_longer) {
    Made made = make();
    put(&made.scratch, made.scratch.path, "more.jsonl",
        "{\"text\":\"acbf\"}\n{\"text\":\"abcdef\",\"summaries\":[\"xx\",\"aacd\"]}\n");
    VocabularyOptions options = {.data = made.data, .held_out = scratch_path(&made.scratch, "more.jsonl")};
    VocabularyReport report;
    CHECK_OK(vocabulary_trim(&made.scratch.arena, made.model, made.out, &options, &report, &err));
    ck_assert_uint_eq(report.held_out.texts, 4);
    ck_assert_uint_eq(report.held_out.changed, 2); // bf, aa
    ck_assert_uint_eq(report.held_out.tokens, 4 + 3 + 4 + 4);
    ck_assert_uint_eq(report.held_out.tokens_now, 5 + 3 + 4 + 5);
    scratch_done(&made.scratch);
}
END_TEST

START_TEST(an_amount_decides_how_many_go) {
    static const struct {
        const char *amount;
        size_t kept; // 0: refused
        const char *message;
    } cases[] = {{"0.5", 40, "all 40 tokens of the vocabulary are needed"}, // 20 rows, rounded up to 64
                 {"41", 0, "the vocabulary has 40 rows"}};
    Made made = make();
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        PruneAmount amount;
        VocabularyReport report;
        CHECK_OK(prune_amount_parse(cases[i].amount, &amount, &err));
        VocabularyOptions options = {.data = made.data, .amount = &amount};
        CHECK_FAILS(vocabulary_trim(&made.scratch.arena, made.model, made.out, &options, &report, &err),
                    cases[i].kept ? ERR_NO : ERR_USAGE, cases[i].message);
        ck_assert_int_eq(path_kind(made.out), PATH_NONE);
    }
    scratch_done(&made.scratch);
}
END_TEST

START_TEST(labelled_data_counts_by_its_ids) {
    Made made = make();
    put(&made.scratch, made.scratch.path, "ids.jsonl", "{\"input_ids\":[0,14,2],\"label_ids\":[0,16,11,2]}\n");
    VocabularyOptions options = {.data = scratch_path(&made.scratch, "ids.jsonl")};
    VocabularyReport report;
    CHECK_OK(vocabulary_trim(&made.scratch.arena, made.model, made.out, &options, &report, &err));
    ck_assert_uint_eq(report.kept, STAYS);
    ck_assert_uint_eq(report.data_tokens, 7);
    ck_assert_uint_eq(report.data.texts, 0);
    put(&made.scratch, made.scratch.path, "ids.jsonl", "{\"input_ids\":[0,40,2]}\n");
    CHECK_FAILS(vocabulary_trim(&made.scratch.arena, made.model, made.out, &options, &report, &err), ERR_FORMAT,
                "has the token id 40, and the model's ids end at 39");
    scratch_done(&made.scratch);
}
END_TEST

START_TEST(what_cannot_be_trimmed_is_refused) {
    Made made = make();
    Arena *arena = &made.scratch.arena;
    VocabularyOptions options = {.data = made.data};
    VocabularyReport report;
    put(&made.scratch, made.model, "generation_config.json", "{\"forced_decoder_ids\": [[1, 5]]}");
    CHECK_FAILS(vocabulary_trim(arena, made.model, made.out, &options, &report, &err), ERR_UNSUPPORTED,
                "'forced_decoder_ids' holds ids among other numbers");
    put(&made.scratch, made.model, "generation_config.json", settings);
    char *quantized = scratch_path(&made.scratch, "int8");
    RewriteReport written;
    CHECK_OK(quantize_model(arena, made.model, quantized, &(QuantizeOptions){.scheme = STORE_INT8}, &written, &err));
    CHECK_FAILS(vocabulary_trim(arena, quantized, made.out, &options, &report, &err), ERR_UNSUPPORTED,
                "is quantized already (compressed-tensors");
    Buffer all = {0};
    buffer_add_text(&all, "{\"input_ids\":[0");
    for (int id = 1; id < 40; id++)
        buffer_format(&all, ",%d", id);
    buffer_add_text(&all, "]}\n");
    put(&made.scratch, made.scratch.path, "data.jsonl", all.data);
    buffer_done(&all);
    CHECK_FAILS(vocabulary_trim(arena, made.model, made.out, &options, &report, &err), ERR_NO,
                "all 40 tokens of the vocabulary are needed: there is nothing to trim");
    char *bare = tiny_write(&made.tiny, &made.scratch, "bare", tiny_config);
    CHECK_FAILS(vocabulary_trim(arena, bare, made.out, &options, &report, &err), ERR_UNSUPPORTED,
                "has no tokenizer: only ids name its tokens");
    ck_assert_int_eq(path_kind(made.out), PATH_NONE);
    scratch_done(&made.scratch);
}
END_TEST

// Not of allocations: jansson 2.14 reads past the end of a long token when the memory for its text fails.
START_TEST(every_fault_leaves_nothing) {
    static const FaultKind kinds[] = {FAULT_READ, FAULT_WRITE};
    static const char *const names[] = {"reads", "writes"};
    Made made = make();
    size_t before = scratch_count(&made.scratch);
    VocabularyOptions options = {.data = made.data};
    for (size_t k = 0; k < 2; k++) {
        uint64_t points = 0;
        for (bool done = false; !done; points++) {
            Arena arena;
            arena_init(&arena, 0);
            VocabularyReport report;
            Error failure = {0};
            fault_arm(kinds[k], points + 1);
            Status status = vocabulary_trim(&arena, made.model, made.out, &options, &report, &failure);
            done = fault_seen(kinds[k]) <= points;
            fault_arm(kinds[k], 0);
            arena_done(&arena);
            if (done) {
                ck_assert_int_eq(status, OK);
                folder_discard(made.out);
            } else {
                ck_assert_msg(status == ERR_IO, "%s, point %zu: %s", names[k], (size_t)points, failure.message);
            }
            ck_assert_msg(scratch_count(&made.scratch) == before, "%s, point %zu leaves something", names[k],
                          (size_t)points);
        }
        printf("# vocabulary: %zu %s failed in turn\n", (size_t)points - 1, names[k]);
        ck_assert_uint_gt(points, 5);
    }
    scratch_done(&made.scratch);
}
END_TEST

TEST_MAIN("compress/vocabulary", rows_and_files_are_cut, held_out_texts_get_longer, an_amount_decides_how_many_go,
          labelled_data_counts_by_its_ids, what_cannot_be_trimmed_is_refused, every_fault_leaves_nothing)

// SPDX-License-Identifier: Apache-2.0
// Opening a model and generating with it while the Nth allocation or the Nth read fails, for every N: an error of that
// kind with a sentence, nothing leaked (the sanitizers look), and the run after it as if nothing had been.
#include "base/fault.h"
#include "engine/runtime.h"
#include "hone/hone.h"
#include "model/variants.h"
#include "stack/quantized.h"

enum { REQUESTS = 3, MOST_IDS = 64 };

typedef struct Heard {
    int32_t ids[REQUESTS][MOST_IDS];
    size_t counts[REQUESTS], answers;
    Error error; // of the first request that failed; OK: none
} Heard;

static Status hear(void *context, const Answer *answer, Error *err) {
    (void)err;
    Heard *heard = context;
    size_t place = (size_t)(uintptr_t)answer->user;
    heard->answers++;
    if (answer->error && heard->error.status == OK)
        heard->error = *answer->error;
    if (answer->error)
        return OK;
    const Sequence *sequence = &answer->sequences[0];
    ck_assert_uint_le(sequence->count, MOST_IDS);
    memcpy(heard->ids[place], sequence->ids, sequence->count * sizeof *sequence->ids);
    heard->counts[place] = sequence->count;
    return OK;
}

// Greedy with an n-gram ban, beams with bad words, samples with a penalty.
static Status requests_push(Runtime *runtime, Stream *stream, Error *err) {
    static const int32_t word[] = {7, 9}, source[] = {0, 9, 40, 23, 12, 2};
    static const int32_t *const words[] = {word, word + 1};
    static const size_t lengths[] = {2, 1};
    GenerationOptions options[REQUESTS];
    for (size_t i = 0; i < REQUESTS; i++)
        options[i] = *model_generation(runtime->model);
    options[0].no_repeat_ngram_size = 2;
    options[1].num_beams = 3;
    options[1].bad_words = (BadWords){words, lengths, 2};
    options[2].do_sample = true;
    options[2].repetition_penalty = 1.5;
    Encoding encoding = {source, ARRAY_COUNT(source)};
    for (size_t i = 0; i < REQUESTS; i++) {
        options[i].min_new_tokens = 4;
        options[i].max_new_tokens = 9;
        if (i == 0 && runtime->encoder)
            TRY(runtime_encode(runtime, "w9 w40 w23", 10, true, &encoding, err));
        TRY(stream_push(stream, encoding.ids, encoding.count, &options[i], (void *)i, err));
    }
    return stream_finish(stream, err);
}

static Status runtime_use(Runtime *runtime, Heard *ret_heard, Error *err) {
    Stream *stream;
    TRY(stream_new(runtime->engine, 4, hear, ret_heard, &stream, err));
    Status status = requests_push(runtime, stream, err);
    stream_free(stream);
    TRY(status);
    if (ret_heard->error.status != OK)
        return *err = ret_heard->error, err->status;
    Buffer text = {0};
    if (runtime->encoder)
        status = runtime_decode(runtime, ret_heard->ids[0], ret_heard->counts[0], &text, err);
    buffer_done(&text);
    return status;
}

static Status open_and_generate(const char *path, Heard *ret_heard, Error *err) {
    *ret_heard = (Heard){0};
    Runtime *runtime;
    TRY(runtime_new(path, &(RuntimeSettings){.level = cpu_detect(), .threads = 1, .batch = 2}, &runtime, err));
    Status status = runtime_use(runtime, ret_heard, err);
    runtime_free(runtime);
    return status;
}

// Every N until one is beyond the last operation; how many failures there were. A run may also do without what it did
// not get (a stack for compiled patterns): then its answers are the same.
static uint64_t check_every(const char *path, FaultKind kind, Status expected) {
    static Heard wanted, heard;
    Error err;
    CHECK_OK(open_and_generate(path, &wanted, &err));
    ck_assert_uint_eq(wanted.answers, REQUESTS);
    uint64_t spared = 0;
    for (uint64_t n = 1;; n++) {
        fault_arm(kind, n);
        err = (Error){0};
        Status status = open_and_generate(path, &heard, &err);
        bool struck = fault_seen(kind) >= n;
        fault_arm(kind, 0);
        if (!struck) {
            ck_assert_msg(status == OK, "%s", err.message);
            ck_assert_mem_eq(&heard, &wanted, sizeof heard);
            return n - 1;
        }
        if (status == OK) {
            ck_assert_mem_eq(&heard, &wanted, sizeof heard);
            ck_assert_uint_le(++spared, 4);
            continue;
        }
        ck_assert_msg(status == expected && err.status == expected && err.message[0],
                      "%s, operation %llu: status '%s' and message '%s'", path, (unsigned long long)n,
                      status_name(status), err.message);
        if (n % 100 == 0) {
            CHECK_OK(open_and_generate(path, &heard, &err));
            ck_assert_mem_eq(&heard, &wanted, sizeof heard);
        }
    }
}

static void check_model(const char *name, const char *path) {
    uint64_t allocations = check_every(path, FAULT_ALLOCATION, ERR_MEMORY);
    uint64_t reads = check_every(path, FAULT_READ, ERR_IO);
    ck_assert_uint_gt(allocations, 100);
    ck_assert_uint_gt(reads, 2);
    printf("# fault points: load and generate, %s: %llu allocations, %llu reads\n", name,
           (unsigned long long)allocations, (unsigned long long)reads);
}

START_TEST(test_safetensors_and_tokenizer) {
    Scratch scratch = scratch_make();
    char *folder = variant_folder(&scratch, "words", TINY_BART, "{}");
    variant_link(&scratch, folder, "generation_config.json", TINY_BART "/generation_config.json");
    variant_link(&scratch, folder, "model.safetensors", TINY_BART "/model.safetensors");
    variant_link(&scratch, folder, "tokenizer.json", "tests/golden/stack/tokenizer.json");
    check_model("safetensors with a tokenizer", folder);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_torch) {
    Scratch scratch = scratch_make();
    char *folder = variant_folder(&scratch, "torch", MICRO, "{}");
    variant_link(&scratch, folder, "pytorch_model.bin", "tests/golden/model/micro.zip.bin");
    check_model("torch zip", folder);
    char *old = variant_folder(&scratch, "old", MICRO, "{}");
    variant_link(&scratch, old, "pytorch_model.bin", "tests/golden/model/micro.old.bin");
    check_model("torch stream", old);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_int8) {
    Scratch scratch = scratch_make();
    check_model("int8", quantized_copy(&scratch, source_path(&scratch.arena, TINY_BART), "int8"));
    scratch_done(&scratch);
}
END_TEST

static HoneStatus library_generate(HoneModel *model, HoneResults **ret_results, HoneError *error) {
    HoneInput inputs[] = {
        {.text = "w9 w40", .text_bytes = 6}, {.text = "\xff", .text_bytes = 1}, {.text = "w7", .text_bytes = 2}};
    const char *options = "{\"num_beams\":2,\"num_return_sequences\":2,\"bad_words_ids\":[[7]],\"min_new_tokens\":3}";
    return hone_generate(model, inputs, ARRAY_COUNT(inputs), options, ret_results, error);
}

// One library model through all failures: each call fails as a whole for lack of memory, and the next one is as if
// nothing had been.
START_TEST(test_library_calls) {
    Scratch scratch = scratch_make();
    char *folder = variant_folder(&scratch, "words", TINY_BART, "{}");
    variant_link(&scratch, folder, "model.safetensors", TINY_BART "/model.safetensors");
    variant_link(&scratch, folder, "tokenizer.json", "tests/golden/stack/tokenizer.json");
    HoneModelOptions options = {.threads = 1, .batch = 2};
    HoneModel *model = NULL;
    HoneError error = {0};
    uint64_t opening = 0, calls = 0;
    for (bool struck = true; struck; opening += struck) {
        hone_model_free(model); // opened without something that it can do without
        model = NULL;
        fault_arm(FAULT_ALLOCATION, opening + 1);
        HoneStatus status = hone_model_open(folder, &options, &model, &error);
        struck = fault_seen(FAULT_ALLOCATION) > opening;
        fault_arm(FAULT_ALLOCATION, 0);
        ck_assert_msg(status == HONE_OK || (struck && status == HONE_ERROR_MEMORY && error.exit_code == 4), "%s",
                      error.message);
    }
    for (uint64_t n = 1;; n++) {
        HoneResults *results = NULL, *after = NULL;
        fault_arm(FAULT_ALLOCATION, n);
        HoneStatus status = library_generate(model, &results, &error);
        bool struck = fault_seen(FAULT_ALLOCATION) >= n;
        fault_arm(FAULT_ALLOCATION, 0);
        ck_assert_msg(status == (struck ? HONE_ERROR_MEMORY : HONE_OK), "allocation %llu: %d, %s",
                      (unsigned long long)n, (int)status, error.message);
        ck_assert_int_eq(library_generate(model, &after, &error), HONE_OK);
        ck_assert_uint_eq(after->count, 3);
        ck_assert_int_eq(after->items[1].status, HONE_ERROR_FORMAT);
        ck_assert_uint_eq(after->items[2].sequence_count, 2);
        if (!struck)
            ck_assert(results->items[2].sequences[1].score == after->items[2].sequences[1].score);
        hone_results_free(after);
        hone_results_free(results);
        if (!struck)
            break;
        calls = n;
    }
    ck_assert_uint_gt(calls, 10);
    printf("# fault points: the library, %llu allocations while opening, %llu while generating\n",
           (unsigned long long)opening, (unsigned long long)calls);
    hone_model_free(model);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("stack/faults", test_safetensors_and_tokenizer, test_torch, test_int8, test_library_calls)

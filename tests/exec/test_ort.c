// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime as an engine, against a library of our own in its place ($HONE_FAKE_ORT, fake_ort.c): where it is looked
// for, versions, settings, providers, runs, errors passed on, and that all it gave goes back.
#include "exec/ort.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/scratch.h"
#include "exec/ort_seq2seq.h"

static Error err;
static Scratch scratch;

// Keeps the library loaded from the first call on, so that its counts outlive ort_library_close.
static void *fake(const char *symbol) {
    void *handle = dlopen(getenv("HONE_FAKE_ORT"), RTLD_NOW);
    ck_assert_msg(handle, "%s", dlerror());
    return dlsym(handle, symbol);
}

static int fake_live(void) {
    int (*function)(void);
    void *symbol = fake("fake_live");
    memcpy(&function, &symbol, sizeof function);
    return function();
}

static const char *fake_log(void) {
    const char *(*function)(void);
    void *symbol = fake("fake_log");
    memcpy(&function, &symbol, sizeof function);
    return function();
}

// A model whose elements have that type's number.
static const char *model(const char *name, const char *text) {
    const char *path = scratch_path(&scratch, name);
    CHECK_OK(file_replace(path, text, strlen(text), &err));
    return path;
}

static OrtLibrary *library_of(const char *mode) {
    OrtLibrary *library;
    ck_assert_int_eq(fake_live(), 0);
    setenv("FAKE_ORT", mode, 1);
    CHECK_OK(ort_library_open(getenv("HONE_FAKE_ORT"), &library, &err));
    return library;
}

static const OrtSettings plain = {.graph_level = 99};

START_TEST(test_given_then_environment) {
    OrtLibrary *library;
    const char *path = getenv("HONE_FAKE_ORT");
    ck_assert_int_eq(fake_live(), 0);
    setenv("HONE_ORT", "/nowhere/lib.so", 1);
    CHECK_OK(ort_library_open(path, &library, &err));
    ck_assert_str_eq(ort_library_path(library), path);
    ck_assert_str_eq(ort_library_version(library), "1.99.0");
    ort_library_close(library);
    CHECK_FAILS(ort_library_open(NULL, &library, &err), ERR_UNSUPPORTED, "from '/nowhere/lib.so', which is $HONE_ORT");
    CHECK_FAILS(ort_library_open("/absent/a.so", &library, &err), ERR_UNSUPPORTED, "from '/absent/a.so': ");
    setenv("HONE_ORT", path, 1);
    CHECK_OK(ort_library_open(NULL, &library, &err));
    ck_assert_str_eq(ort_library_path(library), path);
    ort_library_close(library);
    ck_assert_int_eq(fake_live(), 0);
}
END_TEST

// A library that is loaded already is found by the name that it gives itself, wherever it came from.
START_TEST(test_usual_places) {
    OrtLibrary *library;
    unsetenv("HONE_ORT");
    ck_assert_ptr_nonnull(fake("OrtGetApiBase"));
    CHECK_OK(ort_library_open(NULL, &library, &err));
    ck_assert_str_eq(ort_library_path(library), "libonnxruntime.so.1");
    ck_assert_str_eq(ort_library_version(library), "1.99.0");
    ort_library_close(library);
}
END_TEST

// On a machine that has ONNX Runtime there is nothing to complain of.
START_TEST(test_none) {
    OrtLibrary *library;
    setenv("HONE_ORT", "", 1);
    if (ort_library_open(NULL, &library, &err) == OK) {
        ort_library_close(library);
        return;
    }
    ck_assert_int_eq(err.status, ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "'libonnxruntime.so.1', "));
    ck_assert_ptr_nonnull(strstr(err.message, "'/usr/local/lib/libonnxruntime.so'"));
    ck_assert_ptr_nonnull(strstr(err.message, "set HONE_ORT"));
}
END_TEST

START_TEST(test_unfit_libraries) {
    OrtLibrary *library;
    ck_assert_int_eq(fake_live(), 0);
    setenv("FAKE_ORT", "old", 1);
    CHECK_FAILS(ort_library_open(getenv("HONE_FAKE_ORT"), &library, &err), ERR_UNSUPPORTED,
                "is ONNX Runtime 1.8.1, expected 1.12 or newer");
    setenv("FAKE_ORT", "env", 1);
    CHECK_FAILS(ort_library_open(getenv("HONE_FAKE_ORT"), &library, &err), ERR_FORMAT,
                "ONNX Runtime 1.99.0: no environment");
    CHECK_FAILS(ort_library_open("libm.so.6", &library, &err), ERR_UNSUPPORTED, "has no OrtGetApiBase");
    ck_assert_int_eq(fake_live(), 0);
}
END_TEST

static Tensor floats(const float *values, int64_t rows) {
    return (Tensor){"x", DTYPE_F32, {2, {rows, 3}}, values, (size_t)rows * 12};
}

START_TEST(test_run) {
    OrtLibrary *library = library_of("");
    OrtEngine *engine;
    const Tensor *results;
    scratch = scratch_make();
    CHECK_OK(ort_engine_new(library, model("f32", "1"), &plain, &engine, &err));
    ck_assert_uint_eq(ort_engine_input_count(engine), 1);
    ck_assert_uint_eq(ort_engine_output_count(engine), 1);
    const OrtInput *input = &ort_engine_inputs(engine)[0];
    ck_assert_str_eq(input->name, "x");
    ck_assert_int_eq(input->dtype, DTYPE_F32);
    ck_assert_int_eq(input->rank, 2);
    ck_assert(input->dims[0] == -1 && input->dims[1] == 3);
    ck_assert_str_eq(input->symbols[0], "batch");
    ck_assert_str_eq(input->symbols[1], "");
    ck_assert_str_eq(ort_engine_output_name(engine, 0), "y");
    static const float x[] = {1, 2, 3, 4, 5, 6.5f};
    for (int64_t rows = 2; rows >= 0; rows--) {
        Tensor given = floats(rows ? x : NULL, rows);
        CHECK_OK(ort_engine_run(engine, &given, &results, &err));
        ck_assert_int_eq(results[0].shape.rank, 2);
        ck_assert(results[0].shape.dims[0] == rows && results[0].shape.dims[1] == 3);
        ck_assert_uint_eq(results[0].bytes, (size_t)rows * 12);
        for (int64_t i = 0; i < rows * 3; i++)
            ck_assert(((const float *)results[0].data)[i] == x[i] + 1);
    }
    ort_engine_free(engine);
    ort_library_close(library);
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

// What both have is passed by its number; the rest is refused by name.
START_TEST(test_types) {
    OrtLibrary *library = library_of("");
    scratch = scratch_make();
    for (DType dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        OrtEngine *engine;
        char number[16];
        snprintf(number, sizeof number, "%d", (int)dtype_onnx(dtype));
        const char *path = model("typed", number);
        if (dtype_bits(dtype) < 8) {
            CHECK_FAILS(ort_engine_new(library, path, &plain, &engine, &err), ERR_UNSUPPORTED, dtype_name(dtype));
            continue;
        }
        static const unsigned char bytes[24] = {1, 0, 1};
        const Tensor *results, given = {"x", dtype, {2, {1, 3}}, bytes, dtype_bytes(dtype) * 3};
        CHECK_OK(ort_engine_new(library, path, &plain, &engine, &err));
        CHECK_OK(ort_engine_run(engine, &given, &results, &err));
        ck_assert_int_eq(results[0].dtype, dtype);
        ck_assert_uint_eq(results[0].bytes, given.bytes);
        if (dtype != DTYPE_F32)
            ck_assert_mem_eq(results[0].data, bytes, 3);
        Tensor other = given;
        other.dtype = dtype == DTYPE_I8 ? DTYPE_U8 : DTYPE_I8;
        CHECK_FAILS(ort_engine_run(engine, &other, &results, &err), ERR_FORMAT, "input 'x' is ");
        ort_engine_free(engine);
    }
    OrtEngine *engine;
    CHECK_FAILS(ort_engine_new(library, model("typed", "8"), &plain, &engine, &err), ERR_UNSUPPORTED, "type 8");
    ort_library_close(library);
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_failures_of_models) {
    OrtLibrary *library = library_of("");
    OrtEngine *engine;
    scratch = scratch_make();
    CHECK_FAILS(ort_engine_new(library, scratch_path(&scratch, "none"), &plain, &engine, &err), ERR_IO,
                "none': ONNX Runtime 1.99.0: File doesn't exist");
    CHECK_FAILS(ort_engine_new(library, model("bad", "bad"), &plain, &engine, &err), ERR_FORMAT,
                "Protobuf parsing failed");
    setenv("FAKE_ORT", "map", 1);
    CHECK_FAILS(ort_engine_new(library, model("f32", "1"), &plain, &engine, &err), ERR_UNSUPPORTED,
                "input 'x' is no tensor");
    setenv("FAKE_ORT", "rank", 1);
    CHECK_FAILS(ort_engine_new(library, model("f32", "1"), &plain, &engine, &err), ERR_UNSUPPORTED,
                "input 'x' has 9 dimensions");
    ort_library_close(library);
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_failures_of_runs) {
    OrtLibrary *library = library_of("");
    OrtEngine *engine;
    const Tensor *results;
    static const float x[] = {1, 2, 3};
    Tensor given = floats(x, 1), wide = {"x", DTYPE_F32, {2, {3, 1}}, x, sizeof x};
    scratch = scratch_make();
    CHECK_OK(ort_engine_new(library, model("f32", "1"), &plain, &engine, &err));
    CHECK_FAILS(ort_engine_run(engine, &wide, &results, &err), ERR_FORMAT, "Got invalid dimensions for input: x");
    setenv("FAKE_ORT", "run", 1);
    CHECK_FAILS(ort_engine_run(engine, &given, &results, &err), ERR_FORMAT, "Non-zero status code");
    setenv("FAKE_ORT", "sequence", 1);
    CHECK_FAILS(ort_engine_run(engine, &given, &results, &err), ERR_UNSUPPORTED, "output 'y' is no tensor");
    setenv("FAKE_ORT", "nothing", 1);
    CHECK_FAILS(ort_engine_run(engine, &given, &results, &err), ERR_UNSUPPORTED, "output 'y' is not there");
    setenv("FAKE_ORT", "", 1);
    CHECK_OK(ort_engine_run(engine, &given, &results, &err));
    ck_assert(((const float *)results[0].data)[2] == 4);
    ort_engine_free(engine);
    ort_library_close(library);
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

// Results that outlive runs, go into later ones, and come only where they are wanted.
START_TEST(test_held) {
    OrtLibrary *library = library_of("");
    OrtEngine *engine;
    static const float x[] = {1, 2, 3};
    HeldTensor given = {.tensor = floats(x, 1)}, made[3];
    const bool wanted = true, unwanted = false;
    scratch = scratch_make();
    CHECK_OK(ort_engine_new(library, model("f32", "1"), &plain, &engine, &err));
    for (int i = 0; i < 3; i++)
        CHECK_OK(ort_engine_run_held(engine, i ? &made[i - 1] : &given, &wanted, &made[i], &err));
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_eq(made[i].data, made[i].tensor.data);
        ck_assert_int_eq(made[i].tensor.shape.dims[1], 3);
        ck_assert(((const float *)made[i].data)[2] == 4 + (float)i);
    }
    ort_engine_release(engine, &made[1]);
    ck_assert(made[1].held == NULL && made[1].tensor.data == NULL);
    ort_engine_release(engine, &made[1]);
    setenv("FAKE_ORT", "run", 1);
    CHECK_FAILS(ort_engine_run_held(engine, &made[2], &wanted, &made[1], &err), ERR_FORMAT, "Non-zero status");
    setenv("FAKE_ORT", "sequence", 1);
    CHECK_FAILS(ort_engine_run_held(engine, &made[2], &wanted, &made[1], &err), ERR_UNSUPPORTED, "no tensor");
    ck_assert_ptr_null(made[1].held);
    setenv("FAKE_ORT", "", 1);
    CHECK_FAILS(ort_engine_run_held(engine, &made[2], &unwanted, &made[1], &err), ERR_FORMAT, "expected x and y");
    ort_engine_release(engine, &made[0]);
    ort_engine_release(engine, &made[2]);
    ort_engine_release(engine, &given);
    ort_engine_free(engine);
    ort_library_close(library);
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

// Folders that are no encoder-decoder.
START_TEST(test_seq2seq_folders) {
    Seq2seq *seq2seq;
    const char *notes, *fake_path = getenv("HONE_FAKE_ORT");
    ck_assert_int_eq(fake_live(), 0);
    setenv("FAKE_ORT", "", 1);
    scratch = scratch_make();
    const char *folder = scratch_path(&scratch, ".");
    CHECK_FAILS(ort_seq2seq_open(fake_path, folder, &plain, 9, &seq2seq, &notes, &err), ERR_FORMAT,
                "there is no encoder_model.onnx in ");
    ck_assert_int_eq(mkdir(scratch_path(&scratch, "onnx"), 0777), 0);
    model("onnx/encoder_model.onnx", "7"); // as on Hugging Face's hub
    CHECK_FAILS(ort_seq2seq_open(fake_path, folder, &plain, 9, &seq2seq, &notes, &err), ERR_FORMAT,
                "there is no decoder_model.onnx in ");
    model("decoder_model.onnx", "7");
    CHECK_FAILS(ort_seq2seq_open(fake_path, folder, &plain, 9, &seq2seq, &notes, &err), ERR_FORMAT,
                "there is no decoder_with_past_model.onnx in ");
    model("decoder_with_past_model.onnx", "bad");
    CHECK_FAILS(ort_seq2seq_open("/absent/a.so", folder, &plain, 9, &seq2seq, &notes, &err), ERR_UNSUPPORTED,
                "from '/absent/a.so': ");
    CHECK_FAILS(ort_seq2seq_open(fake_path, folder, &plain, 9, &seq2seq, &notes, &err), ERR_FORMAT,
                "decoder_with_past_model.onnx': ONNX Runtime 1.99.0: Protobuf parsing failed");
    model("decoder_model_merged.onnx", "7");
    CHECK_FAILS(ort_seq2seq_open(fake_path, folder, &plain, 9, &seq2seq, &notes, &err), ERR_UNSUPPORTED,
                "/onnx/encoder_model.onnx' takes 'x', which no encoder-decoder in optimum's layout takes");
    model("encoder_model.onnx", "8"); // goes before
    CHECK_FAILS(ort_seq2seq_open(fake_path, folder, &plain, 9, &seq2seq, &notes, &err), ERR_UNSUPPORTED, "type 8");
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

enum { FAKE_WORDS = 9 };

// The step's words: 1 at the sum of all tokens.
static void words_are(const float *logits, const int *sums, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (int word = 0; word < FAKE_WORDS; word++)
            ck_assert_msg(logits[i * FAKE_WORDS + (size_t)word] == (float)(word == sums[i] % FAKE_WORDS),
                          "row %zu, word %d", i, word);
}

// Two sources of unlike lengths and three sequences, which end in turn, change their order and spread.
START_TEST(test_seq2seq_runs) {
    Seq2seq *seq2seq;
    const char *notes;
    float *logits;
    ck_assert_int_eq(fake_live(), 0);
    setenv("FAKE_ORT", "", 1);
    scratch = scratch_make();
    model("encoder_model.onnx", "-1");
    model("decoder_model.onnx", "-2");
    model("decoder_with_past_model.onnx", "-3");
    CHECK_OK(ort_seq2seq_open(getenv("HONE_FAKE_ORT"), scratch_path(&scratch, "."), &plain, FAKE_WORDS, &seq2seq,
                              &notes, &err));
    ck_assert_str_eq(notes, "");
    ck_assert_uint_eq(seq2seq_weight_bytes(seq2seq), 6);
    static const int32_t long_ids[] = {1, 2, 3}, short_ids[] = {5};
    SeqSource sources[2] = {0};
    SeqPast *pasts[2] = {0};
    const SeqItem items[] = {{&sources[0], long_ids, NULL, 3, 3}, {&sources[1], short_ids, NULL, 1, 1}};
    CHECK_OK(seq2seq_encode(seq2seq, items, 2, &err));
    const SeqRow begin[] = {{&sources[0], &pasts[0], 2, 0, 0, 0, true}, {&sources[1], &pasts[1], 4, 16, 0, 0, true}};
    CHECK_OK(seq2seq_decode(seq2seq, begin, 2, &logits, &err));
    words_are(logits, (const int[]){6 + 2, 5 + 4}, 2);
    const SeqRow go_on[] = {{&sources[0], &pasts[0], 1, 1, 0, 1, true}, {&sources[1], &pasts[1], 3, 17, 16, 1, true}};
    CHECK_OK(seq2seq_decode(seq2seq, go_on, 2, &logits, &err));
    words_are(logits, (const int[]){6 + 2 + 1, 5 + 4 + 3}, 2);
    const SeqRow spread[] = {{&sources[1], &pasts[1], 7, 18, 17, 2, true},
                             {&sources[1], &pasts[1], 8, 19, 17, 2, true},
                             {&sources[0], &pasts[0], 6, 2, 1, 2, true}};
    CHECK_OK(seq2seq_decode(seq2seq, spread, 3, &logits, &err));
    words_are(logits, (const int[]){12 + 7, 12 + 8, 9 + 6}, 3);
    seq2seq_forget_past(seq2seq, &pasts[0]);
    setenv("FAKE_ORT", "run", 1);
    const SeqRow last[] = {{&sources[1], &pasts[1], 1, 20, 19, 3, true}};
    CHECK_FAILS(seq2seq_decode(seq2seq, last, 1, &logits, &err), ERR_FORMAT, "Non-zero status code");
    setenv("FAKE_ORT", "", 1);
    CHECK_OK(seq2seq_decode(seq2seq, last, 1, &logits, &err));
    words_are(logits, (const int[]){20 + 1}, 1);
    seq2seq_forget_past(seq2seq, &pasts[1]);
    for (size_t i = 0; i < 2; i++)
        seq2seq_forget_source(seq2seq, &sources[i]);
    seq2seq_free(seq2seq);
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_settings) {
    OrtLibrary *library = library_of("");
    OrtEngine *engine;
    scratch = scratch_make();
    const char *path = model("f32", "1");
    CHECK_OK(ort_engine_new(library, path, &plain, &engine, &err));
    ck_assert_str_eq(fake_log(), "level=99 ");
    ck_assert_str_eq(ort_engine_providers(engine), "cpu");
    ck_assert_str_eq(ort_engine_notes(engine), "");
    ort_engine_free(engine);
    OrtSettings all = {1, 3, 2, true, true, true, true, NULL};
    CHECK_OK(ort_engine_new(library, path, &all, &engine, &err));
    ck_assert_str_eq(fake_log(), "level=1 intra=3 inter=2 arena=0 pattern=0 session.intra_op.allow_spinning=0 "
                                 "session.force_spinning_stop=1 ");
    ort_engine_free(engine);
    ort_library_close(library);
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_providers) {
    OrtLibrary *library = library_of("");
    OrtEngine *engine;
    scratch = scratch_make();
    OrtSettings settings = plain;
    settings.providers = "tensorrt:trt_fp16_enable=1,openvino,cuda:device_id=1:a=b=c,xnnpack,cpu";
    CHECK_OK(ort_engine_new(library, model("f32", "1"), &settings, &engine, &err));
    ck_assert_str_eq(fake_log(), "level=99 trt_fp16_enable=1 device_id=1 a=b=c append=cuda append=XNNPACK ");
    ck_assert_str_eq(ort_engine_providers(engine), "cuda,xnnpack,cpu");
    const char *notes = ort_engine_notes(engine);
    ck_assert_ptr_nonnull(strstr(notes, "provider tensorrt is left out: ONNX Runtime 1.99.0: no device\n"));
    ck_assert_ptr_nonnull(strstr(notes, "provider openvino is left out: ONNX Runtime 1.99.0 at "));
    ort_engine_free(engine);
    ort_library_close(library);
    ck_assert_int_eq(fake_live(), 0);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_provider_chains) {
    CHECK_OK(ort_providers_check(NULL, &err));
    CHECK_OK(ort_providers_check("cuda,cpu", &err));
    CHECK_FAILS(ort_providers_check("cuda,gpu,cpu", &err), ERR_USAGE,
                "'gpu' is no provider, expected cpu, cuda, tensorrt, openvino, qnn, webgpu, xnnpack");
    CHECK_FAILS(ort_providers_check("", &err), ERR_USAGE, "'' is no provider");
    CHECK_FAILS(ort_providers_check("cuda,", &err), ERR_USAGE, "'' is no provider");
    CHECK_FAILS(ort_providers_check("cpu,cuda", &err), ERR_USAGE, "none after it ('cuda')");
    CHECK_FAILS(ort_providers_check("cuda:device_id", &err), ERR_USAGE, "'device_id' is no option of provider cuda");
    CHECK_FAILS(ort_providers_check("cuda:=1", &err), ERR_USAGE, "'=1' is no option");
    CHECK_FAILS(ort_providers_check("cuda:a=,cpu", &err), ERR_USAGE, "'a=' is no option");
    CHECK_FAILS(ort_providers_check("cpu:a=1", &err), ERR_USAGE, "takes no options");
}
END_TEST

TEST_MAIN("ort", test_given_then_environment, test_usual_places, test_none, test_unfit_libraries, test_run, test_types,
          test_failures_of_models, test_failures_of_runs, test_held, test_seq2seq_folders, test_seq2seq_runs,
          test_settings, test_providers, test_provider_chains)

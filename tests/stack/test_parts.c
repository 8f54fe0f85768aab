// SPDX-License-Identifier: Apache-2.0
// Models in parts behind the engine: what Hugging Face's generate() makes of small models, alone and in company, with
// both layouts of the decoder; what is copied between runs; failures; and parts that are not as they should be.
#include "engine/golden_cases.h"
#include "stack/parts.h"

static Error err;
static Arena arena;
static const Model *model;
static EvaluatorParts parts;
static Seq2seq *seq2seq;
static SessionModel in_parts;
static Kernels kernels;
static Engine *engine;

static const char *const folders[] = {"tests/golden/engine/tiny_bart", "tests/golden/engine/tiny_mbart"};

static void parts_open(const char *folder, bool merged, EngineSettings settings) {
    arena_init(&arena, 0);
    const char *root = getenv("HONE_SOURCE");
    ck_assert_msg(root != NULL, "HONE_SOURCE must name the folder of the sources");
    CHECK_OK(model_open(&arena, path_join(&arena, root, folder, &err), false, &model, &err));
    evaluator_parts_make(&parts, model, merged);
    CHECK_OK(seq2seq_new(&parts.runner, model_info(model)->vocabulary, &seq2seq, &err));
    in_parts = session_model_in_parts(model_session(model), seq2seq);
    kernels_pick(cpu_detect(), &kernels);
    CHECK_OK(engine_new(&in_parts, &kernels, NULL, &settings, &engine, &err));
}

static void parts_close(void) {
    engine_free(engine);
    seq2seq_free(seq2seq);
    ck_assert(parts.freed);
    arena_done(&arena);
}

static void run_cases(bool merged, EngineSettings settings) {
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
        parts_open(folders[i], merged, settings);
        size_t count;
        const char *file = arena_format(&arena, &err, "%s/cases.json", folders[i]);
        Case *cases = cases_read(&arena, golden_read(&arena, file), model_generation(model), &count);
        cases_run(engine, cases, count);
        EngineLoad load = engine_load(engine);
        ck_assert_uint_eq(session_free_pages(engine_session(engine)) + load.cached_pages, load.pages);
        parts_close();
    }
}

START_TEST(test_alone) {
    run_cases(false, (EngineSettings){.most_requests = 1});
}
END_TEST

START_TEST(test_alone_merged) {
    run_cases(true, (EngineSettings){.most_requests = 1});
}
END_TEST

// Requests of different lengths and options join and leave between steps.
START_TEST(test_together) {
    run_cases(false, (EngineSettings){.most_requests = 7});
}
END_TEST

START_TEST(test_whole_batches_merged) {
    run_cases(true, (EngineSettings){.most_requests = 7, .whole_batches = true});
    ck_assert_uint_gt(parts.most_rows[PART_NEXT], 7);
}
END_TEST

// Sources that others have encoded before.
START_TEST(test_cached_sources) {
    run_cases(false, (EngineSettings){.most_requests = 5, .cached_sources = 4});
}
END_TEST

typedef struct Outcome {
    size_t answers, failures;
    Error error;
} Outcome;

static void count_outcome(void *context, const Answer *answer) {
    Outcome *outcome = context;
    outcome->answers++;
    if (answer->error) {
        outcome->failures++;
        outcome->error = *answer->error;
    }
}

static Outcome run_made_up(size_t count, int64_t beams, int64_t new_tokens) {
    static const int32_t ids[] = {0, 5, 9, 12, 7, 20, 31, 8, 2};
    Outcome outcome = {0};
    GenerationOptions options = *model_generation(model);
    options.num_beams = beams;
    options.min_new_tokens = options.max_new_tokens = new_tokens;
    for (size_t i = 0; i < count; i++) {
        Request request = {.ids = ids + i, .count = ARRAY_COUNT(ids) - i, .options = options, .user = &outcome};
        CHECK_OK(engine_submit(engine, &request, &err));
    }
    while (engine_step(engine, count_outcome, &outcome)) {
    }
    ck_assert_uint_eq(outcome.answers, count);
    return outcome;
}

// A batch that begins and ends together is one run a step, and nothing is copied between its runs.
START_TEST(test_nothing_is_copied) {
    parts_open(folders[0], false, (EngineSettings){.most_requests = 3});
    Outcome outcome = run_made_up(3, 1, 6);
    ck_assert_uint_eq(outcome.failures, 0);
    ck_assert_uint_eq(parts.runs[PART_ENCODER], 1);
    ck_assert_uint_eq(parts.runs[PART_FIRST], 1);
    ck_assert_uint_eq(parts.runs[PART_NEXT], 5);
    ck_assert_uint_eq(parts.copied[PART_FIRST] + parts.copied[PART_NEXT], 0);
    ck_assert_uint_eq(parts.most_rows[PART_NEXT], 3);
    outcome = run_made_up(3, 4, 6);
    ck_assert_uint_eq(parts.most_rows[PART_FIRST], 3); // beams begin as one
    ck_assert_uint_eq(parts.most_rows[PART_NEXT], 12);
    parts_close();
}
END_TEST

typedef struct Ids {
    int32_t ids[32];
    size_t count;
} Ids;

static void keep_ids(void *context, const Answer *answer) {
    (void)context;
    Ids *kept = answer->user;
    ck_assert(!answer->error);
    kept->count = answer->sequences[0].count;
    memcpy(kept->ids, answer->sequences[0].ids, kept->count * sizeof *kept->ids);
}

static void submit_source(const int32_t *ids, size_t count, int64_t beams, int64_t new_tokens, Ids *ret) {
    GenerationOptions options = *model_generation(model);
    options.num_beams = beams;
    options.min_new_tokens = options.max_new_tokens = new_tokens;
    Request request = {.ids = ids, .count = count, .options = options, .user = ret};
    CHECK_OK(engine_submit(engine, &request, &err));
}

// As many rows as before, but all of one source.
START_TEST(test_one_ends_as_another_spreads) {
    static const int32_t ids[] = {0, 5, 9, 12, 7, 20, 31, 8, 2};
    Ids alone, first, beside;
    parts_open(folders[0], false, (EngineSettings){.most_requests = 2});
    submit_source(ids, 9, 2, 8, &alone);
    while (engine_step(engine, keep_ids, NULL)) {
    }
    submit_source(ids + 4, 5, 1, 1, &first);
    submit_source(ids, 9, 2, 8, &beside);
    while (engine_step(engine, keep_ids, NULL)) {
    }
    ck_assert_uint_eq(first.count, 1);
    ck_assert_uint_eq(beside.count, alone.count);
    ck_assert_mem_eq(beside.ids, alone.ids, alone.count * sizeof *alone.ids);
    parts_close();
}
END_TEST

// Sources of unlike lengths that were encoded apart begin together: the shorter one's padding is masked.
START_TEST(test_encoded_apart) {
    static const int32_t ids[] = {0, 5, 9, 12, 7, 20, 31, 8, 2};
    static const size_t lengths[] = {9, 4};
    parts_open(folders[0], true, (EngineSettings){.most_requests = 2});
    Session *session = engine_session(engine);
    size_t words = model_info(model)->vocabulary;
    float *alone[2], *logits;
    Source *sources[2];
    int32_t slots[2];
    DecodeRow rows[2];
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(session_open(session, lengths[i], 16, &sources[i], &err));
        EncodeItem item = {sources[i], ids + 9 - lengths[i], NULL, lengths[i], lengths[i]};
        CHECK_OK(session_encode(session, &item, 1, NULL, &err));
        slots[i] = source_take_slot(sources[i]);
        rows[i] = (DecodeRow){sources[i], 2, 0, &slots[i], 1, true};
        CHECK_OK(session_decode(session, &rows[i], 1, &logits, &err));
        alone[i] = arena_array(&arena, words, sizeof **alone, &err);
        memcpy(alone[i], logits, words * sizeof *logits);
        Encoded *encoded = source_encoded(sources[i]);
        encoded_hold(encoded);
        session_close(session, sources[i]); // its one decoder row is done with; what was encoded stays
        CHECK_OK(session_open_over(session, encoded, 16, &sources[i], &err));
        encoded_release(session, encoded);
        slots[i] = source_take_slot(sources[i]);
        rows[i].source = sources[i];
    }
    CHECK_OK(session_decode(session, rows, 2, &logits, &err));
    ck_assert_uint_eq(parts.most_rows[PART_FIRST], 2);
    for (size_t i = 0; i < 2 * words; i++)
        ck_assert_msg(fabsf(logits[i] - alone[i / words][i % words]) < 1e-5f, "row %zu: %.7f, alone %.7f", i / words,
                      logits[i], alone[i / words][i % words]);
    for (size_t i = 0; i < 2; i++)
        session_close(session, sources[i]);
    parts_close();
}
END_TEST

// Whatever run breaks, its requests say why, everything goes back, and others run well afterwards.
START_TEST(test_runs_that_fail) {
    parts_open(folders[0], true, (EngineSettings){.most_requests = 3});
    for (int at = 1; at <= 6; at++) {
        parts.fail_at = at;
        Outcome outcome = run_made_up(3, 2, 5);
        ck_assert_uint_eq(outcome.failures, 3);
        ck_assert_ptr_nonnull(strstr(outcome.error.message, "the runner broke"));
        ck_assert_uint_eq(session_free_pages(engine_session(engine)), engine_load(engine).pages);
    }
    parts.fail_at = 0;
    ck_assert_uint_eq(run_made_up(3, 2, 5).failures, 0);
    parts_close();
}
END_TEST

// Rows that a session can run and parts cannot.
START_TEST(test_rows_that_continue_nothing) {
    parts_open(folders[0], false, (EngineSettings){.most_requests = 2});
    Session *session = engine_session(engine);
    static const int32_t ids[] = {0, 5, 9, 2};
    Source *source;
    float *logits;
    int32_t slots[3];
    CHECK_OK(session_open(session, 4, 16, &source, &err));
    CHECK_OK(session_encode(session, &(EncodeItem){source, ids, NULL, 4, 4}, 1, NULL, &err));
    for (size_t i = 0; i < 3; i++)
        slots[i] = source_take_slot(source);
    DecodeRow rows[] = {{source, 2, 0, slots, 1, true}, {source, 4, 1, slots, 2, true}, {source, 5, 2, slots, 3, true}};
    CHECK_FAILS(session_decode(session, &rows[1], 1, &logits, &err), ERR_UNSUPPORTED, "begins with token 1");
    CHECK_FAILS(session_decode(session, rows, 2, &logits, &err), ERR_UNSUPPORTED, "begins with token 1");
    CHECK_OK(session_decode(session, &rows[0], 1, &logits, &err));
    CHECK_FAILS(session_decode(session, &rows[2], 1, &logits, &err), ERR_UNSUPPORTED,
                "token 2 of a sequence does not follow");
    rows[1].position = 2;
    CHECK_FAILS(session_decode(session, &rows[1], 1, &logits, &err), ERR_UNSUPPORTED, "token 2 of a sequence sees 2");
    rows[1].position = 1;
    CHECK_OK(session_decode(session, &rows[1], 1, &logits, &err));
    rows[2].wants_logits = false;
    CHECK_OK(session_decode(session, &rows[2], 1, &logits, &err));
    session_close(session, source);
    CHECK_OK(session_open(session, 4, 16, &source, &err));
    static const int32_t back[] = {0, 2, 1, 3};
    CHECK_FAILS(session_encode(session, &(EncodeItem){source, ids, back, 4, 4}, 1, NULL, &err), ERR_UNSUPPORTED,
                "positions of a source go from 2 to 1");
    session_close(session, source);
    parts_close();
}
END_TEST

// One thing about the parts is not as it should be.
static void refused(void (*spoil)(EvaluatorParts *), bool merged, const char *text) {
    Seq2seq *none;
    evaluator_parts_make(&parts, model, merged);
    spoil(&parts);
    CHECK_FAILS(seq2seq_new(&parts.runner, 40, &none, &err), ERR_UNSUPPORTED, text);
    ck_assert(parts.freed);
}

static OrtInput *input_named(EvaluatorParts *of, SeqPart part, const char *name) {
    for (size_t i = 0; i < of->runner.shapes[part].input_count; i++)
        if (strcmp(of->inputs[part][i].name, name) == 0)
            return &of->inputs[part][i];
    ck_abort_msg("%s", name);
}

static void narrow_ids(EvaluatorParts *of) {
    input_named(of, PART_FIRST, "input_ids")->dtype = DTYPE_I32;
}

static void name_input(EvaluatorParts *of) {
    input_named(of, PART_NEXT, "encoder_attention_mask")->name = "decoder_attention_mask";
}

static void drop_mask(EvaluatorParts *of) {
    input_named(of, PART_ENCODER, "attention_mask")->name = "input_ids";
}

static void states_to_encoder(EvaluatorParts *of) {
    input_named(of, PART_ENCODER, "attention_mask")->name = "encoder_hidden_states";
}

static void drop_states(EvaluatorParts *of) {
    input_named(of, PART_FIRST, "encoder_hidden_states")->name = "past_key_values.0.decoder.key";
}

static void drop_key(EvaluatorParts *of) {
    input_named(of, PART_NEXT, "past_key_values.1.encoder.key")->name = "past_key_values.0.encoder.key";
}

static void far_layer(EvaluatorParts *of) {
    of->runner.shapes[PART_NEXT].input_count++;
    of->inputs[PART_NEXT][of->runner.shapes[PART_NEXT].input_count - 1] =
        (OrtInput){.name = "past_key_values.900.decoder.key"};
}

static void no_layer(EvaluatorParts *of) {
    input_named(of, PART_NEXT, "past_key_values.1.encoder.key")->name =
        "past_key_values.99999999999999999999.encoder.key";
}

static void no_cache(EvaluatorParts *of) {
    of->runner.shapes[PART_FIRST].output_count = 1;
}

static void no_logits(EvaluatorParts *of) {
    of->runner.shapes[PART_NEXT].output_count = 0;
}

START_TEST(test_parts_that_lack_something) {
    arena_init(&arena, 0);
    CHECK_OK(model_open(&arena, path_join(&arena, getenv("HONE_SOURCE"), folders[0], &err), false, &model, &err));
    refused(narrow_ids, true, "decoder_model_merged.onnx: input 'input_ids' is i32, expected i64");
    refused(name_input, false, "decoder_with_past_model.onnx takes 'decoder_attention_mask', which no encoder-decoder");
    refused(drop_mask, false, "encoder_model.onnx takes no 'attention_mask'");
    refused(states_to_encoder, false, "encoder_model.onnx takes 'encoder_hidden_states', which no");
    refused(drop_states, false, "decoder_model.onnx takes no 'encoder_hidden_states'");
    refused(drop_key, false, "decoder_with_past_model.onnx takes no 'past_key_values.1.encoder.key'");
    refused(no_layer, false, "takes 'past_key_values.99999999999999999999.encoder.key', which no");
    refused(far_layer, false, "takes 'past_key_values.900.decoder.key', but the first step gives keys and values of 2");
    refused(no_cache, false, "decoder_model.onnx gives no 'present.0.decoder.key'");
    refused(no_logits, false, "decoder_with_past_model.onnx gives no 'logits'");
    arena_done(&arena);
}
END_TEST

// A vocabulary that is not the one of the settings is noticed with the first logits.
START_TEST(test_another_vocabulary) {
    parts_open(folders[0], false, (EngineSettings){.most_requests = 1});
    engine_free(engine);
    seq2seq_free(seq2seq);
    evaluator_parts_make(&parts, model, false);
    CHECK_OK(seq2seq_new(&parts.runner, model_info(model)->vocabulary + 1, &seq2seq, &err));
    in_parts = session_model_in_parts(model_session(model), seq2seq);
    CHECK_OK(engine_new(&in_parts, &kernels, NULL, &(EngineSettings){.most_requests = 1}, &engine, &err));
    Outcome outcome = run_made_up(1, 1, 3);
    ck_assert_uint_eq(outcome.failures, 1);
    ck_assert_ptr_nonnull(strstr(outcome.error.message, "decoder_model.onnx: logits of one token are f32[1,1,"));
    parts_close();
}
END_TEST

TEST_MAIN("stack/parts", test_alone, test_alone_merged, test_together, test_whole_batches_merged, test_cached_sources,
          test_nothing_is_copied, test_one_ends_as_another_spreads, test_encoded_apart, test_runs_that_fail,
          test_rows_that_continue_nothing, test_parts_that_lack_something, test_another_vocabulary)

// SPDX-License-Identifier: Apache-2.0
// Running the samples: encode, decode the references, generate.
#include "measure/calibration.h"

#include <string.h>

#include "measure/calibration_readers.h"
#include "measure/token_samples.h"

enum { STEP_ROWS = 64, NEW_TOKENS = 64 };

typedef struct Sample {
    const TokenSample *tokens;
    Source *source;
    int32_t *slots;
    int32_t token; // to be decoded next
    size_t count;  // decoded so far
    bool ended;
} Sample;

typedef struct Run {
    Arena scratch;
    const Model *model;
    const CalibrationSettings *settings;
    Session *session;
    Readers readers;
    TokenSamples tokens;
    Sample *samples;
    Calibration *result;
    size_t most_new;
} Run;

// All samples as ids, before anything runs: what is wrong with the data is told at once.
static Status samples_make(Run *run, const DataSet *data, Error *err) {
    Calibration *result = run->result;
    TokenSamples *tokens = &run->tokens;
    const char *name = run->settings->data_name;
    TRY(token_samples_make(&run->scratch, run->model, data, run->settings->most_samples, "calibration data", name,
                           tokens, err));
    result->samples = tokens->count;
    result->source_tokens = tokens->source_tokens;
    result->reference_tokens = tokens->label_tokens;
    if (tokens->source_tokens < CALIBRATION_LEAST_TOKENS)
        return FAIL(err, ERR_FORMAT,
                    "calibration data '%s' is too short: its sources have %zu tokens in %zu samples, and at least %d "
                    "are needed",
                    name, tokens->source_tokens, tokens->count, CALIBRATION_LEAST_TOKENS);
    TRY_NEW(run->samples = arena_array(&run->scratch, tokens->count, sizeof *run->samples, err));
    for (size_t i = 0; i < tokens->count; i++)
        run->samples[i].tokens = &tokens->items[i];
    return OK;
}

static size_t pages_of(size_t tokens) {
    return (tokens + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
}

static Status session_start(Run *run, const Kernels *kernels, Pool *pool, Error *err) {
    size_t positions = model_info(run->model)->most_positions;
    size_t wish = run->settings->most_new_tokens ? run->settings->most_new_tokens : NEW_TOKENS;
    run->most_new = wish < positions ? wish : positions;
    SessionLimits limits = {.most_rows = STEP_ROWS, .most_source_tokens = run->tokens.most_ids};
    limits.pages =
        CALIBRATION_BATCH * (pages_of(run->tokens.most_ids) + pages_of(run->tokens.most_labels + run->most_new));
    TRY(session_new(model_session(run->model), kernels, pool, &limits, &run->session, err));
    session_observe(run->session, readers_observer(&run->readers));
    return OK;
}

static Status values_check(const Run *run, size_t first, size_t count, Error *err) {
    for (size_t i = 0; i < run->result->count; i++)
        if (run->result->inputs[i].not_finite)
            return FAIL(err, ERR_FORMAT,
                        "calibration data '%s', samples %zu to %zu: the input of '%s' holds NaN or "
                        "infinity: the model cannot run on this data",
                        run->settings->data_name, first + 1, first + count, run->result->inputs[i].weights[0]);
    return OK;
}

static DecodeRow row_of(Sample *sample, int32_t token, bool wants_logits) {
    sample->slots[sample->count] = source_take_slot(sample->source);
    DecodeRow row = {.source = sample->source,
                     .token = token,
                     .position = (int32_t)sample->count,
                     .past_slots = sample->slots,
                     .past_count = sample->count + 1,
                     .wants_logits = wants_logits};
    sample->count++;
    return row;
}

static Status sample_open(Run *run, Sample *sample, Error *err) {
    size_t room = run->tokens.most_labels > run->most_new ? run->tokens.most_labels : run->most_new;
    if (!sample->slots)
        TRY_NEW(sample->slots = arena_array(&run->scratch, room, sizeof *sample->slots, err));
    TRY(session_open(run->session, sample->tokens->id_count, sample->tokens->label_count + run->most_new,
                     &sample->source, err));
    EncodeItem item = {.source = sample->source,
                       .ids = sample->tokens->ids,
                       .tokens = sample->tokens->id_count,
                       .keys = sample->tokens->id_count};
    return session_encode(run->session, &item, 1, NULL, err);
}

// The reference, moved by one behind the start token. Only the last row of each step goes through the head: every row
// would cost more than all the rest, and generating shows what the head sees.
static Status reference_decode(Run *run, Sample *sample, int32_t start, Error *err) {
    DecodeRow rows[STEP_ROWS];
    for (sample->count = 0; sample->count < sample->tokens->label_count;) {
        size_t left = sample->tokens->label_count - sample->count, count = left < STEP_ROWS ? left : STEP_ROWS;
        for (size_t r = 0; r < count; r++) {
            int32_t token = sample->count ? sample->tokens->labels[sample->count - 1] : start;
            rows[r] = row_of(sample, token, r + 1 == count);
        }
        float *logits;
        TRY(session_decode(run->session, rows, count, &logits, err));
    }
    sample->count = 0;
    return OK;
}

static bool ends(const GenerationOptions *options, int32_t token) {
    for (size_t i = 0; i < options->eos_token_count; i++)
        if (options->eos_token_ids[i] == token)
            return true;
    return false;
}

// One token for each sample that has not ended; *ret_rows: how many there were.
static Status step_generate(Run *run, Sample *samples, size_t count, size_t *ret_rows, Error *err) {
    const Kernels *kernels = session_kernels(run->session);
    const GenerationOptions *options = model_generation(run->model);
    size_t vocabulary = model_info(run->model)->vocabulary, row_count = 0;
    DecodeRow rows[CALIBRATION_BATCH];
    Sample *of[CALIBRATION_BATCH];
    for (size_t i = 0; i < count; i++) {
        if (samples[i].ended)
            continue;
        of[row_count] = &samples[i];
        rows[row_count++] = row_of(&samples[i], samples[i].token, true);
    }
    *ret_rows = row_count;
    if (!row_count)
        return OK;
    float *logits;
    TRY(session_decode(run->session, rows, row_count, &logits, err));
    for (size_t r = 0; r < row_count; r++) {
        bool forced = of[r]->count == 1 && options->forced_bos_token_id >= 0;
        of[r]->token =
            forced ? options->forced_bos_token_id : (int32_t)kernels->argmax(logits + r * vocabulary, vocabulary);
        of[r]->ended = ends(options, of[r]->token) || of[r]->count == run->most_new;
    }
    run->result->generated_tokens += row_count;
    return OK;
}

static Status batch_decode(Run *run, Sample *samples, size_t count, Error *err) {
    int32_t start;
    TRY(start_token_find(run->model, &start, err));
    for (size_t i = 0; i < count; i++) {
        TRY(sample_open(run, &samples[i], err));
        TRY(reference_decode(run, &samples[i], start, err));
        samples[i].token = start;
    }
    for (size_t rows = 1; rows;)
        TRY(step_generate(run, samples, count, &rows, err));
    return OK;
}

static Status batch_run(Run *run, size_t first, size_t count, Error *err) {
    Sample *samples = run->samples + first;
    Status status = batch_decode(run, samples, count, err);
    for (size_t i = 0; i < count; i++)
        session_close(run->session, samples[i].source);
    TRY(status);
    for (size_t i = 0; i < run->result->count; i++)
        input_statistics_end_batch(&run->result->inputs[i]);
    return values_check(run, first, count, err);
}

static Status run_all(Run *run, Arena *arena, const Kernels *kernels, Pool *pool, const DataSet *data, Error *err) {
    TRY(samples_make(run, data, err));
    TRY(readers_make(arena, &run->scratch, model_session(run->model), run->settings, kernels, pool, &run->readers,
                     err));
    run->result->inputs = run->readers.inputs;
    run->result->count = run->readers.input_count;
    TRY(session_start(run, kernels, pool, err));
    for (size_t first = 0; first < run->result->samples; first += CALIBRATION_BATCH) {
        size_t left = run->result->samples - first, count = left < CALIBRATION_BATCH ? left : CALIBRATION_BATCH;
        TRY(batch_run(run, first, count, err));
        if (run->settings->tell)
            run->settings->tell(run->settings->tell_context, first + count, run->result->samples);
    }
    for (size_t i = 0; i < run->result->count; i++)
        if (run->result->inputs[i].gram)
            gram_finish(run->result->inputs[i].gram, kernels, pool);
    return OK;
}

Status calibrate(Arena *arena, const Model *model, const Kernels *kernels, Pool *pool, const DataSet *data,
                 const CalibrationSettings *settings, Calibration *ret_calibration, Error *err) {
    Calibration result = {0};
    Run run = {.model = model, .settings = settings, .result = &result};
    arena_init(&run.scratch, 0);
    Status status = run_all(&run, arena, kernels, pool, data, err);
    session_free(run.session);
    arena_done(&run.scratch);
    if (status == OK)
        *ret_calibration = result;
    return status;
}

const InputStatistics *calibration_find(const Calibration *calibration, const char *weight) {
    for (size_t i = 0; i < calibration->count; i++)
        for (size_t w = 0; w < calibration->inputs[i].weight_count; w++)
            if (strcmp(calibration->inputs[i].weights[w], weight) == 0)
                return &calibration->inputs[i];
    return NULL;
}

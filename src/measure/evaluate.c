// SPDX-License-Identifier: Apache-2.0
// The evaluation loop: push every sample through a stream, score what comes back in order.
#include "measure/evaluate.h"

#include "base/clock.h"
#include "base/hash.h"
#include "measure/edit_distance.h"

typedef struct Loop {
    Runtime *runtime;
    const DataSet *data;
    const EvaluateSettings *settings;
    Evaluation *evaluation;
    RougeScorer *scorer;
    Sha256 hash;
    Buffer text, line;
    size_t next;
    size_t labels;       // of all rows so far, without marks
    uint64_t scoring_ns; // not the model's time
} Loop;

static void hash_add(Loop *loop, const Sequence *sequence) {
    buffer_clear(&loop->line);
    buffer_add_char(&loop->line, '[');
    for (size_t i = 0; i < sequence->count; i++)
        buffer_format(&loop->line, i ? ",%d" : "%d", sequence->ids[i]);
    buffer_add_text(&loop->line, "]\n");
    if (loop->line.failed == OK)
        sha256_add(&loop->hash, loop->line.data, loop->line.bytes);
}

// Copies ids without the sequence's start, end and padding: an error rate speaks of what lies between.
static size_t without_marks(const GenerationOptions *g, const int32_t *ids, size_t count, int32_t *ret_ids) {
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        bool mark = ids[i] == g->bos_token_id || ids[i] == g->pad_token_id;
        for (size_t e = 0; e < g->eos_token_count; e++)
            mark |= ids[i] == g->eos_token_ids[e];
        if (!mark)
            ret_ids[used++] = ids[i];
    }
    return used;
}

static Status label_errors(Arena *arena, const GenerationOptions *g, const DataRow *row, const Sequence *sequence,
                           TokenErrors *ret_errors, size_t *ret_labels, Error *err) {
    int32_t *ids = arena_array(arena, sequence->count + 1, sizeof *ids, err);
    TRY_NEW(ids);
    int32_t *labels = arena_array(arena, row->label_count + 1, sizeof *labels, err);
    TRY_NEW(labels);
    size_t id_count = without_marks(g, sequence->ids, sequence->count, ids);
    *ret_labels = without_marks(g, row->labels, row->label_count, labels);
    return token_errors_count(arena, ids, id_count, labels, *ret_labels, ret_errors, err);
}

static Status score_labels(Loop *loop, const DataRow *row, const Sequence *sequence, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    TokenErrors errors = {0};
    size_t labels = 0;
    Status status = label_errors(&arena, &loop->settings->generation, row, sequence, &errors, &labels, err);
    arena_done(&arena);
    TRY(status);
    double exact = errors.exact ? 1 : 0, distance = (double)errors.distance;
    buffer_add(&loop->evaluation->exact, &exact, sizeof exact);
    buffer_add(&loop->evaluation->token_error, &distance, sizeof distance);
    loop->labels += labels;
    TRY(buffer_status(&loop->evaluation->exact, err));
    return buffer_status(&loop->evaluation->token_error, err);
}

// From edit distances to errors per label over the whole set: the mean of what is stored becomes all distances over all
// labels, whatever the lengths of the rows.
static void token_errors_scale(Loop *loop) {
    double *values = (double *)(void *)loop->evaluation->token_error.data;
    size_t count = loop->evaluation->samples;
    for (size_t i = 0; i < count && loop->labels; i++)
        values[i] *= (double)count / (double)loop->labels;
}

static Status score_text(Loop *loop, const DataRow *row, Error *err) {
    Bytes prediction = {(const unsigned char *)(loop->text.data ? loop->text.data : ""), loop->text.bytes};
    RougeScore scores[ROUGE_TYPES_MOST];
    TRY(rouge_score(loop->scorer, row->references, row->reference_count, prediction, scores, err));
    return rouge_aggregate_add(&loop->evaluation->rouge, scores, err);
}

static Status on_answer(void *context, const Answer *answer, Error *err) {
    Loop *loop = context;
    uint64_t before = clock_ns();
    size_t index = loop->next++;
    if (answer->error) {
        *err = *answer->error;
        if (err->status == ERR_USAGE) // the options were checked before: it is the data that asks for it
            err->status = ERR_FORMAT;
        return error_context(err, "sample %zu", index + 1);
    }
    const Sequence *sequence = &answer->sequences[0];
    const DataRow *row = &loop->data->rows[index];
    hash_add(loop, sequence);
    buffer_clear(&loop->text);
    if (loop->runtime->encoder)
        TRY(runtime_decode(loop->runtime, sequence->ids, sequence->count, &loop->text, err));
    TRY(loop->data->labelled ? score_labels(loop, row, sequence, err) : score_text(loop, row, err));
    if (loop->settings->on_output)
        TRY(loop->settings->on_output(loop->settings->context, index, sequence->ids, sequence->count,
                                      loop->runtime->encoder ? (loop->text.data ? loop->text.data : "") : NULL,
                                      loop->text.bytes, err));
    loop->scoring_ns += clock_ns() - before;
    return OK;
}

static Status push_all(Loop *loop, Stream *stream, Error *err) {
    for (size_t i = 0; i < loop->data->count; i++) {
        const DataRow *row = &loop->data->rows[i];
        Encoding encoding = {row->ids, row->id_count};
        if (!row->ids && runtime_encode(loop->runtime, row->source, row->source_bytes, true, &encoding, err) != OK)
            return error_context(err, "sample %zu", i + 1);
        TRY(stream_push(stream, encoding.ids, encoding.count, &loop->settings->generation, NULL, err));
    }
    return stream_finish(stream, err);
}

static Status loop_run(Loop *loop, Error *err) {
    Stream *stream;
    TRY_NEW(loop->scorer = rouge_new(&loop->settings->rouge, err));
    TRY(stream_new(loop->runtime->engine, 4 * loop->settings->batch, on_answer, loop, &stream, err));
    uint64_t before = clock_ns();
    Status status = push_all(loop, stream, err);
    double spent_ns = (double)(clock_ns() - before - loop->scoring_ns);
    stream_free(stream);
    loop->evaluation->ms_per_sample = spent_ns * 1e-6 / (double)loop->data->count;
    return status;
}

Status evaluate(Runtime *runtime, const DataSet *data, const EvaluateSettings *settings, Evaluation *ret, Error *err) {
    Evaluation evaluation = {.samples = data->count, .labelled = data->labelled};
    rouge_aggregate_init(&evaluation.rouge, &settings->rouge);
    Loop loop = {.runtime = runtime, .data = data, .settings = settings, .evaluation = &evaluation};
    sha256_init(&loop.hash);
    Status status = loop_run(&loop, err);
    rouge_free(loop.scorer);
    buffer_done(&loop.text);
    buffer_done(&loop.line);
    if (status != OK) {
        evaluation_done(&evaluation);
        return status;
    }
    if (evaluation.labelled)
        token_errors_scale(&loop);
    sha256_text(&loop.hash, evaluation.outputs_sha256);
    evaluation.runtime = runtime->settings;
    evaluation.counts = engine_counts(runtime->engine);
    *ret = evaluation;
    return OK;
}

void evaluation_done(Evaluation *evaluation) {
    rouge_aggregate_done(&evaluation->rouge);
    buffer_done(&evaluation->exact);
    buffer_done(&evaluation->token_error);
}

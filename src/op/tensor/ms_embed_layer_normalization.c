// SPDX-License-Identifier: Apache-2.0
// EmbedLayerNormalization: rows of tables of words, positions and segments, summed and normalized. Inputs: words [b,
// t], segments or absent, three tables (that of segments or absent), gain, beta, mask or absent, positions [b or 1, t]
// or absent. Outputs: y; how many of a mask's row are 1 (0 without a mask); the sum. {epsilon=1e-12}
#include "op/tensor/infer.h"
#include "op/tensor/wide.h"

enum { WORDS, SEGMENTS, WORD_TABLE, POSITION_TABLE, SEGMENT_TABLE, GAIN, BETA, MASK, POSITIONS };
enum { Y, MASK_INDEX, SUM };

// A table and which of its rows each token takes: NULL: none, or its place in the sequence.
typedef struct Lookup {
    const float *table;
    size_t rows;
    const Tensor *ids;
} Lookup;

typedef struct Job {
    const Kernels *kernels;
    size_t tokens, columns;
    Lookup words, positions, segments;
    const float *gain, *beta;
    float epsilon, *sum, *y;
} Job;

static Status infer(const Node *node, ValueType *ret_types, Error *err) {
    (void)err;
    ValueType words = infer_type(node, WORDS), table = infer_type(node, WORD_TABLE);
    for (size_t i = 0; i < node->output_count; i++)
        ret_types[i] = type_unknown();
    if (words.rank != 2 || table.rank != 2)
        return OK;
    ValueType y = {table.dtype, 3, {words.dims[0], words.dims[1], table.dims[1]}};
    ValueType index = {DTYPE_I32, 1, {words.dims[0]}};
    for (size_t i = 0; i < node->output_count; i++)
        ret_types[i] = i == MASK_INDEX ? index : y;
    return OK;
}

static int64_t id_at(const Tensor *ids, size_t at) {
    return ids->dtype == DTYPE_I64 ? ((const int64_t *)ids->data)[at] : ((const int32_t *)ids->data)[at];
}

static const float *row_of(const Job *job, const Lookup *lookup, size_t token) {
    size_t at = lookup->ids && lookup->ids->shape.dims[0] == 1 ? token % job->tokens : token;
    size_t row = lookup->ids ? (size_t)id_at(lookup->ids, at) : token % job->tokens;
    return lookup->table + row * job->columns;
}

static void work(void *context, size_t first, size_t last) {
    const Job *job = context;
    size_t n = job->columns;
    for (size_t i = first; i < last; i++) {
        float *sum = job->sum + i * n;
        job->kernels->add(row_of(job, &job->words, i), row_of(job, &job->positions, i), n, sum);
        if (job->segments.table)
            job->kernels->add(sum, row_of(job, &job->segments, i), n, sum);
        job->kernels->layer_norm(sum, NULL, job->gain, job->beta, job->epsilon, n, NULL, job->y + i * n);
    }
}

// ids: [b, t], or [1, t] where `repeats`; absent: the token's place.
static Status lookup_read(Evaluation *run, size_t ids, size_t table, bool repeats, const Job *job, Lookup *ret,
                          Error *err) {
    const Shape *words = &run->inputs[WORDS].shape;
    char text[SHAPE_TEXT_BYTES];
    TRY(evaluate_same_type(run, WORD_TABLE, table, err));
    const Shape *shape = &run->inputs[table].shape;
    if (shape->rank != 2 || (size_t)shape->dims[1] != job->columns)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected %zu columns", evaluate_name(run), table,
                    shape_text(shape, text), job->columns);
    TRY(wide_input(run, table, &ret->table, err));
    ret->rows = (size_t)shape->dims[0];
    if (!evaluate_has(run, ids)) {
        if (job->tokens > ret->rows)
            return FAIL(err, ERR_FORMAT, "%s: %zu tokens, positions for %zu", evaluate_name(run), job->tokens,
                        ret->rows);
        return OK;
    }
    TRY(evaluate_type(run, ids, DTYPES_INDEX, err));
    ret->ids = &run->inputs[ids];
    const Shape *given = &ret->ids->shape;
    bool fits = given->rank == 2 && given->dims[1] == words->dims[1] &&
                (given->dims[0] == words->dims[0] || (repeats && given->dims[0] == 1));
    if (!fits)
        return FAIL(err, ERR_FORMAT, "%s: input %zu is %s, expected the shape of the words", evaluate_name(run), ids,
                    shape_text(given, text));
    for (size_t i = 0; i < shape_count(given); i++)
        if (id_at(ret->ids, i) < 0 || (uint64_t)id_at(ret->ids, i) >= ret->rows)
            return FAIL(err, ERR_FORMAT, "%s: input %zu has %lld, the table has %zu rows", evaluate_name(run), ids,
                        (long long)id_at(ret->ids, i), ret->rows);
    return OK;
}

static Status inputs_read(Evaluation *run, Job *job, Error *err) {
    char text[SHAPE_TEXT_BYTES];
    TRY(evaluate_type(run, WORDS, DTYPES_INDEX, err));
    TRY(evaluate_type(run, WORD_TABLE, DTYPES_WIDE, err));
    const Shape *words = &run->inputs[WORDS].shape, *table = &run->inputs[WORD_TABLE].shape;
    if (words->rank != 2 || table->rank != 2)
        return FAIL(err, ERR_FORMAT, "%s: words are %s, expected 2 dimensions, and a table of 2", evaluate_name(run),
                    shape_text(words, text));
    job->tokens = (size_t)words->dims[1];
    job->columns = (size_t)table->dims[1];
    TRY(lookup_read(run, WORDS, WORD_TABLE, false, job, &job->words, err));
    TRY(lookup_read(run, POSITIONS, POSITION_TABLE, true, job, &job->positions, err));
    if (evaluate_has(run, SEGMENTS))
        TRY(lookup_read(run, SEGMENTS, SEGMENT_TABLE, false, job, &job->segments, err));
    if (!evaluate_has(run, GAIN) || !evaluate_has(run, BETA))
        return FAIL(err, ERR_FORMAT, "%s: gain or beta is missing", evaluate_name(run));
    TRY(wide_vector(run, GAIN, job->columns, &job->gain, err));
    return wide_vector(run, BETA, job->columns, &job->beta, err);
}

static Status mask_count(Evaluation *run, Error *err) {
    const Shape *words = &run->inputs[WORDS].shape;
    size_t tokens = (size_t)words->dims[1];
    int32_t *counts;
    if (run->node->output_count <= MASK_INDEX)
        return OK;
    TRY(evaluate_output(run, MASK_INDEX, DTYPE_I32, (&(Shape){1, {words->dims[0]}}), &counts, err));
    if (evaluate_has(run, MASK)) {
        TRY(evaluate_type(run, MASK, DTYPES_INDEX, err));
        if (!shape_equal(&run->inputs[MASK].shape, words))
            return FAIL(err, ERR_FORMAT, "%s: the mask has not the shape of the words", evaluate_name(run));
    }
    for (size_t b = 0; b < (size_t)words->dims[0]; b++) {
        counts[b] = 0;
        for (size_t t = 0; t < tokens && evaluate_has(run, MASK); t++)
            counts[b] += id_at(&run->inputs[MASK], b * tokens + t) == 1;
    }
    return OK;
}

static Status evaluate(Evaluation *run, Error *err) {
    Job job = {.kernels = run->kernels, .epsilon = (float)node_real(run->node, "epsilon", 1e-12)};
    WideOutput y, sum;
    TRY(inputs_read(run, &job, err));
    if (run->node->output_count > SUM + 1)
        return FAIL(err, ERR_FORMAT, "%s has %zu outputs, expected at most 3", evaluate_name(run),
                    run->node->output_count);
    const Shape *words = &run->inputs[WORDS].shape;
    Shape shape = {3, {words->dims[0], words->dims[1], (int64_t)job.columns}};
    TRY(wide_output(run, Y, run->inputs[WORD_TABLE].dtype, &shape, &y, err));
    TRY(wide_output(run, SUM, run->inputs[WORD_TABLE].dtype, &shape, &sum, err));
    TRY(mask_count(run, err));
    job.y = y.values;
    job.sum = sum.values;
    if (y.count)
        evaluate_parallel(run, shape_count(words), y.count, work, &job);
    wide_done(&y);
    wide_done(&sum);
    return OK;
}

const OpDef op_tensor_ms_embed_layer_normalization = {.infer = infer, .evaluate = evaluate};

// SPDX-License-Identifier: Apache-2.0
// What each layer costs, against models that were written with it changed and run a token at a time: the same bits. The
// same again with any number of threads, in parts, and from the cache; and what cannot be measured is told.
#include "compress/sensitivity.h"

#include <math.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/random.h"
#include "compress/prune.h"
#include "compress/quantize.h"
#include "measure/evaluate.h"
#include "model/variants.h"

#define TINY_BART "tests/golden/engine/tiny_bart"

enum { SAMPLES = 9, SOURCE = 12, LABELS = 10, VOCABULARY = 96 };

static const WeightScheme all_schemes[] = {STORE_FP16, STORE_INT8, STORE_INT4, STORE_NF4};
static const double all_amounts[] = {0.3, 0.5};

static Error err;

typedef struct Case {
    Scratch scratch;
    Bundle source;
    char *model;
    DataSet *data;
    SensitivityOptions options;
} Case;

static int32_t *ids_draw(Arena *arena, Random *random, size_t count) {
    int32_t *ids = arena_array(arena, count, sizeof *ids, &err);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)random_below(random, VOCABULARY);
    return ids;
}

// A model whose config has some changes.
static Case case_with(const char *changes) {
    Case c = {.scratch = scratch_make()};
    Arena *arena = &c.scratch.arena;
    Random random = {11};
    c.source = variant_tensors(arena, TINY_BART);
    c.model = variant_folder(&c.scratch, "model", TINY_BART, changes);
    c.data = arena_array(arena, 1, sizeof *c.data, &err);
    *c.data = (DataSet){arena_array(arena, SAMPLES, sizeof *c.data->rows, &err), SAMPLES, true};
    for (size_t i = 0; i < SAMPLES; i++)
        c.data->rows[i] = (DataRow){.ids = ids_draw(arena, &random, SOURCE + i),
                                    .id_count = SOURCE + i,
                                    .labels = ids_draw(arena, &random, LABELS + i % 3),
                                    .label_count = LABELS + i % 3};
    c.options = (SensitivityOptions){.model = c.model,
                                     .data = c.data,
                                     .data_name = "rows.jsonl",
                                     .schemes = all_schemes,
                                     .scheme_count = ARRAY_COUNT(all_schemes),
                                     .amounts = all_amounts,
                                     .amount_count = ARRAY_COUNT(all_amounts),
                                     .threads = 2,
                                     .level = cpu_detect(),
                                     .cache_key = "key"};
    return c;
}

static Case case_make(void) {
    return case_with("{\"min_length\":10}");
}

// A tensor of noise.
static void tensor_add(Case *c, const char *name, int64_t rows, int64_t columns) {
    Random random = {17};
    size_t count = (size_t)(rows * (columns ? columns : 1));
    float *values = arena_array(&c->scratch.arena, count, sizeof *values, &err);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_unit(&random) * 2 - 1;
    c->source.tensors[c->source.count++] = (Tensor){.name = name,
                                                    .dtype = DTYPE_F32,
                                                    .shape = {columns ? 2 : 1, {rows, columns}},
                                                    .data = values,
                                                    .bytes = count * sizeof *values};
}

static void case_write(Case *c) {
    variant_write(&c->scratch, c->model, "model.safetensors", c->source.tensors, c->source.count);
}

static Sensitivity measure(Case *c) {
    Sensitivity result;
    CHECK_OK(sensitivity_measure(&c->scratch.arena, &c->options, &result, &err));
    return result;
}

static const SensitivityRow *row_of(const Sensitivity *result, const char *layer, const char *change) {
    for (size_t i = 0; i < result->count; i++)
        if (strcmp(result->rows[i].layer, layer) == 0 && strcmp(result->rows[i].change, change) == 0)
            return &result->rows[i];
    return NULL;
}

// The rows of one node's output over all samples.
typedef struct Watched {
    const char *name;
    float *values;
    size_t count, room;
} Watched;

static void outputs_see(void *context, const Graph *graph, const Node *node, const Slab *inputs, const Slab *outputs) {
    (void)graph;
    (void)inputs;
    Watched *seen = context;
    if (!seen->name || !node->output_count || strcmp(node->names[0], seen->name) != 0)
        return;
    for (size_t r = 0; r < outputs[0].rows; r++)
        for (size_t k = 0; k < outputs[0].columns; k++) {
            ck_assert_uint_lt(seen->count, seen->room);
            seen->values[seen->count++] = ((const float *)outputs[0].data)[r * outputs[0].row_stride + k];
        }
}

static void sample_add(Session *session, const DataRow *row, double *nats) {
    Source *source;
    int32_t slots[LABELS + 3];
    CHECK_OK(session_open(session, row->id_count, row->label_count, &source, &err));
    EncodeItem item = {.source = source, .ids = row->ids, .tokens = row->id_count, .keys = row->id_count};
    CHECK_OK(session_encode(session, &item, 1, NULL, &err));
    for (size_t t = 0; t < row->label_count; t++) {
        slots[t] = source_take_slot(source);
        DecodeRow step = {source, t ? row->labels[t - 1] : 2, (int32_t)t, slots, t + 1, true};
        float *logits;
        LogNormalizer normalizer;
        CHECK_OK(session_decode(session, &step, 1, &logits, &err));
        session_kernels(session)->log_normalizer(logits, VOCABULARY, &normalizer);
        *nats += (double)normalizer.max + (double)normalizer.log_sum - (double)logits[row->labels[t]];
    }
    session_close(session, source);
}

// The loss of a model: its samples one by one, their tokens one by one; with the passes, unless a node is looked at.
static double loss_of(const Case *c, const char *model_path, Watched *outputs) {
    Arena arena;
    Kernels kernels;
    Pool *pool;
    const Model *model;
    Session *session;
    double nats = 0;
    size_t tokens = 0;
    arena_init(&arena, 0);
    kernels_pick(c->options.level, &kernels);
    CHECK_OK(pool_new(1, &pool, &err));
    CHECK_OK(model_open(&arena, model_path, !outputs, &model, &err));
    SessionLimits limits = {.most_rows = 8, .most_source_tokens = 64, .pages = 16};
    CHECK_OK(session_new(model_session(model), &kernels, pool, &limits, &session, &err));
    if (outputs)
        session_observe(session, (PlanObserver){outputs_see, outputs});
    for (size_t i = 0; i < c->data->count; i++) {
        sample_add(session, &c->data->rows[i], &nats);
        tokens += c->data->rows[i].label_count;
    }
    session_free(session);
    pool_free(pool);
    arena_done(&arena);
    return nats / (double)tokens;
}

static double bytes_saved(const RewriteReport *report) {
    double bytes = 0;
    for (size_t i = 0; i < report->weights.count; i++)
        bytes += (double)report->weights.items[i].original_bytes - (double)report->weights.items[i].bytes;
    return bytes;
}

// The model with one layer in another scheme, as hone quantize writes it.
static double scheme_write(Case *c, const SensitivityRow *row, const char *out) {
    char *pattern = arena_format(&c->scratch.arena, &err, "%s.weight", row->layer);
    KeepRule rule = {.pattern = pattern, .scheme = row->scheme};
    QuantizeOptions options = {
        .scheme = STORE_FP32, .keeps = &rule, .keep_count = 1, .group = 32, .int4_rule = INT4_FIT};
    RewriteReport report;
    CHECK_OK(quantize_model(&c->scratch.arena, c->model, out, &options, &report, &err));
    return bytes_saved(&report);
}

// The model with something of one layer left out, as hone prune writes it.
static double prune_write(Case *c, const SensitivityRow *row, const char *out) {
    char pattern[128];
    PruneOptions options = {.amount = {.fraction = row->amount}, .n = 2, .ragged = true, .only = pattern};
    snprintf(pattern, sizeof pattern, "%s%s", row->layer, row->kind == CHANGE_MASK ? "" : ".*");
    switch (row->kind) {
    case CHANGE_MASK:
        options.method = PRUNE_L1_UNSTRUCTURED;
        options.bitmap = true;
        options.ragged = false;
        break;
    case CHANGE_UNITS:
        options.method = strstr(row->change, "heads") ? PRUNE_HEADS : PRUNE_FFN;
        if (options.method == PRUNE_FFN) // "encoder.layers.0.ffn" is fc1 and fc2
            snprintf(pattern, sizeof pattern, "%.*s.fc1", (int)(strlen(row->layer) - 4), row->layer);
        break;
    default:
        options.method = PRUNE_LAYERS;
        options.amount = (PruneAmount){.counted = true, .count = 1};
        options.ragged = false;
    }
    PruneReport report;
    CHECK_OK(prune_model(&c->scratch.arena, c->model, out, &options, &report, &err));
    double bytes = bytes_saved(&report.written);
    for (size_t i = 0; row->kind == CHANGE_LAYER && i < c->source.count; i++)
        if (strstr(c->source.tensors[i].name, row->layer)) // these have no weight in the report
            bytes += (double)c->source.tensors[i].bytes;
    return bytes;
}

static void row_check(Case *c, const Sensitivity *result, const SensitivityRow *row) {
    Arena *arena = &c->scratch.arena;
    char *out = scratch_path(&c->scratch, "out");
    double bytes = row->kind == CHANGE_SCHEME ? scheme_write(c, row, out) : prune_write(c, row, out);
    double change = loss_of(c, out, NULL) - result->base_loss;
    ck_assert_msg(row->loss_change == change, "%s %s: the loss changes by %.17g, expected %.17g", row->layer,
                  row->change, row->loss_change, change);
    ck_assert_msg(row->bytes_saved == bytes, "%s %s saves %.0f bytes, expected %.0f", row->layer, row->change,
                  row->bytes_saved, bytes);
    if (row->kind == CHANGE_SCHEME && strchr(row->layer, '.')) { // no table
        size_t room = SAMPLES * (SOURCE + SAMPLES) * 64;
        Watched base = {.name = arena_format(arena, &err, "model.%s", row->layer), .room = room}, other = base;
        double moved = 0, size = 0;
        base.values = arena_array(arena, room, sizeof(float), &err);
        other.values = arena_array(arena, room, sizeof(float), &err);
        loss_of(c, c->model, &base);
        loss_of(c, out, &other);
        ck_assert(base.count && base.count == other.count);
        for (size_t i = 0; i < base.count; i++) {
            moved += pow((double)other.values[i] - (double)base.values[i], 2);
            size += pow((double)base.values[i], 2);
        }
        ck_assert_msg(fabs(row->output_error - moved / size) <= 1e-12 * row->output_error, "%s %s: %.17g, not %.17g",
                      row->layer, row->change, row->output_error, moved / size);
    }
    folder_discard(out);
}

START_TEST(rows_are_what_written_models_lose) {
    Case c = case_make();
    case_write(&c);
    Sensitivity result = measure(&c);
    size_t kinds[CHANGE_KINDS] = {0};
    ck_assert(result.base_loss == loss_of(&c, c.model, NULL));
    ck_assert_uint_eq(result.samples, SAMPLES);
    ck_assert(result.base_ms > 0 && isnan(result.base_rouge));
    for (size_t i = 0; i < result.count; i++) {
        row_check(&c, &result, &result.rows[i]);
        kinds[result.rows[i].kind]++;
    }
    // Linears: 6 + 4 of the encoder's graph, 2 * (4 + 2 + 2) of the decoder's; fc2 of the encoder has 48 columns.
    ck_assert_uint_eq(kinds[CHANGE_SCHEME], 27 * 4 - 1);
    ck_assert_uint_eq(kinds[CHANGE_MASK], 26 * 2);
    ck_assert_uint_eq(kinds[CHANGE_LAYER], 2);
    scratch_done(&c.scratch);
}
END_TEST

static void check_int8_rows(Case *c, size_t weights) {
    case_write(c);
    c->options.schemes = &all_schemes[1];
    c->options.scheme_count = 1;
    c->options.amount_count = 0;
    Sensitivity result = measure(c);
    ck_assert_uint_eq(result.count, weights + 2);
    for (size_t i = 0; i < result.count; i++)
        row_check(c, &result, &result.rows[i]);
}

// mBART's layers begin with a norm and end with a sum.
START_TEST(norms_may_come_first) {
    Case c = case_with("{\"model_type\":\"mbart\",\"architectures\":[\"MBartForConditionalGeneration\"]}");
    tensor_add(&c, "model.encoder.layer_norm.weight", 32, 0);
    tensor_add(&c, "model.encoder.layer_norm.bias", 32, 0);
    tensor_add(&c, "model.decoder.layer_norm.weight", 32, 0);
    tensor_add(&c, "model.decoder.layer_norm.bias", 32, 0);
    check_int8_rows(&c, 27);
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(a_head_may_be_no_table) {
    Case c = case_with("{\"tie_word_embeddings\":false}");
    tensor_add(&c, "lm_head.weight", VOCABULARY, 32);
    check_int8_rows(&c, 28);
    c.options.scheme_count = 2;
    c.options.rouge_samples = 1;
    Sensitivity result = measure(&c);
    const SensitivityRow *head = row_of(&result, "lm_head", "int8"), *table = row_of(&result, "shared", "int8");
    ck_assert(head && head->output_error > 0 && head->output_error < 0.01);
    ck_assert(table && isnan(table->output_error) && table->loss_change != head->loss_change);
    ck_assert_ptr_eq(head, &result.rows[result.count - 2]);
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(layers_come_as_they_run) {
    static const char *const wanted[] = {"shared",
                                         "encoder.layers.0.self_attn.q_proj",
                                         "encoder.layers.0.self_attn.k_proj",
                                         "encoder.layers.0.self_attn.v_proj",
                                         "encoder.layers.0.self_attn.out_proj",
                                         "encoder.layers.0.self_attn",
                                         "encoder.layers.0.fc1",
                                         "encoder.layers.0.fc2",
                                         "encoder.layers.0.ffn",
                                         "decoder.layers.0.encoder_attn.k_proj",
                                         "decoder.layers.0.encoder_attn.v_proj",
                                         "decoder.layers.1.encoder_attn.k_proj",
                                         "decoder.layers.1.encoder_attn.v_proj",
                                         "decoder.layers.0",
                                         "decoder.layers.0.self_attn.q_proj"};
    Case c = case_make();
    case_write(&c);
    Sensitivity result = measure(&c);
    const char *layer = "";
    for (size_t i = 0, at = 0; i < result.count && at < ARRAY_COUNT(wanted); i++) {
        if (strcmp(result.rows[i].layer, layer) != 0)
            ck_assert_str_eq(result.rows[i].layer, wanted[at++]);
        layer = result.rows[i].layer;
    }
    const SensitivityRow *row = row_of(&result, "decoder.layers.1.encoder_attn", "heads 0.5");
    ck_assert(row && row->kind == CHANGE_UNITS && row->amount == 0.5 && row->output_error > 0 && row->ms_saved > 0);
    row = row_of(&result, "shared", "int8");
    ck_assert(row && row->output_error > 0 && row->output_error < 0.01);
    row = row_of(&result, "encoder.layers.0.fc1", "zeros 0.3");
    ck_assert(row && row->ms_saved == 0 && isnan(row->rouge_change));
    ck_assert_ptr_null(row_of(&result, "encoder.layers.0.fc2", "int4"));
    scratch_done(&c.scratch);
}
END_TEST

// All but times.
static void check_same(const Sensitivity *a, const Sensitivity *b) {
    ck_assert_uint_eq(a->count, b->count);
    ck_assert(a->base_loss == b->base_loss && a->tokens == b->tokens);
    for (size_t i = 0; i < a->count; i++) {
        const SensitivityRow *x = &a->rows[i], *y = &b->rows[i];
        ck_assert_str_eq(x->layer, y->layer);
        ck_assert_str_eq(x->change, y->change);
        ck_assert_msg(x->loss_change == y->loss_change, "%s %s: %.17g and %.17g", x->layer, x->change, x->loss_change,
                      y->loss_change);
        ck_assert(x->bytes_saved == y->bytes_saved);
        ck_assert(x->output_error == y->output_error || (isnan(x->output_error) && isnan(y->output_error)));
        ck_assert(x->rouge_change == y->rouge_change || (isnan(x->rouge_change) && isnan(y->rouge_change)));
    }
}

START_TEST(threads_change_nothing) {
    Case c = case_make();
    case_write(&c);
    Sensitivity two = measure(&c);
    c.options.threads = 1;
    Sensitivity one = measure(&c);
    c.options.threads = 5;
    Sensitivity five = measure(&c);
    check_same(&two, &one);
    check_same(&two, &five);
    scratch_done(&c.scratch);
}
END_TEST

// Samples that run apart have the same losses; only their sum is made in another order.
START_TEST(parts_add_up) {
    Case c = case_make();
    case_write(&c);
    Sensitivity whole = measure(&c);
    c.options.memory_bytes = 60000;
    Sensitivity parts = measure(&c);
    ck_assert_uint_eq(whole.count, parts.count);
    for (size_t i = 0; i < whole.count; i++) {
        const SensitivityRow *x = &whole.rows[i], *y = &parts.rows[i];
        ck_assert(fabs(x->loss_change - y->loss_change) < 1e-12);
        ck_assert(isnan(x->output_error) ? isnan(y->output_error)
                                         : fabs(x->output_error - y->output_error) <= 1e-12 * x->output_error);
    }
    ck_assert(fabs(whole.base_loss - parts.base_loss) < 1e-12);
    scratch_done(&c.scratch);
}
END_TEST

typedef struct Told {
    uint64_t done, total;
} Told;

static void tell(void *context, uint64_t done, uint64_t total) {
    *(Told *)context = (Told){done, total};
}

START_TEST(what_was_measured_is_kept) {
    Case c = case_make();
    case_write(&c);
    Evaluations cache = {scratch_path(&c.scratch, "cache.sqlite")};
    Told told = {0};
    c.options.rouge_samples = 2;
    c.options.memory_bytes = 60000;
    Sensitivity fresh = measure(&c);
    c.options.cache = &cache;
    c.options.meter = (WorkMeter){.tell = tell, .context = &told};
    Sensitivity kept = measure(&c);
    check_same(&fresh, &kept);
    ck_assert(told.total > kept.count && told.done == told.total);
    told = (Told){0};
    c.options.deadline_ns = clock_ns(); // nothing may be measured any more
    Sensitivity found = measure(&c);
    check_same(&fresh, &found);
    for (size_t i = 0; i < found.count; i++)
        ck_assert(found.rows[i].ms_saved == kept.rows[i].ms_saved);
    c.options.cache_key = "another";
    ck_assert_uint_eq(measure(&c).count, 0);
    c.options.deadline_ns = 0;
    c.options.cache_key = "key";
    c.options.schemes = &all_schemes[1];
    c.options.scheme_count = 1;
    told = (Told){0};
    Sensitivity fewer = measure(&c);
    ck_assert_uint_eq(fewer.count, 27 + 52 + 2 + kept.count - (27 * 4 - 1) - 52 - 2);
    ck_assert(row_of(&fewer, "shared", "int8")->loss_change == row_of(&kept, "shared", "int8")->loss_change);
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(a_deadline_ends_it_between_changes) {
    Case c = case_make();
    case_write(&c);
    Evaluations cache = {scratch_path(&c.scratch, "cache.sqlite")};
    c.options.cache = &cache;
    Sensitivity whole = measure(&c);
    cache.path = scratch_path(&c.scratch, "other.sqlite");
    size_t rounds = 0, last = 0;
    for (Sensitivity some = {0}; some.count < whole.count; rounds++, last = some.count) {
        c.options.deadline_ns = clock_ns() + 20000000 * (1 + rounds);
        some = measure(&c);
        ck_assert_uint_ge(some.count, last);
        for (size_t i = 0; i < some.count; i++) {
            const SensitivityRow *row = row_of(&whole, some.rows[i].layer, some.rows[i].change);
            ck_assert(row && row->loss_change == some.rows[i].loss_change);
        }
        ck_assert_uint_lt(rounds, 100);
    }
    ck_assert_uint_gt(rounds, 1);
    scratch_done(&c.scratch);
}
END_TEST

static Status label_take(void *context, size_t index, const int32_t *ids, size_t count, const char *text, size_t bytes,
                         Error *error) {
    (void)text;
    (void)bytes;
    (void)error;
    Case *c = context;
    int32_t *labels = arena_array(&c->scratch.arena, count, sizeof *labels, &err);
    memcpy(labels, ids, count * sizeof *labels);
    c->data->rows[index].labels = labels;
    c->data->rows[index].label_count = count;
    return OK;
}

// Labels become what the model writes itself.
static void labels_write(Case *c) {
    Runtime *runtime;
    RuntimeSettings settings = {.level = cpu_detect(), .threads = 1, .batch = 1};
    CHECK_OK(runtime_new(c->model, &settings, &runtime, &err));
    EvaluateSettings how = {.generation = *model_generation(runtime->model),
                            .rouge = {.types = {ROUGE_L}, .type_count = 1},
                            .batch = 1,
                            .on_output = label_take,
                            .context = c};
    how.generation.num_beams = 1;
    Evaluation evaluation;
    CHECK_OK(evaluate(runtime, c->data, &how, &evaluation, &err));
    evaluation_done(&evaluation);
    runtime_free(runtime);
}

START_TEST(what_is_written_is_scored) {
    Case c = case_make();
    case_write(&c);
    c.options.rouge_samples = 4;
    Sensitivity random = measure(&c);
    ck_assert_uint_eq(random.rouge_samples, 4);
    ck_assert(random.base_rouge == 0 && isnan(random.rows[0].rouge_change)); // nothing to lose
    labels_write(&c);
    Sensitivity own = measure(&c);
    size_t lost = 0;
    ck_assert(own.base_rouge == 1);
    for (size_t i = 0; i < own.count; i++) {
        double change = own.rows[i].rouge_change;
        ck_assert(change >= 0 && change <= 1 && change * 4 == floor(change * 4));
        lost += change > 0;
    }
    ck_assert_uint_gt(lost, 0);
    ck_assert(row_of(&own, "encoder.layers.0.fc1", "fp16")->rouge_change == 0);
    scratch_done(&c.scratch);
}
END_TEST

static void check_refused(Case *c, Status status, const char *message) {
    Sensitivity result;
    CHECK_FAILS(sensitivity_measure(&c->scratch.arena, &c->options, &result, &err), status, message);
}

START_TEST(what_cannot_be_measured_is_told) {
    Case c = case_make();
    case_write(&c);
    double amount = 1;
    c.options.amounts = &amount;
    c.options.amount_count = 1;
    check_refused(&c, ERR_USAGE, "--amounts: 1 is no share between 0 and 1");
    amount = NAN;
    check_refused(&c, ERR_USAGE, "--amounts: nan is no share");
    amount = 0.5;
    WeightScheme scheme = STORE_INT8_STATIC;
    c.options.schemes = &scheme;
    c.options.scheme_count = 1;
    check_refused(&c, ERR_USAGE, "--schemes: 'int8-static' cannot be measured layer by layer");
    scheme = STORE_INT8;
    c.options.samples = 3;
    check_refused(&c, ERR_FORMAT,
                  "data 'rows.jsonl' is too short: its references have 33 tokens in 3 samples, and at "
                  "least 64 are needed");
    c.options.samples = 0;
    c.data->rows[4].label_count = 0;
    check_refused(&c, ERR_FORMAT, "data 'rows.jsonl': sample 5 has no reference");
    c.data->rows[4].label_count = LABELS;
    ((int32_t *)(uintptr_t)c.data->rows[2].ids)[1] = VOCABULARY;
    check_refused(&c, ERR_FORMAT,
                  "data 'rows.jsonl': sample 3 holds token id 96, outside the model's vocabulary of 96");
    c.data->rows[2].labels = c.data->rows[2].ids;
    c.data->labelled = false;
    c.data->rows[2].ids = NULL;
    check_refused(&c, ERR_UNSUPPORTED, "has no tokenizer files: data has to be input_ids");
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(models_that_cannot_be_measured_are_told) {
    Case c = case_make();
    const char *names[] = {"model.decoder.layers.1.fc1.weight", "model.decoder.layernorm_embedding.bias"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        Tensor *tensor = variant_tensor(&c.source, names[i]), whole = *tensor;
        float *values = arena_array(&c.scratch.arena, tensor->bytes, 1, &err);
        memcpy(values, tensor->data, tensor->bytes);
        values[3] = NAN;
        tensor->data = values;
        case_write(&c);
        check_refused(&c, ERR_FORMAT, names[i]);
        *tensor = whole;
    }
    case_write(&c);
    char *out = scratch_path(&c.scratch, "out");
    QuantizeOptions options = {.scheme = STORE_INT8};
    RewriteReport report;
    CHECK_OK(quantize_model(&c.scratch.arena, c.model, out, &options, &report, &err));
    c.options.model = out;
    check_refused(&c, ERR_UNSUPPORTED, "is quantized already: measure the model it was made from");
    scratch_done(&c.scratch);
}
END_TEST

// Allocations and reads fail, each once: a clean error, and a cache that the next run can use. (What the cache writes
// fails in its own test.) Of the later allocations, which are much alike, every third.
START_TEST(every_fault_is_told) {
    static const FaultKind kinds[] = {FAULT_ALLOCATION, FAULT_READ};
    static const char *const names[] = {"allocations", "reads"};
    Case c = case_make();
    case_write(&c);
    Evaluations cache = {0};
    c.options.threads = 1;
    c.options.schemes = &all_schemes[2];
    c.options.scheme_count = 1;
    c.options.amount_count = 1;
    c.options.samples = 7;
    c.options.rouge_samples = 1;
    c.data->count = 7;
    Sensitivity whole = measure(&c);
    c.options.cache = &cache;
    for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
        uint64_t points = 0, tried = 0;
        cache.path = scratch_path(&c.scratch, names[k]);
        for (bool done = false; !done; points += points < 400 ? 1 : 3, tried++) {
            Arena arena;
            arena_init(&arena, 0);
            Sensitivity result;
            Error failure = {0};
            fault_arm(kinds[k], points + 1);
            Status status = sensitivity_measure(&arena, &c.options, &result, &failure);
            done = fault_seen(kinds[k]) <= points;
            fault_arm(kinds[k], 0);
            if (status == OK) // JSON's printer does without some of its memory
                check_same(&whole, &result);
            else
                ck_assert_msg(!done && status == (k ? ERR_IO : ERR_MEMORY), "%s, point %zu: %s", names[k],
                              (size_t)points, failure.message);
            arena_done(&arena);
        }
        printf("# %zu %s failed in turn\n", (size_t)tried - 1, names[k]);
        ck_assert_uint_gt(tried, 5);
    }
    scratch_done(&c.scratch);
}
END_TEST

TEST_MAIN("compress/sensitivity", rows_are_what_written_models_lose, norms_may_come_first, a_head_may_be_no_table,
          layers_come_as_they_run, threads_change_nothing, parts_add_up, what_was_measured_is_kept,
          a_deadline_ends_it_between_changes, what_is_written_is_scored, what_cannot_be_measured_is_told,
          models_that_cannot_be_measured_are_told, every_fault_is_told)

// SPDX-License-Identifier: Apache-2.0
// INT8 with static activations, from data to a model that runs: scales where linears share a value, smoothing and bias
// correction that lower the errors they are for, and what is refused.
#include <math.h>

#include "base/fault.h"
#include "compress/quantize.h"
#include "compress/tiny.h"
#include "compress/verify.h"
#include "measure/calibration.h"

enum { ROWS = 40, TOKENS = 12 };

static Error err;

// Rows of ids, with references for most of them.
static char *rows_write(Scratch *scratch, size_t count) {
    Buffer text = {0};
    unsigned seed = 3;
    for (size_t r = 0; r < count; r++) {
        buffer_add_text(&text, "{\"input_ids\": [");
        for (size_t i = 0; i < TOKENS; i++)
            buffer_format(&text, "%s%u", i ? ", " : "", 3 + (seed = seed * 1664525u + 1013904223u) % 37);
        buffer_add_text(&text, "]");
        if (r % 5)
            buffer_format(&text, ", \"label_ids\": [%zu, %zu, 2]", 4 + r % 30, 9 + r % 20);
        buffer_add_text(&text, "}\n");
    }
    char *path = scratch_path(scratch, "rows.jsonl");
    CHECK_OK(file_replace(path, text.data, text.bytes, &err));
    buffer_done(&text);
    return path;
}

static QuantizeOptions with(const char *data) {
    return (QuantizeOptions){.scheme = STORE_INT8_STATIC, .statics = {.data = data, .level = cpu_detect()}};
}

static Bundle tensors_of(Scratch *scratch, const char *folder) {
    Bytes file;
    Bundle bundle;
    CHECK_OK(file_map(&scratch->arena, path_join(&scratch->arena, folder, "model.safetensors", &err), &file, &err));
    CHECK_OK(safetensors_read(&scratch->arena, folder, file, &bundle, &err));
    return bundle;
}

static float scale_of(const Bundle *bundle, const char *name) {
    const Tensor *tensor = bundle_find(bundle, name);
    ck_assert_msg(tensor != NULL, "no '%s'", name);
    ck_assert(tensor->dtype == DTYPE_F32 && tensor->shape.rank == 1 && tensor->shape.dims[0] == 1);
    return *(const float *)tensor->data;
}

// Sums of outputs, column by column, of the linears of one weight.
typedef struct Outputs {
    const char *weight;
    size_t rows, columns;
    double sums[TINY_FFN];
} Outputs;

static void see(void *context, const Graph *graph, const Node *node, const Slab *inputs, const Slab *outputs) {
    Outputs *o = context;
    (void)graph;
    (void)inputs;
    if (node->op != OP_LINEAR || strcmp(node->inputs[1].constant->name, o->weight) != 0)
        return;
    o->rows += outputs[0].rows;
    o->columns = outputs[0].columns;
    for (size_t r = 0; r < outputs[0].rows; r++)
        for (size_t c = 0; c < outputs[0].columns; c++)
            o->sums[c] += (double)((const float *)outputs[0].data)[r * outputs[0].row_stride + c];
}

// Encodes every row of the data and decodes two tokens; ret_logits [ROWS, TINY_WORDS] of the second, for whoever asks.
static void model_run(Arena *arena, const char *path, bool passes, const char *rows, Outputs *outputs,
                      float *ret_logits) {
    const Model *model;
    Kernels kernels;
    Session *session;
    DataSet data;
    SessionLimits limits = {.most_rows = 2, .most_source_tokens = TOKENS, .pages = 2};
    kernels_pick(cpu_detect(), &kernels);
    CHECK_OK(model_open(arena, path, passes, &model, &err));
    CHECK_OK(data_read(arena, rows, ROWS, false, &data, &err));
    CHECK_OK(session_new(model_session(model), &kernels, NULL, &limits, &session, &err));
    session_observe(session, (PlanObserver){outputs ? see : NULL, outputs});
    for (size_t i = 0; i < data.count; i++) {
        Source *source;
        CHECK_OK(session_open(session, TOKENS, 2, &source, &err));
        EncodeItem item = {.source = source, .ids = data.rows[i].ids, .tokens = TOKENS, .keys = TOKENS};
        CHECK_OK(session_encode(session, &item, 1, NULL, &err));
        int32_t slots[] = {source_take_slot(source), source_take_slot(source)};
        DecodeRow decode[] = {{source, 2, 0, slots, 1, false}, {source, 7, 1, slots, 2, true}};
        float *logits;
        CHECK_OK(session_decode(session, decode, 2, &logits, &err));
        if (ret_logits)
            memcpy(ret_logits + i * TINY_WORDS, logits, TINY_WORDS * sizeof *logits);
        session_close(session, source);
    }
    session_free(session);
}

// Root of the mean squared difference over that of the second.
static double logits_error(const float *a, const float *b) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < ROWS * TINY_WORDS; i++) {
        difference += pow((double)a[i] - (double)b[i], 2);
        size += pow((double)b[i], 2);
    }
    return sqrt(difference / size);
}

static double error_of(Scratch *scratch, const char *model, const char *out, const char *rows) {
    static float a[ROWS * TINY_WORDS], b[ROWS * TINY_WORDS];
    model_run(&scratch->arena, model, true, rows, NULL, b);
    model_run(&scratch->arena, out, true, rows, NULL, a);
    return logits_error(a, b);
}

START_TEST(a_static_model_runs) {
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    Tiny tiny = tiny_make(arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *rows = rows_write(&scratch, ROWS);
    for (ThresholdRule rule = 0; rule < THRESHOLD_RULE_COUNT; rule++) {
        char *out = scratch_path(&scratch, threshold_rule_name(rule));
        QuantizeOptions options = with(rows);
        options.statics.rule = rule;
        RewriteReport report;
        CHECK_OK(quantize_model(arena, model, out, &options, &report, &err));
        Bundle written = tensors_of(&scratch, out);
        ck_assert_uint_eq(written.count,
                          tiny.count + 17 + 16); // a scale for each int8 weight, an input's for each linear
        ck_assert(scale_of(&written, "model.encoder.layers.0.self_attn.q_proj.input_scale") ==
                  scale_of(&written, "model.encoder.layers.0.self_attn.v_proj.input_scale"));
        ck_assert(scale_of(&written, "model.decoder.layers.0.encoder_attn.k_proj.input_scale") ==
                  scale_of(&written, "model.decoder.layers.0.encoder_attn.v_proj.input_scale"));
        double error = error_of(&scratch, model, out, rows);
        ck_assert_msg(error > 1e-5 && error < 0.1, "%s: %g", threshold_rule_name(rule), error);
        VerifyReport verified;
        WorkMeter meter = {0};
        CHECK_OK(verify_model(arena, out, &meter, &verified, &err));
        ck_assert_uint_eq(verified.problems.count, 0);
        ck_assert(verified.loaders[0].takes && !verified.loaders[2].takes); // the tables are hone's
        CHECK_FAILS(quantize_model(arena, out, scratch_path(&scratch, "again"), &options, &report, &err),
                    ERR_UNSUPPORTED, "is int8-static already: quantize the model it was made from");
    }
    const Model *opened;
    CHECK_OK(model_open(arena, scratch_path(&scratch, "minmax"), true, &opened, &err));
    size_t fused = 0; // q, k and v still are one product
    for (size_t n = 0; n < model_session(opened)->encode->node_count; n++)
        fused += model_session(opened)->encode->nodes[n]->op == OP_SPLIT;
    ck_assert_uint_eq(fused, 2);
    scratch_done(&scratch);
}
END_TEST

static const json_t *config_group(Scratch *scratch, const char *out, const char *name) {
    json_t *config;
    CHECK_OK(json_read(&scratch->arena, path_join(&scratch->arena, out, "config.json", &err), false, &config, &err));
    return json_object_get(json_object_get(json_object_get(config, "quantization_config"), "config_groups"), name);
}

START_TEST(configs_tell_of_static_activations) {
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    Tiny tiny = tiny_make(arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *rows = rows_write(&scratch, ROWS);
    char *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(rows);
    options.loadable = true;
    RewriteReport report;
    CHECK_OK(quantize_model(arena, model, out, &options, &report, &err));
    const json_t *group = config_group(&scratch, out, "group_0"), *inputs = json_object_get(group, "input_activations");
    ck_assert_str_eq(json_string_value(json_object_get(inputs, "strategy")), "tensor");
    ck_assert(json_is_false(json_object_get(inputs, "dynamic")));
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(group, "targets"), 0)), "Linear");
    ck_assert_ptr_null(config_group(&scratch, out, "group_1"));
    ck_assert(report.loaders[2].takes && report.loaders[3].takes);
    ck_assert_ptr_nonnull(strstr(report.loaders[3].reason, "static activations"));
    KeepRule keep = {"*.fc2", STORE_INT8};
    options.keeps = &keep;
    options.keep_count = 1;
    CHECK_OK(quantize_model(arena, model, out, &options, &report, &err));
    group = config_group(&scratch, out, "group_0"); // activations by token first
    ck_assert_uint_eq(json_array_size(json_object_get(group, "targets")), 2);
    group = config_group(&scratch, out, "group_1");
    ck_assert_uint_eq(json_array_size(json_object_get(group, "targets")), 14);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(group, "input_activations"), "strategy")),
                     "tensor");
    Bundle written = tensors_of(&scratch, out);
    ck_assert_ptr_null(bundle_find(&written, "model.encoder.layers.0.fc2.input_scale"));
    ck_assert(error_of(&scratch, model, out, rows) < 0.1);
    keep = (KeepRule){"*.fc1", STORE_FP16};
    options.loadable = false;
    options.statics.smooth = 0.5;
    CHECK_OK(quantize_model(arena, model, out, &options, &report, &err));
    group = config_group(&scratch, out, "group_0");
    ck_assert(json_is_true(json_object_get(group, "hone_factors")));
    ck_assert(report.loaders[0].takes && !report.loaders[2].takes && !report.loaders[3].takes);
    scratch_done(&scratch);
}
END_TEST

// A norm that makes two columns sixty times as large as the others: one scale for all of them leaves the others few
// levels.
static void outliers_make(Tiny *tiny) {
    static const char *const norms[] = {"model.encoder.layernorm_embedding.weight",
                                        "model.encoder.layers.0.self_attn_layer_norm.weight"};
    for (size_t i = 0; i < ARRAY_COUNT(norms); i++) {
        float *gain = tiny_values(tiny, norms[i]);
        for (size_t c = 0; c < TINY_WIDTH; c++)
            gain[c] = c % 8 == 3 ? 60 : 1;
    }
    static const char *const readers[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "fc1"};
    for (size_t i = 0; i < ARRAY_COUNT(readers); i++) { // weights that read the outliers are small
        char name[80];
        snprintf(name, sizeof name, "model.encoder.layers.0.%s.weight", readers[i]);
        float *values = tiny_values(tiny, name);
        size_t rows = strcmp(readers[i], "fc1") == 0 ? TINY_FFN : TINY_WIDTH;
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 3; c < TINY_WIDTH; c += 8)
                values[r * TINY_WIDTH + c] /= 60;
    }
}

START_TEST(smoothing_spares_the_other_columns) {
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    Tiny tiny = tiny_make(arena);
    outliers_make(&tiny);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *rows = rows_write(&scratch, ROWS);
    char *plain = scratch_path(&scratch, "plain"), *smooth = scratch_path(&scratch, "smooth");
    QuantizeOptions options = with(rows);
    options.embeddings = STORE_FP32;
    RewriteReport report;
    CHECK_OK(quantize_model(arena, model, plain, &options, &report, &err));
    options.statics.smooth = 0.5;
    CHECK_OK(quantize_model(arena, model, smooth, &options, &report, &err));
    double errors[] = {error_of(&scratch, model, plain, rows), error_of(&scratch, model, smooth, rows)};
    ck_assert_msg(errors[1] < errors[0] / 2, "smoothed %g, plain %g", errors[1], errors[0]);
    // what is written times what activations are multiplied with is the weight
    Bundle written = tensors_of(&scratch, smooth);
    const char *name = "model.encoder.layers.0.self_attn.q_proj.weight";
    const Tensor *q = bundle_find(&written, name), *scales = scales_of(&written, q);
    const float *factors = bundle_find(&written, "model.encoder.layers.0.self_attn.q_proj.input_factors")->data;
    ck_assert_mem_eq(factors, bundle_find(&written, "model.encoder.layers.0.self_attn.k_proj.input_factors")->data,
                     TINY_WIDTH * sizeof *factors);
    const float *source = tiny_values(&tiny, name);
    for (size_t r = 0; r < TINY_WIDTH; r++)
        for (size_t c = 0; c < TINY_WIDTH; c++) {
            double scale = (double)((const float *)scales->data)[r];
            double value = ((const int8_t *)q->data)[r * TINY_WIDTH + c] * scale;
            ck_assert(fabs(value - (double)source[r * TINY_WIDTH + c] / (double)factors[c]) <= scale * 0.5001);
        }
    scratch_done(&scratch);
}
END_TEST

// Mean absolute error of an output's mean.
static double mean_error(const Outputs *found, const Outputs *wanted) {
    double sum = 0;
    ck_assert_uint_eq(found->rows, wanted->rows);
    for (size_t c = 0; c < wanted->columns; c++)
        sum += fabs(found->sums[c] - wanted->sums[c]) / (double)wanted->rows;
    return sum / (double)wanted->columns;
}

START_TEST(bias_correction_lowers_mean_errors) {
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    Tiny tiny = tiny_make(arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *rows = rows_write(&scratch, ROWS);
    char *plain = scratch_path(&scratch, "plain"), *corrected = scratch_path(&scratch, "corrected");
    QuantizeOptions options = with(rows);
    options.embeddings = STORE_FP32;
    RewriteReport report;
    CHECK_OK(quantize_model(arena, model, plain, &options, &report, &err));
    options.statics.correct_bias = true;
    CHECK_OK(quantize_model(arena, model, corrected, &options, &report, &err));
    static const char *const weights[] = {"model.encoder.layers.0.self_attn.q_proj.weight",
                                          "model.encoder.layers.0.self_attn.v_proj.weight",
                                          "model.encoder.layers.0.fc1.weight"};
    for (size_t i = 0; i < ARRAY_COUNT(weights); i++) {
        Outputs wanted = {.weight = weights[i]}, before = wanted, after = wanted;
        model_run(arena, model, false, rows, &wanted, NULL);
        model_run(arena, plain, false, rows, &before, NULL);
        model_run(arena, corrected, false, rows, &after, NULL);
        double errors[] = {mean_error(&before, &wanted), mean_error(&after, &wanted)};
        ck_assert_msg(errors[1] < errors[0] * 0.75, "%s: corrected %g, plain %g", weights[i], errors[1], errors[0]);
    }
    scratch_done(&scratch);
}
END_TEST

static bool same_weights(Scratch *scratch, const char *a, const char *b) {
    Bytes files[2];
    CHECK_OK(file_map(&scratch->arena, path_join(&scratch->arena, a, "model.safetensors", &err), &files[0], &err));
    CHECK_OK(file_map(&scratch->arena, path_join(&scratch->arena, b, "model.safetensors", &err), &files[1], &err));
    return files[0].size == files[1].size && memcmp(files[0].data, files[1].data, files[0].size) == 0;
}

// Statistics that were kept give what running the model gives, by every rule.
START_TEST(statistics_can_be_kept) {
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    Tiny tiny = tiny_make(arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *rows = rows_write(&scratch, ROWS);
    char *kept = scratch_path(&scratch, "kept.safetensors"), *fresh = scratch_path(&scratch, "fresh");
    char *again = scratch_path(&scratch, "again"), *broken = scratch_path(&scratch, "broken.safetensors");
    RewriteReport report;
    QuantizeOptions options = with(rows);
    options.statics.correct_bias = true;
    for (ThresholdRule rule = 0; rule < THRESHOLD_RULE_COUNT; rule++) {
        options.statics.rule = rule;
        options.statics.data = rows;
        options.statics.save = kept;
        CHECK_OK(quantize_model(arena, model, fresh, &options, &report, &err));
        options.statics.data = kept;
        options.statics.save = NULL;
        CHECK_OK(quantize_model(arena, model, again, &options, &report, &err));
        ck_assert_msg(same_weights(&scratch, fresh, again), "%s", threshold_rule_name(rule));
    }
    options.statics.smooth = 0.5;
    CHECK_FAILS(quantize_model(arena, model, again, &options, &report, &err), ERR_USAGE, "--smooth needs rows to run");
    options.statics.smooth = 0;
    Bytes file;
    Bundle bundle;
    CHECK_OK(file_map(arena, kept, &file, &err));
    CHECK_OK(safetensors_read(arena, "kept", file, &bundle, &err));
    options.statics.data = broken;
    for (size_t t = 0; t < bundle.count;
         t++) { // each tensor in turn of another size; the head's statistics serve nobody
        static const uint64_t zeros[4];
        if (strstr(bundle.tensors[t].name, "model.shared.weight"))
            continue;
        Tensor saved = bundle.tensors[t];
        bundle.tensors[t].data = zeros;
        bundle.tensors[t].shape.dims[0] = 3;
        CHECK_OK(safetensors_write(broken, bundle.tensors, bundle.count, NULL, NULL, &err));
        CHECK_FAILS(quantize_model(arena, model, again, &options, &report, &err), ERR_FORMAT, "");
        bundle.tensors[t] = saved;
    }
    options.statics.data = path_join(arena, model, "model.safetensors", &err);
    CHECK_FAILS(quantize_model(arena, model, again, &options, &report, &err), ERR_FORMAT,
                "holds no statistics of calibration");
    scratch_done(&scratch);
}
END_TEST

START_TEST(what_is_refused) {
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    Tiny tiny = tiny_make(arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    RewriteReport report;
    QuantizeOptions options = with(NULL);
    CHECK_FAILS(quantize_model(arena, model, out, &options, &report, &err), ERR_USAGE,
                "int8-static needs --calibration DATA");
    options = with(rows_write(&scratch, 3));
    CHECK_FAILS(quantize_model(arena, model, out, &options, &report, &err), ERR_FORMAT,
                "is too short: its sources have");
    options.scheme = STORE_FP16;
    CHECK_FAILS(quantize_model(arena, model, out, &options, &report, &err), ERR_USAGE,
                "--calibration is for int8-static, and for int4 by --gptq: no linear becomes either");
    ck_assert_int_eq(path_kind(out), PATH_NONE);
    scratch_done(&scratch);
}
END_TEST

// Static scales as other files might have them.
START_TEST(scales_that_cannot_be) {
    static const struct {
        const char *name;
        size_t elements;
        float value;
        Status status;
        const char *text;
    } cases[] = {
        {"input_scale", 1, 0, ERR_FORMAT, "input_scale' is 0, expected a positive scale"},
        {"input_scale", 1, NAN, ERR_FORMAT, "expected a positive scale"},
        {"input_scale", 2, 1, ERR_FORMAT, "has 2 scales, expected one for all activations"},
        {"input_factors", TINY_WIDTH, -1, ERR_FORMAT, "holds -1 at 0, expected positive factors"},
        {"input_factors", 3, 1, ERR_FORMAT, "is [3], and by"},
    };
    Scratch scratch = scratch_make();
    Arena *arena = &scratch.arena;
    Tiny tiny = tiny_make(arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *rows = rows_write(&scratch, ROWS);
    char *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(rows);
    options.statics.smooth = 0.5;
    RewriteReport report;
    const Model *opened;
    CHECK_OK(quantize_model(arena, model, out, &options, &report, &err));
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        Bundle bundle = tensors_of(&scratch, out);
        char name[120], folder[32];
        snprintf(name, sizeof name, "model.encoder.layers.0.fc1.%s", cases[i].name);
        float *values = arena_array(arena, cases[i].elements, sizeof *values, &err);
        for (size_t e = 0; e < cases[i].elements; e++)
            values[e] = cases[i].value;
        for (size_t t = 0; t < bundle.count; t++)
            if (strcmp(bundle.tensors[t].name, name) == 0) {
                bundle.tensors[t].data = values;
                bundle.tensors[t].shape.dims[0] = (int64_t)cases[i].elements;
            }
        snprintf(folder, sizeof folder, "broken-%zu", i);
        char *staging, *path = scratch_path(&scratch, folder);
        CHECK_OK(folder_stage(arena, path, true, &staging, &err));
        CHECK_OK(safetensors_write(path_join(arena, staging, "model.safetensors", &err), bundle.tensors, bundle.count,
                                   NULL, NULL, &err));
        CHECK_OK(file_replace(path_join(arena, staging, "config.json", &err), tiny_config, strlen(tiny_config), &err));
        CHECK_OK(folder_commit(staging, path, &err));
        CHECK_FAILS(model_open(arena, path, true, &opened, &err), cases[i].status, cases[i].text);
    }
    scratch_done(&scratch);
}
END_TEST

// Every allocation, read and write of a calibrated, smoothed, corrected run fails once: a clean error, nothing left.
START_TEST(every_fault_leaves_nothing) {
    static const FaultKind kinds[] = {FAULT_ALLOCATION, FAULT_READ, FAULT_WRITE};
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *rows = rows_write(&scratch, 22);
    char *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(rows);
    options.statics.smooth = 0.5;
    options.statics.correct_bias = true;
    for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
        uint64_t points = 0;
        for (bool done = false; !done; points++) {
            Arena arena;
            arena_init(&arena, 0);
            RewriteReport report;
            Error failure = {0};
            fault_arm(kinds[k], points + 1);
            Status status = quantize_model(&arena, model, out, &options, &report, &failure);
            done = fault_seen(kinds[k]) <= points;
            fault_arm(kinds[k], 0);
            arena_done(&arena);
            if (done)
                folder_discard(out);
            ck_assert_msg(status == (done ? OK
                                     : k  ? ERR_IO
                                          : ERR_MEMORY),
                          "kind %zu, point %zu: %s", k, (size_t)points, failure.message);
            ck_assert_msg(scratch_count(&scratch) == 2, "kind %zu, point %zu leaves something", k, (size_t)points);
        }
        printf("# quantize: %zu faults of kind %zu in turn\n", (size_t)points - 1, k);
        ck_assert_uint_gt(points, 5);
    }
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("compress/static", a_static_model_runs, configs_tell_of_static_activations,
          smoothing_spares_the_other_columns, bias_correction_lowers_mean_errors, statistics_can_be_kept,
          what_is_refused, scales_that_cannot_be, every_fault_leaves_nothing)

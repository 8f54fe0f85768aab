// SPDX-License-Identifier: Apache-2.0
// Pruned models: parts without weight can be left out without changing what a model says; what is left out is what has
// the smallest joint norm, computed here anew; masks change zeros and nothing else; and what cannot be done is told.
#include "compress/prune.h"

#include <math.h>

#include "base/fault.h"
#include "compress/quantize.h"
#include "compress/verify.h"
#include "model/variants.h"

#define TINY_BART "tests/golden/engine/tiny_bart"

static Error err;

typedef struct Case {
    Scratch scratch;
    Bundle source, written;
    char *model, *out;
    PruneReport report;
    const json_t *config;
} Case;

static Case case_make(void) {
    Case c = {.scratch = scratch_make()};
    c.source = variant_tensors(&c.scratch.arena, TINY_BART);
    for (size_t i = 0; i < c.source.count; i++) { // copies that may be changed
        void *copy = arena_array(&c.scratch.arena, c.source.tensors[i].bytes, 1, &err);
        memcpy(copy, c.source.tensors[i].data, c.source.tensors[i].bytes);
        c.source.tensors[i].data = copy;
    }
    return c;
}

static void case_write(Case *c) {
    c->model = variant_folder(&c->scratch, "model", TINY_BART, "{}");
    variant_write(&c->scratch, c->model, "model.safetensors", c->source.tensors, c->source.count);
    c->out = scratch_path(&c->scratch, "out");
}

static Bundle tensors_of(Case *c, const char *folder) {
    Bytes file;
    Bundle bundle;
    CHECK_OK(file_map(&c->scratch.arena, path_join(&c->scratch.arena, folder, "model.safetensors", &err), &file, &err));
    CHECK_OK(safetensors_read(&c->scratch.arena, folder, file, &bundle, &err));
    return bundle;
}

static PruneOptions with(PruneMethod method, const char *amount) {
    PruneOptions options = {.method = method, .n = 2};
    CHECK_OK(prune_amount_parse(amount, &options.amount, &err));
    return options;
}

// Prunes, verifies, and reads back.
static void case_run(Case *c, const PruneOptions *options) {
    VerifyReport report;
    CHECK_OK(prune_model(&c->scratch.arena, c->model, c->out, options, &c->report, &err));
    CHECK_OK(verify_model(&c->scratch.arena, c->out, &(WorkMeter){0}, &report, &err));
    ck_assert_uint_eq(report.problems.count, 0);
    for (size_t i = 0; i < LOADER_COUNT; i++)
        ck_assert_int_eq(report.loaders[i].takes, c->report.written.loaders[i].takes);
    c->written = tensors_of(c, c->out);
    c->config = json_of(&c->scratch.arena, c->out, "config.json");
}

static int64_t setting(const Case *c, const char *key) {
    return json_integer_value(json_object_get(c->config, key));
}

static float *values_of(const Bundle *bundle, const char *format, const char *module, size_t *ret_columns) {
    char name[160];
    snprintf(name, sizeof name, format, module);
    const Tensor *tensor = variant_tensor((Bundle *)(uintptr_t)bundle, name);
    if (ret_columns)
        *ret_columns = (size_t)tensor->shape.dims[tensor->shape.rank - 1];
    return (float *)(uintptr_t)tensor->data;
}

// Zeros in rows [first, first + count) of a linear and its bias.
static void clear_rows(Case *c, const char *module, size_t first, size_t count) {
    size_t columns;
    float *weight = values_of(&c->source, "%s.weight", module, &columns);
    memset(weight + first * columns, 0, count * columns * sizeof *weight);
    memset(values_of(&c->source, "%s.bias", module, NULL) + first, 0, count * sizeof *weight);
}

static void clear_columns(Case *c, const char *module, size_t rows, size_t first, size_t count) {
    size_t columns;
    float *weight = values_of(&c->source, "%s.weight", module, &columns);
    for (size_t r = 0; r < rows; r++)
        memset(weight + r * columns + first, 0, count * sizeof *weight);
}

static void clear_head(Case *c, const char *attention, size_t head, size_t dim) {
    static const char *const projections[] = {"q_proj", "k_proj", "v_proj"};
    char name[128];
    for (size_t p = 0; p < 3; p++) {
        snprintf(name, sizeof name, "%s.%s", attention, projections[p]);
        clear_rows(c, name, head * dim, dim);
    }
    snprintf(name, sizeof name, "%s.out_proj", attention);
    clear_columns(c, name, 32, head * dim, dim);
}

// Every other neuron from `first` on, 16 of them.
static void clear_neurons(Case *c, const char *layer, size_t first) {
    char name[128];
    for (size_t i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "%s.fc1", layer);
        clear_rows(c, name, first + 2 * i, 1);
        snprintf(name, sizeof name, "%s.fc2", layer);
        clear_columns(c, name, 32, first + 2 * i, 1);
    }
}

// The pruned model says what the source says, with the same bits under every instruction set.
static void check_same_answers(Case *c) {
    static const int32_t ids[] = {0, 5, 17, 40, 8, 8, 31, 22, 4, 3, 9, 33, 12, 25, 6, 7, 19, 2};
    static const int32_t decoder[] = {2, 0, 14, 14, 30, 9, 27};
    static const Item item = {ids, NULL, decoder, ARRAY_COUNT(ids), ARRAY_COUNT(decoder)};
    Arena *arena = &c->scratch.arena;
    Outputs before = fixed_outputs(arena, c->model, true), after = fixed_outputs(arena, c->out, true);
    ck_assert_uint_eq(before.logit_count, after.logit_count);
    double worst = 0;
    for (size_t i = 0; i < before.logit_count; i++)
        worst = fmax(worst, fabs((double)before.logits[i] - (double)after.logits[i]));
    ck_assert_msg(worst < 1e-4, "logits move by %g", worst);
    const Model *model, *plain;
    CHECK_OK(model_open(arena, c->out, true, &model, &err));
    CHECK_OK(model_open(arena, c->out, false, &plain, &err));
    for (CpuLevel level = CPU_REF; level <= cpu_detect(); level++)
        for (int by_token = 0; by_token < 2; by_token++) {
            Outputs fused = item_run(arena, model, level, &item, by_token);
            Outputs apart = item_run(arena, plain, level, &item, by_token);
            ck_assert(outputs_equal(&fused, &after) && outputs_equal(&apart, &after));
        }
    for (KvKind kind = KV_F16; kind < KV_KIND_COUNT; kind++) { // heads with scales beside them have their place too
        Outputs kept = item_run_kept(arena, model, cpu_detect(), &item, true, kind);
        for (size_t i = 0; i < kept.logit_count; i++)
            ck_assert(isfinite(kept.logits[i]));
    }
}

static const char layer_names[3][32] = {"model.encoder.layers.0", "model.decoder.layers.0", "model.decoder.layers.1"};

START_TEST(neurons_without_weight_go_uniformly) {
    Case c = case_make();
    for (size_t l = 0; l < 3; l++)
        clear_neurons(&c, layer_names[l], l ? 1 : 3);
    case_write(&c);
    PruneOptions options = with(PRUNE_FFN, "0.34"); // 16 of 48; 11 of 32, and 21 is nearer to 16 than to 32
    case_run(&c, &options);
    ck_assert_int_eq(setting(&c, "encoder_ffn_dim"), 32);
    ck_assert_int_eq(setting(&c, "decoder_ffn_dim"), 16);
    ck_assert_uint_eq(c.report.units, 48 + 32 + 32);
    ck_assert_uint_eq(c.report.removed, 48);
    ck_assert_str_eq(c.report.parts[2].name, "model.decoder.layers.1.fc1");
    ck_assert_uint_eq(c.report.parts[2].removed, 16);
    size_t left_out = 48 * (32 + 1 + 32) * sizeof(float), header = 64; // shapes are written with fewer digits
    ck_assert_uint_le(c.report.written.written_bytes, c.report.written.original_bytes - left_out);
    ck_assert_uint_ge(c.report.written.written_bytes + header, c.report.written.original_bytes - left_out);
    ck_assert(c.report.written.loaders[1].takes && !c.report.masked);
    ck_assert_ptr_null(json_object_get(json_of(&c.scratch.arena, c.out, "hone.json"), "shapes"));
    check_same_answers(&c);
    scratch_done(&c.scratch);
}
END_TEST

static void check_shape(const json_t *shapes, const char *side, size_t layer, int64_t heads, int64_t cross,
                        int64_t ffn) {
    const json_t *row = json_array_get(json_object_get(shapes, side), layer);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "heads")), heads);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "cross_heads")), cross);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "ffn")), ffn);
}

START_TEST(neurons_without_weight_go_raggedly) {
    Case c = case_make();
    clear_neurons(&c, layer_names[0], 3);
    clear_neurons(&c, layer_names[2], 1);
    case_write(&c);
    PruneOptions options = with(PRUNE_FFN, "32");
    options.ragged = true;
    case_run(&c, &options);
    const json_t *shapes = json_object_get(json_of(&c.scratch.arena, c.out, "hone.json"), "shapes");
    check_shape(shapes, "encoder", 0, 2, 0, 32);
    check_shape(shapes, "decoder", 0, 4, 4, 32);
    check_shape(shapes, "decoder", 1, 4, 4, 16);
    ck_assert_int_eq(setting(&c, "encoder_ffn_dim"), 48);
    ck_assert(c.report.written.loaders[0].takes && !c.report.written.loaders[1].takes);
    check_same_answers(&c);
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(heads_without_weight_go) {
    Case c = case_make();
    clear_head(&c, "model.encoder.layers.0.self_attn", 1, 16);
    clear_head(&c, "model.decoder.layers.0.self_attn", 1, 8);
    clear_head(&c, "model.decoder.layers.0.self_attn", 3, 8);
    clear_head(&c, "model.decoder.layers.1.encoder_attn", 0, 8);
    case_write(&c);
    PruneOptions options = with(PRUNE_HEADS, "4");
    CHECK_FAILS(prune_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_UNSUPPORTED,
                "give --mode ragged");
    options.ragged = true;
    case_run(&c, &options);
    const json_t *shapes = json_object_get(json_of(&c.scratch.arena, c.out, "hone.json"), "shapes");
    check_shape(shapes, "encoder", 0, 1, 0, 48);
    check_shape(shapes, "decoder", 0, 2, 4, 32);
    check_shape(shapes, "decoder", 1, 4, 3, 32);
    ck_assert_uint_eq(c.report.removed, 4);
    ck_assert_str_eq(c.report.parts[0].name, "model.encoder.layers.0.self_attn");
    ck_assert_ptr_nonnull(strstr(c.report.written.loaders[1].reason, "sizes of their own"));
    check_same_answers(&c);
    // Written again, by whatever command, its sizes stay with it.
    char *model = c.out, *again = scratch_path(&c.scratch, "again");
    QuantizeOptions half = {.scheme = STORE_FP16};
    RewriteReport report;
    CHECK_OK(quantize_model(&c.scratch.arena, model, again, &half, &report, &err));
    ck_assert(!report.loaders[1].takes);
    const json_t *kept = json_object_get(json_of(&c.scratch.arena, again, "hone.json"), "shapes");
    ck_assert(json_equal(kept, shapes));
    options = with(PRUNE_FFN, "0.5");
    c.model = again;
    c.out = scratch_path(&c.scratch, "third");
    case_run(&c, &options);
    shapes = json_object_get(json_of(&c.scratch.arena, c.out, "hone.json"), "shapes");
    check_shape(shapes, "decoder", 0, 2, 4, 16);
    ck_assert_int_eq(setting(&c, "decoder_ffn_dim"), 16);
    ck_assert_int_eq(variant_tensor(&c.written, "model.decoder.layers.0.fc1.weight")->dtype, DTYPE_F16);
    scratch_done(&c.scratch);
}
END_TEST

// Neurons whose activation is almost nothing, however large their weights, are what the data finds.
START_TEST(data_finds_what_is_never_used) {
    Case c = case_make();
    for (size_t l = 0; l < 3; l++) {
        float *bias = values_of(&c.source, "%s.fc1.bias", layer_names[l], NULL);
        for (size_t i = 0; i < 16; i++)
            bias[2 * i + 1] = -40; // gelu gives 0
    }
    case_write(&c);
    char *data = scratch_path(&c.scratch, "data.jsonl");
    Buffer rows = {0};
    for (size_t r = 0; r < 24; r++) {
        buffer_add_text(&rows, "{\"input_ids\":[0");
        for (size_t t = 0; t < 14; t++)
            buffer_format(&rows, ",%zu", 4 + (r * 17 + t * 31) % 90);
        buffer_format(&rows, ",2],\"label_ids\":[0,%zu,%zu,2]}\n", 5 + r, 9 + r);
    }
    CHECK_OK(file_replace(data, rows.data, rows.bytes, &err));
    buffer_done(&rows);
    PruneOptions options = with(PRUNE_FFN, "16");
    options.data = data;
    case_run(&c, &options);
    for (size_t l = 0; l < 3; l++) {
        const float *bias = values_of(&c.written, "%s.fc1.bias", layer_names[l], NULL);
        for (size_t u = 0; u < (l ? 16 : 32); u++)
            ck_assert(bias[u] > -20);
    }
    check_same_answers(&c);
    const json_t *recipe = json_object_get(json_of(&c.scratch.arena, c.out, "hone.json"), "recipe");
    ck_assert_str_eq(json_string_value(json_object_get(recipe, "data")), "data.jsonl");
    options.data = scratch_path(&c.scratch, "nothing.jsonl");
    CHECK_FAILS(prune_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_IO, "nothing.jsonl");
    scratch_done(&c.scratch);
}
END_TEST

// Joint norms with another order of sums and loops, and the ranks they give.
START_TEST(the_smallest_joint_norms_go) {
    Case c = case_make();
    case_write(&c);
    PruneOptions options = with(PRUNE_FFN, "16");
    case_run(&c, &options);
    for (size_t l = 0; l < 3; l++) {
        size_t units = l ? 32 : 48, removed = 0, columns, now_columns;
        const float *fc1 = values_of(&c.source, "%s.fc1.weight", layer_names[l], &columns);
        const float *fc2 = values_of(&c.source, "%s.fc2.weight", layer_names[l], NULL);
        const float *bias = values_of(&c.source, "%s.fc1.bias", layer_names[l], NULL);
        const float *fc1_now = values_of(&c.written, "%s.fc1.weight", layer_names[l], NULL);
        const float *fc2_now = values_of(&c.written, "%s.fc2.weight", layer_names[l], &now_columns);
        const float *bias_now = values_of(&c.written, "%s.fc1.bias", layer_names[l], NULL);
        ck_assert_uint_eq(now_columns, units - 16);
        double scores[48];
        for (size_t u = 0; u < units; u++) {
            scores[u] = (double)bias[u] * (double)bias[u];
            for (size_t i = 32; i-- > 0;)
                scores[u] += pow((double)fc1[u * 32 + i], 2) + pow((double)fc2[i * units + u], 2);
        }
        for (size_t u = 0; u < units; u++) {
            size_t larger = 0;
            for (size_t o = 0; o < units; o++)
                larger += scores[o] > scores[u];
            if (larger >= units - 16) {
                removed++;
                continue;
            }
            size_t now = u - removed;
            ck_assert_mem_eq(fc1_now + now * 32, fc1 + u * 32, 32 * sizeof *fc1);
            ck_assert(bias_now[now] == bias[u]);
            for (size_t r = 0; r < 32; r++)
                ck_assert(fc2_now[r * now_columns + now] == fc2[r * units + u]);
        }
        ck_assert_uint_eq(removed, 16);
    }
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(layers_go_and_are_numbered_anew) {
    Case c = case_make();
    case_write(&c);
    PruneOptions options = with(PRUNE_LAYERS, "1");
    CHECK_FAILS(prune_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_USAGE,
                "--amount removes all 1 layers of the encoder, and one has to stay");
    options.only = "decoder.layers.0.*";
    case_run(&c, &options);
    ck_assert_int_eq(setting(&c, "decoder_layers"), 1);
    ck_assert_int_eq(setting(&c, "encoder_layers"), 1);
    ck_assert(c.report.written.loaders[1].takes);
    size_t moved = 0;
    for (size_t i = 0; i < c.written.count; i++) {
        char name[160];
        const char *layer = strstr(c.written.tensors[i].name, "decoder.layers.");
        snprintf(name, sizeof name, "%s", c.written.tensors[i].name);
        ck_assert(!layer || layer[15] == '0');
        if (layer)
            name[layer + 15 - c.written.tensors[i].name] = '1';
        moved += layer != NULL;
        const Tensor *source = variant_tensor(&c.source, name);
        ck_assert_uint_eq(source->bytes, c.written.tensors[i].bytes);
        ck_assert_mem_eq(source->data, c.written.tensors[i].data, source->bytes);
    }
    ck_assert_uint_eq(moved, 26);
    ck_assert_uint_eq(c.report.part_count, 3);
    ck_assert_uint_eq(c.report.parts[1].removed, 1);
    ck_assert_str_eq(c.report.parts[1].name, "model.decoder.layers.0");
    options.only = "encoder.nothing";
    CHECK_FAILS(prune_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_USAGE,
                "--only: the pattern 'encoder.nothing' takes no layer of model");
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(masks_change_zeros_and_nothing_else) {
    Case c = case_make();
    case_write(&c);
    PruneOptions options = with(PRUNE_L1_UNSTRUCTURED, "0.3");
    for (int global = 0; global < 2; global++) {
        options.global = global;
        case_run(&c, &options);
        size_t masked = 0, zeros = 0, values = 0;
        for (size_t i = 0; i < c.source.count; i++) {
            const Tensor *source = &c.source.tensors[i];
            const Tensor *now = bundle_find(&c.written, source->name);
            if (!now || memcmp(now->data, source->data, source->bytes) == 0)
                continue;
            masked++;
            ck_assert(strstr(source->name, "layers.") && source->shape.rank == 2);
            for (size_t e = 0; e < source->bytes / sizeof(float); e++, values++) {
                float was = ((const float *)source->data)[e], is = ((const float *)now->data)[e];
                ck_assert(is == was || is == 0);
                zeros += is == 0;
            }
        }
        ck_assert_uint_eq(masked, 6 + 2 * 10);
        ck_assert_uint_eq(zeros, c.report.removed);
        ck_assert_uint_eq(values, c.report.units);
        if (global)
            ck_assert_uint_eq(zeros, (size_t)nearbyint(0.3 * (double)values));
        ck_assert(c.report.masked && c.report.written.loaders[1].takes);
        ck_assert_uint_eq(c.report.written.written_bytes, c.report.written.original_bytes);
    }
    options = (PruneOptions){.method = PRUNE_L1_UNSTRUCTURED, .two_of_four = true, .only = "*.fc2"};
    case_run(&c, &options);
    ck_assert_uint_eq(c.report.part_count, 3);
    ck_assert_uint_eq(c.report.removed * 2, c.report.units);
    const float *fc2 = values_of(&c.written, "%s.fc2.weight", layer_names[1], NULL);
    for (size_t i = 0; i < 32 * 32; i += 4)
        ck_assert_int_eq((fc2[i] == 0) + (fc2[i + 1] == 0) + (fc2[i + 2] == 0) + (fc2[i + 3] == 0), 2);
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(bitmaps_hold_what_dense_masks_hold) {
    Case c = case_make();
    case_write(&c);
    PruneOptions options = with(PRUNE_L1_UNSTRUCTURED, "0.7");
    case_run(&c, &options);
    Bundle dense = c.written;
    char *dense_folder = c.out;
    c.out = scratch_path(&c.scratch, "bitmap");
    options.bitmap = true;
    case_run(&c, &options);
    const Tensor *values = variant_tensor(&c.written, "model.decoder.layers.0.fc1.weight.values");
    ck_assert_uint_eq(values->bytes, sizeof(float) * (32 * 32 - 717)); // 0.7 of 1024 is 716.8
    ck_assert_uint_eq(variant_tensor(&c.written, "model.decoder.layers.0.fc1.weight.bitmap")->bytes, 32 * 32 / 8);
    ck_assert_uint_lt(c.report.written.written_bytes, c.report.written.original_bytes);
    ck_assert(c.report.written.loaders[0].takes && !c.report.written.loaders[2].takes);
    const Model *model;
    CHECK_OK(model_open(&c.scratch.arena, c.out, false, &model, &err));
    ck_assert_uint_eq(model_info(model)->sparse_tensors, 26);
    ck_assert_uint_eq(model_tensors(model)->count, dense.count);
    for (size_t i = 0; i < dense.count; i++) {
        const Tensor *now = bundle_find(model_tensors(model), dense.tensors[i].name);
        ck_assert(shape_equal(&now->shape, &dense.tensors[i].shape));
        ck_assert_mem_eq(now->data, dense.tensors[i].data, now->bytes);
    }
    Outputs a = fixed_outputs(&c.scratch.arena, dense_folder, true), b = fixed_outputs(&c.scratch.arena, c.out, true);
    ck_assert(outputs_equal(&a, &b));
    char *again = scratch_path(&c.scratch, "again");
    CHECK_FAILS(prune_model(&c.scratch.arena, c.out, again, &options, &c.report, &err), ERR_UNSUPPORTED,
                "keeps its zeros as bitmaps: give the model it was made from");
    options = with(PRUNE_L1_UNSTRUCTURED, "0.01"); // a bit for each value is more than what it saves
    options.bitmap = true;
    case_run(&c, &options);
    ck_assert_uint_eq(c.report.written.written_bytes, c.report.written.original_bytes);
    ck_assert(c.report.written.loaders[1].takes);
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(what_cannot_be_done_is_told) {
    Case c = case_make();
    case_write(&c);
    PruneOptions options = with(PRUNE_FFN, "0.5");
    options.only = "decoder.layers.0.*";
    CHECK_FAILS(prune_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_USAGE,
                "--only takes 1 of 2 layers of the decoder");
    options = with(PRUNE_FFN, "33");
    CHECK_FAILS(prune_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_USAGE,
                "--amount is 33, and a layer of the decoder has 32 neurons");
    options = with(PRUNE_LN_STRUCTURED, "0.5");
    options.only = "*.fc9";
    CHECK_FAILS(prune_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_USAGE,
                "takes no linear weight of the layers of model");
    static const char *const amounts[] = {"", "1.5", "-0.1", "nan", "half", "0.5x", "-1"};
    PruneAmount amount;
    for (size_t i = 0; i < ARRAY_COUNT(amounts); i++)
        CHECK_FAILS(prune_amount_parse(amounts[i], &amount, &err), ERR_USAGE, "expected a fraction from 0.0 to 1.0");
    QuantizeOptions int8 = {.scheme = STORE_INT8};
    RewriteReport report;
    char *packed = scratch_path(&c.scratch, "packed");
    CHECK_OK(quantize_model(&c.scratch.arena, c.model, packed, &int8, &report, &err));
    options = with(PRUNE_FFN, "0.5");
    CHECK_FAILS(prune_model(&c.scratch.arena, packed, c.out, &options, &c.report, &err), ERR_UNSUPPORTED,
                "is quantized already: prune the model it was made from");
    values_of(&c.source, "%s.fc2.weight", layer_names[2], NULL)[33] = NAN;
    variant_write(&c.scratch, c.model, "model.safetensors", c.source.tensors, c.source.count);
    static const PruneMethod all[] = {PRUNE_LN_STRUCTURED, PRUNE_L1_UNSTRUCTURED, PRUNE_FFN, PRUNE_LAYERS};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        options = with(all[i], "0.5");
        options.only = all[i] == PRUNE_LAYERS ? "decoder.layers.0.*" : NULL;
        CHECK_FAILS(prune_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_FORMAT,
                    "tensor 'model.decoder.layers.1.fc2.weight' is nan at [1,1], and weights must be finite");
    }
    ck_assert_uint_eq(scratch_count(&c.scratch), 2); // the model and its quantized copy
    scratch_done(&c.scratch);
}
END_TEST

// Sizes that a hone.json may claim: those that fit no tensor, no config, or nothing at all.
START_TEST(hostile_shapes_are_refused) {
    static const struct {
        const char *shapes, *message;
    } cases[] = {
        {"7", "'shapes' is no object"},
        {"[]", "'shapes' is no object"},
        {"{}", "has no list 'encoder' of 1 layers"},
        {"{\"encoder\":[{}],\"decoder\":[{}]}", "has no list 'decoder' of 2 layers"},
        {"{\"encoder\":[{}],\"decoder\":[{},{},{}]}", "has no list 'decoder' of 2 layers"},
        {"{\"encoder\":[1],\"decoder\":[{},{}]}", "shapes.encoder[0] is no object"},
        {"{\"encoder\":[{\"heads\":0}],\"decoder\":[{},{}]}", "shapes.encoder[0]: 'heads' is 0"},
        {"{\"encoder\":[{\"heads\":3}],\"decoder\":[{},{}]}", "shapes.encoder[0]: 'heads' is 3"},
        {"{\"encoder\":[{\"heads\":1.5}],\"decoder\":[{},{}]}", "shapes.encoder[0]: 'heads' is 1.5"},
        {"{\"encoder\":[{}],\"decoder\":[{},{\"cross_heads\":5}]}", "shapes.decoder[1]: 'cross_heads' is 5"},
        {"{\"encoder\":[{\"ffn\":1e300}],\"decoder\":[{},{}]}", "shapes.encoder[0]: 'ffn' is 1e300"},
        {"{\"encoder\":[{\"ffn\":9223372036854775807}],\"decoder\":[{},{}]}", "shapes.encoder[0]: 'ffn' is 92233"},
        {"{\"encoder\":[{\"ffn\":47}],\"decoder\":[{},{}]}", "hone.json' it must be [47,32]"},
        {"{\"encoder\":[{}],\"decoder\":[{\"cross_heads\":3},{}]}", "hone.json' it must be [24,32]"},
    };
    Case c = case_make();
    case_write(&c);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char text[256];
        const Model *model;
        snprintf(text, sizeof text, "{\"shapes\":%s}", cases[i].shapes);
        CHECK_OK(file_replace(path_join(&c.scratch.arena, c.model, "hone.json", &err), text, strlen(text), &err));
        CHECK_FAILS(model_open(&c.scratch.arena, c.model, true, &model, &err), ERR_FORMAT, cases[i].message);
    }
    scratch_done(&c.scratch);
}
END_TEST

// Every allocation, read and write fails once: a clean error, and the place of the output untouched.
START_TEST(every_fault_leaves_nothing) {
    static const FaultKind kinds[] = {FAULT_ALLOCATION, FAULT_READ, FAULT_WRITE};
    static const char *const names[] = {"allocations", "reads", "writes"};
    static const PruneMethod methods[] = {PRUNE_LN_STRUCTURED, PRUNE_L1_UNSTRUCTURED, PRUNE_HEADS, PRUNE_LAYERS};
    Case c = case_make();
    case_write(&c);
    for (size_t i = 0; i < ARRAY_COUNT(methods) * 3; i++) {
        size_t k = i % 3;
        PruneOptions options = with(methods[i / 3], "0.5");
        options.ragged = methods[i / 3] == PRUNE_HEADS;
        uint64_t points = 0;
        for (bool done = false; !done; points++) {
            Arena arena;
            arena_init(&arena, 0);
            PruneReport report;
            Error failure = {0};
            fault_arm(kinds[k], points + 1);
            Status status = prune_model(&arena, c.model, c.out, &options, &report, &failure);
            done = fault_seen(kinds[k]) <= points;
            fault_arm(kinds[k], 0);
            arena_done(&arena);
            if (done) {
                ck_assert_int_eq(status, OK);
                folder_discard(c.out);
            } else {
                ck_assert_msg(status == (k ? ERR_IO : ERR_MEMORY), "%s, point %zu: %s", names[k], (size_t)points,
                              failure.message);
            }
            ck_assert_msg(scratch_count(&c.scratch) == 1, "%s, point %zu leaves something", names[k], (size_t)points);
        }
        printf("# %s: %zu %s failed in turn\n", prune_method_name(options.method), (size_t)points - 1, names[k]);
        ck_assert_uint_gt(points, 5);
    }
    scratch_done(&c.scratch);
}
END_TEST

TEST_MAIN("compress/prune", neurons_without_weight_go_uniformly, neurons_without_weight_go_raggedly,
          heads_without_weight_go, data_finds_what_is_never_used, the_smallest_joint_norms_go,
          layers_go_and_are_numbered_anew, masks_change_zeros_and_nothing_else, bitmaps_hold_what_dense_masks_hold,
          what_cannot_be_done_is_told, hostile_shapes_are_refused, every_fault_leaves_nothing)

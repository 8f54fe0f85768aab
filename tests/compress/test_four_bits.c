// SPDX-License-Identifier: Apache-2.0
// Models written in 4 bits: the bytes are the quantizers', names and settings the formats', and what one form cannot
// say is hone's own.
#define TINY_SCALE 4
#include "compress/quantize.h"
#include "compress/tiny.h"
#include "compress/verify.h"
#include "tensor/four_bits.h"
#include "tensor/quantize4.h"

static Error err;

typedef struct Case {
    Scratch scratch;
    Tiny tiny;
    char *model, *out;
    RewriteReport report;
    Bundle written;
    const json_t *quantization; // of config.json
} Case;

static Case case_make(void) {
    Case c = {.scratch = scratch_make()};
    return c;
}

static void case_model(Case *c) {
    c->tiny = tiny_make(&c->scratch.arena);
    c->model = tiny_write(&c->tiny, &c->scratch, "model", tiny_config_scaled(&c->scratch.arena));
    c->out = scratch_path(&c->scratch, "out");
}

// Writes, verifies and reads back.
static void case_run(Case *c, const QuantizeOptions *options) {
    Arena *arena = &c->scratch.arena;
    Bytes file;
    json_t *config;
    VerifyReport report;
    CHECK_OK(quantize_model(arena, c->model, c->out, options, &c->report, &err));
    CHECK_OK(verify_model(arena, c->out, &(WorkMeter){0}, &report, &err));
    ck_assert_uint_eq(report.problems.count, 0);
    for (size_t i = 0; i < LOADER_COUNT; i++) {
        ck_assert_str_eq(report.loaders[i].reason, c->report.loaders[i].reason);
        ck_assert_int_eq(report.loaders[i].takes, c->report.loaders[i].takes);
    }
    char *path = path_join(arena, c->out, "model.safetensors", &err);
    CHECK_OK(file_map(arena, path, &file, &err));
    CHECK_OK(safetensors_read(arena, path, file, &c->written, &err));
    ck_assert_uint_eq(file.size, c->report.written_bytes);
    CHECK_OK(json_read(arena, path_join(arena, c->out, "config.json", &err), false, &config, &err));
    c->quantization = json_object_get(config, "quantization_config");
    size_t told = 0, held = 0;
    for (size_t i = 0; i < c->report.weights.count; i++)
        told += c->report.weights.items[i].bytes;
    for (size_t i = 0; i < c->written.count; i++)
        held += c->written.tensors[i].bytes;
    ck_assert_uint_eq(told, held);
}

static const Tensor *beside(const Case *c, const char *name, const char *ending, DType dtype) {
    char full[200];
    snprintf(full, sizeof full, "%s%s", name, ending);
    const Tensor *tensor = bundle_find(&c->written, full);
    ck_assert_msg(tensor != NULL, "no '%s'", full);
    ck_assert_int_eq(tensor->dtype, dtype);
    return tensor;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    ck_assert_msg(text != NULL, "no '%s'", key);
    return text;
}

static size_t takers(const Case *c) {
    size_t bits = 0;
    for (size_t i = 0; i < LOADER_COUNT; i++)
        bits |= (size_t)c->report.loaders[i].takes << i;
    return bits;
}

START_TEST(nf4_has_bitsandbytes_tensors) {
    Case c = case_make();
    case_model(&c);
    case_run(&c, &(QuantizeOptions){.scheme = STORE_NF4});
    size_t weights = 0;
    for (size_t i = 0; i < c.tiny.count; i++) {
        const Tensor *source = &c.tiny.tensors[i];
        if (source->shape.rank != 2 || strstr(source->name, "embed_positions"))
            continue;
        size_t elements = source->bytes / 4, blocks = (elements + 63) / 64;
        uint8_t *pairs = arena_array(&c.scratch.arena, elements, 1, &err);
        float *absmax = arena_array(&c.scratch.arena, blocks, sizeof *absmax, &err);
        CHECK_OK(quantize_nf4_blocks("x", DTYPE_F32, source->data, elements, 64, pairs, absmax, &err));
        const Tensor *codes = beside(&c, source->name, "", DTYPE_U8);
        char shape[SHAPE_TEXT_BYTES], expected[32], state[128];
        snprintf(expected, sizeof expected, "[%zu,1]", elements / 2);
        ck_assert_str_eq(shape_text(&codes->shape, shape), expected);
        ck_assert_mem_eq(codes->data, pairs, elements / 2);
        ck_assert_mem_eq(beside(&c, source->name, ".absmax", DTYPE_F32)->data, absmax, blocks * sizeof *absmax);
        ck_assert_mem_eq(beside(&c, source->name, ".quant_map", DTYPE_F32)->data, nf4_map, sizeof nf4_map);
        const Tensor *json = beside(&c, source->name, ".quant_state.bitsandbytes__nf4", DTYPE_U8);
        snprintf(state, sizeof state,
                 "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"float16\", \"shape\": [%d, %d]}",
                 (int)source->shape.dims[0], (int)source->shape.dims[1]);
        ck_assert_uint_eq(json->bytes, strlen(state));
        ck_assert_mem_eq(json->data, state, json->bytes);
        weights++;
    }
    ck_assert_uint_eq(weights, 17);
    ck_assert_int_eq(bundle_find(&c.written, "model.encoder.embed_positions.weight")->dtype, DTYPE_F16);
    ck_assert_str_eq(text_of(c.quantization, "quant_method"), "bitsandbytes");
    ck_assert_str_eq(text_of(c.quantization, "bnb_4bit_compute_dtype"), "float16");
    ck_assert(json_is_false(json_object_get(c.quantization, "bnb_4bit_use_double_quant")));
    ck_assert_uint_eq(takers(&c), 1); // the table
    case_run(&c, &(QuantizeOptions){.scheme = STORE_NF4, .loadable = true});
    ck_assert_int_eq(bundle_find(&c.written, "model.shared.weight")->dtype, DTYPE_F16);
    ck_assert_uint_eq(takers(&c), 1 | 1 << 4);
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(double_quantization_reads_back) {
    Case c = case_make();
    case_model(&c);
    QuantizeOptions options = {.scheme = STORE_NF4, .double_quant = true};
    case_run(&c, &options);
    const char *name = "model.shared.weight";
    const Tensor *state = beside(&c, name, ".quant_state.bitsandbytes__nf4", DTYPE_U8);
    json_t *json;
    CHECK_OK(json_parse(&c.scratch.arena, "state", (Bytes){state->data, state->bytes}, false, &json, &err));
    ck_assert_int_eq(json_integer_value(json_object_get(json, "nested_blocksize")), 256);
    ck_assert_str_eq(text_of(json, "nested_dtype"), "float32");
    ck_assert(json_is_real(json_object_get(json, "nested_offset")));
    ck_assert_uint_eq(beside(&c, name, ".nested_quant_map", DTYPE_F32)->bytes, 1024);
    ck_assert_uint_eq(beside(&c, name, ".nested_absmax", DTYPE_F32)->bytes, 4);
    FourBits plain, nested;
    CHECK_OK(four_bits_read(&c.scratch.arena, &c.written, beside(&c, name, "", DTYPE_U8), &nested, &err));
    options.double_quant = false;
    case_run(&c, &options);
    CHECK_OK(four_bits_read(&c.scratch.arena, &c.written, beside(&c, name, "", DTYPE_U8), &plain, &err));
    ck_assert_mem_eq(plain.pairs, nested.pairs, TINY_WORDS * TINY_WIDTH / 2);
    for (size_t i = 0; i < TINY_WORDS; i++)                                 // one block a row
        ck_assert(112 * fabsf(plain.scales[i] - nested.scales[i]) < 0.01f); // half a step of the map
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(int4_has_compressed_tensors_tensors) {
    Case c = case_make();
    case_model(&c);
    QuantizeOptions options = {.scheme = STORE_INT4, .group = 64, .int4_rule = INT4_FIT};
    CHECK_FAILS(quantize_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_USAGE,
                "fc2.weight' has 96 columns, no multiple of the group of 64: give a smaller --group");
    options.group = 32;
    case_run(&c, &options);
    const Tensor *source = &c.tiny.tensors[0];
    while (!strstr(source->name, "encoder.layers.0.fc2.weight"))
        source++;
    uint8_t pairs[TINY_WIDTH * TINY_FFN / 2];
    float scales[TINY_WIDTH * 3];
    CHECK_OK(quantize_int4_rows("x", DTYPE_F32, source->data, TINY_WIDTH, TINY_FFN, 32, INT4_FIT, DTYPE_F16, pairs,
                                scales, &err));
    const Tensor *packed = beside(&c, source->name, "_packed", DTYPE_I32);
    char shape[SHAPE_TEXT_BYTES];
    ck_assert_str_eq(shape_text(&packed->shape, shape), "[64,12]");
    ck_assert_mem_eq(packed->data, pairs, sizeof pairs);
    const Tensor *scale = beside(&c, source->name, "_scale", DTYPE_F16);
    ck_assert_str_eq(shape_text(&scale->shape, shape), "[64,3]");
    for (size_t i = 0; i < ARRAY_COUNT(scales); i++)
        ck_assert(f16_to_f32(((const uint16_t *)scale->data)[i]) == scales[i]);
    ck_assert_mem_eq(beside(&c, source->name, "_shape", DTYPE_I64)->data, ((const int64_t[]){64, 96}), 16);
    ck_assert_str_eq(text_of(c.quantization, "format"), "pack-quantized");
    const json_t *group = json_object_get(json_object_get(c.quantization, "config_groups"), "group_0");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(group, "weights"), "group_size")), 32);
    ck_assert(json_is_true(json_object_get(group, "hone_tables")));
    ck_assert_uint_eq(takers(&c), 1);
    options.loadable = true;
    case_run(&c, &options);
    ck_assert_uint_eq(takers(&c), 1 | 1 << 2 | 1 << 3);
    group = json_object_get(json_object_get(c.quantization, "config_groups"), "group_0");
    ck_assert_ptr_null(json_object_get(group, "hone_tables"));
    scratch_done(&c.scratch);
}
END_TEST

START_TEST(schemes_mix_as_far_as_formats_do) {
    Case c = case_make();
    case_model(&c);
    KeepRule rules[] = {{"*.fc1", STORE_INT8}, {"*.decoder.*.q_proj", STORE_FP16}, {"*.v_proj", STORE_NF4}};
    QuantizeOptions options = {.scheme = STORE_INT4, .group = 32, .keeps = rules, .keep_count = 2, .loadable = true};
    case_run(&c, &options);
    ck_assert_str_eq(text_of(c.quantization, "format"), "mixed-precision");
    const json_t *groups = json_object_get(c.quantization, "config_groups");
    const json_t *int8 = json_object_get(groups, "group_0"), *int4 = json_object_get(groups, "group_1");
    ck_assert_str_eq(text_of(int8, "format"), "int-quantized");
    ck_assert_str_eq(text_of(int4, "format"), "pack-quantized");
    ck_assert_uint_eq(json_array_size(json_object_get(int8, "targets")), 2);
    ck_assert_uint_eq(json_array_size(json_object_get(int4, "targets")), 12);
    ck_assert_uint_eq(json_array_size(json_object_get(c.quantization, "ignore")), 3);
    ck_assert_uint_eq(takers(&c), 1 | 1 << 2 | 1 << 3);
    options.keep_count = 3;
    case_run(&c, &options);
    groups = json_object_get(c.quantization, "config_groups");
    ck_assert(json_is_true(json_object_get(json_object_get(groups, "group_0"), "hone_form")));
    ck_assert_uint_eq(takers(&c), 1);
    ck_assert_str_eq(c.report.loaders[2].reason, "its linears are partly nf4, partly not: a form of hone's own");
    char *again = scratch_path(&c.scratch, "again");
    CHECK_FAILS(
        quantize_model(&c.scratch.arena, c.out, again, &(QuantizeOptions){.scheme = STORE_FP16}, &c.report, &err),
        ERR_UNSUPPORTED, "already");
    rules[0] = (KeepRule){"*.bias", STORE_NF4};
    CHECK_FAILS(quantize_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_USAGE,
                "that can be nf4");
    options = (QuantizeOptions){.scheme = STORE_NF4, .embeddings = STORE_NF4, .loadable = true};
    CHECK_FAILS(quantize_model(&c.scratch.arena, c.model, c.out, &options, &c.report, &err), ERR_USAGE,
                "--loadable: 'model.shared.weight' cannot be nf4, which only hone reads in a table");
    options = (QuantizeOptions){.scheme = STORE_FP16, .embeddings = STORE_NF4};
    case_run(&c, &options);
    ck_assert_uint_eq(takers(&c), 1);
    scratch_done(&c.scratch);
}
END_TEST

// Any byte of what stands beside the codes: a clean answer.
START_TEST(damage_ends_cleanly) {
    Case c = case_make();
    case_model(&c);
    case_run(&c, &(QuantizeOptions){.scheme = STORE_NF4, .double_quant = true});
    char *path = path_join(&c.scratch.arena, c.out, "model.safetensors", &err);
    Bytes file;
    CHECK_OK(file_map(&c.scratch.arena, path, &file, &err));
    unsigned char *copy = arena_array(&c.scratch.arena, file.size, 1, &err);
    memcpy(copy, file.data, file.size);
    size_t refused = 0;
    for (size_t at = 8; at < file.size; at += 97) {
        Arena arena;
        arena_init(&arena, 64 << 20);
        VerifyReport report;
        copy[at] ^= 0x55;
        CHECK_OK(file_replace(path, copy, file.size, &err));
        Status status = verify_model(&arena, c.out, &(WorkMeter){0}, &report, &err);
        ck_assert_msg(status == OK || status == ERR_FORMAT || status == ERR_UNSUPPORTED || status == ERR_LIMIT,
                      "byte %zu: %s", at, err.message);
        ck_assert(status != OK || report.problems.count == 1);
        refused += status != OK;
        copy[at] ^= 0x55;
        arena_done(&arena);
    }
    ck_assert_uint_gt(refused, 20);
    scratch_done(&c.scratch);
}
END_TEST

TEST_MAIN("compress/four_bits", nf4_has_bitsandbytes_tensors, double_quantization_reads_back,
          int4_has_compressed_tensors_tensors, schemes_mix_as_far_as_formats_do, damage_ends_cleanly)

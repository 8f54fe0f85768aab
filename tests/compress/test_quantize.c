// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"
#include "compress/config_text.h"
#include "compress/quantize.h"
#include "compress/tiny.h"
#include "compress/verify.h"

static Error err;

static QuantizeOptions with(WeightScheme scheme) {
    return (QuantizeOptions){.scheme = scheme};
}

static Bundle tensors_of(Scratch *scratch, const char *folder) {
    Bytes file;
    Bundle bundle;
    CHECK_OK(file_map(&scratch->arena, path_join(&scratch->arena, folder, "model.safetensors", &err), &file, &err));
    CHECK_OK(safetensors_read(&scratch->arena, folder, file, &bundle, &err));
    return bundle;
}

static Bytes bytes_of(Scratch *scratch, const char *folder, const char *name) {
    Bytes file;
    CHECK_OK(file_map(&scratch->arena, path_join(&scratch->arena, folder, name, &err), &file, &err));
    return file;
}

static bool same_file(Scratch *scratch, const char *a, const char *b, const char *name) {
    Bytes left = bytes_of(scratch, a, name), right = bytes_of(scratch, b, name);
    return left.size == right.size && memcmp(left.data, right.data, left.size) == 0;
}

// Every row of `written` is within half a step of `source`, its largest at 127.
static void check_rows(const Bundle *written, const Tensor *source) {
    const Tensor *q = bundle_find(written, source->name), *s = scales_of(written, q);
    ck_assert_ptr_nonnull(s);
    size_t rows = (size_t)source->shape.dims[0], columns = (size_t)source->shape.dims[1];
    char shape[SHAPE_TEXT_BYTES], expected[32];
    snprintf(expected, sizeof expected, "[%zu,1]", rows);
    ck_assert_str_eq(shape_text(&s->shape, shape), expected);
    for (size_t r = 0; r < rows; r++) {
        const float *x = (const float *)source->data + r * columns;
        double scale = ((const float *)s->data)[r], absmax = 0;
        int largest = 0;
        for (size_t c = 0; c < columns; c++) {
            int value = ((const int8_t *)q->data)[r * columns + c];
            ck_assert(fabs(value * scale - (double)x[c]) <= scale * 0.50001);
            absmax = fmax(absmax, fabs((double)x[c]));
            largest = abs(value) > largest ? abs(value) : largest;
        }
        ck_assert(fabs(scale - absmax / 127) <= 1e-7 * absmax);
        ck_assert_int_eq(largest, absmax > 0 ? 127 : 0);
    }
}

START_TEST(int8_is_within_half_a_step) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(STORE_INT8);
    RewriteReport report;
    CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &report, &err));
    Bundle written = tensors_of(&scratch, out);
    size_t int8 = 0;
    for (size_t i = 0; i < tiny.count; i++) {
        const Tensor *source = &tiny.tensors[i], *now = bundle_find(&written, source->name);
        ck_assert_ptr_nonnull(now);
        if (strstr(source->name, "embed_positions")) {
            ck_assert_int_eq(now->dtype, DTYPE_F16);
        } else if (source->shape.rank == 2) {
            ck_assert_int_eq(now->dtype, DTYPE_I8);
            check_rows(&written, source);
            int8++;
        } else {
            ck_assert_int_eq(now->dtype, DTYPE_F32);
            ck_assert_mem_eq(now->data, source->data, source->bytes);
        }
    }
    ck_assert_uint_eq(int8, 17); // 6 of the encoder's layer, 10 of the decoder's, the word table
    ck_assert_uint_eq(written.count, tiny.count + int8);
    ck_assert_uint_eq(report.written_bytes, bytes_of(&scratch, out, "model.safetensors").size);
    ck_assert_uint_eq(report.original_bytes, bytes_of(&scratch, model, "model.safetensors").size);
    ck_assert(report.loaders[0].takes && !report.loaders[1].takes && !report.loaders[2].takes);
    ck_assert(same_file(&scratch, model, out, "generation_config.json"));
    char **names;
    size_t count;
    CHECK_OK(folder_list(&scratch.arena, out, &names, &count, &err));
    ck_assert_uint_eq(count, 4); // config, generation_config, hone.json, weights: no log
    scratch_done(&scratch);
}
END_TEST

START_TEST(loadable_leaves_tables_in_half_precision) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(STORE_INT8);
    options.loadable = true;
    RewriteReport report;
    CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &report, &err));
    Bundle written = tensors_of(&scratch, out);
    ck_assert_int_eq(bundle_find(&written, "model.shared.weight")->dtype, DTYPE_F16);
    ck_assert_int_eq(bundle_find(&written, "model.encoder.layers.0.fc1.weight")->dtype, DTYPE_I8);
    ck_assert(!report.loaders[1].takes && report.loaders[2].takes);
    options.embeddings = STORE_INT8;
    CHECK_FAILS(quantize_model(&scratch.arena, model, out, &options, &report, &err), ERR_USAGE,
                "--loadable: 'model.shared.weight' cannot be int8");
    options = with(STORE_INT8);
    options.embeddings = STORE_FP32;
    CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &report, &err));
    written = tensors_of(&scratch, out);
    ck_assert_int_eq(bundle_find(&written, "model.shared.weight")->dtype, DTYPE_F32);
    ck_assert_int_eq(bundle_find(&written, "model.decoder.embed_positions.weight")->dtype, DTYPE_F32);
    scratch_done(&scratch);
}
END_TEST

// Half precision of a normal number, computed by arithmetic: 11 significant bits, half to even.
static double rounded_half(double x) {
    int exponent;
    if (x == 0)
        return 0;
    frexp(x, &exponent);
    int step = exponent - 11 > -24 ? exponent - 11 : -24;
    return ldexp(nearbyint(ldexp(x, -step)), step);
}

START_TEST(fp16_rounds_and_stays_where_it_would_overflow) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    tiny_values(&tiny, "model.encoder.layers.0.fc2.weight")[5] = 65504;
    tiny_values(&tiny, "model.encoder.layers.0.fc1.bias")[3] = -65505;
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(STORE_FP16);
    RewriteReport report;
    CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &report, &err));
    Bundle written = tensors_of(&scratch, out);
    for (size_t i = 0; i < tiny.count; i++) {
        const Tensor *source = &tiny.tensors[i], *now = bundle_find(&written, source->name);
        bool stays = strcmp(source->name, "model.encoder.layers.0.fc1.bias") == 0;
        ck_assert_int_eq(now->dtype, stays ? DTYPE_F32 : DTYPE_F16);
        for (size_t e = 0; e < source->bytes / 4 && !stays; e++) {
            double expected = rounded_half((double)((const float *)source->data)[e]);
            ck_assert(expected == (double)f16_to_f32(((const uint16_t *)now->data)[e]));
        }
    }
    ck_assert_uint_eq(report.weights.notes.count, 1);
    ck_assert_str_eq(report.weights.notes.texts[0],
                     "tensor 'model.encoder.layers.0.fc1.bias' stays fp32: it holds 65505 and fp16 ends at 65504");
    Bytes config = bytes_of(&scratch, out, "config.json"), manifest = bytes_of(&scratch, out, "hone.json");
    ck_assert_ptr_nonnull(memmem(config.data, config.size, "\"float32\"", 9)); // float16 would make it infinite
    ck_assert_ptr_nonnull(memmem(manifest.data, manifest.size, "stays fp32", 10));
    options = with(STORE_BF16);
    CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &report, &err));
    ck_assert_uint_eq(report.weights.notes.count, 0);
    config = bytes_of(&scratch, out, "config.json");
    ck_assert_ptr_nonnull(memmem(config.data, config.size, "\"torch_dtype\": \"bfloat16\"", 25));
    ck_assert_ptr_null(memmem(config.data, config.size, "quantization_config", 19));
    scratch_done(&scratch);
}
END_TEST

START_TEST(keep_decides_by_name) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    static const char *const texts[] = {"*.decoder.*.fc2=fp16", "re:decoder.*attn[.].*=bf16", "model.shared=fp32",
                                        "*.fc2=fp32"};
    KeepRule rules[4];
    for (size_t i = 0; i < 4; i++)
        CHECK_OK(keep_rule_parse(&scratch.arena, texts[i], &rules[i], &err));
    QuantizeOptions options = with(STORE_INT8);
    options.keeps = rules;
    options.keep_count = 4;
    RewriteReport report;
    CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &report, &err));
    Bundle written = tensors_of(&scratch, out);
    ck_assert_int_eq(bundle_find(&written, "model.decoder.layers.0.fc2.weight")->dtype, DTYPE_F16);
    ck_assert_int_eq(bundle_find(&written, "model.encoder.layers.0.fc2.weight")->dtype, DTYPE_F32);
    ck_assert_int_eq(bundle_find(&written, "model.decoder.layers.0.self_attn.k_proj.weight")->dtype, DTYPE_BF16);
    ck_assert_int_eq(bundle_find(&written, "model.encoder.layers.0.self_attn.k_proj.weight")->dtype, DTYPE_I8);
    ck_assert_int_eq(bundle_find(&written, "model.shared.weight")->dtype, DTYPE_F32);
    json_t *config;
    CHECK_OK(json_read(&scratch.arena, path_join(&scratch.arena, out, "config.json", &err), false, &config, &err));
    const json_t *ignore = json_object_get(json_object_get(config, "quantization_config"), "ignore");
    ck_assert_uint_eq(json_array_size(ignore), 11); // both fc2, eight projections of the decoder, the head
    ck_assert_str_eq(json_string_value(json_array_get(ignore, 0)), "model.decoder.layers.0.encoder_attn.k_proj");
    ck_assert_str_eq(json_string_value(json_array_get(ignore, 10)), "lm_head");
    rules[3].pattern = "*.fc3";
    CHECK_FAILS(quantize_model(&scratch.arena, model, out, &options, &report, &err), ERR_USAGE,
                "--keep: the pattern '*.fc3' decides for no weight of model");
    rules[3] = (KeepRule){"*.bias", STORE_INT8};
    CHECK_FAILS(quantize_model(&scratch.arena, model, out, &options, &report, &err), ERR_USAGE, "that can be int8");
    CHECK_FAILS(keep_rule_parse(&scratch.arena, "*.fc3", &rules[0], &err), ERR_USAGE, "expected PATTERN=SCHEME");
    CHECK_OK(keep_rule_parse(&scratch.arena, "x=int8-static", &rules[0], &err));
    ck_assert_int_eq(rules[0].scheme, STORE_INT8_STATIC);
    CHECK_FAILS(keep_rule_parse(&scratch.arena, "x=int", &rules[0], &err), ERR_USAGE, "'int' is no scheme");
    scratch_done(&scratch);
}
END_TEST

START_TEST(the_same_input_gives_the_same_bytes) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    char *a = tiny_write(&tiny, &scratch, "a", tiny_config), *b = tiny_write(&tiny, &scratch, "b", tiny_config);
    char *one = scratch_path(&scratch, "one"), *two = scratch_path(&scratch, "two");
    QuantizeOptions options = with(STORE_INT8);
    RewriteReport report;
    CHECK_OK(quantize_model(&scratch.arena, a, one, &options, &report, &err));
    CHECK_OK(quantize_model(&scratch.arena, b, two, &options, &report, &err));
    static const char *const names[] = {"config.json", "generation_config.json", "hone.json", "model.safetensors"};
    for (size_t i = 0; i < 4; i++)
        ck_assert_msg(same_file(&scratch, one, two, names[i]), "%s differs", names[i]);
    CHECK_OK(quantize_model(&scratch.arena, one, two, &options, &report, &err)); // int8 goes through as it is
    ck_assert(same_file(&scratch, one, two, "model.safetensors"));
    options = with(STORE_FP16);
    CHECK_FAILS(quantize_model(&scratch.arena, one, two, &options, &report, &err), ERR_UNSUPPORTED,
                "is int8 already and cannot become fp16: quantize the model it was made from");
    scratch_done(&scratch);
}
END_TEST

START_TEST(a_tied_table_is_written_once) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    float *words = tiny_values(&tiny, "model.shared.weight");
    float *head = tiny_add(&tiny, "lm_head.weight", TINY_WORDS, TINY_WIDTH);
    memcpy(head, words, sizeof *head * TINY_WORDS * TINY_WIDTH);
    tiny_add(&tiny, "final_logits_bias", 1, TINY_WORDS);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    RewriteReport report;
    CHECK_OK(quantize_model(&scratch.arena, model, out, &(QuantizeOptions){.scheme = STORE_FP16}, &report, &err));
    Bundle written = tensors_of(&scratch, out);
    ck_assert_ptr_null(bundle_find(&written, "lm_head.weight"));
    ck_assert_ptr_nonnull(bundle_find(&written, "model.shared.weight"));
    ck_assert_ptr_nonnull(bundle_find(&written, "final_logits_bias"));
    ck_assert_uint_eq(written.count, tiny.count - 1);
    head[5] += 1; // not tied: two tables
    Buffer config = {0};
    config_text_set((Bytes){(const unsigned char *)tiny_config, strlen(tiny_config)}, "tie_word_embeddings", "false",
                    &config);
    char *untied = tiny_write(&tiny, &scratch, "untied", config.data);
    buffer_done(&config);
    CHECK_OK(quantize_model(&scratch.arena, untied, out, &(QuantizeOptions){.scheme = STORE_INT8}, &report, &err));
    written = tensors_of(&scratch, out);
    ck_assert_int_eq(bundle_find(&written, "lm_head.weight")->dtype, DTYPE_I8);
    ck_assert_int_eq(bundle_find(&written, "model.shared.weight")->dtype, DTYPE_I8);
    scratch_done(&scratch);
}
END_TEST

START_TEST(bad_weights_are_refused_by_name) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    float *values = tiny_values(&tiny, "model.decoder.layers.0.fc1.weight");
    char *out = scratch_path(&scratch, "out");
    RewriteReport report;
    static const WeightScheme all[] = {STORE_FP16, STORE_BF16, STORE_INT8, STORE_NF4};
    static const char *const names[] = {"n1", "n2", "n3", "n4"};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        QuantizeOptions options = with(all[i]);
        values[3 * TINY_WIDTH + 5] = NAN;
        char *model = tiny_write(&tiny, &scratch, names[i], tiny_config);
        CHECK_FAILS(quantize_model(&scratch.arena, model, out, &options, &report, &err), ERR_FORMAT,
                    "tensor 'model.decoder.layers.0.fc1.weight' is nan at [3,5], and weights must be finite");
        values[3 * TINY_WIDTH + 5] = 0;
    }
    ck_assert_uint_eq(scratch_count(&scratch), 4); // the models, and nothing of the output
    CHECK_FAILS(quantize_model(&scratch.arena, scratch_path(&scratch, "nowhere"), out, &(QuantizeOptions){STORE_INT8},
                               &report, &err),
                ERR_IO, "there is no model at");
    scratch_done(&scratch);
}
END_TEST

static const char *edited(Scratch *scratch, const char *text, const char *key, const char *value) {
    Buffer out = {0};
    config_text_set((Bytes){(const unsigned char *)text, strlen(text)}, key, value, &out);
    CHECK_OK(buffer_status(&out, &err));
    const char *copy = arena_copy_text(&scratch->arena, out.data, out.bytes, &err);
    buffer_done(&out);
    return copy;
}

START_TEST(config_keeps_its_text) {
    Scratch scratch = scratch_make();
    ck_assert_str_eq(edited(&scratch, "{\"a\": 1e30, \"b\" : {\"c\":[1,\"}\\\"\"]} , \"c\":0.1 }", "b", "2"),
                     "{\"a\": 1e30, \"b\" : 2 , \"c\":0.1 }");
    ck_assert_str_eq(edited(&scratch, "{\"a\":{\"c\":1},\"c\":-0.10}", "c", "\"x\""), "{\"a\":{\"c\":1},\"c\":\"x\"}");
    ck_assert_str_eq(edited(&scratch, "{\n  \"a\": [\"b\", 1]\n}\n", "b", "2"),
                     "{\n  \"a\": [\"b\", 1],\n  \"b\": 2\n}\n");
    ck_assert_str_eq(edited(&scratch, " {}", "b", "2"), " {\n  \"b\": 2\n}");
    ck_assert_str_eq(edited(&scratch, "{\"a\":\"\\\\\"}", "b", "2"), "{\"a\":\"\\\\\",\n  \"b\": 2\n}");
    const char *escaped = "{\"torch\\u005fdtype\":\"float32\"}";
    Bytes text = {(const unsigned char *)escaped, strlen(escaped)}, made;
    WeightList none = {0};
    CHECK_FAILS(config_text_make(&scratch.arena, "file 'x'", (Bytes){(const unsigned char *)"[]", 2}, &none, STORE_FP16,
                                 &made, &err),
                ERR_FORMAT, "file 'x': expected a JSON object");
    CHECK_FAILS(config_text_make(&scratch.arena, "file 'x'", text, &none, STORE_FP16, &made, &err), ERR_FORMAT,
                "duplicate");
    scratch_done(&scratch);
}
END_TEST

static void flip_byte(Scratch *scratch, const char *folder, const char *name, size_t from_end) {
    Bytes file = bytes_of(scratch, folder, name);
    char *path = path_join(&scratch->arena, folder, name, &err);
    unsigned char *copy = arena_array(&scratch->arena, file.size, 1, &err);
    memcpy(copy, file.data, file.size);
    copy[file.size - from_end] ^= 1;
    CHECK_OK(file_replace(path, copy, file.size, &err));
}

START_TEST(verify_finds_what_changed) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(STORE_INT8);
    RewriteReport made;
    VerifyReport report;
    WorkMeter meter = {0};
    CHECK_OK(verify_model(&scratch.arena, model, &meter, &report, &err));
    ck_assert(!report.manifest.there && report.problems.count == 0 && report.loaders[1].takes);
    ck_assert_uint_eq(report.real_tensors, tiny.count);
    CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &made, &err));
    CHECK_OK(verify_model(&scratch.arena, out, &meter, &report, &err));
    ck_assert_uint_eq(report.problems.count, 0);
    ck_assert_uint_eq(report.files, 3);
    ck_assert_uint_eq(report.int8_tensors, 17);
    ck_assert(report.loaders[0].takes && !report.loaders[2].takes);
    flip_byte(&scratch, out, "model.safetensors", 1);
    CHECK_OK(verify_model(&scratch.arena, out, &meter, &report, &err));
    ck_assert_uint_eq(report.problems.count, 1);
    ck_assert_ptr_nonnull(strstr(report.problems.texts[0], "file 'model.safetensors' has changed: its SHA-256 is"));
    ck_assert_int_eq(unlink(path_join(&scratch.arena, out, "generation_config.json", &err)), 0);
    CHECK_OK(verify_model(&scratch.arena, out, &meter, &report, &err));
    ck_assert_uint_eq(report.problems.count, 2);
    ck_assert_str_eq(report.problems.texts[0], "file 'generation_config.json' is missing, which hone.json lists");
    const char *bad = "{\"files\":[{\"name\":\"../x\",\"bytes\":1,\"sha256\":"
                      "\"0000000000000000000000000000000000000000000000000000000000000000\"}]}";
    CHECK_OK(file_replace(path_join(&scratch.arena, out, "hone.json", &err), bad, strlen(bad), &err));
    CHECK_FAILS(verify_model(&scratch.arena, out, &meter, &report, &err), ERR_FORMAT,
                "'../x' is no name of a file in this folder");
    scratch_done(&scratch);
}
END_TEST

// Int8 tensors as another program could have written them: a scale that is no number, one of a row that is not zero.
START_TEST(verify_looks_at_every_scale) {
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(STORE_INT8);
    RewriteReport made;
    CHECK_OK(quantize_model(&scratch.arena, model, out, &options, &made, &err));
    Bundle written = tensors_of(&scratch, out);
    static const float bad[] = {NAN, -1, 0, INFINITY};
    for (size_t i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "bad%zu", i);
        Tiny other = {.arena = &scratch.arena, .count = written.count};
        ck_assert_uint_le(written.count, TINY_MOST * 2);
        Tensor tensors[TINY_MOST * 2];
        memcpy(tensors, written.tensors, written.count * sizeof *tensors);
        float scales[TINY_FFN];
        for (size_t t = 0; t < written.count; t++)
            if (strcmp(tensors[t].name, "model.encoder.layers.0.fc1.weight_scale") == 0) {
                memcpy(scales, tensors[t].data, sizeof scales);
                scales[7] = bad[i];
                tensors[t].data = scales;
            }
        other.count = 0;
        Bytes config = bytes_of(&scratch, out, "config.json");
        char *path = tiny_write(&other, &scratch, name,
                                arena_copy_text(&scratch.arena, (const char *)config.data, config.size, &err));
        CHECK_OK(safetensors_write(path_join(&scratch.arena, path, "model.safetensors", &err), tensors, written.count,
                                   NULL, NULL, &err));
        VerifyReport report;
        CHECK_OK(verify_model(&scratch.arena, path, &(WorkMeter){0}, &report, &err));
        ck_assert_uint_eq(report.problems.count, 1);
        ck_assert_ptr_nonnull(
            strstr(report.problems.texts[0], "tensor 'model.encoder.layers.0.fc1.weight': the scale of row 7 is"));
    }
    scratch_done(&scratch);
}
END_TEST

// Every allocation, read and write fails once: a clean error, and the place of the output untouched.
START_TEST(every_fault_leaves_nothing) {
    static const FaultKind kinds[] = {FAULT_ALLOCATION, FAULT_READ, FAULT_WRITE};
    static const char *const names[] = {"allocations", "reads", "writes"};
    Scratch scratch = scratch_make();
    Tiny tiny = tiny_make(&scratch.arena);
    char *model = tiny_write(&tiny, &scratch, "model", tiny_config), *out = scratch_path(&scratch, "out");
    QuantizeOptions options = with(STORE_INT8);
    for (size_t k = 0; k < 3; k++) {
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
            if (done) {
                ck_assert_int_eq(status, OK);
                folder_discard(out);
            } else {
                ck_assert_msg(status == (k ? ERR_IO : ERR_MEMORY), "%s, point %zu: %s", names[k], (size_t)points,
                              failure.message);
                ck_assert_uint_gt(strlen(failure.message), 10);
            }
            ck_assert_msg(scratch_count(&scratch) == 1, "%s, point %zu leaves something", names[k], (size_t)points);
        }
        printf("# quantize: %zu %s failed in turn\n", (size_t)points - 1, names[k]);
        ck_assert_uint_gt(points, 5);
    }
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("compress/quantize", int8_is_within_half_a_step, loadable_leaves_tables_in_half_precision,
          fp16_rounds_and_stays_where_it_would_overflow, keep_decides_by_name, the_same_input_gives_the_same_bytes,
          a_tied_table_is_written_once, bad_weights_are_refused_by_name, config_keeps_its_text,
          verify_finds_what_changed, verify_looks_at_every_scale, every_fault_leaves_nothing)

// SPDX-License-Identifier: Apache-2.0
// One set of weights under all the names, ties, containers and dtypes that writers use gives the same bits; what does
// not fit is refused in a sentence that names file, tensor, expected and found.
#include "model/variants.h"

static Scratch scratch;
static Error err;
static Outputs reference;

static void setup(void) {
    scratch = scratch_make();
    reference = fixed_outputs(&scratch.arena, source_path(&scratch.arena, MICRO), true);
}

static void check_same(const char *folder) {
    Outputs out = fixed_outputs(&scratch.arena, folder, true);
    ck_assert_msg(outputs_equal(&out, &reference), "%s: other outputs", folder);
}

static const char *renamed(const char *name) {
    return strncmp(name, "model.", 6) == 0 ? name + 6 : name;
}

START_TEST(test_names_without_prefix) {
    setup();
    char *folder = variant_folder(&scratch, "bare", MICRO, "{}");
    Bundle bundle = variant_tensors(&scratch.arena, MICRO);
    for (size_t i = 0; i < bundle.count; i++)
        bundle.tensors[i].name = renamed(bundle.tensors[i].name);
    variant_write(&scratch, folder, "model.safetensors", bundle.tensors, bundle.count);
    check_same(folder);
    folder = variant_folder(&scratch, "base-class", MICRO, "{\"architectures\":[\"BartModel\"]}");
    variant_write(&scratch, folder, "model.safetensors", bundle.tensors, bundle.count);
    check_same(folder);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_tied_table_under_each_name) {
    static const char *const names[] = {
        "model.shared.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight",
        "lm_head.weight",      "encoder.embed_tokens.weight",       "shared.weight"};
    setup();
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char name[16];
        snprintf(name, sizeof name, "tied-%zu", i);
        char *folder = variant_folder(&scratch, name, MICRO, "{}");
        Bundle bundle = variant_tensors(&scratch.arena, MICRO);
        variant_tensor(&bundle, "model.shared.weight")->name = names[i];
        variant_write(&scratch, folder, "model.safetensors", bundle.tensors, bundle.count);
        check_same(folder);
        const Model *model;
        CHECK_OK(model_open(&scratch.arena, folder, true, &model, &err));
        ck_assert_int_eq(model_info(model)->parameters, 12756 + 41); // transformers' num_parameters() and the bias
    }
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_torch_files) {
    static const char *const files[] = {"tests/golden/model/micro.zip.bin", "tests/golden/model/micro.old.bin"};
    setup();
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        char name[16];
        snprintf(name, sizeof name, "torch-%zu", i);
        char *folder = variant_folder(&scratch, name, MICRO, "{}");
        variant_link(&scratch, folder, "pytorch_model.bin", files[i]);
        check_same(folder);
        check_same(path_join(&scratch.arena, folder, "pytorch_model.bin", &err)); // the file itself as MODEL
    }
    scratch_done(&scratch);
}
END_TEST

// Every second tensor in the second shard.
START_TEST(test_shards) {
    setup();
    char *folder = variant_folder(&scratch, "shards", MICRO, "{}");
    Bundle bundle = variant_tensors(&scratch.arena, MICRO);
    Tensor parts[2][VARIANT_MOST_TENSORS];
    size_t counts[2] = {0, 0};
    static const char *const files[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
    json_t *map = json_object();
    for (size_t i = 0; i < bundle.count; i++) {
        parts[i % 2][counts[i % 2]++] = bundle.tensors[i];
        json_object_set_new(map, bundle.tensors[i].name, json_string(files[i % 2]));
    }
    for (size_t s = 0; s < 2; s++)
        variant_write(&scratch, folder, files[s], parts[s], counts[s]);
    json_t *index = json_pack("{s:{s:i},s:o}", "metadata", "total_size", 52164, "weight_map", map);
    json_write(&scratch, folder, "model.safetensors.index.json", index);
    json_decref(index);
    check_same(folder);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_f64) {
    setup();
    char *folder = variant_folder(&scratch, "f64", MICRO, "{}");
    Bundle bundle = variant_tensors(&scratch.arena, MICRO);
    for (size_t i = 0; i < bundle.count; i++) {
        Tensor *t = &bundle.tensors[i];
        size_t count = t->bytes / sizeof(float);
        double *wide = arena_array(&scratch.arena, count, sizeof *wide, &err);
        for (size_t e = 0; e < count; e++)
            wide[e] = ((const float *)t->data)[e];
        *t = (Tensor){t->name, DTYPE_F64, t->shape, wide, count * sizeof *wide};
    }
    variant_write(&scratch, folder, "model.safetensors", bundle.tensors, bundle.count);
    check_same(folder);
    scratch_done(&scratch);
}
END_TEST

// A bias of the logits as a plain vector; and one of zeros is none.
START_TEST(test_logits_bias) {
    setup();
    Bundle bundle = variant_tensors(&scratch.arena, MICRO);
    Tensor *bias = variant_tensor(&bundle, "final_logits_bias");
    ck_assert_int_eq(bias->shape.rank, 2);
    bias->shape = (Shape){1, {41}};
    char *folder = variant_folder(&scratch, "vector", MICRO, "{}");
    variant_write(&scratch, folder, "model.safetensors", bundle.tensors, bundle.count);
    check_same(folder);
    static const float zeros[41];
    bias->data = zeros;
    char *zero = variant_folder(&scratch, "zeros", MICRO, "{}"), *none = variant_folder(&scratch, "none", MICRO, "{}");
    variant_write(&scratch, zero, "model.safetensors", bundle.tensors, bundle.count);
    *bias = bundle.tensors[--bundle.count];
    variant_write(&scratch, none, "model.safetensors", bundle.tensors, bundle.count);
    Outputs a = fixed_outputs(&scratch.arena, zero, true), b = fixed_outputs(&scratch.arena, none, true);
    ck_assert(outputs_equal(&a, &b));
    ck_assert(!outputs_equal(&a, &reference));
    scratch_done(&scratch);
}
END_TEST

// Opens MICRO's weights with changed settings: has to fail.
static void check_settings(const char *changes, Status status, const char *text) {
    Arena arena;
    arena_init(&arena, 0);
    Scratch own = scratch_make();
    char *folder = variant_folder(&own, "m", MICRO, changes);
    variant_link(&own, folder, "model.safetensors", MICRO "/model.safetensors");
    const Model *model;
    err.message[0] = '\0';
    Status got = model_open(&arena, folder, true, &model, &err);
    ck_assert_msg(got == status && strstr(err.message, text) && strstr(err.message, "config.json"),
                  "%s: status '%s', message '%s', expected '%s'", changes, status_name(got), err.message, text);
    arena_done(&arena);
    scratch_done(&own);
}

START_TEST(test_unsupported_settings_are_named) {
    static const struct {
        const char *changes, *text;
    } cases[] = {
        {"{\"normalize_before\":true}", "'normalize_before' is true; only false"},
        {"{\"add_final_layer_norm\":true}", "'add_final_layer_norm' is true"},
        {"{\"normalize_embedding\":false}", "'normalize_embedding' is false; only true"},
        {"{\"static_position_embeddings\":true}", "'static_position_embeddings' is true"},
        {"{\"add_bias_logits\":true}", "'add_bias_logits' is true"},
        {"{\"extra_pos_embeddings\":0}", "'extra_pos_embeddings' is 0; only 2"},
        {"{\"position_embedding_type\":\"relative_key\"}", "'position_embedding_type' is \"relative_key\""},
        {"{\"is_encoder_decoder\":false}", "'is_encoder_decoder' is false"},
        {"{\"is_decoder\":true}", "'is_decoder' is true"},
        {"{\"add_cross_attention\":true}", "'add_cross_attention' is true"},
        {"{\"layer_norm_eps\":0.5}", "'layer_norm_eps' is 0.5; only 1e-5"},
        {"{\"layer_norm_epsilon\":1e-12}", "'layer_norm_epsilon' is"},
        {"{\"scale_attention\":false}", "'scale_attention' is false"},
        {"{\"scale_attn_weights\":false}", "'scale_attn_weights' is false"},
        {"{\"chunk_size_feed_forward\":4}", "'chunk_size_feed_forward' is 4"},
        {"{\"cross_attention_hidden_size\":32}", "'cross_attention_hidden_size' is 32"},
        {"{\"tie_encoder_decoder\":true}", "'tie_encoder_decoder' is true; only false"},
        {"{\"do_blenderbot_90_layernorm\":true}", "'do_blenderbot_90_layernorm' is true"},
        {"{\"layernorm_variant\":\"xlm\"}", "'layernorm_variant' is \"xlm\""},
        {"{\"attention_window\":[512,512]}", "'attention_window' is [512,512]; only null"},
        {"{\"compression_config\":{\"format\":\"dense\"}}", "'compression_config' is"},
        {"{\"pruned_heads\":{\"0\":[1]}}", "'pruned_heads' is not supported"},
        {"{\"activation_function\":\"mish\"}", "'activation_function' is 'mish'; gelu"},
        {"{\"model_type\":\"t5\"}", "model type 't5' is not supported; bart and mbart are"},
        {"{\"model_type\":null,\"architectures\":[\"T5ForConditionalGeneration\"]}", "'T5ForConditionalGeneration'"},
        {"{\"architectures\":[\"BartForSequenceClassification\"]}",
         "'BartForSequenceClassification' is not supported; BartForConditionalGeneration is"},
        {"{\"quantization_config\":{\"quant_method\":\"bitsandbytes\"}}",
         "bitsandbytes needs one of load_in_4bit and load_in_8bit"},
        {"{\"quantization_config\":{\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":true,\"bnb_4bit_quant_type\":"
         "\"af4\"}}",
         "bnb_4bit_quant_type 'af4' is not supported; nf4 and fp4 are"},
        {"{\"quantization_config\":{\"quant_method\":\"awq\"}}",
         "quantization method 'awq' is not supported; compressed-tensors, bitsandbytes and gptq are"},
        {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":3}}", "gptq in 3 bits is not supported; 4 is"},
        {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4,\"checkpoint_format\":\"marlin\"}}",
         "checkpoint_format 'marlin' is not supported; gptq and gptq_v2 are"},
        {"{\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"marlin-24\"}}",
         "format 'marlin-24' is not supported; int-quantized, pack-quantized and mixed-precision are"},
        {"{\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\",\"config_"
         "groups\":{\"group_0\":{\"weights\":{\"num_bits\":4,\"type\":\"float\",\"symmetric\":true,\"strategy\":"
         "\"group\"}}}}}",
         "weights.type = \"float\"; only \"int\" is supported"},
        {"{\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\",\"config_"
         "groups\":{\"group_0\":{\"weights\":{\"num_bits\":4,\"type\":\"int\",\"symmetric\":true,\"strategy\":"
         "\"tensor\"}}}}}",
         "weights.strategy = \"tensor\"; only \"group\" and \"channel\" are supported"},
        {"{\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\",\"config_"
         "groups\":{\"group_0\":{\"weights\":{\"num_bits\":4,\"type\":\"int\",\"symmetric\":true,\"strategy\":"
         "\"group\"},\"input_activations\":{\"num_bits\":8}}}}}",
         "has input_activations; only null is supported"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        check_settings(cases[i].changes, ERR_UNSUPPORTED, cases[i].text);
    ck_assert_int_eq(status_exit_code(ERR_UNSUPPORTED), 6);
}
END_TEST

#define W8A8(more)                                                                                                     \
    "{\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"int-quantized\"" more "}}"
#define WEIGHTS "\"weights\":{\"num_bits\":8,\"type\":\"int\",\"symmetric\":true,\"strategy\":\"channel\"}"
#define INPUTS                                                                                                         \
    "\"input_activations\":{\"num_bits\":8,\"type\":\"int\",\"symmetric\":true,\"strategy\":\"token\",\"dynamic\":"    \
    "true}"

START_TEST(test_unsupported_quantization_is_named) {
    static const struct {
        const char *changes, *text;
    } cases[] = {
        {W8A8(",\"kv_cache_scheme\":{\"num_bits\":8}"), "quantization_config has kv_cache_scheme"},
        {W8A8(",\"transform_config\":{\"config_groups\":{\"u\":{}}}"), "quantization_config has transform_config"},
        {W8A8(",\"sparsity_config\":{\"format\":\"sparse-bitmask\"}"), "quantization_config has sparsity_config"},
        {W8A8(",\"config_groups\":{\"g\":{" WEIGHTS "," INPUTS ",\"output_activations\":{\"num_bits\":8}}}"),
         "output_activations"},
        {W8A8(",\"config_groups\":{\"g\":{" WEIGHTS "}}"), "input_activations.num_bits = absent; only 8"},
        {W8A8(",\"config_groups\":{\"g\":{" WEIGHTS ",\"input_activations\":{\"num_bits\":8,\"type\":\"int\","
              "\"symmetric\":true,\"strategy\":\"channel\",\"dynamic\":false}}}"),
         "input_activations.strategy = \"channel\"; only \"tensor\" is supported"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        check_settings(cases[i].changes, ERR_UNSUPPORTED, cases[i].text);
}
END_TEST

START_TEST(test_wrong_settings_are_explained) {
    static const struct {
        const char *changes, *text;
    } cases[] = {
        {"{\"d_model\":null}", "lacks 'd_model', an integer from 1 to 65536"},
        {"{\"d_model\":\"20\"}", "'d_model' is \"20\", expected an integer"},
        {"{\"d_model\":20.5}", "'d_model' is 20.5, expected an integer"},
        {"{\"d_model\":0}", "'d_model' is 0, expected an integer from 1"},
        {"{\"vocab_size\":-1}", "'vocab_size' is -1"},
        {"{\"vocab_size\":99999999999}", "'vocab_size' is 99999999999"},
        {"{\"encoder_attention_heads\":3}", "d_model 20 is not divisible by 3 and 4 attention heads"},
        {"{\"scale_embedding\":1}", "'scale_embedding' is 1, expected true or false"},
        {"{\"tie_word_embeddings\":\"yes\"}", "'tie_word_embeddings' is \"yes\""},
        {"{\"activation_function\":7}", "'activation_function' is 7"},
        {"{\"model_type\":[1]}", "'model_type' is [1]"},
        {"{\"model_type\":null,\"architectures\":null}", "neither 'model_type' nor 'architectures'"},
        {"{\"quantization_config\":\"int8\"}", "'quantization_config' is \"int8\", expected an object"},
        {"{\"d_model\":40}", "is [42,20], and by"},
        {"{\"vocab_size\":42}", "'model.shared.weight' is [41,20], and by"},
        {"{\"max_position_embeddings\":41}", "'model.encoder.embed_positions.weight' is [42,20], and by"},
        {"{\"encoder_ffn_dim\":25}", "'model.encoder.layers.0.fc1.weight' is [24,20], and by"},
        {"{\"encoder_layers\":3}", "tensor 'model.encoder.layers.2.self_attn.q_proj.weight' is missing"},
        {"{\"decoder_layers\":1000}", "is missing"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        check_settings(cases[i].changes, ERR_FORMAT, cases[i].text);
}
END_TEST

// Opens MICRO with one tensor changed: has to fail.
static void check_tensor(const char *name, DType dtype, Shape shape, size_t bytes, Status status, const char *text) {
    Scratch own = scratch_make();
    char *folder = variant_folder(&own, "m", MICRO, "{}");
    Bundle bundle = variant_tensors(&own.arena, MICRO);
    Tensor *t = variant_tensor(&bundle, name);
    static unsigned char ones[8 * 1024];
    memset(ones, 1, sizeof ones);
    ck_assert_uint_le(bytes, sizeof ones);
    *t = (Tensor){t->name, dtype, shape, ones, bytes};
    variant_write(&own, folder, "model.safetensors", bundle.tensors, bundle.count);
    const Model *model;
    CHECK_FAILS(model_open(&own.arena, folder, true, &model, &err), status, text);
    ck_assert_msg(strstr(err.message, name) != NULL, "message '%s' does not name '%s'", err.message, name);
    scratch_done(&own);
}

START_TEST(test_wrong_tensors_are_explained) {
    const char *fc1 = "model.encoder.layers.1.fc1.weight", *norm = "model.decoder.layernorm_embedding.weight";
    check_tensor(fc1, DTYPE_F32, (Shape){2, {20, 24}}, 1920, ERR_FORMAT, "is [20,24], and by");
    check_tensor(fc1, DTYPE_F32, (Shape){2, {20, 24}}, 1920, ERR_FORMAT, "it must be [24,20]");
    check_tensor(fc1, DTYPE_F32, (Shape){1, {480}}, 1920, ERR_FORMAT, "is [480], and by");
    check_tensor(fc1, DTYPE_F32, (Shape){3, {1, 24, 20}}, 1920, ERR_FORMAT, "is [1,24,20], and by");
    check_tensor(fc1, DTYPE_F32, (Shape){2, {0, 20}}, 0, ERR_FORMAT, "is [0,20], and by");
    check_tensor(fc1, DTYPE_I64, (Shape){2, {24, 20}}, 3840, ERR_UNSUPPORTED, "is I64; weights may be F32");
    check_tensor(fc1, DTYPE_BOOL, (Shape){2, {24, 20}}, 480, ERR_UNSUPPORTED, "is BOOL; weights may be F32");
    check_tensor(fc1, DTYPE_I8, (Shape){2, {24, 20}}, 480, ERR_FORMAT, "is I8 and has no");
    check_tensor(norm, DTYPE_F32, (Shape){1, {19}}, 76, ERR_FORMAT, "is [19], and by");
    check_tensor(norm, DTYPE_I8, (Shape){1, {20}}, 20, ERR_UNSUPPORTED, "is I8");
    check_tensor("final_logits_bias", DTYPE_F32, (Shape){2, {41, 1}}, 164, ERR_FORMAT, "it must be [41]");
}
END_TEST

START_TEST(test_missing_tensors_are_named) {
    static const char *const names[] = {"model.shared.weight", "model.encoder.layers.1.fc2.weight",
                                        "model.decoder.layers.0.encoder_attn_layer_norm.bias",
                                        "model.decoder.embed_positions.weight"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        Scratch own = scratch_make();
        char *folder = variant_folder(&own, "m", MICRO, "{}");
        Bundle bundle = variant_tensors(&own.arena, MICRO);
        Tensor *gone = variant_tensor(&bundle, names[i]);
        *gone = bundle.tensors[--bundle.count];
        variant_write(&own, folder, "model.safetensors", bundle.tensors, bundle.count);
        const Model *model;
        CHECK_FAILS(model_open(&own.arena, folder, true, &model, &err), ERR_FORMAT, "is missing");
        ck_assert_msg(strstr(err.message, names[i]) && strstr(err.message, "config.json"), "%s", err.message);
        scratch_done(&own);
    }
}
END_TEST

START_TEST(test_missing_files_are_named) {
    Scratch own = scratch_make();
    const Model *model;
    CHECK_FAILS(model_open(&own.arena, scratch_path(&own, "absent"), true, &model, &err), ERR_IO,
                "there is no model at");
    char *folder = variant_folder(&own, "weightless", MICRO, "{}");
    ck_assert(model_open(&own.arena, folder, true, &model, &err) != OK);
    ck_assert_msg(strstr(err.message, "weightless") != NULL, "%s", err.message);
    char *bare = scratch_path(&own, "bare");
    ck_assert_int_eq(mkdir(bare, 0777), 0);
    CHECK_FAILS(model_open(&own.arena, bare, true, &model, &err), ERR_FORMAT, "has no config.json");
    scratch_done(&own);
}
END_TEST

TEST_MAIN("model/open", test_names_without_prefix, test_tied_table_under_each_name, test_torch_files, test_shards,
          test_f64, test_logits_bias, test_unsupported_settings_are_named, test_unsupported_quantization_is_named,
          test_wrong_settings_are_explained, test_wrong_tensors_are_explained, test_missing_tensors_are_named,
          test_missing_files_are_named)

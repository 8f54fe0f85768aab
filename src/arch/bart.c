// SPDX-License-Identifier: Apache-2.0
// BART and mBART, and all that differs from them by config only (KoBART, distilled depths, uneven sides).
//
// BART normalizes after each residual sum; mBART before each block and once more at the end of each side. Everything
// else is shared: learned positions at an offset of 2, embeddings tied with the head, a norm after the embeddings.
#include <math.h>
#include <string.h>

#include "arch/settings.h"
#include "arch/shapes.h"
#include "arch/weights.h"

enum { POSITION_OFFSET = 2 };

typedef struct Bart {
    GraphBuilder builder; // of the graph being built
    ArchModel *model;
    bool pre_norm;
    bool tied;
    double embedding_scale;
    const char *activation;
} Bart;

static Status settings_read(const ArchInput *input, Bart *bart, Error *err) {
    ArchModel *m = bart->model;
    TRY(setting_size(input, "d_model", 1 << 16, &m->width, err));
    TRY(setting_size(input, "vocab_size", 1 << 24, &m->vocabulary, err));
    TRY(setting_size(input, "max_position_embeddings", 1 << 20, &m->most_positions, err));
    TRY(setting_size(input, "encoder_layers", 1 << 10, &m->encoder_layers, err));
    TRY(setting_size(input, "decoder_layers", 1 << 10, &m->decoder_layers, err));
    TRY(setting_size(input, "encoder_attention_heads", m->width, &m->encoder_heads, err));
    TRY(setting_size(input, "decoder_attention_heads", m->width, &m->decoder_heads, err));
    TRY(setting_size(input, "encoder_ffn_dim", 1 << 20, &m->encoder_ffn, err));
    TRY(setting_size(input, "decoder_ffn_dim", 1 << 20, &m->decoder_ffn, err));
    if (m->width % m->encoder_heads || m->width % m->decoder_heads)
        return FAIL(err, ERR_FORMAT, "%s: d_model %zu is not divisible by %zu and %zu attention heads",
                    input->config_name, m->width, m->encoder_heads, m->decoder_heads);
    const FixedSetting fixed[] = {
        {"normalize_before", bart->pre_norm ? "true" : "false"},
        {"add_final_layer_norm", bart->pre_norm ? "true" : "false"},
        {"normalize_embedding", "true"},
        {"static_position_embeddings", "false"},
        {"add_bias_logits", "false"},
        {"extra_pos_embeddings", "2"},
        {"position_embedding_type", "\"absolute\""},
        {"is_encoder_decoder", "true"},
        {"is_decoder", "false"},
        {"add_cross_attention", "false"},
        {"layer_norm_eps", "1e-5"},
        {"layer_norm_epsilon", "1e-5"},
        {"layernorm_variant", "\"bart\""},
        {"do_blenderbot_90_layernorm", "false"},
        {"scale_attention", "true"},
        {"scale_attn_weights", "true"},
        {"attention_window", "null"},
        {"chunk_size_feed_forward", "0"},
        {"cross_attention_hidden_size", "null"},
        {"tie_encoder_decoder", "false"},
        {"compression_config", "null"},
    };
    TRY(setting_fixed(input, fixed, sizeof fixed / sizeof *fixed, err));
    const json_t *pruned = json_object_get(input->config, "pruned_heads");
    if (json_object_size(pruned))
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: setting 'pruned_heads' is not supported; save the pruned weights instead", input->config_name);
    TRY(setting_activation(input, "activation_function", "gelu", &bart->activation, err));
    bool scaled = false;
    TRY(json_get_bool(input->config, input->config_name, "scale_embedding", &scaled, err));
    bart->embedding_scale = scaled ? sqrt((double)m->width) : 1;
    bart->tied = true;
    return json_get_bool(input->config, input->config_name, "tie_word_embeddings", &bart->tied, err);
}

// The word table of one side. Tied weights are stored once, under whichever of their names the writer kept.
static const Constant *word_table(Bart *bart, const char *side) {
    GraphBuilder *b = &bart->builder;
    const char *own = builder_text(b, "model.%s.embed_tokens.weight", side);
    const char *tied[] = {"model.shared.weight", "model.encoder.embed_tokens.weight",
                          "model.decoder.embed_tokens.weight", "lm_head.weight", NULL};
    const char *untied[] = {own, "model.shared.weight", NULL};
    return builder_constant(b, bart->tied ? tied : untied, bart->model->vocabulary, bart->model->width);
}

// [T, d]: words times their scale, plus positions, then the norm.
static Value embeddings(Bart *bart, const char *side, Value ids, Value positions) {
    GraphBuilder *b = &bart->builder;
    const ArchModel *m = bart->model;
    const char *position_name = builder_text(b, "model.%s.embed_positions.weight", side);
    const Constant *places =
        builder_constant(b, (const char *const[]){position_name, NULL}, m->most_positions + POSITION_OFFSET, m->width);
    Value word_inputs[] = {ids, value_constant(word_table(bart, side))};
    Attribute scale = attribute_real("scale", bart->embedding_scale);
    Value words = builder_node(b, OP_EMBED, "words", word_inputs, 2, &scale, 1, m->width);
    Value place_inputs[] = {positions, value_constant(places)};
    Attribute offset = attribute_int("offset", POSITION_OFFSET);
    Value place = builder_node(b, OP_EMBED, "places", place_inputs, 2, &offset, 1, m->width);
    Value sum = builder_node(b, OP_ADD, "embedded", (Value[]){words, place}, 2, NULL, 0, m->width);
    return builder_norm(b, sum, builder_text(b, "model.%s.layernorm_embedding", side), m->width);
}

// x + block(x), normalized before or after. `norm_name` is the norm that goes with the block.
static Value residual(Bart *bart, Value x, Value block, const char *norm_name) {
    Value sum = builder_node(&bart->builder, OP_ADD, builder_text(&bart->builder, "%s.sum", norm_name),
                             (Value[]){x, block}, 2, NULL, 0, bart->model->width);
    return bart->pre_norm ? sum : builder_norm(&bart->builder, sum, norm_name, bart->model->width);
}

static Value block_input(Bart *bart, Value x, const char *norm_name) {
    return bart->pre_norm ? builder_norm(&bart->builder, x, norm_name, bart->model->width) : x;
}

static Value feed_forward(Bart *bart, Value x, const char *layer, size_t ffn) {
    GraphBuilder *b = &bart->builder;
    size_t d = bart->model->width;
    const char *norm = builder_text(b, "%s.final_layer_norm", layer), *fc1 = builder_text(b, "%s.fc1", layer);
    Value wide = builder_linear(b, block_input(bart, x, norm), fc1, ffn, d);
    Attribute kind = attribute_text("kind", bart->activation);
    Value active = builder_node(b, OP_ACTIVATION, builder_text(b, "%s.active", layer), &wide, 1, &kind, 1, ffn);
    return residual(bart, x, builder_linear(b, active, builder_text(b, "%s.fc2", layer), d, ffn), norm);
}

// The heads of one attention: together as wide as the model, unless some were pruned.
typedef struct Heads {
    size_t count, dim;
} Heads;

static Heads encoder_heads(const ArchModel *m, size_t layer) {
    return (Heads){m->shapes.encoder[layer].heads, m->width / m->encoder_heads};
}

static Heads decoder_heads(const ArchModel *m, size_t count) {
    return (Heads){count, m->width / m->decoder_heads};
}

static size_t attention_attributes(Heads heads, int64_t layer, Attribute ret[3]) {
    size_t count = 0;
    ret[count++] = attribute_int("heads", (int64_t)heads.count);
    if (layer >= 0)
        ret[count++] = attribute_int("layer", layer);
    ret[count++] = attribute_real("scale", 1 / sqrt((double)heads.dim));
    return count;
}

// Attention of `op` over the projections called <name>.{q,k,v,out}_proj; `layer` -1 where the operator keeps no cache.
static Value self_attention(Bart *bart, Value x, OpCode op, const char *name, Heads heads, int64_t layer) {
    GraphBuilder *b = &bart->builder;
    size_t d = bart->model->width, wide = heads.count * heads.dim;
    const char *norm = builder_text(b, "%s_layer_norm", name);
    Value h = block_input(bart, x, norm);
    Value qkv[] = {builder_linear(b, h, builder_text(b, "%s.q_proj", name), wide, d),
                   builder_linear(b, h, builder_text(b, "%s.k_proj", name), wide, d),
                   builder_linear(b, h, builder_text(b, "%s.v_proj", name), wide, d)};
    Attribute attributes[3];
    size_t count = attention_attributes(heads, layer, attributes);
    Value mixed = builder_node(b, op, name, qkv, 3, attributes, count, wide);
    return residual(bart, x, builder_linear(b, mixed, builder_text(b, "%s.out_proj", name), d, wide), norm);
}

static Value cross_attention(Bart *bart, Value x, const char *name, int64_t layer) {
    GraphBuilder *b = &bart->builder;
    Heads heads = decoder_heads(bart->model, bart->model->shapes.decoder[layer].cross_heads);
    size_t d = bart->model->width, wide = heads.count * heads.dim;
    const char *norm = builder_text(b, "%s_layer_norm", name);
    Value q = builder_linear(b, block_input(bart, x, norm), builder_text(b, "%s.q_proj", name), wide, d);
    Attribute attributes[3];
    size_t count = attention_attributes(heads, layer, attributes);
    Value mixed = builder_node(b, OP_ATTENTION_CROSS, name, &q, 1, attributes, count, wide);
    return residual(bart, x, builder_linear(b, mixed, builder_text(b, "%s.out_proj", name), d, wide), norm);
}

// encode(T): ids, positions -> states; every decoder layer's cross-attention K and V are computed and kept here.
static void build_encode(Bart *bart) {
    GraphBuilder *b = &bart->builder;
    const ArchModel *m = bart->model;
    Dim tokens = {0};
    b->status = graph_add_dim(b->graph, "T", &tokens, b->err);
    Value ids = builder_ids(b, "ids", tokens), positions = builder_ids(b, "positions", tokens);
    Value x = embeddings(bart, "encoder", ids, positions);
    for (size_t i = 0; i < m->encoder_layers; i++) {
        const char *layer = builder_text(b, "model.encoder.layers.%zu", i);
        x = self_attention(bart, x, OP_ATTENTION, builder_text(b, "%s.self_attn", layer), encoder_heads(m, i), -1);
        x = feed_forward(bart, x, layer, m->shapes.encoder[i].ffn);
    }
    if (bart->pre_norm)
        x = builder_norm(b, x, "model.encoder.layer_norm", m->width);
    for (size_t i = 0; i < m->decoder_layers; i++) {
        const char *name = builder_text(b, "model.decoder.layers.%zu.encoder_attn", i);
        Heads heads = decoder_heads(m, m->shapes.decoder[i].cross_heads);
        size_t wide = heads.count * heads.dim;
        Value kv[] = {builder_linear(b, x, builder_text(b, "%s.k_proj", name), wide, m->width),
                      builder_linear(b, x, builder_text(b, "%s.v_proj", name), wide, m->width)};
        Attribute attributes[] = {attribute_int("heads", (int64_t)heads.count), attribute_int("layer", (int64_t)i)};
        builder_effect(b, OP_CROSS_STORE, kv, 2, attributes, 2);
    }
    if (b->status == OK)
        b->status = graph_set_returns(b->graph, &x, 1, b->err);
}

static bool all_zero(const Tensor *tensor) {
    const unsigned char *bytes = tensor->data;
    for (size_t i = 0; i < tensor->bytes; i++)
        if (bytes[i])
            return false;
    return true;
}

static Value pick_rows(Bart *bart, Value x, Value picked) {
    GraphBuilder *b = &bart->builder;
    if (b->status != OK)
        return x;
    Value inputs[] = {x, picked};
    ValueType type = {DTYPE_F32, 2, {value_type(picked).dims[0], {false, (int64_t)bart->model->width}}};
    NodeSpec spec = {
        .op = OP_ROWS, .name = "rows", .inputs = inputs, .input_count = 2, .types = &type, .output_count = 1};
    Node *rows;
    if ((b->status = graph_add_node(b->graph, &spec, &rows, b->err)) != OK)
        return x;
    return value_of(rows, 0);
}

// head(P): states -> logits. The head is the word table again, plus a bias that fine-tuning may have left.
static void build_head(Bart *bart) {
    GraphBuilder *b = &bart->builder;
    const ArchModel *m = bart->model;
    Dim picks = {0};
    b->status = graph_add_dim(b->graph, "P", &picks, b->err);
    Value states = builder_states(b, "states", picks, m->width);
    const char *untied[] = {"lm_head.weight", NULL};
    const Constant *words =
        bart->tied ? word_table(bart, "decoder") : builder_constant(b, untied, m->vocabulary, m->width);
    const Tensor *bias = builder_find(b, "final_logits_bias");
    const Constant *c = NULL;
    if (bias ? !all_zero(bias) : builder_has(b, "final_logits_bias"))
        c = builder_constant(b, (const char *const[]){"final_logits_bias", NULL}, m->vocabulary, 0);
    Value inputs[] = {states, value_constant(words), value_constant(c)};
    Value logits = builder_node(b, OP_LINEAR, "logits", inputs, c ? 3 : 2, NULL, 0, m->vocabulary);
    if (b->status == OK)
        b->status = graph_set_returns(b->graph, &logits, 1, b->err);
}

// decode(T, P): ids, positions, picked rows -> states of the picked rows.
static void build_decode(Bart *bart) {
    GraphBuilder *b = &bart->builder;
    const ArchModel *m = bart->model;
    Dim tokens = {0}, picks = {0};
    b->status = graph_add_dim(b->graph, "T", &tokens, b->err);
    if (b->status == OK)
        b->status = graph_add_dim(b->graph, "P", &picks, b->err);
    Value ids = builder_ids(b, "ids", tokens), positions = builder_ids(b, "positions", tokens);
    Value picked = builder_ids(b, "picked", picks);
    Value x = embeddings(bart, "decoder", ids, positions);
    for (size_t i = 0; i < m->decoder_layers; i++) {
        const char *layer = builder_text(b, "model.decoder.layers.%zu", i);
        x = self_attention(bart, x, OP_ATTENTION_CACHED, builder_text(b, "%s.self_attn", layer),
                           decoder_heads(m, m->shapes.decoder[i].heads), (int64_t)i);
        x = cross_attention(bart, x, builder_text(b, "%s.encoder_attn", layer), (int64_t)i);
        x = feed_forward(bart, x, layer, m->shapes.decoder[i].ffn);
    }
    if (bart->pre_norm)
        x = builder_norm(b, x, "model.decoder.layer_norm", m->width);
    Value states = pick_rows(bart, x, picked);
    if (b->status == OK)
        b->status = graph_set_returns(b->graph, &states, 1, b->err);
}

static Status build_graph(Bart *bart, const char *name, void (*fill)(Bart *bart), const ArchInput *input, Arena *arena,
                          Graph **ret_graph, Error *err) {
    TRY_NEW(*ret_graph = graph_make(arena, name, err));
    bart->builder = (GraphBuilder){.graph = *ret_graph, .input = input, .err = err};
    fill(bart);
    return bart->builder.status;
}

static Status build(Arena *arena, const ArchInput *input, ArchModel *ret_model, bool pre_norm, const char *family,
                    Error *err) {
    static const SizeKeys keys = {"encoder_layers", "decoder_layers", "encoder_ffn_dim", "decoder_ffn_dim",
                                  "num_hidden_layers"};
    static const char *const apart[] = {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight",
                                        "lm_head.weight"};
    static const TiedTables tied = {apart, sizeof apart / sizeof *apart, "model.shared.weight"};
    ArchModel model = {.family = family, .keys = &keys, .tied = &tied};
    Bart bart = {.model = &model, .pre_norm = pre_norm};
    TRY(settings_read(input, &bart, err));
    TRY(shapes_read(arena, input, &model, err));
    TRY(build_graph(&bart, "encode", build_encode, input, arena, &model.encode, err));
    TRY(build_graph(&bart, "decode", build_decode, input, arena, &model.decode, err));
    TRY(build_graph(&bart, "head", build_head, input, arena, &model.head, err));
    *ret_model = model;
    return OK;
}

static Status build_bart(Arena *arena, const ArchInput *input, ArchModel *ret_model, Error *err) {
    return build(arena, input, ret_model, false, "bart", err);
}

static Status build_mbart(Arena *arena, const ArchInput *input, ArchModel *ret_model, Error *err) {
    return build(arena, input, ret_model, true, "mbart", err);
}

const Arch arch_bart = {
    .name = "bart",
    .generation = "{\"bos_token_id\":0,\"pad_token_id\":1,\"eos_token_id\":2,\"decoder_start_token_id\":2,"
                  "\"forced_eos_token_id\":2}",
    .build = build_bart,
};
const Arch arch_mbart = {
    .name = "mbart",
    .generation = "{\"bos_token_id\":0,\"pad_token_id\":1,\"eos_token_id\":2,\"forced_eos_token_id\":2}",
    .build = build_mbart,
};

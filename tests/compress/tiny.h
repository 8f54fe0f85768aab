// SPDX-License-Identifier: Apache-2.0
// A BART of one layer on each side, made up for these tests: d_model 16, two heads, 24 in the middle, 40 words, 12
// places.
#pragma once

#include <math.h>

#include "base/json.h"
#include "base/scratch.h"
#include "compress/config_text.h"
#include "format/safetensors/safetensors.h"

#ifndef TINY_SCALE
#define TINY_SCALE 1 // 4: d_model 64, 96 in the middle, for codes in groups
#endif
enum { TINY_WIDTH = 16 * TINY_SCALE, TINY_FFN = 24 * TINY_SCALE, TINY_WORDS = 40, TINY_PLACES = 14, TINY_MOST = 64 };

typedef struct Tiny {
    Tensor tensors[TINY_MOST];
    size_t count;
    Arena *arena;
    unsigned seed;
} Tiny;

// Adds a tensor of f32 between -1 and 1; columns 0: a vector.
static inline float *tiny_add(Tiny *tiny, const char *name, size_t rows, size_t columns) {
    Error err;
    size_t elements = rows * (columns ? columns : 1);
    float *values = arena_array(tiny->arena, elements, sizeof *values, &err);
    ck_assert_ptr_nonnull(values);
    for (size_t i = 0; i < elements; i++) {
        tiny->seed = tiny->seed * 1664525u + 1013904223u;
        values[i] = (float)(int)(tiny->seed >> 8) / 0x1p23f - 1;
    }
    ck_assert_uint_lt(tiny->count, TINY_MOST);
    tiny->tensors[tiny->count++] = (Tensor){.name = arena_copy_text(tiny->arena, name, strlen(name), &err),
                                            .dtype = DTYPE_F32,
                                            .shape = {columns ? 2 : 1, {(int64_t)rows, (int64_t)columns}},
                                            .data = values,
                                            .bytes = elements * sizeof *values};
    return values;
}

static inline void tiny_add_pair(Tiny *tiny, const char *module, size_t rows, size_t columns) {
    char name[128];
    snprintf(name, sizeof name, "%s.weight", module);
    tiny_add(tiny, name, rows, columns);
    snprintf(name, sizeof name, "%s.bias", module);
    tiny_add(tiny, name, rows, 0);
}

static inline void tiny_add_side(Tiny *tiny, const char *side) {
    static const char *const projections[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    static const char *const attentions[] = {"self_attn", "encoder_attn"};
    char name[128];
    for (size_t a = 0; a < (strcmp(side, "decoder") == 0 ? 2 : 1); a++) {
        for (size_t p = 0; p < 4; p++) {
            snprintf(name, sizeof name, "model.%s.layers.0.%s.%s", side, attentions[a], projections[p]);
            tiny_add_pair(tiny, name, TINY_WIDTH, TINY_WIDTH);
        }
        snprintf(name, sizeof name, "model.%s.layers.0.%s_layer_norm", side, attentions[a]);
        tiny_add_pair(tiny, name, TINY_WIDTH, 0);
    }
    snprintf(name, sizeof name, "model.%s.layers.0.fc1", side);
    tiny_add_pair(tiny, name, TINY_FFN, TINY_WIDTH);
    snprintf(name, sizeof name, "model.%s.layers.0.fc2", side);
    tiny_add_pair(tiny, name, TINY_WIDTH, TINY_FFN);
    snprintf(name, sizeof name, "model.%s.layers.0.final_layer_norm", side);
    tiny_add_pair(tiny, name, TINY_WIDTH, 0);
    snprintf(name, sizeof name, "model.%s.layernorm_embedding", side);
    tiny_add_pair(tiny, name, TINY_WIDTH, 0);
    snprintf(name, sizeof name, "model.%s.embed_positions.weight", side);
    tiny_add(tiny, name, TINY_PLACES, TINY_WIDTH);
}

static const char tiny_config[] =
    "{\n  \"architectures\": [\"BartForConditionalGeneration\"],\n  \"model_type\": \"bart\",\n  \"d_model\": 16,\n"
    "  \"vocab_size\": 40,\n  \"max_position_embeddings\": 12,\n  \"encoder_layers\": 1,\n  \"decoder_layers\": 1,\n"
    "  \"encoder_attention_heads\": 2,\n  \"decoder_attention_heads\": 2,\n  \"encoder_ffn_dim\": 24,\n"
    "  \"decoder_ffn_dim\": 24,\n  \"dropout\": 0.1,\n  \"torch_dtype\": \"float32\",\n  \"bos_token_id\": 0,\n"
    "  \"pad_token_id\": 1,\n  \"eos_token_id\": 2,\n  \"decoder_start_token_id\": 2\n}\n";

// The config of a model as wide as TINY_SCALE makes it.
static inline const char *tiny_config_scaled(Arena *arena) {
    Error err;
    const char *text = tiny_config;
    const struct {
        const char *key;
        int value;
    } edits[] = {{"d_model", TINY_WIDTH}, {"encoder_ffn_dim", TINY_FFN}, {"decoder_ffn_dim", TINY_FFN}};
    for (size_t i = 0; i < ARRAY_COUNT(edits); i++) {
        char value[16];
        Buffer out = {0};
        snprintf(value, sizeof value, "%d", edits[i].value);
        config_text_set((Bytes){(const unsigned char *)text, strlen(text)}, edits[i].key, value, &out);
        text = arena_copy_text(arena, out.data, out.bytes, &err);
        buffer_done(&out);
    }
    return text;
}

static inline Tiny tiny_make(Arena *arena) {
    Tiny tiny = {.arena = arena, .seed = 7};
    float *words = tiny_add(&tiny, "model.shared.weight", TINY_WORDS, TINY_WIDTH);
    memset(words + TINY_WIDTH, 0, TINY_WIDTH * sizeof *words); // the padding's row
    tiny_add_side(&tiny, "encoder");
    tiny_add_side(&tiny, "decoder");
    return tiny;
}

// The values of a tensor that the test may change before writing.
static inline float *tiny_values(Tiny *tiny, const char *name) {
    for (size_t i = 0; i < tiny->count; i++)
        if (strcmp(tiny->tensors[i].name, name) == 0)
            return (float *)(uintptr_t)tiny->tensors[i].data;
    ck_abort_msg("no tensor '%s'", name);
    return NULL;
}

// Writes the folder with a few files besides; returns its path.
static inline char *tiny_write(Tiny *tiny, Scratch *scratch, const char *name, const char *config) {
    Error err;
    char *staging, *path = scratch_path(scratch, name);
    CHECK_OK(folder_stage(&scratch->arena, path, true, &staging, &err));
    CHECK_OK(safetensors_write(path_join(&scratch->arena, staging, "model.safetensors", &err), tiny->tensors,
                               tiny->count, NULL, NULL, &err));
    CHECK_OK(file_replace(path_join(&scratch->arena, staging, "config.json", &err), config, strlen(config), &err));
    CHECK_OK(file_replace(path_join(&scratch->arena, staging, "generation_config.json", &err), "{\"num_beams\": 2}\n",
                          17, &err));
    CHECK_OK(file_replace(path_join(&scratch->arena, staging, "training.log", &err), "x", 1, &err));
    CHECK_OK(folder_commit(staging, path, &err));
    return path;
}
